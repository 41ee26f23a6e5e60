"""A study trains each cell for its time, measures it by one protocol, goes on where it was cut off, and tells."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from pvswgan.metrics.report import flat
from train.config import ConfigError, dump
from train.run import RunError, RunFolder
from train.study import plan, report, runs
from train.study.measure import networks, seconds_at
from train.study.runs import Running, result_path

ROOT = Path(__file__).parents[2]
STUDY = {
    "name": "tiny", "minutes": 0.05, "threads": 1, "seeds": [0], "clips": 40, "moments": [0.5, 1.0],
    "reference": "grown",
    "base": {"data": {"source": "toyfaces", "clips": 96}, "precision": "float32", "device": "cpu",
             "growth": {"stages": [[4, 4], [4, 8]], "fade_kimg": 0.064, "stable_kimg": [0.064, 1000]},
             "network": {"latent_dim": 16, "fmap_base": 64, "fmap_max": 8}, "train": {"batch": 16},
             "log": {"tick_kimg": 0.032, "snapshot_kimg": 1000, "keep": 1000}},
    "arms": {"grown": {}, "fixed": {"growth.stages": [[4, 8]], "growth.fade_kimg": 0, "growth.stable_kimg": 1000}}}


def written(folder: Path, **changes) -> Path:
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(STUDY | changes, sort_keys=False))
    return path


def command(folder: Path, study: Path) -> list[str]:
    return [sys.executable, "-m", "train.study", str(study), "--work", str(folder / "runs"),
            "--out", str(folder / "out"), "--results", str(folder / "RESULTS.md")]


@pytest.mark.slow
def test_a_study_is_cut_off_goes_on_and_tells_what_it_found(tmp_path):
    study = written(tmp_path, minutes=0.1)
    environment = {**os.environ, "PVSWGAN_CACHE": str(tmp_path / "cache")}
    first = subprocess.Popen(command(tmp_path, study), cwd=ROOT, env=environment, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, start_new_session=True,
                             preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # as in a terminal
    run, until = RunFolder(tmp_path / "runs" / "grown-0"), time.monotonic() + 300
    while (run.status() or {}).get("cpu_seconds", 0) < 1:
        assert time.monotonic() < until and first.poll() is None
        time.sleep(0.05)
    os.killpg(first.pid, signal.SIGINT)  # as a terminal does: all processes hear it
    out, error = first.communicate(timeout=250)
    assert first.returncode == 130 and "go on with: python -m train.study" in error and "Traceback" not in out + error
    assert run.state() == "stopped" and not (tmp_path / "out" / "results").exists()
    trained = run.status()["cpu_seconds"]

    again = subprocess.run(command(tmp_path, study), cwd=ROOT, env=environment, capture_output=True, text=True,
                           timeout=800)
    assert again.returncode == 0, again.stderr
    assert any(line.get("event") == "resumed" for line in run.stats())
    assert 1 <= trained < 6 <= run.status()["cpu_seconds"]
    loaded = plan.load(study)
    for training in plan.trainings(loaded):
        facts = json.loads(result_path(tmp_path / "out", training).read_text())
        assert 6 <= facts["cost"]["cpu_seconds"] < 12 and facts["failed"] is None
        last = facts["moments"][-1]
        assert last["share"] == 1 and last["clips"] == facts["cost"]["clips"] and last["size"] == "4x8x8"
        assert last["values"]["fid"]["value"] == facts["result"]["values"]["fid"]["value"] > 0
    page = (tmp_path / "RESULTS.md").read_text()
    assert "2 of 2 trainings are done" in page and "| FID ↓ |" in page
    assert "![grown](out/samples/grown-0-large.png)" in page
    assert (tmp_path / "out" / "curves.svg").read_text().startswith("<svg")

    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "results").iterdir()}
    (tmp_path / "RESULTS.md").write_text("# Mine\n\nWhat I found.\n\n" + page + "\nAnd this.\n")
    once_more = subprocess.run(command(tmp_path, study), cwd=ROOT, env=environment, capture_output=True, text=True,
                               timeout=250)
    assert once_more.returncode == 0 and before == {p: p.stat().st_mtime_ns for p in before}, "nothing is done twice"
    page = (tmp_path / "RESULTS.md").read_text()
    assert "What I found." in page and "And this." in page and page.count("<!-- study tiny") == 1


@pytest.mark.slow
def test_a_study_that_is_killed_leaves_no_training_behind(tmp_path):
    """Nobody would end it when its time is over, and the study that goes on could not take its folder."""
    study = subprocess.Popen(command(tmp_path, written(tmp_path, minutes=5)), cwd=ROOT, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, env={**os.environ, "PVSWGAN_CACHE": str(tmp_path / "cache")})
    run, until = RunFolder(tmp_path / "runs" / "grown-0"), time.monotonic() + 300
    while run.state() != "running":
        assert time.monotonic() < until and study.poll() is None
        time.sleep(0.05)
    study.kill()
    study.wait()
    while run.alive():
        assert time.monotonic() < until, "it trains on"
        time.sleep(0.05)


@pytest.mark.parametrize(("changes", "said"), [
    ({"reference": "other"}, "reference is 'other'; allowed: grown, fixed"),
    ({"moments": [0.5, 0.2, 1.0]}, "moments.*rising shares"),
    ({"minutes": 0}, "minutes.*greater than 0"),
    ({"kimg": 3}, "allowed: either minutes or kimg"),
    ({"minutes": None}, "allowed: either minutes or kimg"),
    ({"name": "../x"}, "small letters"),
    ({"arms": {"grown": {}, "larger": {"growth.stages": [[4, 16]], "growth.fade_kimg": 0, "growth.stable_kimg": 9}}},
     "different sizes .*4x8, 4x16"),
    ({"arms": {"grown": {"train.lrr": 1}}}, "arm grown: train.lrr is not a key"),
    ({"arms": {"Grown": {}}, "reference": "Grown"}, "arm 'Grown'"),
])
def test_what_is_wrong_with_a_study_is_said(tmp_path, changes, said):
    with pytest.raises(ConfigError, match=said):
        plan.load(written(tmp_path, **changes))


@pytest.mark.parametrize("text", ["seeds: [", "seeds: 2024-13-45", "seeds: !!bool maybe", "[" * 5000])
def test_a_study_that_is_no_yaml_is_named(tmp_path, text):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="study.yaml is not valid YAML"):
        plan.load(path)


@pytest.mark.parametrize(("file", "arms", "minutes"), [
    ("study.yaml", ["swgan", "wgan-gp", "no-growing", "zeros", "space-first", "time-first", "mocogan", "tgan",
                    "videogan"], 15),
    ("study-shapes.yaml", ["swgan", "wgan-gp", "no-growing", "zeros", "mocogan"], 5),
    ("study-actions.yaml", ["swgan", "wgan-gp", "no-growing", "zeros"], 5),
])
def test_the_studies_that_come_with_the_project_are_sound(file, arms, minutes):
    study, first = plan.load(ROOT / "configs" / file), plan.load(ROOT / "configs" / "study.yaml")
    cells = plan.trainings(study)
    assert [cell.name for cell in cells] == [f"{arm}-{seed}" for seed in (0, 1, 2) for arm in arms]
    assert {cell.config.plan().sizes[-1] for cell in cells} == {(8, 16)}
    pair = {cell.arm: cell.config for cell in cells if cell.seed == 0}
    swgan, other = pair["swgan"], pair["wgan-gp"]
    assert swgan.model_copy(update={"loss": other.loss}) == other, "they differ in the loss only"
    apart = {key for key, value in flat(study.base).items() if value != flat(first.base).get(key)}
    assert {key for key in apart if not key.startswith("data.")} <= {"train.augment"}, "asked of other clips, no more"
    assert study.minutes == minutes and all(study.arms[arm] == first.arms[arm] for arm in arms)


def test_the_study_for_a_gpu_asks_all_systems_at_the_size_that_they_were_published_for():
    study, first = plan.load(ROOT / "configs" / "study-gpu.yaml"), plan.load(ROOT / "configs" / "study.yaml")
    cells = plan.trainings(study)
    arms = set(first.arms) - {"zeros"} | {"contrast", "no-growing-contrast"}
    assert {cell.arm for cell in cells} == arms and {cell.seed for cell in cells} == {0, 1, 2}
    assert {cell.config.plan().sizes[-1] for cell in cells} == {(16, 64)}
    for arm in ("mocogan", "tgan", "videogan"):
        assert study.arms[arm]["train"] == first.arms[arm]["train"], "as published, whatever the size"


def test_the_studies_of_precision_contrast_and_a_larger_size_compare_one_thing_each():
    for file, size, pairs, apart in (
            ("study-precision.yaml", (8, 16), [("float32", "bfloat16"), ("wgan-gp-float32", "wgan-gp-bfloat16")],
             {"precision"}),
            ("study-contrast.yaml", (8, 16), [("swgan", "contrast"), ("swgan", "contrast-8"),
                                              ("wgan-gp", "wgan-gp-contrast")], {"train.temporal_contrast"}),
            ("study-growing.yaml", (8, 16), [("swgan", "contrast"), ("no-growing", "no-growing-contrast")],
             {"train.temporal_contrast"}),
            ("study-growing.yaml", (8, 16), [("swgan", "no-growing"), ("contrast", "no-growing-contrast")],
             {"growth.fade_kimg", "growth.stable_kimg"}),
            ("study-32.yaml", (16, 32), [("swgan", "no-growing")], {"growth.fade_kimg", "growth.stable_kimg"})):
        cells = {(cell.arm, cell.seed): cell.config for cell in plan.trainings(plan.load(ROOT / "configs" / file))}
        assert {seed for _, seed in cells} == {0, 1, 2}
        for first, second in pairs:
            one, other = cells[first, 0], cells[second, 0]
            assert one.plan().sizes[-1] == other.plan().sizes[-1] == size
            now, then = flat(one.model_dump(mode="json")), flat(other.model_dump(mode="json"))
            assert {key for key in now if now[key] != then[key]} == apart


def test_a_moment_is_found_between_the_ticks(tmp_path):
    ticks = [{"clips": 100, "cpu_seconds": 10.0}, {"clips": 200, "cpu_seconds": 30.0}]
    assert [seconds_at(clips, ticks, "cpu_seconds") for clips in (0, 50, 150, 200, 900)] == [0, 5, 20, 30, 30]
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for clips in (0, 40, 160, 200):
        (folder / f"{clips:09d}-network.safetensors").touch()
    study = plan.load(written(tmp_path, minutes=0.5))
    found = networks(study, tmp_path, ticks, {"device": "cpu"})
    assert [(share, int(path.name[:9])) for share, path in found] == [(0.5, 160), (1.0, 200)]
    by_clips = plan.load(written(tmp_path, minutes=None, kimg=0.16))
    found = networks(by_clips, tmp_path, ticks, {"device": "cpu"})
    assert [(share, int(path.name[:9])) for share, path in found] == [(0.5, 40), (1.0, 160)]


def test_a_study_by_clips_ends_each_training_at_as_many(tmp_path):
    """Whatever time they took; its page has no curves over time."""
    study = plan.load(written(tmp_path, minutes=None, kimg=2))
    run = RunFolder(tmp_path / "runs" / "grown-0")
    run.path.mkdir(parents=True)
    training = plan.trainings(study)[0]
    (run.path / "config.yaml").write_text(dump(training.config))
    for clips, share, over in ((500, 0.25, False), (2016, 1.0, True)):
        (run.path / "status.json").write_text(json.dumps({"state": "stopped", "clips": clips, "cpu_seconds": 99.0}))
        one = Running.__new__(Running)
        one.study, one.run = study, run
        assert (one.share(), one.trained()) == (share, over)
    leave(study, tmp_path, "grown", 0, 9.0)
    report.write(study, "the command", tmp_path, tmp_path / "RESULTS.md")
    page = (tmp_path / "RESULTS.md").read_text()
    assert "2 kimg for each training" in page and "over clips]" in page and "minutes" not in page
    curves = (tmp_path / "curves.svg").read_text()
    assert "minutes" not in curves
    assert curves.count(f"<title>{report.FLOOR}</title>") == len(report.CURVES) and f">{report.FLOOR}</text>" in curves


def result_of(fid: float, reals: str = "one") -> dict:
    from pvswgan.metrics import evaluate

    protocol = {"measures": 2, "clips": 40, "frames": 4, "resolution": 8, "seed": 0,
                "extractor": {"name": "clipnet", "weights": "w"},
                "reals": {"sha256": reals}, "torch_fidelity": "0.4"}
    values = {"fid": {"value": fid, "floor": 1.0, "ceiling": 900.0},
              "swd": {"value": fid / 100, "floor": 0.01, "ceiling": 9.0}}
    return json.loads(evaluate.Result(
        protocol, evaluate.key_of(protocol), {}, values, {"date": "2026-01-02T00:00:00"}, []).as_json())


def leave(study: plan.Study, out: Path, arm: str, seed: int, fid: float, key: str = "one") -> None:
    result = result_of(fid, key)
    config = next(one.config for one in plan.trainings(study) if (one.arm, one.seed) == (arm, seed))
    facts = {"arm": arm, "seed": seed, "config": config.model_dump(mode="json"), "minutes": study.minutes,
             "kimg": study.kimg, "machine": "a machine", "device": "cpu", "failed": None, "result": result,
             "parameters": {"generator": 10, "critic": 20}, "cost": {
                 "clips": 1000, "seconds": 9.0, "cpu_seconds": 8.0, "clips_per_cpu_second": 125.0, "memory_mb": 99.0},
             "moments": [{"share": 1.0, "clips": 1000, "values": result["values"]}]}
    path = out / "results" / f"{arm}-{seed}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(facts))


def test_means_deviations_and_differences_of_the_same_seed(tmp_path):
    study = plan.load(written(tmp_path, seeds=[0, 1]))
    for seed, grown, fixed in ((0, 10.0, 30.0), (1, 50.0, 80.0)):
        leave(study, tmp_path, "grown", seed, grown)
        leave(study, tmp_path, "fixed", seed, fixed)
    report.write(study, "the command", tmp_path, tmp_path / "RESULTS.md")
    page = (tmp_path / "RESULTS.md").read_text()
    assert "| FID ↓ | 30 ± 28 | 55 ± 35 | 1 | 900 |" in page
    assert "| fixed | 25.0 ± 7.1 (+20, +30) |" in page, "the deviation between the seeds has gone"
    assert "4 of 4 trainings are done" in page and "Measured 2026-01-02" in page
    assert "By version 2 of the measures, which is now 3: not to be set beside other studies" in page


def test_results_of_two_protocols_do_not_stand_in_one_table(tmp_path):
    study = plan.load(written(tmp_path))
    leave(study, tmp_path, "grown", 0, 1.0)
    leave(study, tmp_path, "fixed", 0, 1.0, "other")
    with pytest.raises(ValueError, match="2 protocols"):
        report.write(study, "the command", tmp_path, tmp_path / "RESULTS.md")
    assert not (tmp_path / "RESULTS.md").exists()


def test_where_the_clips_lie_makes_no_other_plan(tmp_path):
    """A run's configuration has the whole path, of the machine that it was trained on."""
    base = STUDY["base"] | {"data": {"source": "strips", "path": "../clips"}}
    training = plan.trainings(plan.load(written(tmp_path, base=base)))[0]
    config = training.config.model_dump(mode="json")
    for path, said in (("/elsewhere/clips", ""), ("/elsewhere/others", "data.path: /elsewhere/others, now ../clips")):
        config["data"]["path"] = path
        assert plan.changed(training, config) == said


