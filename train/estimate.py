"""What a configuration would cost on this machine: the time and memory of --dry-run, for a program to read.

    python -m train.estimate < CONFIG.yaml

prints a JSON object a line: {"say": what it is at}; then {"device", "precision", "per_clip" (seconds, one a stage),
"timed" (so many stages; the rest by arithmetic), "given_up" (sentences)}; last {"memory": for each stage null or
{"plain", "checkpointing"} in bytes of the process, "free": bytes}.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import yaml

from train import heap
from train.baselines import make_engine
from train.config import ConfigError, parse
from train.cost import measure
from train.engine import choose_device
from train.memory import free_memory, own_memory, process_memory, step_memory
from train.precision import choose_precision
from train.shortage import NotEnoughMemory

SECONDS = 8.0     # of timing: a person waits


def main() -> None:
    heap.give_back()
    config = parse(yaml.safe_load(sys.stdin.read()))
    device = choose_device(config.device)
    tell(say="finding the faster number format")
    precision = choose_precision(config, device)
    engine = make_engine(config, device, precision)
    per_clip, timed = measure(engine, SECONDS, say=lambda text: tell(say=text))
    tell(device=str(device), precision=precision, per_clip=per_clip, timed=timed,
         given_up=[shortage.sentence() for shortage in engine.shortages])
    tell(say="counting memory")
    own, free = own_memory(engine), free_memory(device)
    stages = [stage and {"plain": process_memory(stage.plain, device, own),
                         "checkpointing": process_memory(stage.checkpointing, device, own)}
              for stage in step_memory(config, precision)]
    tell(memory=stages, free=free)


def tell(**what: Any) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    try:
        main()
    except (ConfigError, NotEnoughMemory, ValueError, yaml.YAMLError) as error:
        sys.exit(str(error))
