"""Alerts: each is raised by what it is about, with its numbers and a way to them, and by nothing else."""

from __future__ import annotations

import json
import os
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pvswgan.checkpoint import ASSETS
from pvswgan.growth import make_plan
from pvswgan.studio import alerts, sheet_measures, train_watch
from tests.studio import fakerun
from tests.studio.test_processes import until
from train.run import RunFolder

Usage = namedtuple("Usage", "total used free")


def trained(folder: Path, clips: int, loss: str = "swgan") -> fakerun.FakeRun:
    """A running run, alive as long as this process is."""
    run = fakerun.FakeRun(folder, fakerun.config(loss), os.getpid())
    on(run, clips)
    return run


def on(run: fakerun.FakeRun, clips: int) -> None:
    while run.clips < clips:
        run.tick()
    run.status("running")


def raised(run: fakerun.FakeRun) -> dict[str, dict[str, Any]]:
    found = alerts.of_run(RunFolder(run.folder))
    json.dumps(found, allow_nan=False)
    return {alert["kind"]: alert for alert in found}


@pytest.mark.parametrize("loss", ["swgan", "wgan-gp"])
def test_a_healthy_run_raises_none_at_any_age(tmp_path: Path, loss: str) -> None:
    run = fakerun.FakeRun(tmp_path / "run", fakerun.config(loss), os.getpid())
    assert raised(run) == {}, "nothing is written yet"
    for clips in (500, 4_000, 8_000, 12_500, 22_000, 36_000):
        on(run, clips)
        assert raised(run) == {}, f"at {clips} clips"


def test_a_young_run_of_grey_mush_is_left_alone(tmp_path: Path) -> None:
    run = fakerun.FakeRun(tmp_path / "run", pid=os.getpid())
    run.ill = "collapsed"
    run.take_snapshot()
    run.ill = "frozen"
    on(run, 8_000)  # the end of the first stage
    assert raised(run) == {}


def test_collapse_is_told_once_a_second_snapshot_says_so(tmp_path: Path) -> None:
    run = trained(tmp_path / "run", 16_000)
    run.ill = "collapsed"
    on(run, 20_000)
    assert raised(run) == {}, "one snapshot may be a bad moment"
    on(run, 24_000)
    alert = raised(run)["collapse"]
    assert ["diversity at 24 kimg", "0% of the real clips’"] in [list(pair) for pair in alert["numbers"]]
    places = [place["snapshot"] for place in alert["shown"]]
    assert places[0] == 24_000 and places[1] <= 16_000
    run.ill = ""
    on(run, 28_000)
    assert raised(run) == {}, "it has come back"


def test_the_list_knows_what_is_wrong_with_a_run_that_nobody_looks_at(tmp_path: Path) -> None:
    run, well = trained(tmp_path / "ill", 16_000), trained(tmp_path / "well", 4_000)
    marks, both = alerts.Marks(), [RunFolder(run.folder), RunFolder(well.folder)]
    assert marks.of(both) == [None, None], "it does not wait"
    run.ill = "collapsed"
    on(run, 24_000)
    until(lambda: marks.of(both)[0] is not None)
    mark, other = marks.of(both)
    assert mark == {"kind": "collapse", "sentence": raised(run)["collapse"]["sentence"]} and other is None
    run.ill = ""
    on(run, 28_000)
    until(lambda: marks.of(both) == [None, None])


def test_of_two_trainings_at_work_neither_is_forgotten(tmp_path: Path) -> None:
    """Both change from one look to the next, as they do: the older one has its turn too."""
    newer, older = trained(tmp_path / "newer", 4_000), trained(tmp_path / "older", 16_000)
    marks, both = alerts.Marks(), [RunFolder(newer.folder), RunFolder(older.folder)]
    older.ill = "collapsed"

    def seen() -> bool:
        newer.tick()
        if older.clips < 24_000:
            older.tick()
        for run in (newer, older):
            run.status("running")
        return marks.of(both)[1] is not None

    until(seen)


def test_what_cannot_be_read_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, broken = trained(tmp_path / "ill", 16_000), trained(tmp_path / "broken", 4_000)
    marks, both = alerts.Marks(), [RunFolder(broken.folder), RunFolder(run.folder)]
    run.ill = "collapsed"
    on(run, 24_000)
    (broken.folder / "config.yaml").write_text("growth: 7\n")
    until(lambda: marks.of(both)[1] is not None)
    assert marks.of(both)[0] is None


