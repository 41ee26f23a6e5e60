"""The form of a new training without a browser: fields and YAML in step, faults at their place, time and memory."""

from __future__ import annotations

import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi import FastAPI
from fastapi.testclient import TestClient

from pvswgan.studio import Settings, form_fields, form_yaml, processes, train, train_cost, train_form
from pvswgan.studio.server import Studio
from tests.studio import fakerun, stores
from train import config as schema
from train.schema import Data

ROOT = Path(__file__).parents[2]


@pytest.fixture
def client(tmp_path: Path, configs: Path) -> TestClient:
    return opened(Settings(runs=tmp_path / "runs", assets=tmp_path))


def opened(settings: Settings) -> TestClient:
    """The form's routes alone: the whole studio takes a second to build."""
    studio, app = Studio(settings), FastAPI()
    app.include_router(train.form_router(studio, studio.guard))
    return TestClient(app, base_url="http://127.0.0.1:7860")  # another Host is refused


def plan(client: TestClient, **wish: Any) -> dict[str, Any]:
    answer = client.post("/api/train/plan", json={"config": "tiny"} | wish)
    assert answer.status_code == 200, answer.text
    return answer.json()


# ---- every key ---------------------------------------------------------------------------------------------


def test_every_key_of_the_schema_is_a_field_with_its_meaning() -> None:
    fields = form_fields.fields()
    for loss in ("swgan", "wgan-gp"):
        settings = schema.parse({"data": {"source": "toyfaces"}, "loss": {"name": loss}}).model_dump()
        assert set(form_fields.flat(settings)) <= set(fields)
    assert all(len(field.help) > 5 for field in fields.values()), "the meaning stands in train/config.py"
    assert {f.kind for f in fields.values()} == {"choice", "switch", "several", "text", "numbers", "stages"}
    assert fields["train.batch"].allowed == "whole, 1 to 4096" and fields["train.betas"].allowed.endswith("less than 1")
    assert fields["loss.name"].choices == tuple(schema.LOSSES) == ("swgan", "wgan-gp", "gan", "wgan-svc")
    assert [key for key, field in fields.items() if field.first and key not in form_fields.FIRST] == []


@pytest.mark.parametrize("key", sorted(form_fields.fields()))
def test_a_default_that_is_shown_can_be_typed(key: str) -> None:
    for loss in ("swgan", "wgan-gp"):
        value = form_fields.defaults(loss).get(key)
        if value not in (None, [], ""):
            assert form_fields.fields()[key].parse(form_fields.show(value)) == value


def test_what_is_typed_is_what_it_says() -> None:
    parse = {key: field.parse for key, field in form_fields.fields().items()}
    assert parse["growth.stages"]("4x4, 8 × 8 8x16") == [[4, 4], [8, 8], [8, 16]]
    assert parse["growth.stages"]("4x4 or more") == "4x4 or more" and parse["data.split"]("1") == "1"
    assert parse["train.lr"]("1e-5") == 1e-5 and parse["train.batch"]("[8, 4]") == [8, 4]
    assert parse["train.augment"]("shift, colour") == ["shift", "colour"] and parse["data.mirror"]("false") is False
    assert form_fields.show(0.0012345678) == "0.0012345678" and form_fields.show([[4, 4], [8, 8]]) == "4x4, 8x8"


# ---- YAML, edited in its place -----------------------------------------------------------------------------

TEXT = """\
# About it.
data:
  source: toyfaces      # drawn
growth: {resolution: 16, frames: 8}

train:
  batch:                # one a stage
    - 8
    - 4
  lr: 0.001

# The end.
log:
"""


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("data.source", "shapes", "  source: shapes      # drawn"),
        ("data.mirror", False, "  mirror: false"),
        ("growth.frames", 4, "growth: {resolution: 16, frames: 4}"),
        ("growth.fade_kimg", [0, 1.5], "growth: {resolution: 16, frames: 8, fade_kimg: [0, 1.5]}"),
        ("train.batch", [8, 8], "  batch: [8, 8]"),
        ("train.augment", ["shift"], "  augment: [shift]"),
        ("network.fmap_max", 64, "  fmap_max: 64"),
        ("log.keep", 5, "log: {keep: 5}"),
        ("seed", 7, "seed: 7"),
        ("data.path", "/a: b #c", "  path: '/a: b #c'"),
    ],
)
def test_an_edit_changes_its_line_and_no_other(key: str, value: Any, line: str) -> None:
    document = form_yaml.write(form_yaml.read(TEXT), key, value)
    assert document.at(key) == value and line in document.text.splitlines()
    lost = [old for old in TEXT.splitlines() if old not in document.text.splitlines()]
    assert len(lost) <= (3 if key == "train.batch" else 1) and "# The end." in document.text
    gone = form_yaml.remove(document, key)
    assert not gone.has(key) and "# About it." in gone.text


