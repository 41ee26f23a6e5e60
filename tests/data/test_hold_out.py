"""What is held out of trainings: which files, the same everywhere, and never read by a training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pvswgan.data import DataError, open_store
from pvswgan.data.hold_out import HELD_OUT, TRAIN, hold_out, measured_split, training_split
from pvswgan.data.pieces import Item
from pvswgan.data.sources import Wish, recipe
from tests.data.files import SHARED, needs, noise, write_strip, write_video
from train.clips import sampler_of, store_of
from train.config import parse
from train.study.plan import load

ROOT = Path(__file__).parents[2]


def items(*counts: int) -> list[Item]:
    """So many of each class."""
    return [Item(f"{label}/{number}.mp4", list, label) for label, many in enumerate(counts) for number in range(many)]


def held(found: list[Item]) -> set[str]:
    return {item.name for item in found if item.split == HELD_OUT}


@pytest.mark.parametrize("share", [0.02, 0.1, 0.25, 1 / 3, 0.5])
@pytest.mark.parametrize("counts", [(60,), (15, 15, 15, 15), (100, 7), (1,) * 50])
def test_a_share_of_every_class_is_held_out(counts: tuple[int, ...], share: float) -> None:
    found = hold_out(items(*counts), share)
    assert [item.name for item in found] == [item.name for item in items(*counts)]
    assert len(held(found)) == round(share * sum(counts)) and {item.split for item in found} == {TRAIN, HELD_OUT}
    for label, many in enumerate(counts):
        of_it = sum(name.startswith(f"{label}/") for name in held(found))
        assert abs(of_it - share * many) < 1.5, "as many as its part, to rounding"


def test_the_last_of_each_class_are_held_out_so_that_neighbours_stay_together() -> None:
    """Twins, and parts of one film, lie side by side: at most one pair of neighbours a class is parted."""
    found = hold_out(items(20, 30), 0.3)
    assert held(found) == {f"0/{n}.mp4" for n in range(14, 20)} | {f"1/{n}.mp4" for n in range(21, 30)}


@pytest.mark.parametrize("share", [-0.1, 0.51, float("nan")])
def test_impossible_shares_are_refused(share: float) -> None:
    with pytest.raises(DataError, match="hold_out is .*; allowed: 0 .nothing is held out. to 0.5"):
        Wish("toyfaces", None, 16, hold_out=share)


def test_where_nothing_can_be_held_out() -> None:
    with pytest.raises(DataError, match="hold_out is 0.1: of 4 files .* that holds out 0"):
        hold_out(items(4), 0.1)
    with pytest.raises(DataError, match="hold_out is 0.5: of 1 files .* that holds out 0"):
        hold_out(items(1), 0.5)
    with pytest.raises(DataError, match="splits of their own .test, train."):
        hold_out([Item("a", list, split="train"), Item("b", list, split="test")], 0.5)


def test_which_split_trains_and_which_is_measured_against() -> None:
    both = [TRAIN, HELD_OUT]
    assert training_split(None, both) == TRAIN and training_split("", [""]) == ""
    assert training_split(None, ["", ""]) is None and training_split(None, ["train", "test"]) is None
    assert training_split("test", ["train", "test"]) == "test" and training_split(HELD_OUT, both) == HELD_OUT
    assert measured_split(None, both) == measured_split(TRAIN, both) == HELD_OUT
    assert measured_split(HELD_OUT, both) == HELD_OUT, "who trains on it is measured against it"
    assert measured_split(TRAIN, ["train", "test"]) == TRAIN and measured_split(TRAIN, [""]) is None
    assert measured_split(None, [""]) is None


def test_a_training_never_reads_what_is_held_out(data: Path) -> None:
    """Through the configuration, as the trainer does; and a store without it is another one."""
    for number in range(12):
        write_strip(data / "ab"[number % 2] / f"{number}.png", np.full((4, 8, 8, 3), 20 * number, np.uint8))
    config = parse({"data": {"source": "strips", "path": str(data), "hold_out": 0.25, "mirror": False},
                    "growth": {"stages": [[4, 8]]}})
    store = store_of(config)
    out = {clip for clip, split in enumerate(store.splits) if split == HELD_OUT}
    assert len(out) == 3 and {store.classes[store.labels[clip]] for clip in out} == {"a", "b"}
    sampler = sampler_of(config, store)
    seen = {round(float((value + 1) * 127.5)) for value in sampler.read(0, 18, (4, 8)).amax((1, 2, 3, 4))}
    sampler.close()
    numbers = {int(Path(store.sources[clip]).stem) for clip in out}
    assert seen == {20 * number for number in set(range(12)) - numbers}
    whole = open_store("strips", data, 8, frames=4)
    assert whole.folder != store.folder and set(whole.splits) == {""}
    with pytest.raises(DataError, match="hold_out is 0.25; allowed: 0, as .* is a store already: import its clips"):
        open_store("auto", store.folder, 8, frames=4, hold_out=0.25)
    built = parse({"data": {"path": str(store.folder)}, "growth": {"stages": [[4, 8]]}})
    again = sampler_of(built, store_of(built))
    assert set(again.usable.tolist()) == set(range(12)) - out, "nor from the store itself"
    again.close()


def test_clips_of_one_file_stay_together(data: Path) -> None:
    """A film of 600 frames becomes three clips."""
    for number in range(3):
        write_video(data / f"{number}.mp4", noise(600 if number else 8, 16, seed=number), rate=25)
    store = open_store("videos", data, 8, frames=4, hold_out=1 / 3)
    splits = {source: {split for name, split in zip(store.sources, store.splits, strict=True) if name == source}
              for source in store.sources}
    assert len(store) == 7 and all(len(found) == 1 for found in splits.values())
    assert sorted(found.pop() for found in splits.values()) == [HELD_OUT, TRAIN, TRAIN]


def test_drawn_sets_hold_out_runs_of_clips() -> None:
    made = recipe(Wish("shapes", None, 8, frames=4, clips=160, hold_out=0.2))
    assert sum(item.split == HELD_OUT for item in made.items) == 2 and made.name != recipe(
        Wish("shapes", None, 8, frames=4, clips=160)).name


def test_of_a_few_of_many_files_the_share_is_held_out(data: Path) -> None:
    for number in range(40):
        write_strip(data / "ab"[number % 2] / f"{number:02d}.png", noise(4, 8, seed=number))
    store = open_store("strips", data, 8, frames=4, clips=10, hold_out=0.2)
    assert len(store) == 10 and store.splits.count(HELD_OUT) == 2 and store.splits.count(TRAIN) == 8
    (data / "a" / "00.png").write_bytes(b"broken")                     # another file takes its place
    store = open_store("strips", data, 8, frames=4, clips=10, hold_out=0.2)
    assert len(store) == 10 and set(store.splits) == {TRAIN, HELD_OUT}


@needs("actions")
def test_no_mirrored_twin_of_a_real_clip_lies_on_the_other_side(tmp_path: Path) -> None:
    """24 pairs of ../shared/data/actions are a clip and the same turned left to right; the study holds out a third."""
    made = recipe(Wish("strips", SHARED / "actions", 16, hold_out=load(ROOT / "configs/study-actions.yaml").base[
        "data"]["hold_out"]))
    split = {int(Path(item.name).stem): item.split for item in made.items}
    assert list(split.values()).count(HELD_OUT) == 20
    assert all(split[number] == split.get(number + 1, split[number]) for number in split if number % 2 == 0)
