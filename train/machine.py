"""What a measured number needs beside it: the machine."""

from __future__ import annotations

import os
import platform

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