def test_a_key_that_came_later_counts_where_the_plan_uses_it(tmp_path):
    """An old configuration does not have it: it was as the default is."""
    for base, said in (({}, ""), ({"hold_out": 0.2}, "data.hold_out: 0.0, now 0.2")):
        data = STUDY["base"]["data"] | base
        training = plan.trainings(plan.load(written(tmp_path, base=STUDY["base"] | {"data": data})))[0]
        config = training.config.model_dump(mode="json")
        del config["data"]["hold_out"]
        assert plan.changed(training, config) == said


def test_results_of_another_plan_are_not_taken_for_this_ones(tmp_path):
    leave(plan.load(written(tmp_path)), tmp_path, "grown", 0, 1.0)
    for changes, said in (({"minutes": 0.2}, r"grown-0\.json is of another plan \(minutes: 0\.05, now 0\.2\)"),
                          ({"arms": STUDY["arms"] | {"grown": {"train.lr": 0.5}}}, r"train\.lr: .*now \[?0\.5")):
        study = plan.load(written(tmp_path, **changes))
        with pytest.raises(ValueError, match=said):
            report.write(study, "the command", tmp_path, tmp_path / "RESULTS.md")
    run = RunFolder(tmp_path / "runs" / "grown-0")
    run.path.mkdir(parents=True)
    training = plan.trainings(plan.load(written(tmp_path)))[0]
    (run.path / "config.yaml").write_text(dump(training.config.model_copy(update={"seed": 9})))
    with pytest.raises(RunError, match=r"begun by another plan \(seed: 9, now 0\)"):
        Running(study, training, tmp_path / "runs", tmp_path)


