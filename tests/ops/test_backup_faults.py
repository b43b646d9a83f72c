"""A backup or restore over broken links, missing files and the remains of killed ones."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core.errors import StorageError, WarehouseError
from pipeline.core.settings.settings import Settings
from pipeline.ops.backup import back_up, read_backup
from pipeline.ops.restore import restore
from pipeline.runs.history import History
from pipeline.warehouse.local.warehouse import LocalWarehouse
from tests.ops.test_backup import KILLED_RESTORE
from tests.support.command import pipeline
from tests.support.files import GREEN, backfill, put_trips, request, rows, trip

COUNT = "SELECT count(*) FROM green_tripdata"
links = pytest.mark.skipif(sys.platform == "win32", reason="Windows needs a right for links")


def fill(settings: Settings, folder: Path, trips: int = 1) -> None:
    """Load one file of some trips."""
    put_trips(folder, GREEN, [trip(GREEN, PULocationID=str(zone)) for zone in range(1, trips + 1)])
    backfill(settings, request(folder, GREEN))


def move_to_disk(path: Path, disk: Path) -> Path:
    """Move a file to another folder and leave a relative link; return where it is."""
    disk.mkdir(exist_ok=True)
    target = disk / f"my-{path.name}"
    path.replace(target)
    path.symlink_to(os.path.relpath(target, path.parent))
    return target


def test_backup_is_refused_when_the_warehouse_is_lost_and_status_and_doctor_say_so(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    into = tmp_path / "backups"
    assert back_up(settings, into).files == ()  # nothing was loaded yet
    fill(settings, folder)
    settings.warehouse_path.unlink()
    for command in (("backup", str(into)), ("status",), ("doctor",), ("health",)):
        result = pipeline(settings, *command)
        said = "".join((result.stdout + result.stderr).split())
        assert result.returncode == 1
        assert f"{settings.warehouse_path}ismissing,althoughrunsloadedfilesintoit." in said
    assert len(list(into.iterdir())) == 1
    assert pipeline(settings, "rebuild").returncode == 0
    assert len(back_up(settings, into).files) == 2


@links
@pytest.mark.parametrize("name", ["warehouse.duckdb", "history.sqlite"])
def test_backup_and_restore_name_a_link_without_its_target(
    settings: Settings, folder: Path, tmp_path: Path, name: str
) -> None:
    fill(settings, folder)
    made = back_up(settings, tmp_path / "backups")
    target = move_to_disk(settings.home / name, tmp_path / "disk")
    target.unlink()
    problem = f"{settings.home / name} is a link to .*, which does not exist. Mount the disk"
    with pytest.raises((StorageError, WarehouseError), match=problem):
        back_up(settings, tmp_path / "backups")
    with pytest.raises(StorageError, match=problem):
        restore(settings, made.folder)
    assert list((tmp_path / "backups").iterdir()) == [made.folder]
    assert (settings.home / name).is_symlink()


@links
def test_restore_over_links_replaces_their_targets_and_keeps_the_links(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    fill(settings, folder)
    made = back_up(settings, tmp_path / "backups")
    fill(settings, folder, trips=3)
    disk = tmp_path / "disk"
    targets = [
        move_to_disk(path, disk) for path in (settings.warehouse_path, settings.history_path)
    ]
    _, before = restore(settings, made.folder)
    assert rows(settings, COUNT) == [(1,)]
    assert len(History(settings.history_path).runs()) == 1
    assert settings.warehouse_path.is_symlink()
    assert settings.history_path.is_symlink()
    assert not any(target.is_symlink() for target in targets)
    assert before is not None
    replaced = settings.model_copy(update={"home": before})
    with LocalWarehouse(replaced) as old:
        assert old.query(COUNT, limit=1).rows == [(3,)]
    assert len(History(replaced.history_path).runs()) == 2
    assert not list(disk.glob(".*"))


@links
def test_link_without_a_file_in_the_backup_is_moved_and_still_leads_to_its_data(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    fill(settings, folder)
    made = back_up(settings, tmp_path / "backups")
    answers = ("answers", "add", str(put_text(tmp_path)))
    assert pipeline(settings, *answers).returncode == 0
    move_to_disk(settings.documents_path, tmp_path / "disk")
    _, before = restore(settings, made.folder)
    assert before is not None
    assert not os.path.lexists(settings.documents_path)
    listed = pipeline(settings.model_copy(update={"home": before}), "answers", "list")
    assert "Heron" in listed.stdout


def put_text(folder: Path) -> Path:
    """Write a document."""
    path = folder / "heron.md"
    path.write_text("# Heron\n\nHeron rests.")
    return path


@links
def test_killed_restore_over_links_is_finished_by_the_next_command(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    fill(settings, folder)
    made = back_up(settings, tmp_path / "backups")
    fill(settings, folder, trips=3)
    disk, saved = tmp_path / "disk", tmp_path / "saved"
    for path in (settings.warehouse_path, settings.history_path):
        move_to_disk(path, disk)
    shutil.copytree(settings.home, saved / "home", symlinks=True)
    shutil.copytree(disk, saved / "disk")
    environment = os.environ | {"FAREGROUND_HOME": str(settings.home)}
    for renames in range(20):
        for path in (settings.home, disk):
            shutil.rmtree(path)
            shutil.copytree(saved / path.name, path, symlinks=True)
        arguments = [sys.executable, "-c", KILLED_RESTORE, str(made.folder), str(renames)]
        ended = subprocess.run(arguments, env=environment, check=False)
        assert pipeline(settings, "status").returncode == 0
        if renames == 0:
            assert rows(settings, COUNT) == [(3,)]
            continue
        assert rows(settings, COUNT) == [(1,)], renames
        assert settings.warehouse_path.is_symlink()
        (before,) = settings.home.glob("before-restore-*")
        replaced = settings.model_copy(update={"home": before})
        with LocalWarehouse(replaced) as old:
            assert old.query(COUNT, limit=1).rows == [(3,)]
        assert len(History(replaced.history_path).runs()) == 2
        if ended.returncode == 0:
            break
    assert ended.returncode == 0
    assert renames > 4


# Waits where a backup is almost complete.
STOPPED = """
import sys, time
from pathlib import Path
from pipeline.core.settings.settings import load_settings
from pipeline.ops import backup

