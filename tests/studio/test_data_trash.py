"""The trash of the Data page: what goes there, comes back, is freed; and what is in use stays where it is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pvswgan.data.writer import StoreWriter
from pvswgan.studio import data_stores, data_trash
from pvswgan.studio.data_trash import TrashError
from pvswgan.studio.trash import UnknownItemError
from tests.studio import fakerun, stores
from tests.studio.test_processes import until

pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


def half_done(cache: Path, name: str = "half") -> Path:
    folder = cache / f".{name}.building"
    folder.mkdir(parents=True)
    (folder / "journal.jsonl").write_bytes(b"12345")
    return folder


@contextmanager
def reading(file: Path) -> Iterator[int]:
    """The pid of a process that has a file mapped, as a training has those of its store."""
    words = "import mmap, sys\nfile = open(sys.argv[1])\nkept = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)\n"
    words += "file.close()\nprint(flush=True)\nsys.stdin.read()"
    command, pipe = [sys.executable, "-c", words, str(file)], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as one:
        assert one.stdout and one.stdout.readline()
        try:
            yield one.pid
        finally:
            one.kill()


# ---- there and back ---------------------------------------------------------------------------------------------


def test_a_store_goes_at_once_and_comes_back_as_it_was(cache: Path, runs: Path) -> None:
    folder = stores.make(cache / "one").folder
    before = {file.name: (file.read_bytes(), file.stat().st_ino) for file in folder.iterdir()}
    assert data_stores.about("one")["clips"] == 6
    id = data_trash.discard_store("one", runs)
    assert data_stores.listed() == [] and not folder.exists()
    held = sum(len(data) for data, _ in before.values())
    assert data_trash.listed() == [{"id": id, "name": "one", "unfinished": False, "bytes": held}]
    assert data_trash.restore(id) == "one" and data_trash.listed() == []
    after = {file.name: (file.read_bytes(), file.stat().st_ino) for file in folder.iterdir()}
    assert after == before, "renamed, not copied"
    assert data_stores.about("one")["clips"] == 6


def test_a_damaged_store_goes_too(cache: Path, runs: Path) -> None:
    (stores.make(cache / "cut").folder / "meta.json").write_text("{]")
    data_trash.discard_store("cut", runs)
    assert data_stores.listed() == []


def test_an_unfinished_build_goes_and_comes_back(cache: Path) -> None:
    folder = half_done(cache)
    id = data_trash.discard_build("half")
    assert data_stores.unfinished() == [] and not folder.exists()
    assert data_trash.listed() == [{"id": id, "name": "half", "unfinished": True, "bytes": 5}]
    assert data_trash.restore(id) == "half"
    assert data_stores.unfinished() == [{"name": "half", "bytes": 5}]


def test_what_is_emptied_is_what_was_asked_about(cache: Path, runs: Path) -> None:
    ids = []
    for name in ("a", "b", "c"):
        stores.make(cache / name, (4,))
        ids.append(data_trash.discard_store(name, runs))
    (data_trash.root() / "my own").mkdir()
    held = {line["id"]: line["bytes"] for line in data_trash.listed()}
    assert data_trash.empty(ids[:2]) == held[ids[0]] + held[ids[1]] > 0
    assert [line["name"] for line in data_trash.listed()] == ["c"]
    assert data_trash.empty(ids) == held[ids[2]] and data_trash.empty(ids) == 0
    assert [folder.name for folder in data_trash.root().iterdir()] == ["my own"]


def test_this_process_lets_go_of_the_files_so_that_emptying_frees_them(cache: Path, runs: Path) -> None:
    file = stores.make(cache / "one").folder / "shard-00000-016.u8"
    data_stores.opened("one").pixels([0], [0], 4, 1, 16)
    inside = str(file).encode()
    assert inside in Path("/proc/self/maps").read_bytes()
    data_trash.discard_store("one", runs)
    until(lambda: file.name.encode() not in Path("/proc/self/maps").read_bytes())


def test_what_has_come_to_its_place_meanwhile_stays(cache: Path, runs: Path) -> None:
    stores.make(cache / "one", (4,))
    id = data_trash.discard_store("one", runs)
    stores.make(cache / "one", (8, 8))
    with pytest.raises(TrashError, match="one cannot be put back: there is another one"):
        data_trash.restore(id)
    assert data_stores.about("one")["clips"] == 2 and len(data_trash.listed()) == 1


# ---- what must not go -------------------------------------------------------------------------------------------


def test_a_store_that_a_training_reads_is_refused_until_it_ends(cache: Path, runs: Path) -> None:
    folder = stores.make(cache / "one").folder
    with reading(folder / "shard-00000-016.u8") as pid:
        assert data_trash.readers(folder) == [pid]
        with pytest.raises(TrashError, match=rf"one is being read by process {pid} \(.*python.*\): end that first"):
            data_trash.discard_store("one", runs)
        fakerun.make(runs / "faces", 1000, "paused", pid=pid)
        with pytest.raises(TrashError, match="The training faces runs on one: stop it first"):
            data_trash.discard_store("one", runs)
        assert data_stores.about("one")["clips"] == 6
        other = stores.make(cache / "one more").folder
        assert data_trash.readers(other) == []
        data_trash.discard_store("one more", runs)
    until(lambda: not data_trash.readers(folder))
    data_trash.discard_store("one", runs)


def test_while_a_training_starts_its_store_is_not_known(cache: Path, runs: Path) -> None:
    stores.make(cache / "one")
    fakerun.make(runs / "young", 0, "starting", pid=os.getpid())
    with pytest.raises(TrashError, match="The training young is only starting"):
        data_trash.discard_store("one", runs)


def test_what_is_being_built_is_refused(cache: Path, runs: Path) -> None:
    stores.make(cache / "one")
    with StoreWriter(cache / "one", 16), StoreWriter(cache / "two", 16):
        with pytest.raises(TrashError, match="one is being built just now"):
            data_trash.discard_store("one", runs)
        with pytest.raises(TrashError, match="two is being built just now"):
            data_trash.discard_build("two")
    assert data_trash.listed() == []


def test_a_build_that_was_thrown_away_begins_anew(cache: Path) -> None:
    half_done(cache, "one")
    data_trash.discard_build("one")
    assert len(stores.make(cache / "one")) == 6
    assert [line["name"] for line in data_trash.listed()] == ["one"]


def test_what_lies_elsewhere_or_holds_somebodys_files_is_refused(cache: Path, runs: Path, tmp_path: Path) -> None:
    there = stores.make(tmp_path / "elsewhere").folder
    with pytest.raises(TrashError, match="lies outside the folder of stores, and nothing is deleted there"):
        data_trash.discard_store(data_stores.add(there), runs)
    mine = stores.make(cache / "mine").folder
    (mine / "notes.txt").touch()
    with pytest.raises(TrashError, match="also holds 'notes.txt'"):
        data_trash.discard_store("mine", runs)
    assert there.is_dir() and mine.is_dir()


def test_a_link_goes_and_what_it_leads_to_stays(cache: Path, runs: Path, tmp_path: Path) -> None:
    there = stores.make(tmp_path / "elsewhere").folder
    cache.mkdir()
    (cache / "link").symlink_to(there)
    id = data_trash.discard_store("link", runs)
    assert data_trash.listed()[0]["bytes"] == 0 == data_trash.empty([id])
    assert (there / "meta.json").is_file()


def test_a_trash_that_is_a_link_is_not_used(cache: Path, runs: Path, tmp_path: Path) -> None:
    stores.make(cache / "one")
    place = tmp_path / "outside" / "20260101-000000-abcdef" / "photos"
    place.mkdir(parents=True)
    data_trash.root().symlink_to(tmp_path / "outside")
    with pytest.raises(TrashError, match="is a link"):
        data_trash.discard_store("one", runs)
    assert data_trash.listed() == [] and data_trash.empty(["20260101-000000-abcdef"]) == 0 and place.is_dir()


NAMES = ["..", "../one", "/etc", ".", "", "one/", ".trash", "one\0", "20260101-000000-abcdef"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_looked_up_and_never_a_path(cache: Path, runs: Path, name: str) -> None:
    stores.make(cache / "one")
    stores.make(cache.parent / "outside")
    half_done(cache)
    data_trash.discard_build("half")
    for call, error in ((lambda: data_trash.discard_store(name, runs), data_stores.UnknownStoreError),
                        (lambda: data_trash.discard_build(name), data_stores.UnknownStoreError),
                        (lambda: data_trash.restore(name), UnknownItemError)):
        with pytest.raises(error):
            call()
    assert data_trash.empty([name]) == 0 and len(data_trash.listed()) == 1
    assert (cache / "one").is_dir() and (cache.parent / "outside").is_dir()
