"""Who is imaged, and with which findings."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

FINDINGS = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion")
# Share of each finding's latent variable, as a loading, that comes from three unseen causes:
# heart failure, infection, and poor ventilation (bed rest, pain, surgery).
LOADINGS = {
    "Atelectasis": (0.10, 0.15, 0.70),
    "Cardiomegaly": (0.70, 0.00, 0.05),
    "Consolidation": (0.00, 0.80, 0.15),
    "Edema": (0.78, 0.10, 0.05),
    "Pleural Effusion": (0.55, 0.25, 0.40),
}
# Correlation of a finding's latent variable between two studies of one patient.
LASTING = {"Cardiomegaly": 0.97}
BLOCK = 4  # a patient's images never leave their block of four

_PURPOSES = (
    "roster",
    "patient",
    "illness",
    "image",
    "vessels",
    "finding",
    "noise",
    "device",
    "exposure",
)


@dataclass(frozen=True)
class Population:
    """Who is imaged and how.

    Parameters
    ----------
    adult : float or dict
        Probability that a patient is an adult, in [0, 1]; a dict gives one for
        each class (``{"Normal": 0.5}`` for pneumonia, ``{0: 0.9, 1: 0.6}`` for
        pneumothorax), and a class that it lacks gets 1.
    female : float
        Probability that a patient is a woman or a girl.
    ap : float
        Probability of an image from front to back, as taken in bed, for a
        patient without findings.
    ap_if_ill : float
        What the severest finding adds to `ap`; above 0 the view is a shortcut.
    repeats : float
        Probability that the next image is of the same patient as the one
        before, up to four in a row.
    follow_up : float
        Probability that such an image belongs to a later study, rather than to
        the same one.

    Raises
    ------
    ValueError
        If one is not a probability.
    """

    adult: float | dict = 1.0
    female: float = 0.47
    ap: float = 0.25
    ap_if_ill: float = 0.0
    repeats: float = 0.0
    follow_up: float = 0.6

    def __post_init__(self):
        for name in ("female", "ap", "ap_if_ill", "repeats", "follow_up"):
            check_share(getattr(self, name), f"population.{name}")
        shares = self.adult if isinstance(self.adult, dict) else {None: self.adult}
        for group, share in shares.items():
            check_share(share, "population.adult" + ("" if group is None else f"[{group!r}]"))

    def adult_share(self, group):
        """Return the probability that a patient of the class `group` is an adult."""
        return self.adult.get(group, 1.0) if isinstance(self.adult, dict) else self.adult


def check_share(value, name):
    """Refuse what is not a probability."""
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is a probability, in [0, 1]; got {value}")


def stream(seed, purpose, *numbers):
    """Return the random generator of one purpose, the same on every machine."""
    return np.random.default_rng([int(seed), _PURPOSES.index(purpose), *numbers])


def roster(number, seed, population):
    """Return which patient, study and image a case is.

    Cases come in blocks of four, and a block is drawn as a whole, so that a case
    depends on its own number alone.

    Returns
    -------
    tuple of int
        The number of the patient's first case, the study's place among the
        patient's studies, and the image's place in the study, from 0.
    """
    block, place = divmod(number, BLOCK)
    if population.repeats == 0:
        return number, 0, 0
    patient, study, image = 0, 0, 0
    draws = stream(seed, "roster", block).random((BLOCK, 2))
    for step in range(1, place + 1):
        if draws[step, 0] >= population.repeats:
            patient, study, image = step, 0, 0
        elif draws[step, 1] < population.follow_up:
            study, image = study + 1, 0
        else:
            image += 1
    return block * BLOCK + patient, study, image


def severities(seed, patient, study, prevalence):
    """Return how severe each finding is in one study of one patient.

    Each finding has a latent variable, standard normal over the patients, of
    which the unseen causes of `LOADINGS` explain a part. The finding is present
    where the variable exceeds the quantile that gives it its prevalence, so
    prevalences are exact and findings co-occur as their causes say. Over a
    patient's studies the variables correlate by 0.75, the size of the heart by
    0.97.

    Parameters
    ----------
    seed, patient, study : int
    prevalence : dict of str to float
        Prevalence of each finding, in [0, 1]; names of `LOADINGS`.

    Returns
    -------
    dict of str to float
        In (0, 1], uniform among those who have the finding, and 0 where it is
        absent.
    """
    names = list(prevalence)
    loadings = np.array([LOADINGS[name] for name in names])
    rest = np.sqrt(1 - (loadings**2).sum(1))
    places = np.array([list(LOADINGS).index(name) for name in names])
    keep = np.array([LASTING.get(name, 0.75) for name in names])

    def draw(*numbers):
        normal = stream(seed, "illness", *numbers).standard_normal(3 + len(LOADINGS))
        return loadings @ normal[:3] + rest * normal[3 + places]

    values = np.sqrt(keep) * draw(patient) + np.sqrt(1 - keep) * draw(patient, study + 1)
    upper = ndtr(-values)  # uniform; below the prevalence for those who have the finding
    return {
        name: float(1 - share / prevalence[name]) if share < prevalence[name] else 0.0
        for name, share in zip(names, upper, strict=True)
    }
