"""The store of schedules: changes from several threads, damage, and stores of earlier versions."""

from __future__ import annotations

import gzip
import os
import pickle
import random
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine

from pipeline.core.datasets import GREEN_TAXIS, YELLOW_TAXIS
from pipeline.core.errors import FaregroundError, StorageError, UsageError
from pipeline.core.events import log_path
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month
from pipeline.runs.schedule import CatchUp, Schedule
from pipeline.runs.schedule.apscheduler_jobs import read_pickle
from pipeline.runs.schedule.firings import Firing
from pipeline.runs.schedule.store import DamagedSchedule, Schedules, StoredSchedule

# What `apscheduler_store/write.py` wrote with an earlier version.
EARLIER = Path(__file__).parent / "apscheduler_store"
ADDED_AT = datetime(2026, 10, 20, 12, tzinfo=UTC)
GREEN = Schedule("green-local", GREEN_TAXIS, Month(2026, 7), source="published")
STORED = {
    "berlin-paused": StoredSchedule(
        Schedule("berlin-paused", YELLOW_TAXIS, Month(2025, 12), source="sample", day=25, hour=2,
                 minute=30, timezone="Europe/Berlin", catch_up=CatchUp.LAST),
        ADDED_AT, next_time=None, retry_at=None,
    ),
    "green-local": StoredSchedule(
        GREEN, ADDED_AT,
        next_time=datetime(2026, 12, 1, 14, tzinfo=UTC),
        retry_at=datetime(2026, 11, 1, 20, 0, 1, tzinfo=UTC),
        latest=Firing(1, "green-local", "loaded", datetime(2026, 11, 1, 14, 0, 1, tzinfo=UTC),
                      datetime(2026, 11, 1, 14, 0, 1, tzinfo=UTC),
                      "loaded green 2026-08; 2026-09 is not published yet",
                      "20261101-140001-a177526e"),
    ),
    "kathmandu": StoredSchedule(
        Schedule("kathmandu", GREEN_TAXIS, Month(2009, 1), source="github", day=28, hour=5,
                 minute=45, timezone="Asia/Kathmandu", catch_up=CatchUp.NONE, lag=24),
        ADDED_AT, next_time=datetime(2026, 11, 28, tzinfo=UTC), retry_at=None,
    ),
    "lord-howe": StoredSchedule(
        Schedule("lord-howe", YELLOW_TAXIS, Month(2026, 1), target="gcp", day=4, hour=2, minute=15,
                 timezone="Australia/Lord_Howe"),
        ADDED_AT, next_time=datetime(2026, 11, 3, 15, 15, tzinfo=UTC), retry_at=None,
    ),
    "up-to-date": StoredSchedule(
        replace(GREEN, name="up-to-date", since=Month(2026, 8), hour=9, minute=5, lag=3),
        ADDED_AT, next_time=datetime(2026, 12, 1, 14, 5, tzinfo=UTC), retry_at=None,
        latest=Firing(2, "up-to-date", "up-to-date", datetime(2026, 11, 1, 14, 5, 1, tzinfo=UTC),
                      datetime(2026, 11, 1, 14, 5, 1, tzinfo=UTC),
                      "green 2026-08 is the newest month of published, and loaded"),
    ),
    "utc": StoredSchedule(
        Schedule("utc", GREEN_TAXIS, Month(2026, 6), source="https://trips.example.com/nyc/",
                 timezone="UTC", day=15, hour=0),
        ADDED_AT, next_time=datetime(2026, 11, 15, tzinfo=UTC), retry_at=None,
        latest=Firing(4, "utc", "running", datetime(2026, 11, 1, 15, 0, 6, tzinfo=UTC)),
    ),
    "yellow-local": StoredSchedule(
        Schedule("yellow-local", YELLOW_TAXIS, Month(2026, 8), source="gone", hour=10,
                 catch_up=CatchUp.LAST, lag=1),
        ADDED_AT,
        next_time=datetime(2026, 12, 1, 15, tzinfo=UTC),
        retry_at=datetime(2026, 11, 1, 21, 0, 1, tzinfo=UTC),
        latest=Firing(3, "yellow-local", "failed", datetime(2026, 11, 1, 15, 0, 1, tzinfo=UTC),
                      datetime(2026, 11, 1, 15, 0, 1, tzinfo=UTC),
                      "There is no source or folder 'gone'. Use github, tlc, sample, an existing "
                      "folder, or a URL."),
    ),
}  # fmt: skip


