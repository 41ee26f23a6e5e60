"""The lesson on SWGAN and WGAN-GP: what is told of the studies that come with the project."""

from __future__ import annotations

import json
from pathlib import Path

from pvswgan.studio import learn_pair
from tests.train import test_study

ROOT = Path(__file__).parents[2]


def test_every_study_of_both_losses_is_told() -> None:
    answer = learn_pair.told(ROOT / "configs", ROOT / "docs" / "study")
    assert answer["problem"] is None
    told = {study["name"]: study for study in answer["studies"]}
    assert {"toyfaces-cpu", "shapes-cpu", "actions-cpu", "contrast-cpu"} <= set(told)
    assert not set(told) & {"precision-cpu", "toyfaces-32-cpu"}, "these ask something else"
    assert told["actions-cpu"]["measures"] == ["swd"], "its clips are too few for an FID"
    assert told["contrast-cpu"]["lasting"] == "26 kimg"
    assert {study["note"] for study in told.values()} == {""}, "all by the measures of today"
    for study in told.values():
        assert study["question"][0].isupper() and study["question"][-1] in ".?"
        for arm in study["arms"]:
            assert all(len(arm[id]) == len(arm["seeds"]) and min(arm[id]) > study["floor"][id] / 2
                       for id in study["measures"])


def test_a_study_that_cannot_be_read_is_named_and_the_others_are_told(tmp_path: Path) -> None:
    arms = {"swgan": {}, "wgan-gp": {"loss.name": "wgan-gp"}}
    for name in ("fine", "spoilt"):
        (tmp_path / name).mkdir()
        study = test_study.plan.load(test_study.written(tmp_path / name, name=name, reference="swgan", arms=arms))
        (tmp_path / name / "study.yaml").rename(tmp_path / f"{name}.yaml")
        for arm in arms:
            test_study.leave(study, tmp_path / "study" / name, arm, 0, 10.0)
    (tmp_path / "study" / "spoilt" / "results" / "swgan-0.json").write_text(json.dumps({"result": 5}))
    (tmp_path / "torn.yaml").write_text("name: torn\narms:\n  one: {}\n")
    assert "torn.yaml" in learn_pair.told(tmp_path, tmp_path / "nothing")["problem"]
    answer = learn_pair.told(tmp_path, tmp_path / "study")
    assert [study["name"] for study in answer["studies"]] == ["fine"] and "spoilt" in answer["problem"]
