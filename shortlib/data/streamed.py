"""Arrays that stay on disk: the same interface, read when they are asked for."""

import hashlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np

WORKERS = 2


class Streamed:
    """An array of cases of which only those that are asked for are in memory.

    Indexing reads: ``images[3]``, ``images[10:20]`` and ``images[[5, 2]]`` return
    NumPy arrays. :meth:`take` selects without reading.

    Parameters
    ----------
    read : callable
        ``read(i)`` returns the array of case `i`. Called from several threads;
        decoders of images let other threads run while they work.
    n : int
        Number of cases.
    shape : tuple of int
        Of one case.
    dtype : numpy.dtype or type
    identity : str
        What decides the values (files, their sizes, how they are decoded); stands
        for the content in :meth:`checksum`.
    workers : int
        Threads that read.
    """

    def __init__(self, read, n, shape, dtype, *, identity, workers=WORKERS, order=None):
        self._read, self._identity, self._workers = read, identity, workers
        self._order = np.arange(n) if order is None else order
        self._case, self.dtype = tuple(shape), np.dtype(dtype)

    @property
    def shape(self):
        """Shape of the whole, as of an array."""
        return (len(self._order), *self._case)

    @property
    def ndim(self):
        """Number of axes of the whole."""
        return 1 + len(self._case)

    def __len__(self):
        return len(self._order)

    def __getitem__(self, index):
        if isinstance(index, tuple):
            raise TypeError("a streamed array is indexed by case only; read cases, then slice them")
        if isinstance(index, int | np.integer):
            return self._one(self._order[index])
        cases = self._order[index]
        out = np.empty((len(cases), *self._case), self.dtype)
        with ThreadPoolExecutor(self._workers) as pool:
            for place, value in enumerate(pool.map(self._one, cases)):
                out[place] = value
        return out

    def __array__(self, dtype=None, copy=None):
        if copy is False:
            raise ValueError("a streamed array is read from disk, which always makes a copy")
        return self[:].astype(dtype or self.dtype, copy=False)

    def take(self, index):
        """Select cases without reading them.

        Returns
        -------
        Streamed
        """
        return self._with(order=self._order[index])

    def map(self, function, identity, *, shape=None, dtype=None):
        """Apply a function to each case when it is read.

        Parameters
        ----------
        function : callable
            ``function(case, position)``, `position` counted in this array.
        identity : str
            What the function does, for :meth:`checksum`.
        shape, dtype : optional
            Of one case afterwards; by default as before.

        Returns
        -------
        Streamed
        """
        return Streamed(
            lambda position: function(self._one(self._order[position]), position),
            len(self),
            self._case if shape is None else shape,
            self.dtype if dtype is None else dtype,
            identity=f"{self.checksum()}|{identity}",
            workers=self._workers,
        )

    def batches(self, size):
        """Yield arrays of at most `size` cases in order, reading ahead in the workers.

        At most two batches are in memory at a time, whatever the number of cases.
        """
        with ThreadPoolExecutor(self._workers) as pool:
            waiting = deque()
            for start in range(0, len(self), size):
                waiting.append([pool.submit(self._one, i) for i in self._order[start:][:size]])
                if len(waiting) == 2:
                    yield self._batch(waiting.popleft())
            for futures in waiting:
                yield self._batch(futures)

    def _batch(self, futures):
        return np.stack([future.result() for future in futures]).astype(self.dtype, copy=False)

    def checksum(self):
        """Return the SHA-256 of what decides the values, without reading them."""
        digest = hashlib.sha256(f"{self._identity}|{self._case}|{self.dtype}".encode())
        digest.update(np.ascontiguousarray(self._order, dtype=np.int64).tobytes())
        return digest.hexdigest()

    def _one(self, i):
        value = np.asarray(self._read(int(i)))
        if value.shape != self._case:
            raise ValueError(f"case {i} has shape {value.shape}, the others have {self._case}")
        return value.astype(self.dtype, copy=False)[()]  # a text itself, not an array of it

    def _with(self, **changed):
        kept = {"identity": self._identity, "workers": self._workers, "order": self._order}
        return Streamed(self._read, None, self._case, self.dtype, **{**kept, **changed})