def put_earlier_stores(home: Path) -> None:
    """Make a home with the stores of an earlier version."""
    home.mkdir()
    for name in ("schedules.sqlite", "looks.sqlite"):
        content = gzip.decompress((EARLIER / f"{name}.gz").read_bytes())
        (home / name).write_bytes(content)


@pytest.fixture
def earlier(settings: Settings) -> Settings:
    """Return settings whose home has the stores of an earlier version."""
    put_earlier_stores(settings.home)
    return settings


def execute(settings: Settings, statement: str, *values: object) -> list[Any]:
    """Run a statement on the file of schedules."""
    connection = sqlite3.connect(settings.home / "schedules.sqlite")
    try:
        with connection:
            return connection.execute(statement, values).fetchall()
    finally:
        connection.close()


def job_state(settings: Settings, job_id: str) -> bytes:
    ((state,),) = execute(settings, "SELECT job_state FROM apscheduler_jobs WHERE id = ?", job_id)
    assert isinstance(state, bytes)
    return state


def put_job_state(settings: Settings, job_id: str, state: bytes) -> None:
    execute(settings, "UPDATE apscheduler_jobs SET job_state = ? WHERE id = ?", state, job_id)


def whole_seconds(moment: datetime | None) -> datetime | None:
    return moment and moment.replace(microsecond=0)


def rounded(stored: StoredSchedule) -> StoredSchedule:
    """Return a stored schedule without fractions of seconds."""
    latest = stored.latest and replace(
        stored.latest,
        begun_at=stored.latest.begun_at.replace(microsecond=0),
        ended_at=whole_seconds(stored.latest.ended_at),
    )
    return replace(
        stored,
        added_at=stored.added_at.replace(microsecond=0),
        retry_at=whole_seconds(stored.retry_at),
        latest=latest,
    )


def add(settings: Settings, **changes: Any) -> Schedules:
    schedules = Schedules(settings)
    schedules.add(replace(GREEN, **changes))
    return schedules


# --- Stores of an earlier version -----------------------------------------------------------------


def test_store_of_an_earlier_version_is_carried_over_complete(earlier: Settings) -> None:
    schedules, damaged = Schedules(earlier).read()
    assert damaged == []
    assert {stored.schedule.name: rounded(stored) for stored in schedules} == STORED


def test_store_of_an_earlier_version_is_carried_over_once(earlier: Settings) -> None:
    schedules = Schedules(earlier)
    schedules.remove("utc")
    schedules.pause("lord-howe")
    again = Schedules(earlier)
    assert {stored.schedule.name for stored in again.all()} == STORED.keys() - {"utc"}
    assert not again.get("lord-howe").enabled
    assert execute(earlier, "SELECT count(*) FROM apscheduler_jobs") == [(9,)]


def test_threads_that_open_an_earlier_store_at_once_carry_it_over_once(earlier: Settings) -> None:
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: Schedules(earlier).read(), range(8)))
    assert all(len(schedules) == 7 and not damaged for schedules, damaged in results)


def test_retries_of_an_earlier_store_are_due_at_their_time(earlier: Settings) -> None:
    schedules = Schedules(earlier)
    now = datetime(2026, 11, 1, 20, 30, tzinfo=UTC)
    due = [stored for stored in schedules.all() if schedules.claim(stored, now)]
    assert [stored.schedule.name for stored in due] == ["green-local"]
    assert schedules.get("green-local").next_time == datetime(2026, 12, 1, 14, tzinfo=UTC)
    assert schedules.get("green-local").retry_at is None


