"""How busy the machine is, and what of it is a training's doing. Read when asked, at most once a second for all.

Needs psutil. GPUs are asked by nvidia-smi, which comes with every NVIDIA driver; where it is not there, none is told.
"""

from __future__ import annotations

import csv
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil

from train.run import RunFolder

FRESH_S = 0.9  # a younger reading serves whoever asks again: shares of time need some time between two looks
GPU_FRESH_S = 2.9  # starting nvidia-smi takes a while on some machines
GPU_ASK = "index,name,utilization.gpu,memory.used,memory.total,temperature.gpu"
GPU_PATIENCE_S = 5
FORGET_S = 60

psutil.cpu_percent()  # from now on: its first answer is always 0
_reading = threading.Lock()
_kept: dict[str, tuple[float, dict[str, Any]]] = {}  # what was asked -> (when, answer)
_spent: dict[int, tuple[float, float]] = {}  # process -> (when, seconds of processor time so far)


def reading(run: RunFolder) -> dict[str, Any]:
    """{"cpu", "cores", "memory", "memory_total", "disk_free", "disk_total", "gpus", "process"}.

    cpu is the share of all cores that is busy, 0..1; memory and disk are in bytes, the disk is the run folder's. gpus
    lists {"index", "name", "busy" 0..1, "memory", "memory_total" in bytes, "celsius"}. process is None, or the
    training's {"cpu" in cores, "memory"}, all its children included. A value that is not known (yet) is None.
    """
    pid = (run.status() or {}).get("pid") if run.alive() else None
    with _reading:
        answer = _fresh("machine", _machine) | _fresh(f"disk of {run.path}", lambda: disk(run))
        return answer | {"gpus": _fresh("gpus", _gpus, GPU_FRESH_S),
                         "process": _fresh(f"process {pid}", lambda: _process(int(pid))) if pid else None}


def disk(run: RunFolder) -> dict[str, Any]:
    """Bytes of the disk on which the run lies."""
    try:
        usage = shutil.disk_usage(run.path)
    except OSError:
        return {"disk_free": None, "disk_total": None}
    return {"disk_free": usage.free, "disk_total": usage.total}


def _fresh(name: str, look: Callable[[], Any], fresh_s: float = FRESH_S) -> Any:
    now = time.monotonic()
    for old in [key for key, (when, _) in _kept.items() if now - when > FORGET_S]:
        del _kept[old]
    if name not in _kept or now - _kept[name][0] > fresh_s:
        _kept[name] = (now, look())
    return _kept[name][1]


def _machine() -> dict[str, Any]:
    memory = psutil.virtual_memory()
    return {"cpu": psutil.cpu_percent() / 100, "cores": psutil.cpu_count(), "memory": memory.total - memory.available,
            "memory_total": memory.total}


def _process(pid: int) -> dict[str, Any] | None:
    """Of a process with its children: cores that it kept busy since the last look, and its memory."""
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return None
    seconds, held = 0.0, 0
    for process in family:
        try:
            times = process.cpu_times()
            seconds += times.user + times.system
            held += process.memory_info().rss
        except psutil.Error:
            continue  # a child that has just ended
    now = time.monotonic()
    for old in [key for key, (when, _) in _spent.items() if now - when > FORGET_S]:
        del _spent[old]
    before = _spent.get(pid)
    _spent[pid] = (now, seconds)
    busy = max(0.0, seconds - before[1]) / (now - before[0]) if before else None
    return {"cpu": busy, "memory": held}


def _gpus() -> list[dict[str, Any]]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        answer = subprocess.run([program, f"--query-gpu={GPU_ASK}", "--format=csv,noheader,nounits"],
                                capture_output=True, text=True, timeout=GPU_PATIENCE_S, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    rows = (row for row in csv.reader(answer.splitlines(), skipinitialspace=True) if len(row) == 6)
    return [_gpu(*row) for row in rows]


def _gpu(index: str, name: str, busy: str, used: str, total: str, celsius: str) -> dict[str, Any]:
    share, memory, memory_total = _number(busy), _number(used), _number(total)
    return {"index": index, "name": name, "busy": None if share is None else share / 100, "celsius": _number(celsius),
            "memory": None if memory is None else memory * 2**20,
            "memory_total": None if memory_total is None else memory_total * 2**20}


def _number(text: str) -> float | None:
    """nvidia-smi says "[N/A]" of what a card does not tell."""
    try:
        return float(text)
    except ValueError:
        return None