def test_the_last_key_of_a_section_takes_it_along() -> None:
    document = form_yaml.remove(form_yaml.read("seed: 1\nlog:\n  keep: 2  # few\n"), "log.keep")
    assert document.text == "seed: 1\n" and form_yaml.remove(document, "seed").data == {}
    words = form_yaml.write(form_yaml.read("# only words\n"), "train.lr", 0.5)
    assert words.text == "# only words\ntrain:\n  lr: 0.5\n"


def test_a_text_that_cannot_be_edited_in_place_is_written_anew() -> None:
    document = form_yaml.write(form_yaml.read("? seed\n: 1\n"), "seed", 2)
    assert document.data == {"seed": 2}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("seed: 1\ntrain: [", 2, "not valid YAML"),
        ("- 1\n- 2\n", 1, "keys and values"),
        ("a: &x [1]\nb: *x\n", 2, "Write the value out"),
        ("seed: " + "[" * 30, 1, "deeper than"),
        ("a: !!python/object/apply:os.system [ls]", 1, "not valid YAML"),
        ("seed: \x00", 1, "not valid YAML"),
        ("seed: !!bool maybe", 1, "not valid YAML"),
        ("seed: !!timestamp x", 1, "not valid YAML"),
        ('seed: !!int ""', 1, "not valid YAML"),
        ("--- !!set {train}", 1, "keys and values"),
    ],
)
def test_text_that_is_no_configuration_says_where(text: str, line: int, words: str) -> None:
    with pytest.raises(form_yaml.YamlError, match=words) as error:
        form_yaml.read(text)
    assert error.value.line == line


# ---- in step -------------------------------------------------------------------------------------------------


def test_options_list_configurations_and_fields(client: TestClient) -> None:
    options = client.get("/api/train/options").json()
    tiny = next(item for item in options["configurations"] if item["id"] == "tiny")
    assert tiny["description"] == "Drawn faces, a few seconds." and not tiny["needs_folder"]
    assert {f["key"] for f in options["fields"]} == set(form_fields.fields())


def test_the_form_opens_with_the_first_thing_to_train() -> None:
    """Of the configurations that come with the studio: README's first step; those that want a folder are last."""
    drawn = train_form.options()["configurations"]
    assert drawn[0]["id"] == "toyfaces-cpu" and not any(option["error"] for option in drawn)
    wants = [option["needs_folder"] for option in drawn]
    assert wants == sorted(wants) and not wants[0] and wants[-1]


def test_the_plan_follows_the_settings(client: TestClient) -> None:
    before, after = plan(client), plan(client, settings={"growth.frames": "4", "growth.total_kimg": ""})
    assert [(s["frames"], s["resolution"]) for s in before["plan"]["stages"]] == [(4, 4), (8, 8), (8, 16)]
    assert [(s["frames"], s["resolution"]) for s in after["plan"]["stages"]] == [(4, 4), (4, 8), (4, 16)]
    assert before["plan"]["total"] == 400_000 and after["plan"]["total"] == 10_000
    assert [stage["batch"] for stage in before["plan"]["stages"]] == [8, 8, 8]
    weights = [stage["parameters"]["generator"] for stage in before["plan"]["stages"]]
    assert weights == sorted(set(weights)), "the networks grow"
    assert "growth.frames=4" in after["command"] and "growth.total_kimg=null" in after["command"]


def test_either_side_follows_the_other(client: TestClient) -> None:
    first = plan(client)
    assert first["yaml"].startswith("# Drawn faces") and first["fields"]["seed"]["value"] == "3"
    typed = plan(client, yaml=first["yaml"], settings={"train.lr": "1e-5", "train.augment": "shift, colour"})
    assert yaml.safe_load(typed["yaml"])["train"] == {"batch": 8, "lr": 1e-5, "augment": ["shift", "colour"]}
    written = plan(client, yaml=typed["yaml"].replace("seed: 3", "seed: 4"))
    assert written["fields"]["seed"] == {"value": "4", "default": "0", "changed": True}
    assert written["fields"]["train.augment"]["value"] == "shift, colour"
    assert not written["fields"]["data.stride"]["changed"] and written["fields"]["growth.stages"]["value"] == ""
    words = shlex.split(written["command"])
    config = schema.load(train_form.find("tiny").path, [word for word in words if "=" in word])
    assert config == schema.parse(yaml.safe_load(written["yaml"])), "the same from a shell"