def test_a_frozen_run_is_told(tmp_path: Path) -> None:
    run = trained(tmp_path / "run", 16_000)
    run.ill = "frozen"
    on(run, 24_000)
    found = raised(run)
    assert set(found) == {"frozen"}, "the clips are as unlike each other as before"
    assert "0% of the real clips’" in found["frozen"]["numbers"][-1][1]
    assert found["frozen"]["shown"][0]["snapshot"] == 24_000


def test_flicker_that_does_not_get_less_is_told(tmp_path: Path) -> None:
    run = trained(tmp_path / "run", 16_000)
    run.ill = "flickers"
    on(run, 32_000)
    assert raised(run) == {}, "the stage is new: it may learn not to"
    on(run, 60_000)
    alert = raised(run)["flicker"]
    assert float(alert["numbers"][-1][1].split()[0]) > alerts.FLICKERS
    assert alert["shown"][0]["snapshot"] == 60_000
    run.ill = ""
    on(run, 64_000)
    assert raised(run) == {}


@pytest.mark.parametrize(("shares", "told"), [
    ([9, 9, 9, 9, 9], True), ([9, 9, 9, 9], False), ([20, 18, 14, 11, 9], False), ([5, 5, 5, 5, 3], False),
    ([9, 9, 9, 3, 9], False)])
def test_flicker_is_told_late_and_not_while_it_falls(shares: list[float], told: bool) -> None:
    plan = make_plan(stages=[[4, 4], [8, 8]], fade_kimg=[0, 1], stable_kimg=[10, 100])
    looks = [alerts.Look(20_000 + 1000 * place, 1.0, share) for place, share in enumerate(shares)]
    assert bool(alerts.flicker(looks, plan)) is told
    early = [alerts.Look(look.clips - 15_000, 1.0, look.motion) for look in looks]
    assert alerts.flicker(early, plan) is None, "the first stage has not learnt to move yet"


def test_a_critic_that_is_too_strong_is_told(tmp_path: Path) -> None:
    run = trained(tmp_path / "run", 52_000, "wgan-gp")
    run.ill = "strong critic"
    for _ in range(10):
        run.tick()
        run.status("running")
    alert = raised(run)["critic"]
    assert {"scores", "distance", "gradients"} == set(alert["shown"][0]["curves"])
    assert 42 <= alert["shown"][0]["from"] < alert["shown"][0]["to"] == 57
    assert dict(alert["numbers"])["generator’s gradient"].endswith(" → 0.0104")


def rows(count: int, **values: float) -> list[dict[str, Any]]:
    return [{"clips": 500 * i, "stage": 1, "phase": "stable", **values} for i in range(count)]


def test_either_sign_of_a_strong_critic_alone_is_none() -> None:
    for late in ({"distance": 9.0, "grad_norm_G": 1.0}, {"distance": 1.0, "grad_norm_G": 0.01}):
        assert alerts.critic_too_strong(rows(40, distance=1.0, grad_norm_G=1.0) + rows(8, **late)) is None
    both = rows(40, distance=1.0, grad_norm_G=1.0) + rows(8, distance=9.0, grad_norm_G=0.01)
    assert alerts.critic_too_strong(both) and alerts.critic_too_strong(both[30:]) is None, "too little to compare with"


