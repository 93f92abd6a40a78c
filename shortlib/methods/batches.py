"""Images of a cohort as batches on the device, from memory or from disk."""

import numpy as np
import torch

from shortlib.data.streamed import Streamed
from shortlib.methods.compute import as_float


class Batches:
    """Images by case index.

    In memory, the images stay on the device as they are stored (uint8 where they
    are) and a batch is scaled when it is taken. Streamed ones are read from disk when
    their batch is taken.

    Parameters
    ----------
    images : numpy.ndarray or shortlib.data.streamed.Streamed, shape (n, c, h, w)
    compute : shortlib.methods.compute.Compute
    """

    def __init__(self, images, compute):
        self.shape, self._compute = images.shape, compute
        self._streamed = images if isinstance(images, Streamed) else None
        if self._streamed is None:
            self._images = compute.place(torch.from_numpy(np.ascontiguousarray(images)))

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, index):
        """Return float32 images, uint8 ones scaled to [0, 1], of an int64 tensor of indices."""
        if self._streamed is None:
            return as_float(self._images[index.to(self._images.device)])
        batch = torch.from_numpy(self._streamed[index.cpu().numpy()])
        return as_float(self._compute.place(batch))

    def in_order(self, size):
        """Yield all images in batches of at most `size`, reading ahead from disk."""
        if self._streamed is None:
            for batch in self._images.split(size):
                yield as_float(batch)
        else:
            for batch in self._streamed.batches(size):
                yield as_float(self._compute.place(torch.from_numpy(batch)))