def test_listed_stages_rule_and_a_named_order_ends_them(client: TestClient) -> None:
    listed = plan(client, config="elsewhere")
    assert listed["fields"]["growth.resolution"]["value"] == "", "they overrule it: not shown as if it held"
    assert listed["fields"]["growth.stages"]["value"] == "4x4, 8x8"
    named = plan(client, config="elsewhere", settings={"growth.resolution": "16"})
    assert "stages" not in yaml.safe_load(named["yaml"])["growth"] and len(named["plan"]["stages"]) == 4
    more = plan(client, settings={"growth.stages": "4x4, 4x8, 8x16"})
    assert [s["frames"] for s in more["plan"]["stages"]] == [4, 4, 8]


@pytest.mark.parametrize(
    ("settings", "field", "words"),
    [
        ({"train.lr": "-1"}, "train.lr", "-1"),
        ({"train.batch": "many"}, "train.batch", "many"),
        ({"train.batch": "8, 0, 8"}, "train.batch", "train.batch.1 is 0"),
        ({"growth.resolution": "33"}, "growth.resolution", "33"),
        ({"seed": "0.5"}, "seed", "0.5"),
        ({"growth.total_kimg": "1"}, "growth.total_kimg", "growth.total_kimg is 1"),
        ({"train.batch": "8, 8"}, "train.batch", "2 values"),
        ({"growth.stages": "4x4, 4x16"}, "growth.stages", "stage 1"),
        ({"growth.stages": f"{'9' * 5000}x4"}, "growth.stages", "growth.stages"),
        ({"data.source": "strips"}, "data.path", "data.path is missing"),
        ({"device": "tpu"}, "device", "tpu"),
    ],
)
def test_a_wrong_setting_is_a_sentence_at_its_field_and_its_line(
    client: TestClient, settings: dict[str, str], field: str, words: str
) -> None:
    answer = plan(client, settings=settings)
    assert answer["plan"] is None and list(answer["problems"]) == [field]
    assert words in answer["problems"][field] and str(train_form.CONFIGS) not in answer["problems"][field]
    (line,) = answer["lines"]
    assert words in line["text"] and field.split(".")[0] in answer["yaml"].splitlines()[line["line"] - 1]
    typed = next(iter(settings.values()))
    assert answer["fields"][next(iter(settings))]["value"] == typed, "nothing that was typed is lost"


def test_what_is_wrong_in_the_text_is_told_at_its_line(client: TestClient) -> None:
    wrong = plan(client, yaml="seed: 1\ntrain:\n  batchsize: 4\n")
    assert "Line 3: train.batchsize is not a key" in wrong["problems"]["yaml"]
    assert [line["line"] for line in wrong["lines"]] == [3] and wrong["fields"]["seed"]["value"] == "1"
    broken = plan(client, yaml="seed: 1\ntrain: [", settings={"seed": "5"})
    assert broken["fields"] is None and broken["yaml"] == "seed: 1\ntrain: [" and broken["lines"][0]["line"] == 2
    assert client.post("/api/train/plan", json={"config": "tiny", "settings": {"nonsense": "1"}}).json()["problems"]


def test_the_other_loss_comes_with_its_own_weights(client: TestClient) -> None:
    answer = plan(client, config="elsewhere", settings={"loss.name": "wgan-gp"})
    assert set(answer["problems"]) == {"data.path"}, "slope: 5 belongs to swgan and must not be carried over"
    assert "/nowhere/clips" in answer["problems"]["data.path"] and answer["plan"]["total"] == 3000
    assert "loss.drift" in answer["fields"] and "loss.slope" not in answer["fields"]
    assert answer["command"].endswith("""'loss={"name": "wgan-gp"}'""")


def test_a_typed_folder_is_checked(client: TestClient, tmp_path: Path) -> None:
    def problem(folder: str) -> str:
        return plan(client, data=folder)["problems"].get("data.path", "")

    (tmp_path / "empty").mkdir()
    assert "There is no folder" in problem("/no/such/folder") and "is empty" in problem(str(tmp_path / "empty"))
    assert "is a file" in problem(str(tmp_path / "configs" / "tiny.yaml")) and "is missing" in problem(" ")
    answer = plan(client, data=str(tmp_path / "configs"))
    assert answer["problems"] == {} and answer["fields"]["data.source"]["value"] == "auto"


