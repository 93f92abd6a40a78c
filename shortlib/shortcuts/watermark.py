"""Letters burnt into an image, one for each label (Palepu and Beam 2022, Section 2.3)."""

from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from shortlib.data.seeds import derive_seed
from shortlib.data.views import positives, view_of

SYMBOLS = {
    "Atelectasis": "A",
    "Cardiomegaly": "C",
    "Consolidation": "N",
    "Edema": "E",
    "Pleural Effusion": "P",
}
NEGATIVE = ("not positive", "zero")


@dataclass(frozen=True)
class Watermark:
    """How the symbols look and where they stand.

    Lengths are in pixels of an image of 224 px and scale with the image's side.

    Parameters
    ----------
    symbols : tuple of str
        One letter a label, in the order of the labels.
    points : float
        Size of the letters.
    left, step, top : float
        Left edge of the first symbol, distance to the next one, upper edge of all.
    jitter : int
        Every symbol is moved by up to so many pixels along each axis, anew for each
        image.
    opacity : float
        1 replaces the image by white, 0 leaves it as it is.
    """

    symbols: tuple[str, ...] = field(default=tuple(SYMBOLS.values()))
    points: float = 30
    left: float = 20
    step: float = 40
    top: float = 20
    jitter: int = 5
    opacity: float = 1.0

    def __post_init__(self):
        if not 0 < self.opacity <= 1:
            raise ValueError(f"opacity must be in (0, 1], got {self.opacity}")
        if not (self.points > 0 and self.jitter >= 0):
            raise ValueError(
                f"points must be positive and jitter 0 or more, got {self.points} and {self.jitter}"
            )
        if not all(len(symbol) == 1 for symbol in self.symbols):
            raise ValueError(f"a symbol is one letter, got {self.symbols}")

    def offsets(self, n, side, rng):
        """Draw where each symbol stands in each of `n` images.

        Parameters
        ----------
        n, side : int
        rng : numpy.random.Generator

        Returns
        -------
        numpy.ndarray of int, shape (n, k, 2)
            Row and column of the symbol's upper left corner.
        """
        scale = side / 224
        most = round(self.jitter * scale)
        moved = rng.integers(-most, most + 1, size=(n, len(self.symbols), 2))
        columns = self.left + self.step * np.arange(len(self.symbols))
        places = [(self.top * scale, column * scale) for column in columns]
        return np.maximum(np.rint(places).astype(int) + moved, 0)

    def draw(self, images, carries, offsets):
        """Burn symbols into images.

        Parameters
        ----------
        images : torch.Tensor, shape (n, c, h, h)
            uint8 in [0, 255] or float in [0, 1]; not changed.
        carries : array_like of bool, shape (n, k)
        offsets : array_like of int, shape (n, k, 2)
            As :meth:`offsets` draws them.

        Returns
        -------
        images : torch.Tensor
            As the input; the very same pixels outside `masks`.
        masks : torch.Tensor of bool, shape (n, h, h)
            The symbols' pixels.
        """
        n, _, height, width = images.shape
        ink = torch.zeros(n, height, width)
        carries, offsets = np.asarray(carries, bool), np.asarray(offsets)
        for k, symbol in enumerate(self.symbols):
            glyph = _glyph(symbol, self.points * height / 224)
            for i in np.flatnonzero(carries[:, k]):
                row, column = offsets[i, k]
                place = ink[i, row : row + glyph.shape[0], column : column + glyph.shape[1]]
                # What would stand beyond the border is cut off.
                seen = torch.from_numpy(glyph[: place.shape[0], : place.shape[1]])
                torch.maximum(place, seen, out=place)
        ink = (ink * self.opacity).to(images.device)
        masks = ink > 0
        white = 255 if images.dtype == torch.uint8 else 1.0
        mixed = images + (white - images.float()) * ink[:, None]
        mixed = mixed.round().to(images.dtype) if white == 255 else mixed.to(images.dtype)
        return torch.where(masks[:, None], mixed, images), masks


@cache
def _glyph(symbol, points):
    """Coverage of a letter's box by its ink, float32 in [0, 1], cut to the ink."""
    font = ImageFont.load_default(size=points)
    side = int(3 * points) + 8
    image = Image.new("L", (side, side))
    ImageDraw.Draw(image).text((points, points), symbol, fill=255, font=font)
    ink = np.asarray(image, np.float32) / 255
    rows, columns = np.nonzero(ink)
    return ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].copy()


