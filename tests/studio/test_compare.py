"""What the Compare page knows and starts, without a browser."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from pvswgan.charts import Line, chart, ticks
from pvswgan.studio import Settings, compare, compare_facts, compare_pair, compare_report
from pvswgan.studio.compare_pair import Pair
from pvswgan.studio.queue import LONGEST, Queue
from pvswgan.studio.server import Studio
from pvswgan.studio.train_form import FormError
from tests.browser.conftest import write_model
from tests.studio import fakerun
from train import config as schema
from train.run import RunFolder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A run with one checkpoint, and one without any."""
    fakerun.make(tmp_path / "runs" / "a", 6_000)
    checkpoints = tmp_path / "runs" / "a" / "checkpoints"
    for path in checkpoints.iterdir():
        path.unlink()
    write_model(checkpoints / "000004000-network.safetensors", "tiny")
    fakerun.make(tmp_path / "runs" / "b<i>", 4_000, loss="wgan-gp")
    for path in (tmp_path / "runs" / "b<i>" / "checkpoints").iterdir():
        path.unlink()
    write_model(tmp_path / "assets" / "small.safetensors", "small", seed=1)
    return tmp_path / "runs"


def client(root: Path, **more: Any) -> TestClient:
    app, studio = FastAPI(), Studio(Settings(runs=root, assets=root.parent / "assets", **more))
    compare.routes(app, studio, studio.guard)
    return TestClient(app, base_url="http://127.0.0.1:7860")


def test_facts_tell_configurations_and_costs_apart_and_what_is_gone(root: Path) -> None:
    with client(root) as http:
        sides = http.get("/api/compare/choices").json()["sides"]
        assert {s["group"]: len(s["checkpoints"]) for s in sides} == {"run:a": 1, "run:b<i>": 0, "asset:small": 1}
        facts = http.post("/api/compare/facts", json={"ids": ["run:a", "run:b<i>", "asset:gone"]}).json()
    a, b, gone = facts["sides"]
    assert (a["frames"], a["resolution"], a["loss"], a["costs"]["device"]) == (8, 8, "swgan", "cpu")
    assert (b["frames"], b["loss"]) == (None, "wgan-gp") and b["costs"]["seconds"] > 90
    assert "asset:gone" in gone["error"] and facts["of"] == ["run:a", "run:b<i>"]
    assert facts["differences"] == [{"key": "loss.name", "values": ["swgan", "wgan-gp"]}]


def test_curves_know_steps_and_seconds_and_measure_samples_against_real_clips(root: Path) -> None:
    found = compare_facts.curves(RunFolder(root / "a"))
    first, second = found["rows"][:2]
    assert (first["clips"], first["steps"]) == (500, 500 / 16) and second["steps"] == 1000 / 16
    assert [row["clips"] for row in found["measures"]] == [500, 4000] and found["waiting"] == 0
    early, late = found["measures"]
    assert early["size"] == late["size"] == "4x4"
    assert early["steps"] == pytest.approx(500 / 16) and late["seconds"] == pytest.approx(4000 / 41.7)
    assert early["swd"] > late["swd"] > 0 and early["motion"] > late["motion"] > 1  # the noise that is in them
    assert compare_facts.measures(RunFolder(root / "a"), seconds=-1)[1] == 2


def test_what_is_measured_against_other_clips_or_at_another_size_has_a_chart_of_its_own(root: Path) -> None:
    """With another loss it is against the same."""
    changes = {"same": ("mirror: true", "mirror: true\n  compact: true"),
               "clips": ("source: toyfaces", "source: shapes"), "size": ("resolution: 32", "resolution: 16")}
    for name, (text, other) in changes.items():
        config = fakerun.make(root / name, 4_000).folder / "config.yaml"
        assert text in config.read_text()
        config.write_text(config.read_text().replace(text, other))
    against = {name: compare_facts.curves(RunFolder(root / name))["against"] for name in ("a", "b<i>", *changes)}
    assert against["a"] == against["b<i>"] == against["same"]
    assert len({against[name] for name in ("a", "clips", "size")}) == 3
    wish = {"seeds": [0], "truncation": 1.0, "fps": 10, "axis": "clips"}
    with client(root) as http:
        for ids, charts in ((["run:a", "run:same"], 1), (["run:a", "run:same", "run:clips"], 2)):
            page = http.post("/api/compare/report", json={**wish, "ids": ids}).text
            for title in ("SWD of space-time patches", "Diversity, as", "Motion, as"):
                assert page.count(title) == 2 * charts  # the title, and what a screen reader is told
            assert ("cannot be compared" in page) == (charts > 1)
            assert ("a, same: SWD of" in page) == (charts > 1)


