"""The estimate of a step's memory against what real tensors take, and against what a whole process takes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.train import tiny
from train.__main__ import app as command_line
from train.config import load, parse
from train.engine import Engine
from train.memory import LiveBytes, free_memory, process_memory, step_memory

ROOT = Path(__file__).parents[2]
GROWTH = {"stages": [[4, 4], [4, 8], [8, 16]], "fade_kimg": [0, 0, 0.064], "stable_kimg": 0.064}
NETWORK = {"latent_dim": 8, "fmap_base": 128, "fmap_max": 16}


def test_bytes_are_counted_while_their_tensors_live():
    with LiveBytes() as live:
        a = torch.zeros(1024)
        b = a.view(32, 32)[:4]                        # a view takes nothing
        a += 1
        c = torch.cat([a, a])
        assert live.now == 3 * 4096
        del a
        assert live.now == 3 * 4096                   # b still holds it
        del b, c
        assert live.now == 0 and live.peak == 3 * 4096
        torch.zeros(1)
        assert live.now == 0


@pytest.mark.slow
@pytest.mark.parametrize("batch", [4, 12])
@pytest.mark.parametrize("loss", ["swgan", "wgan-gp"])
def test_a_step_without_data_takes_what_one_with_data_does(loss, batch):
    """At a stable stage and in a fade, with and without checkpointing."""
    config = tiny.config(growth=GROWTH, network=NETWORK, loss={"name": loss}, train={"batch": batch, "critic_steps": 2})
    for stage in (1, 2):
        (found,) = step_memory(config, "float32", [stage])
        for checkpointing, estimate in ((False, found.plain), (True, found.checkpointing)):
            assert estimate == pytest.approx(_taken(config, stage, checkpointing), rel=0.02)
        assert found.checkpointing < 0.9 * found.plain


def _taken(config, stage, checkpointing):
    """Bytes of the tensors of a whole engine at the worst moment of its steps."""
    with LiveBytes() as live:
        engine = Engine(config, torch.device("cpu"), "float32")
        engine.checkpointing[stage] = checkpointing
        engine.clips = engine.plan.starts[stage]
        engine.step(lambda position, n, size: torch.rand(n, 3, size[0], size[1], size[1]))
        live.peak = 0
        engine.step(lambda position, n, size: torch.rand(n, 3, size[0], size[1], size[1]))
    return live.peak


@pytest.mark.slow
def test_the_greatest_stage_of_the_paper_fits_the_authors_card():
    """256x256 pixels, 32 frames, batches of 4: 12 GB, and 6 with checkpointing (tensors; oneDNN's or cuDNN's scratch
    and a GPU's own context are not in it)."""
    (found,) = step_memory(load(ROOT / "configs" / "paper.yaml", ["data.source=toyfaces", "data.path=null"]),
                           "bfloat16", [6])
    assert found.plain < 10e9 and found.checkpointing < 4.5e9


def test_a_stage_without_clips_takes_no_memory():
    config = tiny.config(growth={"stages": [[4, 4], [4, 8], [8, 8]], "fade_kimg": 0, "stable_kimg": [0.016, 0, 0.016]})
    first, none, last = step_memory(config, "float32")
    assert none is None and first.plain <= last.plain


PROCESS = """
from train import heap
heap.give_back()
import sys, torch
from train.config import load
from train.engine import Engine
from train.memory import own_memory, process_memory, step_memory
config, checkpointing = load(sys.argv[1]), sys.argv[2] == "on"
torch.set_num_threads(1)
engine = Engine(config, torch.device("cpu"), "float32")
def step(stage):
    engine.clips, engine.checkpointing[stage] = engine.plan.starts[stage], checkpointing
    engine.step(lambda position, n, size: torch.rand(n, 3, size[0], size[1], size[1]))
step(0)
own = own_memory(engine)
for _ in range(2):
    step(1)
(found,) = step_memory(config, "float32", [1])
tensors = found.checkpointing if checkpointing else found.plain
taken = next(int(x.split()[1]) for x in open("/proc/self/status") if x.startswith("VmHWM")) * 1024
print(process_memory(tensors, torch.device("cpu"), own), taken, own)
"""


@pytest.mark.slow
@pytest.mark.parametrize("checkpointing", ["on", "off"])
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux how much memory a process has taken")
def test_a_process_takes_what_is_estimated(tmp_path, checkpointing):
    """Within 20 %, as --dry-run promises; a third or more of it are tensors."""
    config = parse({"data": {"source": "toyfaces"}, "network": {"latent_dim": 8, "fmap_base": 1024, "fmap_max": 32},
                    "train": {"batch": 8},
                    "growth": {"stages": [[8, 16], [16, 32]], "fade_kimg": [0, 1], "stable_kimg": 1}})
    path = tiny.write(tmp_path / "c.yaml", config)
    out = subprocess.run([sys.executable, "-c", PROCESS, path, checkpointing], capture_output=True, text=True,
                         env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert out.returncode == 0, out.stderr
    estimate, taken, own = map(float, out.stdout.split())
    assert estimate == pytest.approx(taken, rel=0.2), (estimate, taken, own)
    assert own < 0.7 * taken, (estimate, taken, own)


def test_on_a_gpu_only_tensors_count():
    assert process_memory(100, torch.device("cuda"), 50) == 100
    assert process_memory(10**8, torch.device("cpu"), 3 * 10**8) == pytest.approx(4.7e8, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(("setting", "headings"), [("auto", ["GB", "checkpointing GB"]), ("off", ["GB"]),
                                                   ("on", ["checkpointing GB"])])
def test_the_dry_run_tells_it(setting, headings, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("train.__main__.measure", lambda engine, say: ([1.0] * 3, 3))
    monkeypatch.setattr("train.__main__.console.width", 200)
    path = tiny.write(tmp_path / "tiny.yaml", tiny.config(train={"checkpointing": setting}))
    with pytest.raises(SystemExit) as end:
        command_line([str(path), "--dry-run"])
    out = capsys.readouterr().out
    assert end.value.code == 0
    row = next(line for line in out.splitlines() if "size TxHxW" in line)
    assert [cell.strip() for cell in row.split("┃")[9:-1]] == headings
    assert "are free on cpu now" in out


def test_what_pytorch_holds_on_a_gpu_is_free_for_a_training(monkeypatch):
    """An estimate has stepped the stages: its allocator keeps what they took, and a training is another process."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (3 << 30, 12 << 30))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 8 << 30)
    assert free_memory(torch.device("cuda:0")) == 11 << 30