def attack(trace: Path, job_id: str = "utc") -> bytes:
    """Return a pickle that makes a file when it is loaded."""

    class Command:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch {trace}",)

    return pickle.dumps({"id": job_id, "kwargs": Command()})


@pytest.mark.parametrize("job_id", ["utc", "green-local again 2026-11-01T20:00:01.905887+00:00"])
def test_hostile_pickle_is_refused_by_name_and_neither_run_nor_deleted(
    earlier: Settings, tmp_path: Path, job_id: str
) -> None:
    trace = tmp_path / "trace"
    hostile = attack(trace, job_id)
    pickle.loads(hostile)
    assert trace.exists(), "the attack works where a pickle is loaded"
    trace.unlink()
    put_job_state(earlier, job_id, hostile)
    schedules, damaged = Schedules(earlier).read()
    (error,) = damaged
    assert error.name == job_id
    assert "it names 'posix.system'" in str(error)
    assert {stored.schedule.name for stored in schedules} == STORED.keys() - {job_id}
    assert job_state(earlier, job_id) == hostile
    assert not trace.exists()


def test_pickle_of_a_renamed_class_is_reported_and_left(earlier: Settings) -> None:
    state = job_state(earlier, "utc").replace(b"MonthlyTrigger", b"MonthlyTriggeq")
    put_job_state(earlier, "utc", state)
    with pytest.raises(DamagedSchedule, match=r"it names 'pipeline\.schedule\.MonthlyTriggeq'"):
        Schedules(earlier).get("utc")
    assert job_state(earlier, "utc") == state
    assert len(Schedules(earlier).all()) == 6


def test_no_damaged_byte_of_a_pickle_raises_anything_but_errors(earlier: Settings) -> None:
    state = job_state(earlier, "utc")
    for position in range(len(state)):
        for bit in (1, 0x20, 0x80):
            damaged = bytearray(state)
            damaged[position] ^= bit
            try:
                read_pickle(bytes(damaged))
            except (ValueError, IndexError, KeyError, TypeError, AttributeError):
                continue


def test_every_damaged_byte_of_an_earlier_row_leaves_the_schedule_or_a_report(
    earlier: Settings, tmp_path: Path
) -> None:
    original = (earlier.home / "schedules.sqlite").read_bytes()
    start = original.index(b"pipeline.schedule.scheduler:fire_schedule")
    positions = random.Random(18).sample(range(start - 60, start + 580), 30)
    for number, position in enumerate(positions):
        home = tmp_path / f"home-{number}"
        home.mkdir()
        damaged = bytearray(original)
        damaged[position] ^= 1
        (home / "schedules.sqlite").write_bytes(damaged)
        settings = earlier.model_copy(update={"home": home})
        schedules, errors = Schedules(settings).read()
        assert len(schedules) + len(errors) == 7, position
        assert execute(settings, "SELECT count(*) FROM apscheduler_jobs") == [(9,)]


@pytest.mark.parametrize(
    "bomb",
    [
        b"\x80\x05r\xff\xff\xff\x7f.",  # a place in the memo that needs 32 GB
        b"\x80\x05)" + b"\x94h\x00\x86" * 60 + b".",  # tuples of tuples: 2 ** 60 elements
        b"\x80\x05X\xff\xff\xff\xffabc.",  # a text of 4 GB
        b"\x80\x05" + b"(" * 100_000 + b".",
        b"\x80\x05",
        b"",
    ],
)
def test_bomb_in_a_pickle_is_refused(bomb: bytes, earlier: Settings) -> None:
    put_job_state(earlier, "utc", bomb)
    schedules, (error,) = Schedules(earlier).read()
    assert (len(schedules), error.name) == (6, "utc")