def wait(*_):
    print("stopped", flush=True)
    time.sleep(60)
backup._write_manifest = wait
backup.back_up(load_settings(), Path(sys.argv[1]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills with SIGKILL")
def test_next_backup_removes_what_a_killed_one_left_and_spares_that_of_a_living_one(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    fill(settings, folder)
    into = tmp_path / "backups"
    environment = os.environ | {"FAREGROUND_HOME": str(settings.home)}
    arguments = [sys.executable, "-c", STOPPED, str(into)]
    with subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (unfinished,) = into.iterdir()
        first = back_up(settings, into)
        assert set(into.iterdir()) == {unfinished, first.folder}
        process.send_signal(signal.SIGKILL)
    second = back_up(settings, into)
    assert set(into.iterdir()) == {first.folder, second.folder}
    assert read_backup(second.folder, settings) == second


@links
@pytest.mark.parametrize("kind", ["device", "link", "file"])
def test_folder_that_cannot_take_a_backup_is_named_with_a_cure_that_fits(
    settings: Settings, tmp_path: Path, kind: str
) -> None:
    into = Path("/dev/null") if kind == "device" else tmp_path / "into"
    if kind == "link":
        into.symlink_to(tmp_path / "missing")
    elif kind == "file":
        into.write_text("a file")
    with pytest.raises(StorageError, match=f"{into} is a {kind}") as caught:
        back_up(settings, into)
    removal = "Mount the disk of the target, remove the link" if kind == "link" else "Move it away"
    assert caught.value.cure == f"{removal}, or choose another folder for the backup."


def test_folder_in_place_of_a_store_is_named_by_the_backup(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    fill(settings, folder)
    settings.documents_path.mkdir()
    problem = f"{settings.documents_path} is a folder. Move it away."
    with pytest.raises(StorageError, match=problem):
        back_up(settings, tmp_path / "backups")
    assert list((tmp_path / "backups").iterdir()) == []
