"""Memory of a training on a CPU, given back when it is free.

The C library keeps freed blocks of up to 32 MB for later, and often finds none that fits: a process holds up to twice
what its tensors take. Here blocks from 8 MB on are given back at once, and PyTorch takes large pages, which come as
quickly as a kept block. With configs/toyfaces-cpu.yaml a step at 16x32x32 then takes 240 MB instead of 300 to 370, in
the same time (2 cores of an AMD EPYC, 2026-11-25). Smaller ones are kept: set apart from the large, the C library would
give the end of its heap back whenever 128 KB of it are free, and fetch it again at every operator (a step of
configs/assets.yaml at 16x32x32 took 4 to 8 % more in bfloat16, and no less memory; a Xeon with AMX, 2026-11-29).
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os

GIVEN_BACK = 8 << 20         # bytes; less costs time, as small blocks are soon wanted again (4 MB: a tenth at 8x16x16)
KEPT = 256 << 20             # bytes free at the heap's end, until trim()
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3        # malloc.h of glibc


def give_back() -> None:
    """From now on, in this process: to be called before its first tensor. Only Linux's glibc knows how."""
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")                  # PyTorch: large pages from 2 MB on
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(M_MMAP_THRESHOLD, GIVEN_BACK)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT)


def trim() -> None:
    """Give back the small blocks too, which the next sizes will not fit into. A few milliseconds."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
