"""Building a store: the same bytes for any number of workers, after any interruption, with any file among the items."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest

from pvswgan.data import DataError, format
from pvswgan.data import build as build_module
from pvswgan.data.build import Rules, Told, build
from pvswgan.data.pieces import BadFile, Drop, Item, Piece, TooSmall
from tests.data.files import noise

RULES = Rules(16, frames=4)


def clips(seed: int, count: int = 3, wait: float = 0.0) -> Iterator[Piece | Drop]:
    """An item's clips; those of every fifth seed break off, those of every seventh are parts dropped."""
    time.sleep(wait)
    for number in range(count):
        length = 2 + (seed * 7 + number * 5) % 30
        yield Piece(noise(length, 16, seed=100 * seed + number), 50 * number, 50 * number + length, 10.0 + seed)
    if seed % 5 == 4:
        raise BadFile("breaks off")
    if seed % 7 == 6:
        yield Drop(900, 950, "is dull")


def crash(seed: int) -> Iterator[Piece | Drop]:
    yield from clips(seed)
    os.kill(os.getpid(), signal.SIGSEGV)


def stuck() -> Iterator[Piece | Drop]:
    time.sleep(1000)
    yield from ()


def nonsense() -> Iterator[Piece | Drop]:
    yield Piece(noise(4, 16), 0, 4, 25.0)
    raise KeyError("what decoders raise")


def missing_package() -> Iterator[Piece | Drop]:
    import a_package_that_nobody_has  # type: ignore[import-not-found]  # noqa: F401

    yield from ()


def alike(which: list[int]) -> Iterator[Piece | Drop]:
    for number, bits in enumerate(which):
        yield Piece(noise(4, 16, seed=number), 10 * number, 10 * number + 4, 25.0, fingerprint=bits)


def drawn(first: int) -> Iterator[Piece | Drop]:
    for index in range(first, first + 3):
        yield Piece(noise(4, 16, seed=index), 0, 4, 16.0, {"size": index / 2, "angle": -index}, label=index % 2)


def items(count: int = 16, wait: float = 0.0) -> list[Item]:
    return [Item(f"f{seed}", partial(clips, seed, wait=wait), seed % 2, "train" if seed < 9 else "test")
            for seed in range(count)]


