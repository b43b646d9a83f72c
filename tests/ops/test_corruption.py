"""Damaged bytes under the home end in exact tables, or in a message with a cure that works.

Each example changes one byte of one file, or cuts the file short, and then runs commands as a
person would. Where a command fails, its message must name a cure, which is followed.
"""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

import pytest

from pipeline.core.datasets import GREEN_TAXIS
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from tests.support.command import pipeline
from tests.support.files import GREEN, YELLOW, backfill, put_trips, request, rows, trip

MAY = TripFile(GREEN_TAXIS, Month(2020, 5))
COUNT = (
    "SELECT filename, count(*), sum(total_amount), count(DISTINCT unique_row_id), "
    "min(lpep_pickup_datetime), count(passenger_count), sum(PULocationID) "
    "FROM green_tripdata GROUP BY ALL ORDER BY ALL"
)
SLOW = [pytest.mark.slow, pytest.mark.timeout(900)]
LONG = [*SLOW, pytest.mark.long]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a file of every kind: staged, loaded, runs, schedules, documents, settings."""
    base = tmp_path_factory.mktemp("corruption")
    source, home = base / "source", base / "home"
    source.mkdir()
    put_trips(source, GREEN, [trip(GREEN, PULocationID=str(n % 250 + 1)) for n in range(500)])
    put_trips(source, YELLOW, [trip(YELLOW)])
    put_trips(source, MAY, [trip(MAY, total_amount=f"{n}.10") for n in range(300)])
    settings = Settings(home=home)
    backfill(settings, request(source, GREEN, MAY, YELLOW))
    document = base / "notes.md"
    document.write_text("# Notes\n\nA heron stood by the river for one hour.\n")
    for command in (
        ("answers", "add", str(document)),
        ("schedule", "add", "--color", "green", "--source", str(source)),
    ):
        assert pipeline(settings, *command).returncode == 0
    return home


def damage(home: Path, chance: random.Random) -> tuple[Path, str]:
    """Change a byte of a file under a home, or cut it short; return the file and what was done."""
    files = sorted(
        path
        for path in home.rglob("*")
        if path.is_file()
        and path.stat().st_size
        and "logs" not in path.parts
        and path.suffix != ".lock"
    )
    path = chance.choice(files)
    content = bytearray(path.read_bytes())
    if chance.random() < 0.25:
        length = chance.randrange(len(content))
        path.write_bytes(content[:length])
        return path, f"cut to {length} of {len(content)} bytes"
    place, bit = chance.randrange(len(content)), chance.randrange(8)
    content[place] ^= 1 << bit
    path.write_bytes(content)
    return path, f"bit {bit} of byte {place} of {len(content)}"


def follow_cure(settings: Settings, message: str) -> None:
    """Do what an error message says; fail if it names nothing that can be done."""
    text = " ".join(message.split())
    if "rebuild" in text:
        assert pipeline(settings, "rebuild").returncode in (0, 1)
        return
    named = [
        path
        for path in settings.home.rglob("*")
        if path.is_file() and str(path) in text.replace(" ", "")
    ]
    named += [path for path in settings.home.glob("*") if path.is_file() and path.name in text]
    assert named, f"no file is named: {message}"
    path = max(named, key=lambda path: len(str(path)))
    assert re.search(r"move|delete|remove|correct|restore", text, re.IGNORECASE), message
    for companion in ("", "-wal", "-shm", ".wal"):
        path.with_name(path.name + companion).unlink(missing_ok=True)


@pytest.mark.parametrize(
    "examples",
    [
        range(6),
        pytest.param(range(6, 40), marks=SLOW),
        *(pytest.param(range(n, n + 100), marks=LONG) for n in range(40, 440, 100)),
    ],
    ids=lambda seeds: f"{seeds.start}-{seeds.stop}",
)
def test_damaged_byte_ends_in_exact_tables_or_a_cure_that_works(
    home: Path, tmp_path: Path, examples: range
) -> None:
    expected = rows(Settings(home=home), COUNT)
    source = str(home.parent / "source")
    for seed in examples:
        copy = tmp_path / f"home-{seed}"
        shutil.copytree(home, copy)
        settings = Settings(home=copy)
        path, how = damage(copy, random.Random(seed))
        where = f"seed {seed}: {path.relative_to(copy)}, {how}"
        load = ("backfill", "--color=green", "--from=2020-04", "--to=2020-05", f"--source={source}")
        for command in (
            ("status",),
            ("runs",),
            ("schedule", "list"),
            ("answers", "list"),
            ("answers", "search", "heron"),
            (*load, "--force"),
            ("query", COUNT),
            ("verify", "--target=local"),
        ):
            for _ in range(3):  # a cure may uncover the next fault
                done = pipeline(settings, *command)
                assert "Traceback" not in done.stderr, f"{where}: {command}\n{done.stderr}"
                if done.returncode == 0:
                    break
                assert done.stderr or done.stdout, f"{where}: {command}"
                follow_cure(settings, done.stderr + done.stdout)
            assert done.returncode == 0, f"{where}: {command}\n{done.stderr}{done.stdout}"
        assert rows(settings, COUNT) == expected, where
        shutil.rmtree(copy)
