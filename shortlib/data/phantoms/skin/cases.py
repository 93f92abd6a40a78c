"""The built-in skin data: dermoscopy-like pictures of moles and melanomas."""

import zlib

import numpy as np
import pandas as pd

from shortlib.data.cohort import Cohort
from shortlib.data.phantoms.skin.artefacts import lay_artefacts
from shortlib.data.phantoms.skin.association import PARTS, PREVALENCE, SHORTCUTS, chances
from shortlib.data.phantoms.skin.lesion import draw_lesion
from shortlib.data.phantoms.skin.noise import fractal
from shortlib.data.phantoms.skin.outline import draw_outline, draw_place
from shortlib.data.phantoms.skin.severity import (
    HARMLESS,
    HARMLESS_SEVERITY,
    draw_findings,
    draw_severity,
)
from shortlib.data.phantoms.skin.tissue import SKIN_TYPE_SHARES, draw_skin, photograph, sensor

LABELS = ("benign", "melanoma")
ERASE = (None, "cues", "lesion")
SITES = ("back", "chest", "abdomen", "lower extremity", "upper extremity", "head/neck")

# Mean and standard deviation of age, benign and melanoma, in the 298 ISIC 2018 training
# images whose age is public (UDA-1).
_AGES = ((38.1, 16.2), (55.8, 18.3))
_SITE_SHARES = (0.35, 0.12, 0.12, 0.20, 0.14, 0.07)


def skin(
    n,
    *,
    first=0,
    size=128,
    seed=0,
    part="train",
    association=None,
    melanoma=0.2,
    separation=3.4,
    artefacts=SHORTCUTS,
    erase=None,
    prevalence=PREVALENCE,
):
    """Make dermoscopy-like pictures of moles and melanomas with seven artefacts.

    Skin and lesion absorb light as melanin and blood do. Whether a lesion is a
    melanoma shows in the ABCD criteria alone, whose distributions overlap: see
    :mod:`shortlib.data.phantoms.skin.severity`. The artefacts of ISIC 2018 come with
    chances that depend on the label as in the trap sets of Bissoto et al.: see
    :mod:`shortlib.data.phantoms.skin.association`.

    Parameters
    ----------
    n : int
        Number of cases.
    first : int
        Number of the first case. A case depends on `seed`, `part` and its number,
        not on `n`.
    size : int
        Side of the pictures in pixels, at least 32.
    seed : int
        0 or more.
    part : str
        ``"train"``, ``"val"``, ``"test"`` or ``"all"``: other cases, and another
        default of `association`.
    association : float or numpy.ndarray of shape (n,), optional
        How artefacts go with the label: 1 as in the trap sets' training split, 0 not at
        all, -1 as in their test split, where it points the other way. By
        default 1 for ``"train"`` and ``"val"``, -1 for ``"test"``, 0 for ``"all"``.
    melanoma : float
        Share of melanomas, in [0, 1]; 0.2 in ISIC 2018.
    separation : float
        Distance between the mean severities of the labels, in standard deviations.
        What the severity could reach is an AUROC of ``Phi(separation / sqrt(2))``.
    artefacts : tuple of str
        Those of `SHORTCUTS` that may be drawn. Leaving one out changes nothing but
        the pixels of its mask.
    erase : str, optional
        ``"cues"``: each lesion is drawn as a common mole. ``"lesion"``: no lesion,
        and an empty mask. Labels, skin, artefacts, camera and noise stay.
    prevalence : dict
        See :func:`shortlib.data.phantoms.skin.association.chances`.

    Returns
    -------
    Cohort
        ``images`` uint8 of shape (n, 3, size, size); ``labels`` 0 benign, 1 melanoma;
        ``abnormality_masks``, the lesion; ``shortcut`` (n, 7) and ``shortcut_masks``
        (n, 7, size, size) in the order of `SHORTCUTS`; ``patient_ids``, two patients
        to three cases; ``covariates``: age in years (multiple of 5), sex, site,
        skin_type (Fitzpatrick, 1 to 6), asymmetry (0-2), border (0-8), colours (1-6),
        structures (1-5), tds (total dermoscopy score), severity, vasc (vessels, 0 or
        1), association. Those of the lesion are of the one before it was erased.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    References
    ----------
    Stolz et al. (1994), ABCD rule of dermoscopy. Codella et al. (2019), ISIC 2018.
    Bissoto, Valle, Avila (2020), trap sets. Saab et al. (2022), Section 5.
    """
    _check(n, first, size, seed, part, melanoma, separation, artefacts, erase)
    dial = np.asarray(PARTS[part] if association is None else association, float)
    if dial.shape not in ((), (n,)):
        raise ValueError(
            f"association must be one number or one for each of {n} cases, got shape {dial.shape}"
        )
    dial = np.broadcast_to(dial, (n,))
    streams = [_Streams(seed, part, first + k) for k in range(n)]
    rows = [_person(stream, melanoma, separation) for stream in streams]
    labels = np.array([row.pop("label") for row in rows], np.int8)
    findings = [row.pop("findings") for row in rows]

    allowed = np.isin(SHORTCUTS, artefacts)
    keys = np.array([stream("artefacts").random(len(SHORTCUTS)) for stream in streams])
    shortcut = (keys < chances(labels, dial, prevalence)) & allowed

    images = np.empty((n, 3, size, size), np.uint8)
    lesions = np.zeros((n, size, size), bool)
    masks = np.zeros((n, len(SHORTCUTS), size, size), bool)
    for k in range(n):
        images[k], lesions[k], masks[k] = _picture(
            streams[k], size, rows[k], findings[k], shortcut[k], erase
        )
    names = [f"skin-{part}-{seed}-{first + k:05d}" for k in range(n)]
    return Cohort(
        name=f"skin-{part}",
        case_ids=np.array(names),
        images=images,
        labels=labels,
        label_names=LABELS,
        abnormality_masks=lesions,
        shortcut=shortcut,
        shortcut_masks=masks,
        shortcut_names=SHORTCUTS,
        patient_ids=np.array([f"skin-{part}-{seed}-p{stream.patient:05d}" for stream in streams]),
        covariates=pd.DataFrame(rows).assign(association=dial).drop(columns="tone"),
    )