def test_a_run_is_copied_from_the_nearest_configuration(client: TestClient) -> None:
    text = schema.dump(schema.load(train_form.find("tiny").path, ["seed=9", "train.betas=[0.5, 0.9]"]))
    answer = plan(client, config="", yaml=text, name="tiny-2")
    assert answer["config"] == "tiny" and answer["problems"] == {}
    assert answer["command"].endswith("--run-dir runs/tiny-2 seed=9 'train.betas=[0.5, 0.9]'")


def test_start_refuses_what_is_wrong(client: TestClient, tmp_path: Path) -> None:
    wrong = ({"config": "../x"}, {"name": "../x"}, {"settings": {"train.lr": "-1"}}, {"data": "/no/such"},
             {"yaml": "a: ["})  # fmt: skip
    for wish in wrong:
        for route in ("start", "queue"):
            answer = client.post(f"/api/train/{route}", json={"config": "tiny"} | wish)
            assert answer.status_code == 422 and isinstance(answer.json()["detail"], str)
    assert not list((tmp_path / "runs").glob("*"))


def test_small_numbers_reach_the_trainer() -> None:
    assert yaml.safe_load(processes.override("train.lr", 1e-05).partition("=")[2]) == 1e-05


def test_a_read_only_studio_does_not_tell_which_folders_there_are(tmp_path: Path, configs: Path) -> None:
    client = opened(Settings(runs=tmp_path / "runs", assets=tmp_path, read_only=True))
    assert plan(client, data="/no/such/folder")["problems"] == {}


# ---- time and memory -------------------------------------------------------------------------------------------


def cost(client: TestClient, seconds: float = 10, **wish: Any) -> dict[str, Any]:
    """The answer once it has settled."""
    end = time.monotonic() + seconds
    while True:
        answer = client.post("/api/train/cost", json={"config": "tiny", "page": "a"} | wish).json()
        if answer["state"] != "measuring" or time.monotonic() > end:
            return answer
        time.sleep(0.02)


def test_time_and_memory_of_each_stage(client: TestClient) -> None:
    answer = cost(client)
    assert answer["state"] == "done" and answer["total_s"] == 100_000 and answer["free"] == 16e9
    assert [stage["timed"] for stage in answer["stages"]] == [True, True, False]
    assert answer["stages"][0] == {"clips_per_s": 4, "seconds": 500, "timed": True, "memory": 2e9, "checkpointing": 1e9}
    longer = cost(client, settings={"growth.total_kimg": "800"})
    assert longer["total_s"] == 200_000, "how long the stages last is arithmetic: nothing is measured again"
    assert cost(client, settings={"train.checkpointing": "on"})["stages"][0]["memory"] == 1e9
    assert cost(client, settings={"train.lr": "-1"})["state"] == "none"


def test_nothing_is_measured_beside_a_training_unless_asked(client: TestClient, tmp_path: Path) -> None:
    fakerun.make(tmp_path / "runs" / "mine", 500, "running", pid=os.getpid())
    answer = cost(client)
    assert answer["state"] == "busy" and "mine is being trained" in answer["sentence"]
    assert cost(client, force=True)["state"] == "done" and cost(client)["state"] == "done"


def test_one_measurement_at_a_time(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_cost, "COMMAND", (sys.executable, "-c", "import time; time.sleep(60)"))
    other = {"settings": {"train.batch": "4"}}
    assert cost(client, seconds=0)["state"] == "measuring"
    assert cost(client, page="b", **other)["state"] == "waiting"
    monkeypatch.setattr(train_cost, "COMMAND", (sys.executable, "-c", "import sys; sys.exit('no such device')"))
    failed = cost(client, **other)  # the page that asked gives up its first one for it
    assert failed["state"] == "failed" and "no such device" in failed["sentence"]


def test_a_share_cannot_be_held_out_of_a_store_that_is_built(tmp_path: Path) -> None:
    folder = stores.make(tmp_path / "store").folder
    said = train_form.data_problem(Data(path=str(folder), hold_out=0.2), typed=True)
    assert "is a store already, and data.hold_out is 0.2; allowed for a store: 0" in said
    assert train_form.data_problem(Data(path=str(folder)), typed=True) == ""
