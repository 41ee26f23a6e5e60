"""Verifying a store finds any changed byte, and the numbers that are told of a store are those of its clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pvswgan.data import ClipStore, DataError, StoreWriter, format
from pvswgan.data.verify import PAPER, open_for_people, paper_bytes, summary, verify
from tests.data.files import noise


@pytest.fixture(params=[False, True], ids=["raw", "compact"])
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> ClipStore:
    monkeypatch.setattr(format, "SHARD_BYTES", 20 * 16 * 16 * 3)
    with StoreWriter(tmp_path / "s", 16, ["a", "b"], compact=request.param) as writer:
        for clip in range(6):
            split = "test" if clip == 5 else "train"
            writer.add(noise(8 + clip, 16, seed=clip), f"{clip}.mp4", clip % 2, split=split, factors={"size": clip / 2})
        writer.skip("x.mp4", "is empty (0 bytes)")
        return writer.commit()


def test_a_store_as_it_was_written_verifies(store: ClipStore) -> None:
    told: list[tuple[int, int]] = []
    assert verify(store, lambda done, total: told.append((done, total))) == []
    total = sum(store.bytes_on_disk().values())
    assert told[-1] == (total, total) and len(store.shards) > 2


@pytest.mark.parametrize("seed", range(5))
def test_any_changed_byte_is_found_and_its_file_named(store: ClipStore, seed: int) -> None:
    rng = np.random.default_rng(seed)
    files = sorted(store.folder.glob("shard-*"))
    file = files[rng.integers(len(files))]
    held = bytearray(file.read_bytes())
    held[rng.integers(len(held))] ^= 1 << int(rng.integers(8))
    file.write_bytes(held)
    assert verify(store) == [f"{file.name} is damaged: its bytes are not those that were written"]


def test_a_file_that_is_gone_is_told(store: ClipStore) -> None:
    (store.folder / "shard-00000-004.u8").unlink()
    assert verify(store) == ["shard-00000-004.u8 cannot be read: No such file or directory"]


def test_the_summary_counts_the_clips(store: ClipStore) -> None:
    about = summary(store)
    assert about["clips"] == 6 and about["frames"] == {"least": 8, "median": 10.5, "most": 13, "all": 63}
    assert about["classes"] == {"a": 3, "b": 3} and about["splits"] == {"train": 5, "test": 1}
    assert about["usable"] == {4: 6, 8: 6, 16: 0, 32: 0, 64: 0} and about["factors"] == ["size"]
    on_disk = {size: sum(f.stat().st_size for f in store.folder.glob(f"shard-*-{size:03d}.*")) for size in (16, 8, 4)}
    assert about["bytes"] == on_disk and about["bytes_per_clip"][16] == on_disk[16] / 6 and about["skipped"] == 1


def test_the_size_of_the_papers_set_is_arithmetic() -> None:
    class Raw:
        resolution = 64
        lengths = np.array([32, 32])

        def bytes_on_disk(self) -> dict[int, int]:
            return {size: 64 * size * size * 3 for size in (64, 32, 16, 8, 4)}

    one = sum(32 * size * size * 3 for size in (256, 128, 64, 32, 16, 8, 4))
    assert paper_bytes(Raw()) == {name: one * clips for name, clips in PAPER.items()}  # type: ignore[arg-type]


def test_what_is_no_store_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        open_for_people(tmp_path / "nowhere")
    with pytest.raises(DataError, match="is not a clip store"):
        open_for_people(tmp_path)