class _Streams:
    """The independent random streams of one case, by purpose."""

    def __init__(self, seed, part, number):
        self.key = (int(seed), zlib.crc32(part.encode()), number)
        # Cases 1 and 2, 4 and 5, ... are of one patient.
        self.patient = (2 * number + 1) // 3

    def __call__(self, purpose):
        return np.random.default_rng([*self.key, zlib.crc32(purpose.encode())])

    def of_patient(self):
        return np.random.default_rng([*self.key[:2], self.patient, zlib.crc32(b"patient")])


def _person(stream, melanoma, separation):
    """Draw who the case is of, its label and what its lesion shows.

    The patient's age comes first; the label given the age follows by Bayes' rule from
    the ages of each label, so that the two lesions of one patient share the age.
    """
    rng = stream.of_patient()
    mean, deviation = _AGES[int(rng.random() < melanoma)]
    age = float(np.clip(rng.normal(mean, deviation), 5, 85))
    person = {
        "age": int(5 * round(age / 5)),
        "sex": ("female", "male")[int(rng.random() < 0.47)],
        "skin_type": 1 + int(rng.choice(len(SKIN_TYPE_SHARES), p=SKIN_TYPE_SHARES)),
        "tone": float(rng.standard_normal()),
    }
    rng = stream("case")
    weights = [
        share * np.exp(-0.5 * ((age - m) / s) ** 2) / s
        for share, (m, s) in zip((1 - melanoma, melanoma), _AGES, strict=True)
    ]
    label = int(rng.random() * sum(weights) < weights[1])
    severity = draw_severity(rng, label, separation)
    findings = draw_findings(rng, label, severity)
    return {
        "label": label,
        "findings": findings,
        "age": person["age"],
        "sex": person["sex"],
        "site": SITES[rng.choice(len(SITES), p=_SITE_SHARES)],
        "skin_type": person["skin_type"],
        "tone": person["tone"],
        "asymmetry": findings.asymmetry,
        "border": findings.border,
        "colours": len(findings.colours),
        "structures": len(findings.structures),
        "tds": round(findings.tds, 2),
        "severity": round(float(severity), 4),
        "vasc": int(findings.vessels),
    }


def _picture(stream, size, row, findings, present, erase):
    """Draw one case: its picture (3, h, w), its lesion (h, w) and its artefacts (7, h, w)."""
    tissue = draw_skin(stream("skin"), size, row["skin_type"], row["tone"])
    rng = stream("outline")
    place = draw_place(rng, row["severity"])
    if erase == "lesion":
        light, lesion = tissue.light(), False
    else:
        if erase == "cues":
            findings, bounds = HARMLESS, draw_place(stream("outline"), HARMLESS_SEVERITY)
        else:
            bounds = place
        texture = fractal(rng, size, first=8, octaves=4, gain=0.75)
        outline = draw_outline(rng, bounds, findings, texture)
        pair = stream("pigment"), stream("structures")
        light = draw_lesion(pair, tissue, bounds, outline, findings)
        lesion = outline.mask
    # Artefacts keep clear of the lesion that was there, erased or not.
    canvas = photograph(stream("camera"), light)
    masks = lay_artefacts(stream, canvas, place, present)
    canvas += sensor(stream("sensor"), size)
    picture = np.clip(np.rint(canvas, out=canvas), 0, 255, out=canvas)
    return picture, lesion, masks


def _check(n, first, size, seed, part, melanoma, separation, artefacts, erase):
    if n < 1:
        raise ValueError(f"n must be at least 1 case, got {n}")
    if first < 0:
        raise ValueError(f"first is the number of a case, 0 or more, got {first}")
    if size < 32:
        raise ValueError(f"size must be at least 32 pixels, got {size}")
    if seed < 0:
        raise ValueError(f"seed must be 0 or more, got {seed}")
    if part not in PARTS:
        raise ValueError(f"part must be one of {tuple(PARTS)}, got {part!r}")
    if not 0 <= melanoma <= 1:
        raise ValueError(f"melanoma is a share in [0, 1], got {melanoma}")
    if separation < 0:
        raise ValueError(f"separation is 0 or more standard deviations, got {separation}")
    odd = [name for name in artefacts if name not in SHORTCUTS]
    if odd:
        raise ValueError(f"artefacts are some of {SHORTCUTS}, got {odd[0]!r}")
    if erase not in ERASE:
        raise ValueError(f"erase must be one of {ERASE}, got {erase!r}")
