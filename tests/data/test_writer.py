"""Writing a store: complete or not there, one writer a place, and nobody's folder is replaced."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pvswgan.data import ClipStore, DataError, StoreWriter
from pvswgan.data.growing import Journal
from tests.data.files import build, noise

# --- writing


def test_the_same_clips_make_the_same_bytes(tmp_path: Path, clips: list[np.ndarray]) -> None:
    one, two = build(tmp_path / "1", clips).folder, build(tmp_path / "2", clips).folder
    names = sorted(file.name for file in one.iterdir())
    assert names == ["meta.json", "shard-00000-004.u8", "shard-00000-008.u8", "shard-00000-016.u8"]
    assert all((one / name).read_bytes() == (two / name).read_bytes() for name in names)


@pytest.mark.parametrize(
    "clip",
    [
        noise(2, 8),
        noise(0, 16),
        noise(2, 16).astype(np.float32),
        noise(2, 16)[..., :1],
        noise(2, 16)[0],
        noise(2, 16, 8),
    ],
)
def test_only_clips_of_the_right_shape_are_taken(tmp_path: Path, clip: np.ndarray) -> None:
    with (
        StoreWriter(tmp_path / "s", 16) as writer,
        pytest.raises(ValueError, match=r"clip of x is .*allowed: uint8 \(T, 16, 16, 3\)"),
    ):
        writer.add(clip, "x")


def test_a_label_must_be_a_class(tmp_path: Path, clips: list[np.ndarray]) -> None:
    with (
        StoreWriter(tmp_path / "s", 16) as writer,
        pytest.raises(ValueError, match="label of x is 1; allowed: 0 to 0"),
    ):
        writer.add(clips[0], "x", label=1)


def test_an_empty_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no clip"), StoreWriter(tmp_path / "s", 16) as writer:
        writer.commit()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_build_leaves_nothing(
    tmp_path: Path, clips: list[np.ndarray], error: type[BaseException]
) -> None:
    with pytest.raises(error), StoreWriter(tmp_path / "s", 16) as writer:
        writer.add(clips[0], "a")
        raise error
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_a_sentence_and_leaves_nothing(
    tmp_path: Path, clips: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="the disk is full: the store .* after 3 clips .*PVSWGAN_CACHE"):
        build(tmp_path / "s", clips)
    assert not list(tmp_path.iterdir())


def test_a_refused_write_is_a_sentence_and_leaves_nothing(tmp_path: Path, clips: list[np.ndarray]) -> None:
    """The same with the kernel refusing in the middle of a clip (a limit on the size of files)."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(DataError, match="the disk is full"):
            build(tmp_path / "s", clips)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, old)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_promises_to_go_on_only_where_something_is_kept(tmp_path: Path, clips: list[np.ndarray]) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    goes_on = "run the same again (it goes on from there)"
    with StoreWriter(tmp_path / "s", 16, key="k") as writer:
        assert goes_on not in str(writer.disk_error(full))
        writer.add(clips[0], "a")
        assert goes_on not in str(writer.disk_error(full))  # of a file that is half done nothing is kept
        writer.item_done()
    with StoreWriter(tmp_path / "s", 16, key="k") as writer:
        assert writer.items == 1 and goes_on in str(writer.disk_error(full))


def test_what_a_full_disk_cut_off_the_journal_is_written_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.begin([{"version": 2, "key": "k"}, {"about": "x"}])
    (tmp_path / "journal.jsonl").open("a").write('{"clips": [')
    journal.append([{"clips": []}])
    (tmp_path / "journal.jsonl").open("a").write('{"cli')
    again = Journal(tmp_path)
    assert again.read() == [{"version": 2, "key": "k"}, {"about": "x"}, {"clips": []}]
    again.append([{"closed": {}}])
    assert len(again.read()) == 4 and again.head() == {"version": 2, "key": "k", "about": "x"}


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="no store can be made in"), StoreWriter(tmp_path / "file" / "s", 16):
        pass


