"""Squares in noise: the synthetic data set of Saab et al. (2022), Section 3.2."""

import numpy as np

from shortlib.data.cohort import Cohort


def squares(
    m,
    *,
    n=40,
    mu_y=0.9,
    rho=1.0,
    mu_a=2.0,
    mu_s=-10.0,
    sigma=1.0,
    a=8,
    b=12,
    train=True,
    seed=0,
):
    """Draw the synthetic data set with a faint abnormality and a loud shortcut.

    Each image is Gaussian noise. An image with label 1 holds an abnormality, an
    ``a`` by ``a`` block of mean `mu_a`; an image with the shortcut holds a ``b``
    by ``b`` block of mean `mu_s`. The two never overlap.

    Parameters
    ----------
    m : int
        Number of images.
    n : int
        Side of an image, in pixels.
    mu_y : float
        Probability of label 1, in [0, 1].
    rho : float
        Probability, in training, that an image with label 1 carries the shortcut.
    mu_a, mu_s, sigma : float
        Mean of the abnormality, mean of the shortcut, standard deviation of every
        pixel, in arbitrary units; the background has mean 0.
    a, b : int
        Side of the abnormality and of the shortcut, in pixels.
    train : bool
        True: the shortcut is present with probability `rho` where the label is 1
        and never where it is 0. False (the test distribution): present with
        probability 1/2 whatever the label.
    seed : int
        Same arguments and seed, same cohort. Training and test draws differ.

    Returns
    -------
    Cohort
        ``images`` float32 of shape (m, 1, n, n), ``labels``, ``shortcut``,
        ``abnormality_masks`` and ``shortcut_masks``.

    Raises
    ------
    ValueError
        If a parameter is out of range or the two blocks cannot be placed apart.

    Notes
    -----
    The paper draws both blocks uniformly at random and assumes that they do not
    overlap, without saying how that is brought about. Here the abnormality is
    uniform over all positions, and the shortcut is uniform over the positions
    that leave the abnormality free.

    References
    ----------
    Saab et al. (2022), Section 3.2.
    """
    _check(m, n, mu_y, rho, sigma, a, b)
    rng = np.random.default_rng([int(seed), int(train)])
    labels = rng.random(m) < mu_y
    flip = rng.random(m)
    shortcut = labels & (flip < rho) if train else flip < 0.5

    rows, columns = rng.integers(0, n - a + 1, size=(2, m))
    abnormality = _blocks(rows, columns, a, n) & labels[:, None, None]

    free = _free_positions(rows, columns, labels, a, b, n)
    if not free.any(axis=1).all():
        raise ValueError(
            f"no place is left for a shortcut of {b} px beside an abnormality of {a} px "
            f"on an image of {n} px; make n larger, or a or b smaller"
        )
    # The largest of independent uniform keys is at a uniform position among the free ones.
    chosen = np.where(free, rng.random(free.shape), -1.0).argmax(axis=1)
    side = n - b + 1
    shortcut_masks = _blocks(chosen // side, chosen % side, b, n) & shortcut[:, None, None]

    mean = mu_a * abnormality + mu_s * shortcut_masks
    images = (mean + sigma * rng.standard_normal((m, n, n))).astype(np.float32)
    part = "train" if train else "test"
    return Cohort(
        name=f"squares-{part}",
        case_ids=np.array([f"squares-{part}-{seed}-{i:05d}" for i in range(m)]),
        images=images[:, None],
        labels=labels.astype(np.int8),
        abnormality_masks=abnormality,
        shortcut=shortcut,
        shortcut_masks=shortcut_masks,
    )


def _check(m, n, mu_y, rho, sigma, a, b):
    if m < 1:
        raise ValueError(f"m must be at least 1 image, got {m}")
    for name, value in (("mu_y", mu_y), ("rho", rho)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} is a probability in [0, 1], got {value}")
    if sigma < 0:
        raise ValueError(f"sigma is a standard deviation, at least 0, got {sigma}")
    for name, value in (("a", a), ("b", b)):
        if not 1 <= value <= n:
            raise ValueError(f"{name} is a side in pixels from 1 to n = {n}, got {value}")


def _blocks(rows, columns, side, n):
    """Masks of shape (m, n, n) with one square each, given its top left corner."""
    pixel = np.arange(n)
    inside_row = (pixel >= rows[:, None]) & (pixel < rows[:, None] + side)
    inside_column = (pixel >= columns[:, None]) & (pixel < columns[:, None] + side)
    return inside_row[:, :, None] & inside_column[:, None, :]


def _free_positions(rows, columns, occupied, a, b, n):
    """Corners, shape (m, (n - b + 1)**2), where a shortcut touches no abnormality."""
    corner = np.arange(n - b + 1)
    apart_row = (corner + b <= rows[:, None]) | (corner >= rows[:, None] + a)
    apart_column = (corner + b <= columns[:, None]) | (corner >= columns[:, None] + a)
    apart = apart_row[:, :, None] | apart_column[:, None, :]
    return (apart | ~occupied[:, None, None]).reshape(len(rows), -1)
