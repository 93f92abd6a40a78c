"""The training images among which a person looks for a good and a bad explanation."""

from dataclasses import dataclass

import numpy as np

ANY, RIGHT, WRONG = "any", "right", "wrong"
PREDICTIONS = (ANY, RIGHT, WRONG)


@dataclass(frozen=True)
class Candidates:
    """Training images, what a model makes of them, and where it looks.

    Parameters
    ----------
    case_ids : numpy.ndarray of str, shape (n,)
        Unique; two at least.
    images : numpy.ndarray of uint8, shape (n, h, w)
        Grey.
    maps : numpy.ndarray of float, shape (n, h, w)
        In [0, 1]: how far each place speaks for the predicted class.
    labels, predicted : numpy.ndarray of int, shape (n,)
        Each case's class and the predicted one, as places in `label_names`.
    label_names : sequence of str
    confidence : numpy.ndarray of float, shape (n,)
        Probability of the predicted class, in [0, 1].
    run : str
        Name of the run's folder whose model made the maps.

    Raises
    ------
    ValueError
        Names what does not fit, and what it got.
    """

    case_ids: np.ndarray
    images: np.ndarray
    maps: np.ndarray
    labels: np.ndarray
    label_names: tuple[str, ...]
    predicted: np.ndarray
    confidence: np.ndarray
    run: str

    def __post_init__(self):
        arrays = ("case_ids", "images", "maps", "labels", "predicted", "confidence")
        for name in arrays:
            object.__setattr__(self, name, np.asarray(getattr(self, name)))
        object.__setattr__(self, "label_names", tuple(map(str, self.label_names)))
        if not isinstance(self.run, str) or not self.run:
            raise ValueError(f"run must be the name of a run's folder, got {self.run!r}")
        if self.images.ndim != 3 or self.images.dtype != np.uint8 or not self.images.size:
            raise ValueError(
                "images must be uint8 of shape (n, h, w), got "
                f"{self.images.dtype} of shape {self.images.shape}"
            )
        if len(self) < 2:
            raise ValueError("images must be two or more, one good and one bad, got one")
        self._check_shapes()
        self._check_ids()
        self._check_values()

    def __len__(self):
        return len(self.images)

    def place(self, case_id):
        """Return the place of a case, or None if it is not among the candidates."""
        found = np.flatnonzero(self.case_ids == case_id)
        return int(found[0]) if len(found) else None

    def select(self, *, label=None, prediction=ANY, confidence=(0, 1)):
        """Find the cases that all conditions hold for.

        Parameters
        ----------
        label : str, optional
            Name of their class; all by default.
        prediction : str
            ``"any"``, ``"right"`` or ``"wrong"``.
        confidence : tuple of float
            Least and largest probability of the predicted class, both included.

        Returns
        -------
        numpy.ndarray of int
            Their places, ascending.

        Raises
        ------
        ValueError
            If the class or the kind of prediction is unknown.
        """
        if label is not None and label not in self.label_names:
            raise ValueError(f"label must be one of {', '.join(self.label_names)}, got {label!r}")
        if prediction not in PREDICTIONS:
            raise ValueError(
                f"prediction must be one of {', '.join(PREDICTIONS)}, got {prediction!r}"
            )
        low, high = confidence
        kept = (self.confidence >= low) & (self.confidence <= high)
        if label is not None:
            kept &= self.labels == self.label_names.index(label)
        if prediction != ANY:
            kept &= (self.labels == self.predicted) == (prediction == RIGHT)
        return np.flatnonzero(kept)

    def _check_shapes(self):
        n = len(self)
        due = {
            **dict.fromkeys(("case_ids", "labels", "predicted", "confidence"), (n,)),
            "maps": self.images.shape,
        }
        for name, shape in due.items():
            if getattr(self, name).shape != shape:
                raise ValueError(
                    f"{name} must have shape {shape} as there are {n} images of "
                    f"{self.images.shape[1]} x {self.images.shape[2]} pixels, got "
                    f"{getattr(self, name).shape}"
                )

    def _check_ids(self):
        odd = [case for case in self.case_ids.tolist() if not isinstance(case, str) or not case]
        if odd:
            raise ValueError(f"case_ids must be text that is not empty, got {odd[0]!r}")
        ids, counts = np.unique(self.case_ids, return_counts=True)
        if counts.max() > 1:
            raise ValueError(f"case_ids must be unique, {str(ids[counts.argmax()])!r} occurs twice")
        names = self.label_names
        if not names or len(set(names)) < len(names):
            raise ValueError(f"label_names must be one or more, each once, got {names}")

    def _check_values(self):
        for name in ("labels", "predicted"):
            values = getattr(self, name)
            if values.dtype.kind not in "iu":
                raise ValueError(f"{name} must be whole numbers, got {values.dtype}")
            odd = values[(values < 0) | (values >= len(self.label_names))]
            if len(odd):
                raise ValueError(
                    f"{name} must be places in label_names, 0 to {len(self.label_names) - 1}, "
                    f"got {odd[0]}"
                )
        for name in ("maps", "confidence"):
            values = getattr(self, name)
            if values.dtype.kind != "f":
                raise ValueError(f"{name} must be float in [0, 1], got {values.dtype}")
            # A comparison with NaN is false, so that NaN is refused as well.
            odd = values[~((values >= 0) & (values <= 1))]
            if odd.size:
                raise ValueError(f"{name} must be in [0, 1], got {odd.flat[0]}")
