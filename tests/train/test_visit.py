"""`make gpu` in rehearsal: everything tiny, on the CPU, but the same code."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from typer.testing import CliRunner

import pvswgan
from pvswgan.checkpoint import CheckpointError, read_tensors, save_tensors
from pvswgan.metrics import swd
from train.config import load
from train.engine import Engine
from train.gpu import training, visit
from train.gpu.__main__ import MODELS, app, parse_models
from train.gpu.outbox import HEADER_BYTES, MOST_BYTES, MOST_FILES, SHOWN, Outbox, size
from train.gpu.visit import Visit, Wishes
from train.process import ROOT

NAMES = ["toyfaces-swgan", "toyfaces-wgan-gp"]
NO_TESTS = ["--tests", "0", "--benchmark", "0"]
SHORT = ["--set", "growth.stable_kimg=[0.048,0.048,0.048]", "--set", "growth.fade_kimg=[0,0.048,0.048]",
         "--set", "log.snapshot_kimg=0.04"]
ENDLESS = ["--set", "growth.stable_kimg=[0.048,0.048,1000]"]


@pytest.fixture(autouse=True)
def one_thread(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("PVSWGAN_CACHE", str(tmp_path_factory.getbasetemp() / "stores"))
    before, handler = torch.get_num_threads(), signal.getsignal(signal.SIGTERM)
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
    signal.signal(signal.SIGTERM, handler)


def _visit(*words, code=0):
    """Here and not in a process of its own: no torch to load anew."""
    done = CliRunner().invoke(app, ["--dry", *map(str, words)])
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


def _clips(out, name):
    return read_tensors(out / f"{name}-state.safetensors")[1]["clips"]


def _check_limits(out):
    files = list(out.iterdir())
    assert len(files) <= MOST_FILES == 8
    assert all(f.is_file() and f.stat().st_size < MOST_BYTES and f.name.replace("-", "").replace(".", "").replace(
        "_", "").isalnum() for f in files)


def test_the_shipped_models_differ_in_nothing_but_the_loss():
    one, other = (load(ROOT / "configs" / f"{name}.yaml").model_dump() for name in NAMES)
    assert [c.pop("loss")["name"] for c in (one, other)] == ["swgan", "wgan-gp"] and one == other
    assert [name for name, *_ in parse_models(MODELS)] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_and_all_that_resumes_it_fit_a_file_each(name):
    engine = Engine(load(ROOT / "configs" / f"{name}.yaml"), torch.device("cpu"), "float32")
    assert size(engine.G.state_dict()) / 2 < 2 * 2**20                            # in half precision
    weights = size(engine.state()[0])                                             # before any step: no moments yet
    second_moments = sum(size(module.state_dict()) for module in (engine.G, engine.D, engine.loss))
    assert weights + second_moments < MOST_BYTES - HEADER_BYTES


@pytest.mark.slow
def test_a_visit_and_a_later_one_that_goes_on(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    said = _visit("--minutes", "2", "--out", first, *NO_TESTS, *SHORT)
    assert {f.name for f in first.iterdir()} == {
        "log.txt", "samples.png", *(f"{n}.safetensors" for n in NAMES), *(f"{n}-state.safetensors" for n in NAMES)}
    _check_limits(first)
    assert said.strip() == (first / "log.txt").read_text().strip() and f"make gpu FROM={first}" in said
    for name in NAMES:
        model = pvswgan.load(first / f"{name}.safetensors")
        assert (model.stage, model.alpha) == (2, 1.0) and model.sample(2).shape == (2, 3, 8, 8, 8)
        assert model.config["loss"]["name"] == name.removeprefix("toyfaces-")
        assert _clips(first, name) == 240                                         # the end of the plan
    from PIL import Image

    with Image.open(first / "samples.png") as sheet:                              # reals and both models
        assert sheet.size == (8 * 8, 3 * SHOWN * 8 + 2 * 2)

    state = first / "toyfaces-swgan-state.safetensors"                            # as an earlier version judged it
    tensors, info = read_tensors(state)
    save_tensors(state, tensors, info | {"best": {"stage": 2, "distance": 0.0, "clips": 240}})
    for path in first.iterdir():
        path.chmod(0o444)                                                         # as what comes back may be
    before = {f.name: f.read_bytes() for f in first.iterdir()}
    said = _visit("--minutes", "2", "--out", second, "--from", first, *NO_TESTS, *SHORT, "--models", "toyfaces-swgan",
                  "--set", "growth.stable_kimg=[0.048,0.048,0.096]")
    assert "goes on at 0.24 kimg; its state is whole" in said
    assert _clips(second, "toyfaces-swgan") == 288
    best = read_tensors(second / "toyfaces-swgan-state.safetensors")[1]["best"]
    assert best["distance"] > 0 and best["swd"] == swd.VERSION, "judged again"
    assert {f.name: f.read_bytes() for f in first.iterdir()} == before
    _check_limits(second)
    said = _visit("--minutes", "1", "--out", second, "--from", second, *NO_TESTS, "--models", "toyfaces-swgan", *SHORT,
                  "--set", "growth.stable_kimg=[0.048,0.048,0.096]")
    assert "trained to the end of its plan" in said


@pytest.mark.slow
def test_a_visit_that_is_killed_leaves_what_it_had_and_no_training_behind(tmp_path):
    out, name = tmp_path / "out", "toyfaces-swgan"
    words = ["--dry", "--minutes", "5", "--out", str(out), "--models", name, *NO_TESTS, *SHORT, *ENDLESS]
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "train.gpu", *words], cwd=ROOT, stdout=subprocess.DEVNULL,
                               env=os.environ | {"PYTHONPATH": str(ROOT)})
    state = out / f"{name}-state.safetensors"
    while not state.is_file():
        assert time.monotonic() < began + 250 and process.poll() is None
        time.sleep(0.1)
    took = time.monotonic() - began
    children = psutil.Process(process.pid).children(recursive=True)
    assert any("train" in child.cmdline() for child in children)
    process.kill()
    process.wait()
    assert not psutil.wait_procs(children, timeout=60)[1]
    (out / f".{name}.safetensors.1.tmp").write_bytes(b"half")                     # as if it was killed while writing
    _check_limits(out)
    assert pvswgan.load(out / f"{name}.safetensors").sample(1).isfinite().all()
    clips = _clips(out, name)

    began, minutes = time.monotonic(), max(0.4, took / 20)                        # and now one that time ends
    _visit("--minutes", minutes, "--out", out, "--from", out, "--models", name, *NO_TESTS, *SHORT, *ENDLESS)
    assert time.monotonic() - began < 60 * minutes
    assert _clips(out, name) > clips > 0
    assert not list(out.glob(".*"))


@pytest.mark.slow
def test_a_model_that_fails_leaves_the_other_its_time(tmp_path, monkeypatch):
    """And where the judge fails, all but the best network is written."""
    out = tmp_path / "out"

    def full(*_):
        raise torch.OutOfMemoryError("the GPU is full")

    monkeypatch.setattr(training.swd, "patch_swd", full)
    broken = tmp_path / "broken.yaml"
    broken.write_text("# Clips that are not there.\ndata: {source: videos, path: /nowhere}\n")
    box = Outbox(out, ["broken", "toyfaces-swgan"], None, time.monotonic())
    monkeypatch.setattr(visit, "REHEARSAL", [*visit.REHEARSAL, *SHORT[1::2]])
    wishes = Wishes(2, 0, 0, [("broken", broken, 1), ("toyfaces-swgan", ROOT / "configs" / "toyfaces-swgan.yaml", 1)],
                    rehearsal=True)
    assert not Visit(wishes, box).go()
    log = (out / "log.txt").read_text()
    assert "broken: the training failed" in log and "/nowhere does not exist" in log
    assert _clips(out, "toyfaces-swgan") == 240 and log.count("not all could be written: the GPU is full") == 1
    assert {f.name for f in out.iterdir()} == {"log.txt", "samples.png", "toyfaces-swgan-state.safetensors"}


def _alone(tmp_path, **wishes):
    """A visit without models."""
    box = Outbox(tmp_path / "out", NAMES[:1], None, time.monotonic())
    return Visit(Wishes(5, **{"tests": 0, "benchmark": 0, "models": []} | wishes, rehearsal=True), box)


@pytest.mark.slow
def test_tests_and_benchmark_are_run(tmp_path, monkeypatch):
    """The tests are all skipped here. Then as if there was no pytest."""
    monkeypatch.setattr(visit, "REHEARSAL", [*visit.REHEARSAL, "growth.stages=[[4,4],[4,8]]", "growth.fade_kimg=0",
                                             "growth.stable_kimg=1"])
    here = _alone(tmp_path, tests=60, benchmark=150)
    here.most = 150                                        # on a busy machine as well
    assert here._tests(tmp_path / "tests.out") and here._benchmark(tmp_path)
    result = json.loads((tmp_path / "out" / "steps.json").read_text())
    assert [row["size"] for row in result["rows"]] == ["4x4x4", "4x8x8"]
    monkeypatch.setattr(visit.importlib.util, "find_spec", lambda name: None)
    assert here._tests(tmp_path / "tests.out")
    log = (tmp_path / "out" / "log.txt").read_text()
    assert all(text in log for text in (
        "tests: passed", "benchmark: passed", "pytest is not installed here", "profile: passed",
        "weight gradients"))


@pytest.mark.slow
@pytest.mark.parametrize(("ending", "seconds", "said"), [
    ("time.sleep(600)", 8, "benchmark: not done after 8 s: ended"), ("sys.exit(3)", 60, "benchmark: FAILED")])
def test_a_benchmark_that_does_not_end_well_leaves_its_rows(ending, seconds, said, tmp_path, monkeypatch):
    start, steps = visit.process.start, tmp_path / "steps.json"
    code = (f"import pathlib, sys, time; p = pathlib.Path({str(steps)!r}); p.write_text('{{\"rows\": [1]}}'); "
            f"time.sleep(1); p.write_text('{{\"rows\": [1, 2'); print('half way'); {ending}")
    monkeypatch.setattr(visit.process, "start", lambda words, log: start(["-c", code], log))
    here = _alone(tmp_path, benchmark=seconds)
    assert here._benchmark(tmp_path) is False
    assert json.loads((tmp_path / "out" / "steps.json").read_text()) == {"rows": [1]}
    log = (tmp_path / "out" / "log.txt").read_text()
    assert said in log and "half way" in log


@pytest.mark.parametrize(("words", "message"), [
    ([], "PyTorch sees no GPU here; to rehearse on the CPU: make gpu DRY=1"),
    (["--dry", "--models", "nobody"], r"--models has 'nobody'; allowed: a name in configs/"),
    (["--dry", "--models", "paper:much"], r"--models has 'paper:much'; allowed: NAME or NAME:SHARE"),
    (["--dry", "--models", "paper,paper"], "each model once"),
    (["--dry", "--models", "paper,actions,ucf101"], "3 models would make 9 files; allowed: 7"),
    (["--dry", "--from", "/nowhere"], "nothing to go on from in /nowhere: no toyfaces-swgan-state.safetensors"),
])
def test_the_command_line_says_what_is_wrong(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    done = CliRunner().invoke(app, words)
    assert message in str(done.exception) and not list(tmp_path.iterdir())


def test_work_is_not_overwritten(tmp_path):
    Path(tmp_path / "toyfaces-swgan-state.safetensors").write_bytes(b"broken")
    assert "go on with FROM=" in str(CliRunner().invoke(app, ["--dry", "--out", str(tmp_path)]).exception)
    said = _visit("--out", tmp_path, "--from", tmp_path, *NO_TESTS, "--models", "toyfaces-swgan", code=1)
    assert "cannot be read as a checkpoint" in said                                # told, and left as it is
    with pytest.raises(CheckpointError):
        read_tensors(tmp_path / "toyfaces-swgan-state.safetensors")