def test_a_critic_that_runs_away_is_told_and_one_that_grows_a_little_is_not() -> None:
    plan = make_plan(**fakerun.GROWTH)
    begun = [{**row, "clips": 30_000 + row["clips"]} for row in rows(16, distance=-2.0, grad_norm_G=1.0)]

    def late(distance: float, pull: float) -> list[dict[str, Any]]:
        return [{**row, "clips": 40_000 + row["clips"]} for row in rows(8, distance=distance, grad_norm_G=pull)]

    alert = alerts.critic_runs_away(begun + late(50.0, 30.0), plan)
    assert alert and alert.kind == "runaway" and ("generator’s gradient", "1 → 30") in alert.numbers
    for harmless in (late(50.0, 3.0), late(5.0, 30.0), late(-50.0, 9.0)):
        assert alerts.critic_runs_away(begun + harmless, plan) is None
    assert alerts.critic_runs_away(begun[:10] + late(50.0, 30.0), plan) is None, "too little to compare with"
    first = [{**row, "clips": row["clips"] // 100} for row in begun + late(50.0, 30.0)]
    assert alerts.critic_runs_away(first, plan) is None, "all begins near 0 in the first stage"


@pytest.mark.parametrize("name", ["toyfaces-swgan", "toyfaces-wgan-gp", "failures/healthy", "failures/leashed",
                                  "failures/moving", "failures/flicker"])
def test_no_moment_of_a_recorded_training_that_held_looks_as_if_it_ran_away(name: str) -> None:
    run = RunFolder(ASSETS / name)
    lines, plan = alerts.last_rows(run.path / "stats.jsonl"), train_watch.plan_of(run.config())
    assert len(lines) > 70 and plan
    assert not [row["clips"] for i, row in enumerate(lines) if alerts.critic_runs_away(lines[: i + 1], plan)]


def test_what_is_not_finite_is_told_with_the_last_good_numbers(tmp_path: Path) -> None:
    run = trained(tmp_path / "run", 9_000)
    with (run.folder / "stats.jsonl").open("a") as file:
        file.write(json.dumps({"clips": 9_500, "stage": 1, "loss_G": None, "loss_D": 1.0}) + "\n")
    run.status("failed", error="a loss or a gradient is not finite at step 594 (9.5 kimg)", snapshot=8_000)
    alert = raised(run)["nan"]
    told = dict(alert["numbers"])
    assert told["seen at"] == "9.5 kimg" and told["last finite at"] == "9 kimg" and told["last checkpoint"] == "8 kimg"
    assert alert["shown"][0]["curves"] == ["losses", "gradients"] and alert["shown"][-1]["part"] == "log"
    run.status("failed", error="No space left on device")
    (run.folder / "stats.jsonl").write_text("")
    assert raised(run) == {}, "another failure speaks for itself"


def test_a_nearly_full_disk_is_told_while_a_run_needs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = trained(tmp_path / "run", 9_000)
    for kind, size in (("network", 100), ("training", 300)):
        (run.folder / "checkpoints" / f"000008000-{kind}.safetensors").write_bytes(b"x" * size)
    assert alerts.snapshot_bytes(RunFolder(run.folder)) == 400
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10 << 30, 0, 1000))
    assert ["room for about", "2 more"] in [list(pair) for pair in raised(run)["disk"]["numbers"]]
    run.status("stopped")
    assert raised(run) == {}
    run.status("running")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10 << 30, 0, 9 << 30))
    assert raised(run) == {}


def test_measures_are_what_they_say(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (5, 4, 8, 8, 3)).astype(np.uint8)
    pairs = [np.square(noise[i].astype(float) - noise[j]).mean() for i in range(5) for j in range(5) if i != j]
    steps = [np.abs(noise[:, t + 1].astype(float) - noise[:, t]).mean() for t in range(3)]
    seen = sheet_measures.measure(noise)
    assert seen.diversity == pytest.approx(np.sqrt(np.mean(pairs)), rel=1e-5)
    assert seen.motion == pytest.approx(np.mean(steps), rel=1e-5)
    path = tmp_path / "sheet.png"
    path.write_bytes(fakerun.png(noise.transpose(0, 2, 1, 3, 4).reshape(40, 32, 3)))
    again = sheet_measures.of_sheet(path, 8)
    assert again and again.diversity == pytest.approx(seen.diversity, rel=1e-5) and again.motion == seen.motion
    path.write_bytes(b"half a file")
    assert sheet_measures.of_sheet(path, 8) is None and sheet_measures.of_sheet(tmp_path / "none.png", 8) is None


def test_large_sheets_are_measured_smaller(tmp_path: Path) -> None:
    flat = np.repeat(np.repeat(np.arange(0, 200, 50, dtype=np.uint8).reshape(2, 2), 128, 0), 128, 1)
    path = tmp_path / "sheet.png"
    path.write_bytes(fakerun.png(np.repeat(flat[..., None], 3, 2)))
    seen = sheet_measures.of_sheet(path, 128)
    assert seen and seen.motion == 50 and seen.diversity == 100
