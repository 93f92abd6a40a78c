"""What makes a lesion look malignant: a severity, and the ABCD findings that follow from it."""

from dataclasses import dataclass

import numpy as np

COLOURS = ("light brown", "dark brown", "black", "blue-grey", "red", "white")
STRUCTURES = ("network", "homogeneous", "globules", "dots", "streaks")

# Weight of a colour or structure in the order in which a lesion acquires them. Brown comes
# first; the others are what a melanoma adds.
_COLOUR_WEIGHTS = np.array([6.0, 4.0, 0.8, 0.7, 0.9, 0.6])
_STRUCTURE_WEIGHTS = np.array([3.0, 2.0, 1.0, 0.8, 0.2])

# Chance of each point of a score, as the logistic of intercept + slope * severity.
_ASYMMETRY = (-0.3, 1.1)
_BORDER = (-0.7, 1.0)
_COLOUR = (-0.6, 0.9)
_STRUCTURE = (-0.2, 0.7)
_ATYPIA = (0.0, 1.1)
# Vessels are seen in this share of benign lesions and melanomas of the ISIC 2018 trap sets.
_VESSELS = (0.162, 0.304)


@dataclass(frozen=True)
class Findings:
    """What a reader would note about one lesion.

    Parameters
    ----------
    asymmetry : int
        0 to 2, the number of axes about which the lesion is not symmetric.
    border : int
        0 to 8, the number of eighths of the border that end abruptly.
    colours : tuple of str
        Those of `COLOURS` that are in the lesion, one to six.
    structures : tuple of str
        Those of `STRUCTURES` that are in the lesion, one to five.
    atypia : float
        In [0, 1]: how irregular the structures are.
    vessels : bool
        Whether vessels are seen.
    """

    asymmetry: int
    border: int
    colours: tuple
    structures: tuple
    atypia: float
    vessels: bool

    @property
    def tds(self):
        """The total dermoscopy score of Stolz et al. (1994); above 5.45 is suspect of melanoma."""
        return (
            1.3 * self.asymmetry
            + 0.1 * self.border
            + 0.5 * len(self.colours)
            + 0.5 * len(self.structures)
        )


# A common mole: what is drawn in a lesion's place when its cues are erased.
HARMLESS = Findings(0, 0, ("light brown", "dark brown"), ("network", "homogeneous"), 0.05, False)
HARMLESS_SEVERITY = -1.5


def draw_severity(rng, label, separation):
    """Draw a lesion's severity given its label.

    It is normal with standard deviation 1 about ``-separation/2`` (benign) or
    ``+separation/2`` (melanoma). Where both labels are as frequent, the label given
    the severity is then logistic with slope `separation`, and a reader who sees the
    severity itself reaches an AUROC of ``Phi(separation / sqrt(2))``. The image shows
    it through `draw_findings` alone, which loses some of it.
    """
    return rng.standard_normal() + (label - 0.5) * separation


def draw_findings(rng, label, severity):
    """Draw what can be seen of a lesion given its severity.

    Each point of asymmetry, border, colour and structure is won with a chance that
    rises with the severity, as in the ABCD rule of dermoscopy (Stolz et al., 1994).
    Vessels depend on the label.

    Returns
    -------
    Findings
    """
    asymmetry = rng.binomial(2, _logistic(_ASYMMETRY, severity))
    border = rng.binomial(8, _logistic(_BORDER, severity))
    colours = 1 + rng.binomial(5, _logistic(_COLOUR, severity))
    structures = 1 + rng.binomial(4, _logistic(_STRUCTURE, severity))
    atypia = _logistic(_ATYPIA, severity + 0.7 * rng.standard_normal())
    return Findings(
        asymmetry=int(asymmetry),
        border=int(border),
        colours=_first(rng, COLOURS, _COLOUR_WEIGHTS, colours),
        structures=_first(rng, STRUCTURES, _STRUCTURE_WEIGHTS, structures),
        atypia=float(atypia),
        vessels=bool(rng.random() < _VESSELS[label]),
    )


def _first(rng, names, weights, count):
    """`count` names drawn without replacement by weight, in the order of `names`."""
    keys = rng.exponential(size=len(names)) / weights
    chosen = np.sort(np.argsort(keys)[:count])
    return tuple(names[k] for k in chosen)


def _logistic(line, severity):
    intercept, slope = line
    return 1 / (1 + np.exp(-(intercept + slope * severity)))