def test_no_line_goes_on_from_one_size_to_the_next(root: Path) -> None:
    run = fakerun.make(root / "long", 16_000).folder
    sizes = [row["size"] for row in compare_facts.curves(RunFolder(run), seconds=60)["measures"]]
    assert len(set(sizes)) > 1
    wish = {"ids": ["run:long"], "seeds": [0], "truncation": 1.0, "fps": 10, "axis": "clips"}
    with client(root) as http:
        charts = http.post("/api/compare/report", json=wish).text.split("<svg")
    lines = {title: next(one for one in charts if title in one).count("<polyline") for title in ("SWD of", "Diversity")}
    assert set(lines.values()) == {len(set(sizes))}


def test_of_a_runs_statistics_only_what_is_new_is_read(root: Path) -> None:
    """And what is shown is what the whole file says: as it grows, after a crash, and of another run of that name."""
    path = root / "a" / "stats.jsonl"

    def clips() -> list[float]:
        rows = http.get("/api/compare/curves", params={"id": "run:a"}).json()["rows"]
        whole = RunFolder(root / "a").stats()
        assert [row["loss_D"] for row in rows] == [line["loss_D"] for line in whole if "loss_D" in line]
        return [row["clips"] for row in rows]

    def add(text: str) -> None:
        with path.open("a") as file:
            file.write(text)

    line = '{{"clips": {}, "batch": 16, "loss_G": 0.5, "loss_D": {}, "seconds": 1.0}}\n'.format
    with client(root) as http:
        before = clips()
        add(line(6500, 0.25) + line(7000, 0.75) + line(7500, 0.5)[:20])
        assert clips() == [*before, 6500, 7000]  # the last line is still being written
        add(line(7500, 0.5)[20:] + '{"clips": 6500, "event": "resumed"}\n' + line(7000, 0.125))
        assert clips() == [*before, 6500, 7000]
        rows = compare_facts.curves(RunFolder(root / "a"))["rows"]
        assert rows[-1]["steps"] == rows[-2]["steps"] + 500 / 16 == 7000 / 16
        whole, size = path.read_text(), path.stat().st_size
        path.write_text(whole[:300] + " " * (size - 301) + "\n")
        assert len(compare_facts.curves(RunFolder(root / "a"))["rows"]) == len(rows), "nothing is read a second time"
        path.write_text(line(500, 0.5))
        assert clips() == [500]
        path.unlink()
        assert clips() == []