# --- Damage in the store of this version ----------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("color", "grfen"), ("since", "2026-13"), ("target", "aws"), ("day", 31), ("hour", 9.5),
        ("minute", "0x"), ("timezone", "America/New_Yorj"), ("catch_up", None), ("lag", 0),
        ("source", b"tlc"), ("added_at", "2026-11-01"), ("next_at", "2026-12-01 14:00:00+00:00"),
        ("retry_at", "soon"), ("color", "gr\udce9en"),
    ],
)  # fmt: skip
def test_damaged_schedule_is_reported_and_left_and_the_others_go_on(
    settings: Settings, column: str, value: object
) -> None:
    schedules = add(settings)
    schedules.add(replace(GREEN, name="other"))
    if isinstance(value, str):
        raw = value.encode("utf-8", "surrogateescape")  # bytes that are no UTF-8 text
        execute(
            settings,
            f"UPDATE schedules SET {column} = CAST(? AS TEXT) WHERE name = 'green-local'",
            raw,
        )
    else:
        execute(settings, f"UPDATE schedules SET {column} = ? WHERE name = 'green-local'", value)
    stored, (error,) = schedules.read()
    assert [other.schedule.name for other in stored] == ["other"]
    assert error.name == "green-local"
    with pytest.raises(DamagedSchedule):
        schedules.pause("green-local")
    with pytest.raises(UsageError, match="already"):
        add(settings)
    assert execute(settings, "SELECT count(*) FROM schedules") == [(2,)]
    schedules.remove("green-local")
    add(settings)
    assert len(schedules.all()) == 2


def test_no_damaged_byte_of_the_file_deletes_a_schedule(settings: Settings, tmp_path: Path) -> None:
    add(settings)
    execute(settings, "PRAGMA wal_checkpoint(TRUNCATE)")
    original = (settings.home / "schedules.sqlite").read_bytes()
    row = original.rindex(b"green-local")
    positions = [
        *range(row - 40, len(original), 2),
        *random.Random(18).sample(range(len(original)), 30),
    ]
    for position in positions:
        home = tmp_path / f"home-{position}"
        home.mkdir(exist_ok=True)
        damaged = bytearray(original)
        damaged[position] ^= 1
        path = home / "schedules.sqlite"
        path.write_bytes(damaged)
        schedules = Schedules(settings.model_copy(update={"home": home}))
        try:
            stored, errors = schedules.read()
        except StorageError:
            assert path.read_bytes()[100:] == damaged[100:], position
        else:
            assert len(stored) + len(errors) == 1, position


def test_damaged_firing_puts_the_log_aside_and_says_so_once(settings: Settings) -> None:
    schedules = add(settings)
    schedules.firings.begin("green-local", datetime.now(UTC))
    connection = sqlite3.connect(settings.home / "looks.sqlite")
    with connection:
        connection.execute("UPDATE looks SET begun_at = 'soon'")
    connection.close()
    for _ in range(3):
        (stored,) = schedules.all()
        assert stored.latest is None
    (aside,) = settings.home.glob("looks.sqlite.damaged-*[0-9]")
    log = log_path(settings.home).read_text()
    assert log.count("looks.sqlite is damaged") == 1
    assert f"It is now {aside.name}, and a new log begins." in log


