"""The record that every method, metric and figure works on."""

import hashlib
from dataclasses import dataclass, fields, replace

import numpy as np


@dataclass(frozen=True)
class Cohort:
    """One split of one data set, ready to use.

    A field that the data set does not have is ``None``; :meth:`require` turns
    its absence into a clear sentence. All arrays share their first axis, the
    ``n`` cases.

    Parameters
    ----------
    name : str
        Data set and split, e.g. ``"squares-train"``.
    case_ids : numpy.ndarray of str, shape (n,)
        Unique within the cohort.
    images : numpy.ndarray, shape (n, c, h, w)
        ``uint8`` in [0, 255] or ``float32`` in the units of the data set.
    labels : numpy.ndarray of int, shape (n,), optional
        Image-level label, 0 or 1.
    abnormality_masks : numpy.ndarray of bool, shape (n, h, w), optional
        True on the pixels of the abnormality.
    anatomy_masks : numpy.ndarray of bool, shape (n, h, w), optional
        True on the pixels of the organ that a reader would look at.
    shortcut : numpy.ndarray of bool, shape (n,), optional
        True for a case that carries the shortcut.
    shortcut_masks : numpy.ndarray of bool, shape (n, h, w), optional
        True on the pixels of the shortcut.
    reports : numpy.ndarray of str, shape (n,), optional
        Free text that goes with the image.

    Raises
    ------
    ValueError
        If lengths disagree, a shape is wrong, or a case id occurs twice.
    """

    name: str
    case_ids: np.ndarray
    images: np.ndarray
    labels: np.ndarray | None = None
    abnormality_masks: np.ndarray | None = None
    anatomy_masks: np.ndarray | None = None
    shortcut: np.ndarray | None = None
    shortcut_masks: np.ndarray | None = None
    reports: np.ndarray | None = None

    def __post_init__(self):
        if self.images.ndim != 4:
            raise ValueError(
                f"cohort {self.name!r}: images must have shape (n, c, h, w), "
                f"got {self.images.shape}"
            )
        for name, array in self.arrays():
            if len(array) != len(self.images):
                raise ValueError(
                    f"cohort {self.name!r}: {name} has {len(array)} cases, "
                    f"images have {len(self.images)}"
                )
            if name.endswith("_masks") and array.shape[1:] != self.images.shape[2:]:
                raise ValueError(
                    f"cohort {self.name!r}: {name} are {array.shape[1:]} pixels, "
                    f"images are {self.images.shape[2:]}"
                )
        ids, counts = np.unique(self.case_ids, return_counts=True)
        if len(ids) != len(self.case_ids):
            raise ValueError(
                f"cohort {self.name!r}: case id {str(ids[counts.argmax()])!r} occurs "
                f"{counts.max()} times; ids must be unique"
            )

    def arrays(self):
        """Yield ``(field name, array)`` for the fields that are present."""
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "name" and value is not None:
                yield field.name, value

    def require(self, *names):
        """Return the named fields, or say which one this data set does not have.

        Returns
        -------
        numpy.ndarray or tuple of numpy.ndarray
            One array for one name, else a tuple in the order of the names.

        Raises
        ------
        ValueError
            If a field is absent; the sentence lists those that are present.
        """
        present = dict(self.arrays())
        for name in names:
            if name not in present:
                raise ValueError(
                    f"cohort {self.name!r} has no {name}; it has {', '.join(sorted(present))}"
                )
        found = tuple(present[name] for name in names)
        return found[0] if len(found) == 1 else found

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        """Return the cohort of the selected cases (slice, integer or boolean array)."""
        if isinstance(index, int | np.integer):
            index = [int(index)]
        return replace(self, **{name: array[index] for name, array in self.arrays()})

    def checksum(self):
        """Return the SHA-256 of all that the cohort holds, as a hexadecimal string."""
        digest = hashlib.sha256()
        for name, array in self.arrays():
            digest.update(f"{name}:{array.dtype.kind}:{array.shape}".encode())
            if array.dtype.kind in "UO":
                digest.update("\0".join(map(str, array)).encode())
            else:
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()
