"""An error about a file that cannot be written is named by the system's reason, with its cure."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pipeline.core.errors import StorageError
from pipeline.core.home import make_folder
from pipeline.core.storage_errors import reading_errors, storage_errors


@pytest.mark.parametrize(
    ("code", "cure"),
    [
        (errno.ENOSPC, "Free some space, or choose another folder."),
        (errno.EDQUOT, "Your disk quota is used up: free some space, or choose another folder."),
        (errno.EACCES, "Make it writable, or choose another folder."),
        (errno.EROFS, "Make its disk writable, or choose another folder."),
        (errno.ENAMETOOLONG, "Its path is too long: use a shorter one, or choose another folder."),
        (errno.ENODEV, "Check its folder and disk, or choose another folder."),
    ],
)
def test_cure_follows_the_reason_why_a_file_cannot_be_written(code: int, cure: str) -> None:
    with (
        pytest.raises(StorageError, match="/data/out cannot be written") as caught,
        storage_errors(Path("/data/out"), "choose another folder"),
    ):
        raise OSError(code, os.strerror(code))
    assert caught.value.cure == cure


def test_error_of_reading_is_told_apart_within_a_block_that_writes() -> None:
    with (
        pytest.raises(StorageError, match="/data/in cannot be read: Input/output error") as caught,
        storage_errors(Path("/data/out")),
        reading_errors(Path("/data/in")),
    ):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    assert caught.value.cure == "Its disk reports errors: check the disk."


def test_link_in_place_of_a_folder_is_named_with_its_missing_target(tmp_path: Path) -> None:
    link = tmp_path / "staging"
    link.symlink_to("/nonexistent/disk")
    message = f"{link} is a link to /nonexistent/disk, which does not exist"
    with pytest.raises(StorageError, match=message) as caught:
        make_folder(link / "green")
    assert "Mount the disk of the target" in caught.value.cure


def test_what_is_in_the_way_is_named_and_not_the_file_below_it(tmp_path: Path) -> None:
    in_the_way = tmp_path / "folder"
    in_the_way.write_text("a file")
    path = in_the_way / "below" / "file"
    with (
        pytest.raises(StorageError, match=f"{in_the_way} is a file: .* Move it away, or set"),
        storage_errors(path),
    ):
        path.parent.mkdir(parents=True)


def test_rename_that_fails_names_its_target(tmp_path: Path) -> None:
    (tmp_path / "new").write_text("content")
    (tmp_path / "target").mkdir()
    with (
        pytest.raises(StorageError, match=f"{tmp_path / 'target'} is a folder"),
        storage_errors(tmp_path),
    ):
        (tmp_path / "new").replace(tmp_path / "target")