@pytest.mark.slow
def test_a_killed_build_leaves_no_store_and_is_cleaned_up(tmp_path: Path, clips: list[np.ndarray]) -> None:
    script = """
        import os, signal, sys
        import numpy as np
        from pvswgan.data import StoreWriter
        with StoreWriter(sys.argv[1], 16) as writer:
            writer.add(np.zeros((8, 16, 16, 3), np.uint8), "a")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    place = tmp_path / "s"
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(place)], timeout=60)
    assert ended.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name == ".s.building"
    for folder in (place, left):
        with pytest.raises(DataError):
            ClipStore.open(folder)
    build(place, clips)
    assert list(tmp_path.iterdir()) == [place]


def test_one_writer_a_place(tmp_path: Path, clips: list[np.ndarray]) -> None:
    with StoreWriter(tmp_path / "one", 16) as first:
        first.add(clips[0], "a")
        with pytest.raises(DataError, match="one is being built by another process"):
            build(tmp_path / "one", clips)
        build(tmp_path / "two", clips)
        assert len(first.commit()) == 1


def test_a_store_that_came_meanwhile_is_kept(tmp_path: Path, clips: list[np.ndarray]) -> None:
    place = tmp_path / "s"
    with StoreWriter(place, 16) as slow:
        slow.add(clips[0], "a")
        os.rename(build(tmp_path / "other", clips).folder, place)
        assert len(slow.commit()) == len(clips)
    assert list(tmp_path.iterdir()) == [place]


def keyed(place: Path, key: str, waiting: Callable[[], None] | None = None) -> StoreWriter:
    return StoreWriter(place, 16, key=key, about=f"videos of {key}", waiting=waiting)


def test_another_store_that_came_meanwhile_is_not_taken_for_ones_own(tmp_path: Path, clips: list[np.ndarray]) -> None:
    place = tmp_path / "s"
    with keyed(place, "one") as writer:
        writer.add(clips[0], "a")
        writer.commit()
    with keyed(place, "one") as same:
        assert same.existing() is not None
    with keyed(place, "two") as late, pytest.raises(DataError, match="s now holds another store, made of something"):
        late.existing()
    os.rename(place, tmp_path / "aside")
    with keyed(place, "two") as slow:
        slow.add(clips[1], "b")
        slow.item_done()
        os.rename(tmp_path / "aside", place)
        with pytest.raises(DataError, match="s now holds another store"):
            slow.commit()
    assert ClipStore.open(place).sources == ["a"]
    os.rename(place, tmp_path / "aside")
    with keyed(place, "two") as again:
        assert again.items == 1 and again.commit().sources == ["b"]  # no work was lost
    assert "videos" not in (place / "journal.jsonl").read_text()  # a store does not tell where it was made


def test_nobody_waits_for_another_store(tmp_path: Path) -> None:
    with (
        keyed(tmp_path / "s", "one"),
        pytest.raises(DataError, match=r"another process is making another store in .*s \(videos of one\)"),
        keyed(tmp_path / "s", "two", waiting=lambda: pytest.fail("waits")),
    ):
        pass


@pytest.mark.slow
def test_of_two_processes_one_waits_for_the_other(tmp_path: Path) -> None:
    script = """
        import sys
        import numpy as np
        from pvswgan.data import StoreWriter
        waited = []
        def waiting():
            waited or print("waits", flush=True)
            waited.append(1)
        with StoreWriter(sys.argv[1], 16, key="k", waiting=waiting) as writer:
            if writer.existing() is None:
                print("builds", flush=True)
                sys.stdin.readline()
                writer.add(np.full((8, 16, 16, 3), 7, np.uint8), "a")
                writer.commit()
            else:
                print("waited" if waited else "came late", flush=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "s")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    one = subprocess.Popen(command, **pipes)
    assert one.stdout and one.stdin and one.stdout.readline() == "builds\n"
    two = subprocess.Popen(command, **pipes)
    assert two.stdout and two.stdout.readline() == "waits\n" and two.poll() is None
    one.stdin.write("go\n")
    one.stdin.close()
    assert one.wait(timeout=200) == 0
    assert two.communicate(timeout=200)[0] == "waited\n" and two.returncode == 0
    assert list(tmp_path.iterdir()) == [tmp_path / "s"]


def test_a_lock_that_was_left_does_not_hold(tmp_path: Path, clips: list[np.ndarray]) -> None:
    (tmp_path / ".s.building").mkdir()
    (tmp_path / ".s.building" / "lock").touch()
    (tmp_path / ".s.building" / "shard-00000-016.u8").write_bytes(b"old")
    assert len(build(tmp_path / "s", clips)) == 3


def test_a_damaged_store_is_replaced(tmp_path: Path, clips: list[np.ndarray]) -> None:
    place = build(tmp_path / "s", clips).folder
    (place / "meta.json").unlink()
    assert len(build(place, clips[:1])) == 1
    assert list(tmp_path.iterdir()) == [place]


def test_what_no_store_can_replace_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for place, words in (("/", "/ is a mount point"), (tmp_path / "file", "is a file; a clip store is a folder"),
                         (tmp_path / "loop", "is a link that leads nowhere"), ("..", "is no clip store"),
                         (".", "here is the folder that this runs in and will not be replaced; name a folder in it")):
        with pytest.raises(DataError, match=words), StoreWriter(place, 16):
            pytest.fail("begins")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "here", "loop"]


def test_a_link_to_a_folder_leads_to_the_store(tmp_path: Path, clips: list[np.ndarray]) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "s")
    assert build(tmp_path / "link", clips).folder == tmp_path / "disk" / "s"
    assert (tmp_path / "link").is_symlink() and len(ClipStore.open(tmp_path / "link")) == 3


def test_somebodys_folder_is_never_replaced(tmp_path: Path, clips: list[np.ndarray]) -> None:
    place = tmp_path / "holiday"
    place.mkdir()
    (place / "film.mp4").write_text("precious")
    with pytest.raises(
        DataError, match=r"holiday is no clip store \(it holds film.mp4\) and will not be replaced"
    ):
        build(place, clips)
    assert [file.name for file in place.iterdir()] == ["film.mp4"]
    assert list(tmp_path.iterdir()) == [place]