def digests(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The store of one process that was not interrupted."""
    place = tmp_path_factory.mktemp("reference") / "s"
    build(place, items(), ["a", "b"], RULES, workers=1)
    return digests(place)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(format, "SHARD_BYTES", 90 * 16 * 16 * 3)


@pytest.fixture(scope="module", autouse=True)
def small_reference_shards() -> Iterator[None]:
    before, format.SHARD_BYTES = format.SHARD_BYTES, 90 * 16 * 16 * 3
    yield
    format.SHARD_BYTES = before


def test_the_store_holds_what_the_items_gave(tmp_path: Path) -> None:
    store = build(tmp_path / "s", items(8), ["a", "b"], RULES, workers=1)
    kept = [(seed, n, 2 + (seed * 7 + n * 5) % 30) for seed in range(8) if seed % 5 != 4 for n in range(3)]
    short = [entry for entry in kept if entry[2] < 4]
    kept = [entry for entry in kept if entry[2] >= 4]
    assert len(short) > 0 and store.lengths.tolist() == [length for _, _, length in kept]
    assert store.sources == [f"f{seed}" for seed, _, _ in kept]
    assert store.labels.tolist() == [seed % 2 for seed, _, _ in kept]
    assert store.starts.tolist() == [50 * number for _, number, _ in kept]
    assert (store.stops - store.starts).tolist() == store.lengths.tolist()
    assert store.clip_fps.tolist() == [10.0 + seed for seed, _, _ in kept] and set(store.splits) == {"train"}
    for clip, (seed, number, length) in enumerate(kept):
        assert np.array_equal(store.pixels([clip], [0], length, 1, 16)[0], noise(length, 16, seed=100 * seed + number))
    assert {"file": "f4", "reason": "breaks off"} in store.skipped
    assert {"file": "f6", "reason": "is dull", "start": 900, "stop": 950} in store.skipped
    told = [entry for entry in store.skipped if "fewer than 4" in entry["reason"]]
    assert [(entry["file"], entry["start"]) for entry in told] == [(f"f{seed}", 50 * n) for seed, n, _ in short]


@pytest.mark.slow
def test_any_number_of_workers_makes_the_same_bytes(tmp_path: Path, reference: dict[str, str]) -> None:
    assert len([name for name in reference if name.endswith("-016.u8")]) > 2
    build(tmp_path / "s", items(), ["a", "b"], RULES, workers=3)
    assert digests(tmp_path / "s") == reference
    assert list(tmp_path.iterdir()) == [tmp_path / "s"]


@pytest.mark.parametrize(("stop_at", "workers"), [(1, 1), (5, 2), (15, 1)])
def test_a_cancelled_build_goes_on_and_ends_with_the_same_bytes(
    tmp_path: Path, reference: dict[str, str], stop_at: int, workers: int
) -> None:
    def cancel(now: Told) -> None:
        if now.done == stop_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "s", items(), ["a", "b"], RULES, workers=workers, progress=cancel)
    assert [folder.name for folder in tmp_path.iterdir()] == [".s.building"]
    seen: list[int] = []
    build(tmp_path / "s", items(), ["a", "b"], RULES, workers=1, progress=lambda now: seen.append(now.done))
    assert seen[0] == stop_at and digests(tmp_path / "s") == reference


@pytest.mark.slow
def test_a_killed_build_goes_on_and_leaves_no_process(tmp_path: Path, reference: dict[str, str]) -> None:
    script = """
        import os, signal, sys
        from pathlib import Path
        from pvswgan.data import format, writer
        from pvswgan.data.build import build
        from tests.data.test_build import RULES, items
        if __name__ == "__main__":
            format.SHARD_BYTES, writer._SYNC_S = 90 * 16 * 16 * 3, 0.0
            def tell(now):
                print(now.done, flush=True)
                if now.done == 7:
                    os.kill(os.getpid(), signal.SIGSTOP)  # it is to be killed here, and no later
            build(Path(sys.argv[1]), items(wait=0.3), ["a", "b"], RULES, workers=2, progress=tell)
    """
    file = tmp_path / "script.py"
    file.write_text(textwrap.dedent(script))
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen([sys.executable, str(file), str(tmp_path / "s")], stdout=subprocess.PIPE, text=True,
                          cwd=root, env=os.environ | {"PYTHONPATH": str(root)}) as process:
        assert process.stdout
        for line in process.stdout:
            if int(line) == 7:
                break
        workers = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    assert len(workers) >= 2 and not psutil.wait_procs(workers, timeout=60)[1]
    with (tmp_path / ".s.building" / "journal.jsonl").open("a") as journal:
        journal.write('{"clips": [{"lengths": 4, "lab')  # a line that the kill cut
    # The items' seconds of waiting are not among what identifies a store.
    seen: list[int] = []
    build(tmp_path / "s", items(), ["a", "b"], RULES, workers=1, progress=lambda now: seen.append(now.done))
    assert seen[0] >= 6 and digests(tmp_path / "s") == reference


def test_what_a_power_cut_took_from_the_files_is_made_anew(tmp_path: Path, reference: dict[str, str]) -> None:
    def cancel(now: Told) -> None:
        if now.done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "s", items(), ["a", "b"], RULES, workers=1, progress=cancel)
    os.truncate(tmp_path / ".s.building" / "shard-00000-008.u8", 100)
    build(tmp_path / "s", items(), ["a", "b"], RULES, workers=1)
    assert digests(tmp_path / "s") == reference


@pytest.mark.parametrize("change", ["key", "rules", "items"])
def test_another_build_takes_nothing_of_what_was_left(tmp_path: Path, change: str) -> None:
    def cancel(now: Told) -> None:
        if now.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "s", items(6), ["a", "b"], RULES, about="videos of x", workers=1, progress=cancel)
    left = digests(tmp_path / ".s.building")
    asked = {"key": "other" if change == "key" else ""}
    rules = Rules(16, frames=5) if change == "rules" else RULES
    with pytest.raises(DataError, match=r"\.s\.building holds an unfinished import of something else "
                                        r"\(videos of x\)\. Repeat that import to finish it, or delete that folder"):
        build(tmp_path / "s", items(7 if change == "items" else 6), ["a", "b"], rules, workers=1, **asked)
    assert digests(tmp_path / ".s.building") == left
    seen: list[int] = []
    build(tmp_path / "s", items(6), ["a", "b"], RULES, workers=1, progress=lambda now: seen.append(now.done))
    assert seen[0] == 3


def test_an_error_of_whoever_is_told_is_not_the_disks(tmp_path: Path) -> None:
    def broken(now: Told) -> None:
        raise OSError(28, "No space left on device", "status.json")

    with pytest.raises(OSError, match="status.json"):
        build(tmp_path / "s", items(2), ["a", "b"], RULES, workers=1, progress=broken)


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_decoder_raises_is_told_of_its_file_alone(tmp_path: Path, workers: int) -> None:
    mixed = [Item("f0", partial(clips, 0)), Item("bad", nonsense), Item("f1", partial(clips, 1))]
    store = build(tmp_path / "s", mixed, ["a"], RULES, workers=workers)
    assert set(store.sources) == {"f0", "f1"}
    assert {"file": "bad", "reason": "cannot be decoded: 'what decoders raise'"} in store.skipped


def test_a_decoder_that_crashes_costs_only_its_file(tmp_path: Path) -> None:
    mixed = items(6)
    mixed[2] = Item("boom", partial(crash, 2))
    store = build(tmp_path / "s", mixed, ["a", "b"], RULES, workers=2)
    assert {"file": "boom", "reason": "makes its decoder crash"} in store.skipped
    assert set(store.sources) == {"f0", "f1", "f3", "f5"}


@pytest.mark.slow
def test_a_cancel_is_heard_while_a_worker_is_stuck(tmp_path: Path) -> None:
    began = time.monotonic()

    def cancel(now: Told) -> None:
        if time.monotonic() - began > 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "s", [Item("stuck", stuck)], ["a"], RULES, workers=2, progress=cancel)
    assert time.monotonic() - began < 30
    assert not list(tmp_path.iterdir())  # nothing was done yet, so nothing is kept


@pytest.mark.parametrize("workers", [1, 2])
def test_a_missing_package_is_not_the_files_fault(tmp_path: Path, workers: int) -> None:
    with pytest.raises(ImportError):
        build(tmp_path / "s", [Item("x", missing_package)], ["a"], RULES, workers=workers)


def test_nothing_usable_is_an_error_that_says_why(tmp_path: Path) -> None:
    def small(side: int) -> Iterator[Piece | Drop]:
        raise TooSmall(side, 99, 128)
        yield

    with pytest.raises(DataError, match="resolution is 16, and the largest .* have 12 pixels .* allowed: 8"):
        build(tmp_path / "s", [Item(str(n), partial(small, n)) for n in (9, 12)], ["a"], RULES, workers=1)
    with pytest.raises(DataError, match="no clip can be had: f4 breaks off"):
        build(tmp_path / "s", items()[4:5], ["a", "b"], RULES, workers=1)


def test_look_alikes_are_dropped_in_order_and_after_a_resume_too(tmp_path: Path) -> None:
    far, near = 0xFFFF_0000_FFFF_0000, 0xFFFF_0000_FFFF_0003
    both = [Item("a", partial(alike, [0, far, 1])), Item("b", partial(alike, [near, 0xFF]))]
    rules = Rules(16, frames=4, distinct=2)

    def cancel(now: Told) -> None:
        if now.done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "s", both, ["all"], rules, workers=1, progress=cancel)
    store = build(tmp_path / "s", both, ["all"], rules, workers=1)
    assert list(zip(store.sources, store.starts.tolist(), strict=True)) == [("a", 0), ("a", 10), ("b", 10)]
    assert [(entry["file"], entry["start"]) for entry in store.skipped] == [("a", 20), ("b", 0)]
    assert "1 of 64 bits differ" in store.skipped[0]["reason"] and "2 of 64" in store.skipped[1]["reason"]
    assert np.array_equal(store.pixels([2], [0], 4, 1, 16)[0], noise(4, 16, seed=1))  # b's second: none was mixed up


def test_factors_and_labels_of_drawn_clips_come_with_the_store(tmp_path: Path) -> None:
    both = [Item("d/0", partial(drawn, 0)), Item("d/3", partial(drawn, 3))]
    store = build(tmp_path / "s", both, ["even", "odd"], RULES, workers=1)
    assert store.factors["size"].tolist() == [0, 0.5, 1, 1.5, 2, 2.5]
    assert store.factors["angle"].tolist() == [0, -1, -2, -3, -4, -5] and list(store.factors) == ["angle", "size"]
    assert store.labels.tolist() == [0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize("workers", [1, 2])
def test_no_more_clips_than_wanted(tmp_path: Path, workers: int) -> None:
    store = build(tmp_path / "s", items(), ["a", "b"], Rules(16, frames=4, clips=4), workers=workers)
    assert len(store) == 4 and not list((tmp_path / "s").glob("part-*"))


def several(count: int) -> Iterator[Piece | Drop]:
    """Clips, and before each of them a part that is dull."""
    for number in range(count):
        yield Drop(10 * number + 5, 10 * number + 10, "is dull")
        yield Piece(noise(4, 16, seed=number), 10 * number + 10, 10 * number + 14, 25.0)
    yield Drop(10 * count + 5, 10 * count + 10, "is dull")


@pytest.mark.parametrize("workers", [1, 2])
def test_every_item_gives_its_share_and_those_with_more_the_rest(tmp_path: Path, workers: int) -> None:
    counts = {"a": 1, "b": 9, "c": 4, "d": 9}
    few = [Item(name, partial(several, count)) for name, count in counts.items()] + items(6)[4:5]  # which breaks off
    seen: list[Told] = []
    rules = Rules(16, frames=4, clips=16)
    store = build(tmp_path / "s", few, ["all"], rules, share=4, workers=workers, progress=seen.append)
    taken = [f"{name}{start // 10 - 1}" for name, start in zip(store.sources, store.starts.tolist(), strict=True)]
    # Of those that have more than their share, b is asked first for the 3 that are still wanted.
    assert taken == ["a0", *[f"{name}{n}" for name in "bcd" for n in range(4)], "b4", "b5", "b6"]
    told = [(entry["file"], entry["start"] // 10) for entry in store.skipped if entry["file"] in counts]
    assert len(told) == len(set(told)) and {("a", 1), ("c", 4), ("d", 4), ("b", 5)} <= set(told)
    assert (seen[-1].done, seen[-1].total) == (6, 6)

    def cancel(now: Told, at: int) -> None:
        if now.done == at:
            raise KeyboardInterrupt

    for at in (1, 3, 5) if workers == 1 else ():  # the last of them in the second round
        with pytest.raises(KeyboardInterrupt):
            build(tmp_path / "t", few, ["all"], rules, share=4, workers=1, progress=partial(cancel, at=at))
    build(tmp_path / "t", few, ["all"], rules, share=4, workers=1)
    assert digests(tmp_path / "t") == digests(tmp_path / "s")


@pytest.mark.slow
def test_progress_has_an_estimate(tmp_path: Path) -> None:
    seen: list[Told] = []
    build(tmp_path / "s", items(8, wait=0.2), ["a", "b"], RULES, workers=1, progress=seen.append)
    assert [now.done for now in seen] == list(range(9)) and seen[0].eta_s is None and seen[-1].eta_s == 0
    assert 0.3 < (seen[5].eta_s or 0) < 3 and seen[-1].clips > 10 and seen[-1].skipped > 1


def test_small_sets_start_no_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "ProcessPoolExecutor", None)
    monkeypatch.setattr(build_module, "PATIENCE_S", 600)  # of a busy machine
    build(tmp_path / "s", items(), ["a", "b"], RULES)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_disk_that_is_full_for_a_part_is_a_sentence_and_the_build_goes_on(
    tmp_path: Path, reference: dict[str, str], workers: int
) -> None:
    """A part is written by a worker: a small file system is the only way to fill its disk in every process."""
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", tmp_path], capture_output=True).returncode:
        pytest.skip("a small file system can be mounted by root alone")
    try:
        with pytest.raises(DataError, match="the disk is full: the store .* was left after .* clips"):
            build(tmp_path / "s", items(), ["a", "b"], RULES, workers=workers)
        subprocess.run(["mount", "-o", "remount,size=8m", tmp_path], check=True)
        build(tmp_path / "s", items(), ["a", "b"], RULES, workers=workers)
        assert digests(tmp_path / "s") == reference
    finally:
        subprocess.run(["umount", tmp_path], check=True)
