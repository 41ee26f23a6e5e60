"""Files that are complete or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pvswgan.files import write_bytes, write_text


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    for text in ("first", "zweite Fassung: äöü"):
        write_text(file, text)
        assert file.read_text(encoding="utf-8") == text
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this machine has no /dev/full")
def test_on_a_full_disk_the_old_file_stays_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    write_bytes(file, b"old")
    (tmp_path / f".{file.name}.{os.getpid()}.tmp").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        write_bytes(file, b"new" * 5000)
    assert file.read_bytes() == b"old" and list(tmp_path.iterdir()) == [file]
