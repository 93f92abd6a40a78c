"""How a network is run on a device: precision, memory layout, threads."""

from contextlib import contextmanager
from dataclasses import dataclass

import torch

# Networks whose training step was measured to be faster in bfloat16 on a CPU that
# has bfloat16 instructions (benchmarks/training_step.py). All others stay in float32.
FASTER_IN_BFLOAT16 = frozenset(
    {"fcn-resnet50", "fcn-resnet18-s8", "unet-small", "unet-resnet18", "unet-seresnext50"}
)
# Faster with channels last in float32 too, at the sizes that the profiles use.
FASTER_CHANNELS_LAST = FASTER_IN_BFLOAT16 | {"cnn-small"}


@dataclass(frozen=True)
class Compute:
    """The numerical way a fit takes; recorded in its provenance.

    Parameters
    ----------
    device : str
        ``"cpu"`` or ``"cuda"``.
    precision : str
        ``"float32"`` or ``"bfloat16"`` (autocast; weights stay in float32).
    channels_last : bool
        Memory layout of images and weights.
    threads : int
        Threads of one fit on a CPU. Fits run side by side in processes, so one
        thread each uses the machine best and keeps results independent of it.
    """

    device: str
    precision: str
    channels_last: bool
    threads: int = 1

    @contextmanager
    def active(self):
        """Set threads and deterministic kernels for the duration of a fit."""
        threads = torch.get_num_threads()
        deterministic = torch.are_deterministic_algorithms_enabled()
        warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
        torch.set_num_threads(self.threads)
        torch.use_deterministic_algorithms(True, warn_only=self.device != "cpu")
        # Filling fresh memory guards against kernels that read it unwritten; it is slow.
        torch.utils.deterministic.fill_uninitialized_memory = False
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)

    def autocast(self):
        """Return the context in which forward passes run."""
        return torch.autocast(
            self.device, dtype=torch.bfloat16, enabled=self.precision == "bfloat16"
        )

    def place(self, module_or_images):
        """Move a module or a batch of images to the device, in its memory layout."""
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        return module_or_images.to(device=self.device, memory_format=layout)


def as_float(images):
    """Return uint8 images scaled to [0, 1] as float32, others as float32 unchanged."""
    return images.float() / 255 if images.dtype == torch.uint8 else images.float()


def choose_compute(device, network, *, threads=1):
    """Choose precision and layout for a network on a device.

    Parameters
    ----------
    device : str
        ``"cpu"``, ``"cuda"`` or ``"auto"`` (CUDA when there is one).
    network : str
        A network's name; see `FASTER_IN_BFLOAT16`.
    threads : int
        CPU threads of the fit.

    Raises
    ------
    ValueError
        If the device is unknown or not present.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device not in ("cpu", "cuda"):
        raise ValueError(f"device must be cpu, cuda or auto, got {device!r}")
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device is cuda, but this machine has no CUDA device; use cpu or auto")
    fast = device == "cuda" or cpu_has_bfloat16()
    large = network in FASTER_IN_BFLOAT16
    return Compute(
        device=device,
        precision="bfloat16" if fast and large else "float32",
        channels_last=network in FASTER_CHANNELS_LAST,
        threads=threads,
    )


def cpu_has_bfloat16():
    """Return whether the CPU multiplies bfloat16 natively (AMX or AVX-512 BF16)."""
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))
