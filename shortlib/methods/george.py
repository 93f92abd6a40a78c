"""GEORGE: subgroups of each class, found by clustering what a trained model makes of its cases.

The activations of a class are scaled to unit length, projected to the plane by UMAP, and clustered
by Gaussian mixtures: Sohoni et al. (2020), Section 4. Group DRO on the groups so found is the
second half of the method; see :func:`shortlib.methods.group_dro.fit_group_dro`.
"""

import warnings
from contextlib import contextmanager

import numpy as np
import torch

from shortlib.data.seeds import derive_seed
from shortlib.methods.class_clusters import Clusters


class George:
    """Groups of training cases, and the nearest of them for others.

    Parameters
    ----------
    activations : array_like of float, shape (n, d)
        Of the training cases, before the last layer; no row is zero.
    labels : array_like of int, shape (n,)
        The class of each case. Groups do not cross classes.
    losses : array_like of float, shape (n,)
        The loss of each case under the model that gave the activations.
    seed : int
    neighbors : int
        Neighbours in UMAP.
    **options
        Passed to :class:`shortlib.methods.class_clusters.Clusters`.

    Attributes
    ----------
    groups : numpy.ndarray of int64, shape (n,)
        From 0 without a gap, those of the first class first.
    classes : numpy.ndarray of int64, shape (k,)
        The class that each group belongs to.

    Raises
    ------
    ValueError
        If the shapes do not fit, a value is not finite, a row is zero, a class has too few cases,
        or a class has no clusters.

    References
    ----------
    Sohoni et al. (2020), Section 4; 10 neighbours and a least distance of 0 from their released
    code. Saab et al. (2022) state neither, nor which reduction they used.
    """

    def __init__(self, activations, labels, losses, *, seed, neighbors=10, **options):
        activations, labels = _check_activations(activations, labels)
        losses = np.asarray(losses, dtype=np.float64)
        if losses.shape != labels.shape:
            raise ValueError(f"losses must have shape {labels.shape}, got {losses.shape}")
        self.groups, self.classes = np.zeros(len(labels), dtype=np.int64), np.zeros(0, np.int64)
        self._parts = {}
        for label in np.unique(labels):
            members = labels == label
            if members.sum() <= neighbors:
                raise ValueError(
                    f"class {label} has {members.sum()} training cases; UMAP with {neighbors} "
                    "neighbours needs more than so many"
                )
            own = derive_seed(seed, "george", int(label))
            projection = _umap(neighbors, own)
            with _quietly():
                plane = projection.fit_transform(activations[members])
            named = {"name": f"class {label}", **options}
            clusters = Clusters(plane, losses[members], seed=own, **named)
            start = len(self.classes)
            self.groups[members] = start + clusters.groups
            self.classes = np.append(self.classes, np.full(clusters.count, label))
            self._parts[label] = (projection, clusters, start)

    def assign(self, activations, labels):
        """Return the groups of other cases, e.g. of the validation cases.

        Parameters
        ----------
        activations : array_like of float, shape (m, d)
        labels : array_like of int, shape (m,)
            Classes that the training cases have.

        Returns
        -------
        numpy.ndarray of int64, shape (m,)
        """
        activations, labels = _check_activations(activations, labels)
        groups = np.zeros(len(labels), dtype=np.int64)
        for label in np.unique(labels):
            if label not in self._parts:
                raise ValueError(f"class {label} has no training case, so it has no groups")
            projection, clusters, start = self._parts[label]
            members = labels == label
            with _quietly():
                plane = projection.transform(activations[members])
            groups[members] = start + clusters.assign(plane)
        return groups


@contextmanager
def _quietly():
    """Run UMAP without its warnings, and leave the number of threads as it was.

    Its compiler sets OpenMP, which is torch's too, to a thread a core. Fits side by side would then
    wait for each other's.
    """
    threads = torch.get_num_threads()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about packages that a projection does not need
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def _umap(neighbors, seed):
    with _quietly():
        from umap import UMAP

    return UMAP(n_neighbors=neighbors, min_dist=0.0, random_state=seed, n_jobs=1)


def _check_activations(activations, labels):
    """Return unit rows and the labels."""
    activations, labels = np.asarray(activations, dtype=np.float64), np.asarray(labels)
    if activations.ndim != 2 or labels.shape != activations.shape[:1] or not len(labels):
        raise ValueError(
            "activations must have shape (n, d) and labels (n,) with n at least 1, got "
            f"{activations.shape} and {labels.shape}"
        )
    if not np.isfinite(activations).all():
        raise ValueError("activations must be finite, got NaN or infinity")
    length = np.linalg.norm(activations, axis=1, keepdims=True)
    if not length.all():
        row = int(np.flatnonzero(length == 0)[0])
        raise ValueError(f"activations must have no zero row, row {row} has no direction")
    return activations / length, labels