def test_what_auto_finds_is_found_once_for_both(configs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine two starts may find two things, and the pair would differ in more than the loss."""
    tiny = yaml.safe_load((configs / "tiny.yaml").read_text())
    for name in ("auto", "float32"):
        (configs / f"{name}.yaml").write_text(yaml.safe_dump(tiny | {"precision": name}))
    finds = iter(["bfloat16", "float32"])
    monkeypatch.setattr(compare_pair, "choose_precision", lambda *_: next(finds))
    changed = {name: [change.get("precision") for _, _, change in compare_pair.plan(Pair(config=name, name="duel"))]
               for name in ("auto", "float32")}
    assert changed == {"auto": ["bfloat16", "bfloat16"], "float32": [None, None]}


@pytest.mark.slow
def test_a_pair_differs_in_the_loss_alone(configs: Path, root: Path) -> None:
    runs = compare_pair.plan(Pair(config="tiny", name="duel"))
    assert [name for name, _, _ in runs] == ["duel-swgan", "duel-wgan-gp"]
    compare_pair.start(Pair(config="tiny", name="duel"), root)
    queued = Queue(root).listed()["items"]
    assert [item["name"] for item in queued] == ["duel-swgan", "duel-wgan-gp"]
    assert schema.load(runs[1][1], ["loss={name: wgan-gp}"]).loss.name == "wgan-gp"
    Queue(root).add_all([("x", runs[0][1], {})] * (LONGEST - 3))
    with client(root) as http:
        answer = http.post("/api/compare/pair", json={"config": "tiny", "name": "half"})
        assert answer.status_code == 409 and "none was added" in answer.json()["detail"]
    assert "half-swgan" not in [item["name"] for item in Queue(root).listed()["items"]], "no half pair"
    with pytest.raises(FormError, match="There is no folder /nowhere/clips"):
        compare_pair.plan(Pair(config="elsewhere"))
    with client(root, read_only=True) as http:
        assert http.post("/api/compare/pair", json={"config": "tiny"}).status_code == 403
    with client(root) as http:
        assert "no configuration" in http.post("/api/compare/pair", json={"config": "none"}).json()["detail"]
        assert "'a b-swgan'" in http.post("/api/compare/pair", json={"config": "tiny", "name": "a b"}).json()["detail"]


def test_the_report_escapes_names_and_says_who_has_no_clips(root: Path) -> None:
    with client(root) as http:
        wish = {"ids": ["run:a", "run:b<i>"], "seeds": [1, 2], "axis": "steps"}
        answer = http.post("/api/compare/report", json=wish)
        assert answer.status_code == 200 and "attachment" in answer.headers["content-disposition"]
        assert http.post("/api/compare/report", json={**wish, "ids": ["run:no"]}).status_code == 404
    page = answer.text
    assert "b&lt;i&gt;" in page and "<i>" not in page and "<script" not in page
    assert page.count("data:image/webp;base64,") == 1 and page.count("<svg") >= 5


def test_a_film_puts_unlike_sizes_side_by_side_in_step() -> None:
    small = np.zeros((2, 4, 8, 8, 3), np.uint8) + np.array([0, 80, 160, 240], np.uint8)[:, None, None, None]
    large = small.repeat(2, axis=1).repeat(2, axis=2).repeat(2, axis=3)
    large[..., 0, :, :] = np.arange(8)[:, None, None] * 32  # its frames are all unlike: WebP joins those that are not
    with Image.open(BytesIO(compare_report.film([small, large], fps=10))) as image:
        assert (image.size, image.n_frames) == ((256, 256), 8)
        for frame in range(8):
            image.seek(frame)
            left, right = np.split(np.asarray(image.convert("RGB")).astype(int), 2, axis=1)
            assert abs(left.mean() - 80 * (frame // 2)) < 4 and abs(left[20:] - right[20:]).mean() < 8


def test_a_chart_has_round_ticks_and_escapes_names() -> None:
    assert ticks(0, 97) == [0, 20, 40, 60, 80, 100] and len(ticks(3, 3)) > 1
    drawn = chart("A & B", "kimg", [Line("<b>", "#000000", [(0, 1), (10, 2)], dashed=True)])
    assert "A &amp; B" in drawn and "&lt;b&gt;" in drawn and "stroke-dasharray" in drawn
    assert chart("none", "x", []) == ""


def test_a_run_whose_configuration_is_not_there_yet_differs_in_nothing() -> None:
    a, b = {"loss.name": "swgan", "seed": 0}, {"loss.name": "wgan-gp", "seed": 0}
    assert compare_facts.differences([a, b]) == [{"key": "loss.name", "values": ["swgan", "wgan-gp"]}]
    assert compare_facts.differences([{}, a]) == compare_facts.differences([{}, {}]) == []
    assert compare_facts.differences([a, {}, b]) == [{"key": "loss.name", "values": ["swgan", None, "wgan-gp"]}]
