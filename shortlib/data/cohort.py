"""The record that every method, metric and figure works on."""

import hashlib
from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd

from shortlib.data.splits import split_by_patient
from shortlib.data.streamed import Streamed

# Field of masks to the field that names its planes.
PLANES = {
    "abnormality_masks": "abnormality_names",
    "anatomy_masks": "anatomy_names",
    "shortcut_masks": "shortcut_names",
}


@dataclass(frozen=True)
class Cohort:
    """One split of one data set, ready to use.

    A field that the data set does not have is ``None``; :meth:`require` turns
    its absence into a clear sentence. All arrays share their first axis, the
    ``n`` cases. Images and masks may be :class:`shortlib.data.streamed.Streamed`,
    which are read from disk when they are indexed.

    Parameters
    ----------
    name : str
        Data set and split, e.g. ``"squares-train"``.
    case_ids : numpy.ndarray of str, shape (n,)
        Unique within the cohort.
    images : numpy.ndarray or Streamed, shape (n, c, h, w)
        ``uint8`` in [0, 255] or ``float32`` in the units of the data set.
    labels : numpy.ndarray, shape (n,) or (n, k), optional
        One axis: int, the class of each case, 0 or 1 or an index into
        `label_names`. Two axes: one column a label, 1 (present), 0 (absent), -1
        (uncertain) or NaN (not mentioned).
    abnormality_masks : numpy.ndarray of bool or Streamed, shape (n, h, w) or (n, k, h, w), optional
        True on the pixels of the abnormality; one plane for each of
        `abnormality_names` where there are four axes.
    anatomy_masks : numpy.ndarray of bool or Streamed, shape (n, h, w) or (n, p, h, w), optional
        True on the pixels of the organ that a reader would look at.
    shortcut : numpy.ndarray of bool, shape (n,) or (n, a), optional
        True for a case that carries the shortcut; one column for each of
        `shortcut_names` where there are two axes.
    shortcut_masks : numpy.ndarray of bool or Streamed, shape (n, h, w) or (n, a, h, w), optional
        True on the pixels of the shortcut.
    reports : numpy.ndarray of str, shape (n,), optional
        Free text that goes with the image.
    patient_ids : numpy.ndarray of str, shape (n,), optional
        Cases of one patient are never separated by :meth:`split`.
    covariates : pandas.DataFrame, n rows, optional
        What else is known of each case: age, sex, view, scanner, source, licence.
    label_names, abnormality_names, anatomy_names, shortcut_names : tuple of str
        What the classes, columns and planes are; empty where there is one alone.
    skipped : tuple of shortlib.data.problems.DataError
        Why cases that the data set lists are not in the cohort.

    Raises
    ------
    ValueError
        If lengths disagree, a shape or a value is wrong, or a case id occurs twice.
    """

    name: str
    case_ids: np.ndarray
    images: np.ndarray | Streamed
    labels: np.ndarray | None = None
    abnormality_masks: np.ndarray | Streamed | None = None
    anatomy_masks: np.ndarray | Streamed | None = None
    shortcut: np.ndarray | None = None
    shortcut_masks: np.ndarray | Streamed | None = None
    reports: np.ndarray | None = None
    patient_ids: np.ndarray | None = None
    covariates: pd.DataFrame | None = None
    label_names: tuple[str, ...] = ()
    abnormality_names: tuple[str, ...] = ()
    anatomy_names: tuple[str, ...] = ()
    shortcut_names: tuple[str, ...] = ()
    skipped: tuple = ()

    def __post_init__(self):
        if self.images.ndim != 4:
            self._refuse(f"images must have shape (n, c, h, w), got {self.images.shape}")
        for name, array in self.arrays():
            if len(array) != len(self.images):
                self._refuse(f"{name} has {len(array)} cases, images have {len(self.images)}")
            if name in PLANES:
                self._check_masks(name, array)
            elif name in ("case_ids", "patient_ids", "reports") and array.ndim != 1:
                self._refuse(f"{name} must have one axis, got shape {array.shape}")
        self._check_labels()
        self._check_shortcut()
        ids, counts = np.unique(self.case_ids, return_counts=True)
        if len(ids) != len(self.case_ids):
            self._refuse(
                f"case id {str(ids[counts.argmax()])!r} occurs {counts.max()} times; "
                "ids must be unique"
            )

    def arrays(self):
        """Yield ``(field name, array)`` for the fields that are present."""
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "name" and value is not None and not isinstance(value, tuple):
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
                self._refuse(f"has no {name}; it has {', '.join(sorted(present))}")
        found = tuple(present[name] for name in names)
        return found[0] if len(found) == 1 else found

    def plane(self, field, name):
        """Return one named plane of masks, e.g. ``plane("anatomy_masks", "heart")``.

        Returns
        -------
        numpy.ndarray of bool or Streamed, shape (n, h, w)

        Raises
        ------
        ValueError
            If there are no such masks, or none of that name.
        """
        masks, names = self.require(field), getattr(self, PLANES[field])
        if name not in names:
            self._refuse(f"{field} have no plane {name!r}; they have {', '.join(names) or 'one'}")
        if masks.ndim == 3:
            return masks
        place = names.index(name)
        if isinstance(masks, Streamed):
            return masks.map(lambda case, _: case[place], f"plane {place}", shape=masks.shape[2:])
        return masks[:, place]

    def split(self, fractions, *, seed=0, stratify=True):
        """Split into parts that share no patient.

        Parameters
        ----------
        fractions : dict of str to float
            Share of the patients of each part; they sum to 1.
        seed : int
        stratify : bool
            Whether the parts should have the same distribution of labels.

        Returns
        -------
        dict of str to Cohort
            See :func:`shortlib.data.splits.split_by_patient`. Without
            `patient_ids` every case is a patient of its own.
        """
        patients = self.case_ids if self.patient_ids is None else self.patient_ids
        strata = self.labels if stratify else None
        parts = split_by_patient(patients, fractions, strata=strata, seed=seed)
        return {
            name: replace(self[parts == name], name=f"{self.name}-{name}") for name in fractions
        }

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        """Return the cohort of the selected cases (slice, integer or boolean array)."""
        if isinstance(index, int | np.integer):
            index = [int(index)]
        return replace(self, **{name: _select(array, index) for name, array in self.arrays()})

    def checksum(self):
        """Return the SHA-256 of all that the cohort holds but its own name, as hexadecimal.

        A streamed field counts with what decides its values, so that nothing is
        read: see :meth:`shortlib.data.streamed.Streamed.checksum`.
        """
        digest = hashlib.sha256()
        for name, array in self.arrays():
            if isinstance(array, Streamed):
                digest.update(f"{name}:{array.checksum()}".encode())
            elif isinstance(array, pd.DataFrame):
                digest.update(f"{name}:{array.to_csv(index=False)}".encode())
            else:
                digest.update(f"{name}:{array.dtype.kind}:{array.shape}".encode())
                digest.update(_content(array))
        for name in ("label_names", *PLANES.values()):
            if getattr(self, name):
                digest.update(f"{name}:{getattr(self, name)}".encode())
        return digest.hexdigest()

    def _check_masks(self, name, array):
        if array.ndim not in (3, 4):
            self._refuse(f"{name} must have shape (n, h, w) or (n, planes, h, w)")
        if array.shape[-2:] != self.images.shape[2:]:
            self._refuse(
                f"{name} are {array.shape[-2:]} pixels, images are {self.images.shape[2:]}"
            )
        if array.dtype != bool:
            self._refuse(f"{name} must be bool, got {array.dtype}")
        self._check_names(PLANES[name], array.shape[1] if array.ndim == 4 else 1, array.ndim == 4)

    def _check_labels(self):
        labels, names = self.labels, self.label_names
        if labels is None:
            return
        if labels.ndim == 2:
            self._check_names("label_names", labels.shape[1], needed=True)
            odd = labels[~(np.isin(labels, (0, 1, -1)) | np.isnan(labels))]
            due = "1, 0, -1 or NaN"
        elif labels.ndim == 1:
            classes = len(names) or 2
            odd = labels[~np.isin(labels, np.arange(classes))]
            due = f"whole numbers from 0 to {classes - 1}"
        else:
            self._refuse(f"labels must have shape (n,) or (n, k), got {labels.shape}")
        if odd.size:
            self._refuse(f"labels are {due}, got {odd[0]}")

    def _check_shortcut(self):
        shortcut = self.shortcut
        if shortcut is None:
            return
        if shortcut.ndim not in (1, 2) or shortcut.dtype != bool:
            self._refuse(
                f"shortcut must be bool of shape (n,) or (n, a), got {shortcut.dtype} of shape "
                f"{shortcut.shape}"
            )
        several = shortcut.ndim == 2
        self._check_names("shortcut_names", shortcut.shape[1] if several else 1, several)

    def _check_names(self, field, count, needed):
        names = getattr(self, field)
        if (needed or names) and len(names) != count:
            self._refuse(f"{field} must be {count} names, got {names}")

    def _refuse(self, sentence):
        raise ValueError(
            f"cohort {self.name!r}{'' if sentence.startswith('has') else ':'} {sentence}"
        )


def _select(array, index):
    if isinstance(array, Streamed):
        return array.take(index)
    if isinstance(array, pd.DataFrame):
        return array.iloc[index].reset_index(drop=True)
    return array[index]


def _content(array):
    if array.dtype.kind in "UO":
        return "\0".join(map(str, array)).encode()
    return np.ascontiguousarray(array).tobytes()