def test_no_damaged_byte_of_the_log_of_firings_keeps_a_schedule_from_firing(
    settings: Settings, tmp_path: Path
) -> None:
    schedules = add(settings)
    for hour in range(6):
        begun = schedules.firings.begin("green-local", datetime(2026, 11, 1, hour, tzinfo=UTC))
        schedules.firings.end(begun, "loaded", "loaded green 2026-08", "run", begun.begun_at)
    for name in ("schedules.sqlite", "looks.sqlite"):
        connection = sqlite3.connect(settings.home / name)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
    original = (settings.home / "looks.sqlite").read_bytes()
    used = [position for position, byte in enumerate(original) if byte]
    aside = 0
    for position in [*range(0, 100, 2), *random.Random(4).sample(used, 100)]:
        home = tmp_path / f"home-{position}"
        home.mkdir(exist_ok=True)
        shutil.copy(settings.home / "schedules.sqlite", home)
        damaged = bytearray(original)
        damaged[position] ^= 0x41
        (home / "looks.sqlite").write_bytes(damaged)
        schedules = Schedules(settings.model_copy(update={"home": home}))
        (stored,) = schedules.all()
        firing = schedules.claim(replace(stored, latest=None), stored.next_time or DUE)
        assert firing is not None, position
        schedules.firings.end(firing, "loaded", "", None, DUE)
        schedules.all()
        aside += len(list(home.glob("looks.sqlite.damaged-*[0-9]")))
    assert aside > 30


def test_log_of_firings_that_is_only_locked_is_not_put_aside(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedules = add(settings)
    schedules.firings.begin("green-local", datetime.now(UTC))
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, **_: connect(path, timeout=0.05))
    other = connect(settings.home / "looks.sqlite")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StorageError, match="locked"):
        schedules.firings.begin("green-local", datetime.now(UTC))
    other.close()
    assert len(schedules.firings.latest("green-local", 9)) == 1
    assert not list(settings.home.glob("*damaged*"))


# --- Claims ---------------------------------------------------------------------------------------

DUE = datetime(2026, 12, 1, 14, 0, 1, tzinfo=UTC)  # a second after 09:00 in New York


@pytest.fixture
def due(settings: Settings) -> Schedules:
    """Return schedules of which one, green-local, is due at `DUE`."""
    with time_machine.travel(DUE - timedelta(days=3)):
        return add(settings)


def test_firing_that_two_threads_claim_begins_once(due: Schedules) -> None:
    stored = due.get("green-local")
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda _: due.claim(stored, DUE), range(8)))
    assert sum(claim is not None for claim in claims) == 1
    assert len(due.firings.latest("green-local", 9)) == 1
    assert due.get("green-local").next_time == datetime(2027, 1, 1, 14, tzinfo=UTC)


def test_schedule_that_is_paused_before_its_claim_stays_paused(due: Schedules) -> None:
    stored = due.get("green-local")
    due.pause("green-local")
    assert due.claim(stored, DUE) is None
    assert not due.get("green-local").enabled
    assert due.firings.latest("green-local") == []


def test_claim_whose_firing_cannot_be_logged_leaves_the_schedule_due(
    due: Schedules, settings: Settings
) -> None:
    stored = due.get("green-local")
    log = settings.home / "looks.sqlite"
    for path in settings.home.glob("looks.sqlite*"):
        path.unlink()
    log.mkdir()
    with pytest.raises(FaregroundError):
        due.claim(stored, DUE)
    log.rmdir()
    assert due.get("green-local").next_time == stored.next_time


def test_paused_schedule_is_not_retried(due: Schedules) -> None:
    due.set_retry("green-local", DUE)
    due.pause("green-local")
    assert due.get("green-local").retry_at is None
    due.set_retry("green-local", DUE)
    assert due.get("green-local").retry_at is None


def test_resume_of_a_schedule_that_is_not_paused_leaves_its_times(due: Schedules) -> None:
    due.set_retry("green-local", DUE)
    before = due.get("green-local")
    with time_machine.travel(DUE + timedelta(hours=1)):
        due.resume("green-local")
    assert due.get("green-local") == before


def test_schedule_added_under_a_relative_home_is_due_under_the_absolute_one(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with time_machine.travel(DUE - timedelta(days=3)):
        add(settings.model_copy(update={"home": Path("home")}))
    schedules = Schedules(settings)
    assert schedules.claim(schedules.get("green-local"), DUE) is not None
