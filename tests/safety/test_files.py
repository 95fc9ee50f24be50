"""Files are whole or not there, and private unless said otherwise."""

from pathlib import Path

import pytest

from tools.safety import files
from tools.safety.files import PUBLIC, write_first, write_whole


def test_a_file_is_replaced_whole_and_leaves_no_draft(tmp_path: Path) -> None:
    write_whole(tmp_path / "x", b"first")
    write_whole(tmp_path / "x", b"second", PUBLIC)
    assert (tmp_path / "x").read_bytes() == b"second"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_who_writes_first_stays_and_leaves_no_draft(tmp_path: Path) -> None:
    write_first(tmp_path / "x", b"first")
    write_first(tmp_path / "x", b"second")
    assert (tmp_path / "x").read_bytes() == b"first"
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize(("mode", "others"), [((), 0), ((PUBLIC,), 0o044)])
def test_its_owner_alone_reads_it_unless_said_otherwise(
    tmp_path: Path, mode: tuple[int, ...], others: int
) -> None:
    write_whole(tmp_path / "x", b"words", *mode)
    assert (tmp_path / "x").stat().st_mode & 0o077 == others


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"mine")
    (tmp_path / "x").symlink_to(tmp_path / "victim")
    write_whole(tmp_path / "x", b"words")
    assert (tmp_path / "victim").read_bytes() == b"mine"
    assert not (tmp_path / "x").is_symlink()


def test_a_write_that_fails_leaves_the_earlier_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_whole(tmp_path / "x", b"first")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(tmp_path / "x", b"second")
    assert (tmp_path / "x").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