def test_an_arm_that_breaks_does_not_hold_up_those_behind_it(tmp_path, monkeypatch):
    study, said = plan.load(written(tmp_path)), []

    class Pretended:
        def __init__(self, study, training, work, out):
            if training.arm == "grown":
                raise RunError("it cannot begin")
            self.training, self.out = training, out

        def poll(self):
            result_path(self.out, self.training).parent.mkdir(parents=True)
            result_path(self.out, self.training).write_text("{}")
            return True

        def share(self):
            return 1.0

        def end(self):
            pass

    monkeypatch.setattr(runs, "Running", Pretended)
    with pytest.raises(RunError, match="it cannot begin"):
        runs.go(study, plan.trainings(study), tmp_path / "runs", tmp_path, said.append, lambda text: None)
    assert said[0] == "grown-0: it cannot begin" and said[1].startswith("fixed-0: ")


def test_no_two_arms_are_drawn_alike(tmp_path):
    arms = {f"arm{place}": {} for place in range(11)}
    study = plan.load(written(tmp_path, arms=arms, reference="arm0"))
    for place, arm in enumerate(arms):
        leave(study, tmp_path, arm, 0, 10.0 + place)
    drawn = report.curves(study, report.read(study, tmp_path))
    names = re.findall(r'<line x1="(\d+)" y1="(\d+)" [^>]*stroke="(#\w+)" stroke-width="4"([^>]*)/>', drawn)
    every = len(arms) + 1  # and the floor
    assert len({(colour, dash) for *_, colour, dash in names}) == len({(x, y) for x, y, *_ in names}) == every
    assert max(int(x) for x, *_ in names) + report.NAME_WIDTH <= 2 * report.WIDTH
