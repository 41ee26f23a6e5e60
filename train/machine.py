"""The machine: what a measured number needs beside it, clocks that wait for a GPU, memory."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable

import psutil
import torch


def machine() -> str:
    """Processor, its cores, GPU, versions: what a number needs beside it."""
    name = platform.processor()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            name = next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    cores, threads = len(os.sched_getaffinity(0)), torch.get_num_threads()
    with_threads = f"{threads} thread{'s' * (threads > 1)}"
    return f"{cores} cores of {name}{gpu}, torch {torch.__version__} with {with_threads}"


def synchronise(device: torch.device) -> None:
    """Wait for a GPU; a CPU has no queue."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def least_seconds(work: Callable[[], object], device: torch.device, seconds: float) -> float:
    """The shortest time that `work` took within about so many seconds, after one run to warm up."""
    work()
    best, began = float("inf"), time.perf_counter()
    while time.perf_counter() - began < seconds or best == float("inf"):
        synchronise(device)
        start = time.perf_counter()
        work()
        synchronise(device)
        best = min(best, time.perf_counter() - start)
    return best


def memory_mb(device: torch.device) -> float:
    """Memory in use: the GPU's greatest so far, or this process's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return psutil.Process().memory_info().rss / 2**20
