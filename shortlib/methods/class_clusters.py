"""Clusters of one class in the plane: a Gaussian mixture whose clusters are split once more."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import silhouette_samples
from sklearn.mixture import GaussianMixture


class Clusters:
    """Clusters of one class in the plane.

    A mixture is fitted with each number of components from 2 on, and the one with the best
    silhouette is taken: the mean over its clusters of the mean over a cluster's cases, so that a
    rare subgroup counts as much as a frequent one. Each of its clusters is then split into parts by
    a mixture of its own. A part becomes a cluster for itself if its silhouette is positive and
    better than before the split, its mean loss is no less than its cluster's, and it has cases
    enough. The other parts stay together.

    Parameters
    ----------
    plane : array_like of float, shape (n, 2)
        The projected cases; more columns do no harm.
    losses : array_like of float, shape (n,)
    seed : int
    most : int
        Components of the largest mixture that is tried, at least 2; fewer than n.
    parts : int
        Into how many each cluster is split, 1 for not at all. A cluster of fewer than twice as many
        cases is left whole.
    least_cases : int
        That a part needs.
    least_share : float
        Of the class's cases that a part needs, in [0, 1].
    name : str
        What is clustered, for errors.

    Attributes
    ----------
    groups : numpy.ndarray of int64, shape (n,)
        From 0 without a gap.
    count : int
        Of clusters, at least 2.
    silhouette : float
        Of the mixture, before the split, in [-1, 1].

    Raises
    ------
    ValueError
        If the shapes do not fit, a number is out of range, there are too few cases, or no mixture
        has a case in each of its components, as where all cases are alike.

    Notes
    -----
    A mixture with an empty component is passed over. A class without subgroups is divided like any
    other: the method does not ask whether there are some. The mean over clusters, the threshold 0
    and the least sizes, 25 cases and 0.5%, are those of the released code; it wants 25 validation
    cases in a part as well.

    References
    ----------
    Sohoni et al. (2020), Section 4 and its appendix on clustering; the numbers from their released
    code.
    """

    def __init__(
        self,
        plane,
        losses,
        *,
        seed,
        most=10,
        parts=5,
        least_cases=25,
        least_share=0.005,
        name="the class",
    ):
        plane, losses = np.asarray(plane, dtype=np.float64), np.asarray(losses, dtype=np.float64)
        if plane.ndim != 2 or losses.shape != plane.shape[:1]:
            raise ValueError(
                f"plane must have shape (n, 2) and losses (n,), got {plane.shape} and "
                f"{losses.shape}"
            )
        if not (np.isfinite(plane).all() and np.isfinite(losses).all()):
            raise ValueError("plane and losses must be finite, got NaN or infinity")
        for option, value, least in (("most", most, 2), ("parts", parts, 1)):
            if value < least:
                raise ValueError(f"{option} must be at least {least}, got {value}")
        if len(plane) <= most:
            raise ValueError(
                f"{name} has {len(plane)} training cases, too few for {most} clusters; it needs "
                "more than so many"
            )
        self._mixture, self.silhouette = self._best(plane, seed, most, name)
        whole = self._mixture.predict(plane)
        self._splits, self._per_cluster = self._split(plane, whole, seed, parts), parts
        fine = self._parts_of(plane, whole)
        needed = max(least_cases, least_share * len(plane))
        self._numbers = self._kept(plane, losses, whole, fine, needed)
        self.groups = self._numbers[fine]
        self.count = int(self.groups.max()) + 1

    def assign(self, plane):
        """Return the clusters of other points of the plane, int64 of shape (m,)."""
        plane = np.asarray(plane, dtype=np.float64)
        return self._numbers[self._parts_of(plane, self._mixture.predict(plane))]

    @staticmethod
    def _best(plane, seed, most, name):
        best, best_silhouette = None, -np.inf
        for k in range(2, most + 1):
            mixture = _mixture(plane, k, seed)
            if mixture is None:
                continue
            labels = mixture.predict(plane)
            each = silhouette_samples(plane, labels)
            silhouette = float(np.mean([each[labels == one].mean() for one in range(k)]))
            if silhouette > best_silhouette:
                best, best_silhouette = mixture, silhouette
        if best is None:
            raise ValueError(
                f"{name} is one cluster: no mixture of 2 to {most} components has a case in each, "
                f"over {len(plane)} training cases; it cannot be divided into groups"
            )
        return best, best_silhouette

    @staticmethod
    def _split(plane, whole, seed, parts):
        """Return the mixture of each cluster that is split, by the cluster's number."""
        splits = {}
        for one, size in enumerate(np.bincount(whole)):
            if parts > 1 and size >= 2 * parts:
                mixture = _mixture(plane[whole == one], parts, seed)
                if mixture is not None:
                    splits[one] = mixture
        return splits

    def _parts_of(self, plane, whole):
        """Return the part of each point, counted through; the first of a cluster left whole."""
        fine = whole * self._per_cluster
        for one, mixture in self._splits.items():
            members = whole == one
            if members.any():
                fine[members] += mixture.predict(plane[members])
        return fine

    def _kept(self, plane, losses, whole, fine, needed):
        """Return the final number of each part."""
        before, after = (silhouette_samples(plane, labels) for labels in (whole, fine))
        numbers, count = np.full((whole.max() + 1) * self._per_cluster, -1), 0
        for one in range(whole.max() + 1):
            rest = []
            for part in np.unique(fine[whole == one]):
                members = fine == part
                apart = after[members].mean() > max(before[members].mean(), 0.0)
                hard = losses[members].mean() >= losses[whole == one].mean()
                if apart and hard and members.sum() >= needed:
                    numbers[part], count = count, count + 1
                else:
                    rest.append(part)
            numbers[rest] = count
            count += bool(rest)
        return numbers


def _mixture(plane, k, seed):
    """Fit a Gaussian mixture, or return None if a component is left without a case."""
    mixture = GaussianMixture(k, n_init=3, random_state=seed)
    with warnings.catch_warnings():
        # Too many components for few points do not settle; their silhouette says what they are.
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(plane)
    return mixture if len(np.unique(mixture.predict(plane))) == k else None
