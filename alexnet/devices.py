"""The device that a process computes on, and how many processor cores it may use."""

import contextlib
import ctypes
import os
import re
import sys
import time
from collections.abc import Generator

import torch
from torch import Tensor

# Parameters of glibc's mallopt, from malloc.h.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
# What errors of torch say where a GPU lacks memory, beside OutOfMemoryError, which its allocator raises.
GPU_LACKS_MEMORY = ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
SLOW = 1.5  # times as long: worth a warning


def usable_cores() -> int:
    """Return how many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def local_size() -> int:
    """Return how many processes torchrun started on this machine, 1 where it did not."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def device_named(name: str) -> torch.device:
    """Return a device by name; "auto" is the GPU if there is one.

    Raises:
        ValueError: there is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    known = re.fullmatch(r"cpu|cuda(?::(\d+))?", name)
    if not known:
        raise ValueError(f"device must be auto, cpu, cuda or cuda:N, got {name!r}")
    if name == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise ValueError(f"torch {torch.__version__} finds no GPU here; choose `--device cpu`")
    if known[1] is None:
        return torch.device("cuda")
    number, count = int(known[1]), torch.cuda.device_count()  # torch refuses "01", and takes 257 for 1
    if number >= count:
        raise ValueError(f"there is no GPU {number}; there are {count}")
    return torch.device("cuda", number)


def prepare_device(device: torch.device, *, deterministic: bool = False) -> None:
    """Set what torch decides for a whole process.

    On a GPU multiplications of float32 may round to TF32, as convolutions do anyway, and convolutions look
    for their fastest algorithm, unless the same numbers are wanted again. On the CPU the processes of one
    machine share its cores, and denormal numbers count as 0, since they are slow otherwise.

    Args:
        device: of this process.
        deterministic: the same training gives the same numbers again on the same GPU; a CPU does anyway.
    """
    if device.type == "cuda":
        if device.index is not None:
            torch.cuda.set_device(device)  # or what names no number would take memory of the first GPU
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = not deterministic
        torch.backends.cudnn.deterministic = deterministic
        if deterministic:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(deterministic, warn_only=True)  # off again after another training
        return
    torch.set_flush_denormal(True)
    local = local_size()
    # torchrun sets OMP_NUM_THREADS to 1 if it is not set; a larger number was set by the user.
    if local > 1 and os.environ.get("OMP_NUM_THREADS", "1") == "1":
        torch.set_num_threads(max(1, usable_cores() // local))


def keep_buffers() -> None:
    """Let the C library keep the memory that is freed, for as long as this process lives; glibc alone can.

    Otherwise it gives large buffers back to the system after every step, which clears them before it gives
    them out again. The process then stays as large as it ever was.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library
            mallopt = ctypes.CDLL(None).mallopt
            mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
            mallopt(M_MMAP_MAX, 0)


def channels_last_on_cpu(images: Tensor) -> Tensor:
    """Return images on the CPU with the channels of a pixel side by side, and what else is given as it is.

    Convolutions and pooling keep that order of memory, in which processors with AVX-512 compute them faster,
    and others about as fast.

    Args:
        images: (N, C, H, W), on any device; or anything else that a model reads.
    """
    if images.device.type != "cpu" or images.ndim != 4:
        return images
    return images.contiguous(memory_format=torch.channels_last)


def bfloat16_slowdown(repeats: int = 3) -> float:
    """Measure how many times as long as in float32 a convolution and its gradients take in bfloat16 here.

    Processors without instructions for it convert every number: that is many times as slow.

    Args:
        repeats: of either, of which the fastest counts.
    """
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        x = torch.ones(4, 32, 28, 28, dtype=dtype, requires_grad=True)
        weight = torch.ones(32, 32, 3, 3, dtype=dtype, requires_grad=True)
        times = []
        for _ in range(repeats + 1):  # the first prepares the kernel
            start = time.perf_counter()
            torch.conv2d(x, weight, padding=1).sum().backward()
            times.append(time.perf_counter() - start)
        seconds[dtype] = min(times[1:])
    return seconds[torch.bfloat16] / seconds[torch.float32]


def bfloat16_warning(device: torch.device, precision: str) -> str:
    """Return a warning if bfloat16 was asked for and is slower than float32 here; else nothing."""
    if device.type != "cpu" or precision != "bfloat16" or (times := bfloat16_slowdown()) < SLOW:
        return ""
    return (
        f"bfloat16 takes {times:.0f} times as long as float32 on this processor, which has no instructions "
        "for it; choose `--precision float32`"
    )


def settle(device: torch.device) -> None:
    """Wait until a device has done everything."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def memory_lacked(error: BaseException) -> str:
    """Return whose memory was too small for something, "the GPU" or "this computer"; "" for other errors."""
    of_gpu = isinstance(error, RuntimeError) and any(text in str(error) for text in GPU_LACKS_MEMORY)
    if of_gpu or isinstance(error, torch.OutOfMemoryError):
        return "the GPU"
    # As torch has it: "DefaultCPUAllocator: can't allocate memory: you tried to allocate ... bytes."
    lacked = isinstance(error, MemoryError) or "DefaultCPUAllocator: " in str(error)
    return "this computer" if lacked else ""


@contextlib.contextmanager
def out_of_memory_explained(batch_size: int) -> Generator[None]:
    """Report in one sentence that the memory of the GPU, or of the computer, is too small for the batch."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        whose = memory_lacked(error)
        if not whose:
            raise
        also = ", or `--precision bfloat16`" if whose == "the GPU" else ""
        raise ValueError(
            f"the memory of {whose} is too small for this training; choose a `--batch-size` below "
            f"{batch_size}{also}"
        ) from error


@contextlib.contextmanager
def compiling_explained() -> Generator[None]:
    """Report in one sentence that torch cannot compile the network."""
    try:
        yield
    except RuntimeError as error:
        if not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            raise
        raise ValueError(
            f"torch cannot compile the network ({str(error).splitlines()[0]}); leave `--compile` out, or "
            "install a C++ compiler"
        ) from error