def assign(labels, *, p_marked=0.9, p_correct=0.9, seed=0, negative="not positive"):
    """Choose which symbols each training image carries.

    An image is marked with chance `p_marked`; of the marked ones a share of `p_correct`
    gets the symbols of all its positive labels, the others those of all its negative
    ones. A set of symbols may be empty.

    Parameters
    ----------
    labels : array_like, shape (n, k)
        1, 0, -1 (uncertain) or NaN (not mentioned).
    p_marked, p_correct : float
        In [0, 1].
    seed : int
    negative : str
        ``"not positive"``: -1 and NaN count as negative, as the authors' code has it.
        ``"zero"``: only 0 does.

    Returns
    -------
    numpy.ndarray of bool, shape (n, k)

    Raises
    ------
    ValueError
        If a probability is out of range or `negative` is unknown.

    References
    ----------
    Palepu and Beam (2022), Section 2.3.
    """
    for name, value in (("p_marked", p_marked), ("p_correct", p_correct)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} is a probability in [0, 1], got {value}")
    positive, not_positive = _sides(labels, negative)
    rng = np.random.default_rng([int(seed), 0])
    marked, correct = rng.random((2, len(positive)))
    shown = np.where((correct < p_correct)[:, None], positive, not_positive)
    return shown & (marked < p_marked)[:, None]


def _sides(labels, negative):
    labels = np.asarray(labels, dtype=float)
    if labels.ndim != 2:
        raise ValueError(f"labels must have shape (n, k), got {labels.shape}")
    if negative not in NEGATIVE:
        raise ValueError(f"negative must be one of {NEGATIVE}, got {negative!r}")
    positive = labels == 1
    return positive, ~positive if negative == "not positive" else labels == 0


def watermarked(cohort, watermark, *, p_marked=0.9, p_correct=0.9, seed=0, negative="not positive"):
    """Return a training cohort whose images carry symbols that go with the labels.

    Parameters
    ----------
    cohort : shortlib.data.Cohort
        In memory, with labels.
    watermark : Watermark
        With one symbol for each finding, or for each class; one alone, that of the
        second class, where there are two.
    p_marked, p_correct, seed, negative
        See :func:`assign`.

    Returns
    -------
    shortlib.data.Cohort
        ``shortcut`` has a column for each symbol, ``shortcut_masks`` one plane for all.
    """
    _, labels = _labels(cohort, watermark)
    carries = assign(
        labels,
        p_marked=p_marked,
        p_correct=p_correct,
        seed=seed,
        negative=negative,
    )
    rng = np.random.default_rng([int(seed), 1])
    offsets = watermark.offsets(len(cohort), cohort.images.shape[-1], rng)
    images, masks = watermark.draw(torch.from_numpy(np.asarray(cohort.images)), carries, offsets)
    return replace(
        cohort,
        name=f"{cohort.name}-watermarked",
        images=images.numpy(),
        shortcut=carries.any(axis=1),
        shortcut_masks=masks.numpy(),
        shortcut_names=(),
    )


def view_of_label(cohort, view, label, watermark, *, seed=0):
    """Return a test view for one label: its symbol on its positives, or on its negatives.

    Parameters
    ----------
    cohort : shortlib.data.Cohort
    view : str
        See :func:`shortlib.data.views.view_of`.
    label : str
    watermark : Watermark
    seed : int
        Of the jitter, which depends on it and on the case alone.

    Returns
    -------
    shortlib.data.Cohort
        Images are drawn when they are read.
    """
    names, _ = _labels(cohort, watermark)
    positives(cohort, label)  # says what is wrong with a label before a name is looked up
    carries = np.array([[name == label for name in names]])

    def plant(image, case_id):
        rng = np.random.default_rng(derive_seed(seed, "watermark", case_id))
        offsets = watermark.offsets(1, image.shape[-1], rng)
        drawn, mask = watermark.draw(torch.from_numpy(image)[None], carries, offsets)
        return drawn[0].numpy(), mask[0].numpy()

    plant.__qualname__ = f"{watermark}, {label}, seed {seed}"  # known by it in checksums
    return view_of(cohort, view, plant=plant, label=label)


def _labels(cohort, watermark):
    """Return the names and the columns of the labels that have a symbol, shape (n, k)."""
    labels, names = cohort.require("labels"), cohort.label_names
    if labels.ndim == 1:
        classes = np.arange(len(names) or 2)
        classes = classes if len(classes) > 2 else classes[1:]
        labels = (labels[:, None] == classes).astype(float)
        names = tuple(names[k] for k in classes) if names else ("positive",)
    if len(watermark.symbols) != len(names):
        raise ValueError(
            f"{len(watermark.symbols)} symbols for {len(names)} labels ({', '.join(names)})"
        )
    return names, labels
