"""Text and bytes thrown at all that reads what people write: nothing escapes but our errors.

`python -m tests.fuzz` (`make fuzz`) runs every target with all its cases, and says how many there
were and how long they took; tests/project/test_fuzz.py runs a few of each.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import io
import json
import lzma
import os
import sys
import time
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any, get_args
from urllib.parse import urlsplit

import pyarrow
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pages.components.common.choice import command_line, read_params, write_params
from pipeline.answers.suites.suites import parse_suite
from pipeline.core.cancel import Cancel
from pipeline.core.datasets import DATASETS, GREEN_TAXIS, YELLOW_TAXIS, find_dataset
from pipeline.core.errors import FaregroundError, TripFileError
from pipeline.core.redact import MARK, redact
from pipeline.core.settings import settings as settings_module
from pipeline.core.settings.files import read_json, read_toml
from pipeline.core.settings.settings import Settings, load_settings, variable_name
from pipeline.core.trips import Month, Selection, TripFile
from pipeline.files.download import stage
from pipeline.files.nearby import trip_file_named
from pipeline.files.offers import Format, Missing, Unknown
from pipeline.files.prepare import prepare
from pipeline.files.sources import open_source
from pipeline.files.verify import verify
from pipeline.ops.setting_values import find_fault, read_values
from pipeline.preview.columns import read_columns
from pipeline.runs.policy import Policy
from pipeline.runs.schedule import CatchUp, Schedule, parse_time, read_schedule
from pipeline.warehouse import LoadJob, LoadMonitor
from pipeline.warehouse.registry import open_warehouse
from tests.support.files import GREEN, csv_bytes, header, trip

# Characters that have bitten readers of text: line ends, quotes, zero, marks, halves of letters.
_CONTROLS = ["", "\0", "\n", "\r", "\r\n", "\t", "\x1a", "\x7f", "\ufeff", "\u2028", "\udc80"]
_MARKS = ['"', '""', "'", ",", ";", "\\", " ", "-", "=1+1", "é", "名", "😀", "٣", "²"]
_WORDS = ["1e999", "nan", "Infinity", "0x1F", "${x}", "../../etc/passwd", "'; DROP TABLE runs; --"]
ODD = st.sampled_from([*_CONTROLS, *_MARKS, *_WORDS, "<script>", "![](http://x)"])
TEXT = st.lists(st.one_of(ODD, st.text(max_size=12)), max_size=6).map("".join)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@cache
def _home() -> Path:
    """A folder of this process alone."""
    return Path(mkdtemp(prefix="fareground-fuzz-"))


# --- The header of a csv, and what verify makes of any bytes -------------------------------------

_NAMES = st.one_of(
    st.sampled_from([*header(GREEN_TAXIS), *header(YELLOW_TAXIS), "Airport_fee", "vendorid"]), TEXT
)
_HEADERS = st.one_of(
    st.lists(_NAMES, max_size=30),
    st.permutations(header(GREEN_TAXIS)),
    st.tuples(st.just(header(GREEN_TAXIS)), st.lists(_NAMES, max_size=3)).map(
        lambda t: t[0] + t[1]
    ),
)
_LINES = st.lists(TEXT, max_size=5)
_ENDS = st.sampled_from(["\n", "\r\n", "\r", "\n\n", ""])


@st.composite
def _contents(draw: st.DrawFn) -> bytes:
    end = draw(_ENDS)
    text = _bytes(end.join([",".join(draw(_HEADERS)), *draw(_LINES)]))
    kind = draw(st.integers(0, 5))
    if kind == 0:
        return draw(st.binary(max_size=300))
    if kind == 1:
        return b"PAR1" + text + b"PAR1"
    text = draw(st.sampled_from([text, text.replace(b",", b";"), _in_utf16(text)]))
    for _ in range(draw(st.integers(0, 2))):
        text = draw(_PACKERS)(text)
    if kind == 2 and text:  # damaged somewhere
        damaged = bytearray(text)
        damaged[draw(st.integers(0, len(text) - 1))] ^= draw(st.integers(1, 255))
        return bytes(damaged)
    if kind == 3:  # cut, or with something behind
        return text[: draw(st.integers(0, len(text)))] + draw(st.binary(max_size=5))
    return text


def _in_utf16(text: bytes) -> bytes:
    return text.decode(errors="replace").encode("utf-16", errors="replace")


def _in_zip(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("trips.csv", content)
    return out.getvalue()


def _in_zstd(content: bytes) -> bytes:
    sink = pyarrow.BufferOutputStream()
    with pyarrow.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return bytes(sink.getvalue())


def _in_xz(content: bytes) -> bytes:
    return lzma.compress(content, preset=0)


_PACKERS: st.SearchStrategy[Callable[[bytes], bytes]] = st.sampled_from(
    [gzip.compress, zlib.compress, bz2.compress, _in_xz, _in_zip, _in_zstd]
)


def csv_header(content: bytes, format: Format) -> None:
    """Any bytes, under any of the three names, are a trip file or refused as none."""
    path = _home() / f"a.{format}"
    path.write_bytes(content)
    with suppress(TripFileError):
        verify(path, GREEN, format, "https://host/a", 2**24, Cancel())
    with suppress(TripFileError):
        prepare(path, GREEN, "https://host/a", path.with_name("rewritten"), 2**24, Cancel())
    read_columns(path, format)


# --- Rows, all the way into the warehouse --------------------------------------------------------

_CELLS = st.one_of(
    st.sampled_from(["", "1", "0", "-5", "1.0", "1.7", "32768", "9999999.99", "1e5", "N", "Y"]),
    st.sampled_from(["2020-04-01 08:00:00", "2020-02-30 00:00:00", "2041-01-01", "0001-01-01"]),
    TEXT,
)
_ROWS = st.lists(
    st.dictionaries(st.sampled_from(header(GREEN_TAXIS)), _CELLS, max_size=5), max_size=4
)


@st.composite
def _tables(draw: st.DrawFn) -> bytes:
    """A csv whose cells are odd but well quoted, or with something broken into it."""
    rows = [trip(GREEN, **changes) for changes in draw(_ROWS)]
    cells = [{name: _text(value) for name, value in row.items()} for row in rows]
    text = csv_bytes(GREEN, cells, newline=draw(st.sampled_from(["\n", "\r\n", "\r"])))
    if draw(st.booleans()):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + _bytes(draw(TEXT)) + text[at + draw(st.integers(0, 3)) :]
    return text


def _text(value: Any) -> Any:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def csv_rows(content: bytes) -> None:
    """A file of any rows loads with every line accounted for, or fails and says why."""
    home = Settings(home=_home() / "loading", max_rejected_share=1.0, download_attempts=1)
    folder = _home() / "source"
    folder.mkdir(exist_ok=True)
    (folder / f"{GREEN.stem}.csv").write_bytes(content)
    offer = open_source(str(folder), home).probe([GREEN])[GREEN]
    assert not isinstance(offer, (Missing, Unknown))
    with suppress(FaregroundError):
        staged = stage(offer, home, Cancel())
        with open_warehouse("local", home) as warehouse:
            entry = warehouse.load(staged, LoadJob("a-run", "fuzz"), LoadMonitor())
        assert (entry.rows or 0) + (entry.rejected or 0) == staged.data_lines


# --- Months, ranges, names, addresses ------------------------------------------------------------

_MONTHS = st.one_of(
    st.builds("{:04d}-{:02d}".format, st.integers(0, 10_000), st.integers(0, 14)),
    st.from_regex(r"\A\d{1,5}-\d{1,3}\Z"),
    TEXT,
)


def months(text: str, other: str, dataset: str) -> None:
    """Any words for colors and months are a selection, or refused with what may be written."""
    with suppress(FaregroundError):
        first, last = Month.parse(text), Month.parse(other)
        assert str(first) == text.strip()
        files = Selection((find_dataset(dataset),), first, last).files()
        assert [TripFile.parse(file.filename) for file in files] == list(files)
    with suppress(FaregroundError):
        TripFile.parse(f"{dataset}_tripdata_{text}.csv{other}")
    with suppress(FaregroundError):
        Policy.parse(text)
    with suppress(FaregroundError):
        CatchUp.parse(text)
    with suppress(FaregroundError):
        parse_time(text)


_ADDRESSES = st.dictionaries(
    st.sampled_from(["color", "from", "to", "source", "policy", "force", "x"]),
    st.lists(st.one_of(_MONTHS, st.sampled_from(["green", "all", "yes", "tlc"])), max_size=3),
)


def page_address(params: dict[str, list[str]]) -> None:
    """Any address of the Backfill page shows a choice, which its own link leads back to."""
    choice, problems = read_params(params)
    assert all(isinstance(problem, str) for problem in problems)
    with suppress(FaregroundError):
        request = choice.request()
        command_line(request)
        assert read_params(write_params(choice))[0] == choice


_SOURCES = st.one_of(
    TEXT, st.builds("{}:{}".format, st.sampled_from(["https", "file", "ftp", "C"]), TEXT),
    st.builds("http{}://{}:{}@{}/{}".format, st.sampled_from(["", "s"]), TEXT, TEXT, TEXT, TEXT),
)  # fmt: skip


def sources(text: str) -> None:
    """Any words for a source or a file are one, or refused; a login in it never shows."""
    with suppress(FaregroundError):
        found = open_source(text, Settings(home=_home()))
        assert "@" not in urlsplit(found.name).netloc
    trip_file_named(text)


_SCHEDULES = st.fixed_dictionaries(
    {"name": st.one_of(st.just("green"), TEXT), "dataset": st.sampled_from([*DATASETS, "red"])},
    optional={
        "since": _MONTHS,
        "target": st.one_of(st.just("gcp"), TEXT),
        "source": TEXT,
        "day": st.integers(-5, 40),
        "hour": st.integers(-5, 40),
        "minute": st.integers(-5, 99),
        "timezone": st.one_of(st.sampled_from(["UTC", "America/New_York", ".", "Europe"]), TEXT),
        "catch_up": TEXT,
        "lag": st.integers(-5, 40),
    },
)


def schedules(values: dict[str, Any]) -> None:
    """Any values of a schedule are one, or refused."""
    with suppress(FaregroundError):
        parsed = {
            **values,
            "dataset": find_dataset(values["dataset"]),
            "since": Month.parse(values.get("since", "2020-01")),
            "catch_up": CatchUp.parse(values.get("catch_up", "all")),
        }
        schedule = Schedule(**parsed)
        from pipeline.runs.schedule import write_schedule

        assert read_schedule(write_schedule(schedule)) == schedule


# --- Settings ------------------------------------------------------------------------------------

_FIELDS = st.sampled_from(sorted(Settings.model_fields))
_VALUES = st.one_of(
    TEXT,
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["1GB", "none", "{}", "[]", "null", "true", "~", "/dev/null", "e30=", "//["]),
)


def one_setting(field: str, text: str) -> None:
    """Any text for a setting is taken, or refused by the name of its variable."""
    find_fault(field, text)
    if field == "home" or "\0" in text:
        return  # where this process would write; and no environment can hold a zero byte
    name = variable_name(field)
    before = os.environ.get(name)
    os.environ[name] = _text(text)
    try:
        with suppress(FaregroundError):
            load_settings()
        read_values()
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before


_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=6,
)
_TOML = st.lists(
    st.builds(
        "{} = {}".format,
        st.one_of(_FIELDS.map(variable_name), TEXT),
        st.one_of(
            TEXT, TEXT.map(json.dumps), st.sampled_from(["1", "[1]", "{a = 1}", "1979-05-27"])
        ),
    ),
    max_size=5,
).map("\n".join)
_SAVED = st.dictionaries(_FIELDS.map(variable_name), st.one_of(TEXT, _JSON), max_size=5)
_FILES = st.one_of(
    st.binary(max_size=200),
    _TOML.map(_bytes),
    _JSON.map(lambda value: json.dumps(value).encode()),
    _SAVED.map(lambda value: json.dumps(value).encode()),
    st.builds(lambda depth: b"[" * depth, st.sampled_from([10, 1_000, 100_000])),
)


def setting_files(content: bytes, saved: bytes) -> None:
    """Any secrets.toml and settings.json are settings, or refused by the name of the file."""
    home = _home() / "settings"
    home.mkdir(exist_ok=True)
    secrets = home / "secrets.toml"
    secrets.write_bytes(content)
    (home / "settings.json").write_bytes(saved)
    with suppress(FaregroundError):
        read_toml(secrets)
    with suppress(FaregroundError):
        read_json(home / "settings.json")
    before, settings_module.SECRETS_PATH = settings_module.SECRETS_PATH, secrets
    given_home = os.environ.get("FAREGROUND_HOME")
    os.environ["FAREGROUND_HOME"] = str(home)
    try:
        with suppress(FaregroundError):
            load_settings()
        with suppress(FaregroundError):
            read_values()
    finally:
        settings_module.SECRETS_PATH = before
        os.environ.pop("FAREGROUND_HOME")
        if given_home is not None:
            os.environ["FAREGROUND_HOME"] = given_home


# --- Question sets -------------------------------------------------------------------------------

_CHECKS = st.dictionaries(
    st.sampled_from(["all", "any", "none", "number", "tolerance", "date", "x"]), _JSON, max_size=3
)
_QUESTIONS = st.fixed_dictionaries(
    {"question": st.one_of(st.just("How many?"), _JSON)},
    optional={
        "id": _JSON,
        "kind": st.one_of(st.sampled_from(["answerable", "unanswerable", "false-premise"]), _JSON),
        "checks": st.one_of(st.lists(_CHECKS, max_size=2), _JSON),
    },
)
_SUITES = st.fixed_dictionaries(
    {"suite": st.one_of(st.just("a"), _JSON), "document": st.one_of(st.just("own:"), _JSON)},
    optional={"about": _JSON, "questions": st.one_of(st.lists(_QUESTIONS, max_size=3), _JSON)},
)
_YAML = st.lists(
    st.builds(
        "{}{}{}".format,
        st.sampled_from(
            ["", "- ", "  ", "? ", "suite: ", "questions:\n  - ", "date: ", "&a ", "!!"]
        ),
        st.one_of(
            TEXT, st.sampled_from(["2025-13-45", "12:30:45", "0o9", "1_000", ".inf", "~", "<<"])
        ),
        st.sampled_from(["", ":", ": |", ": [", "}", "#"]),
    ),
    max_size=6,
).map("\n".join)
_SUITE_FILES = st.one_of(
    st.binary(max_size=200),
    _YAML.map(_bytes),
    _SUITES.map(lambda value: json.dumps(value).encode()),
)


def suite_files(content: bytes) -> None:
    """Any bytes are a question set, or refused."""
    with suppress(FaregroundError):
        suite = parse_suite(content, "a.yaml")
        assert suite.questions
        assert len(suite.sha256) == 64


def redaction(pieces: list[str]) -> None:
    """Any text can be cleaned, and is clean then."""
    clean = redact("".join(pieces))
    assert redact(clean) == clean or MARK in clean


_SHAPES = ["://", "a:b@", "?key=", 'password = "', "Authorization: ", "Bearer ", "AIza", "eyJ", "."]
_KEYS = ["-----BEGIN PRIVATE KEY-----", "-----END", "hooks.slack.com/services/", MARK, "x" * 20]
_PIECES = st.lists(st.one_of(TEXT, st.sampled_from([*_SHAPES, *_KEYS])), max_size=8)


@dataclass(frozen=True)
class Target:
    """Something that reads what people write, with what is thrown at it and how often."""

    name: str
    check: Callable[..., None]
    inputs: st.SearchStrategy[tuple[Any, ...]]
    cases: int


_COLORS = st.one_of(st.sampled_from([*DATASETS]), TEXT)
_FORMATS = st.sampled_from(get_args(Format))
TARGETS = {
    target.name: target
    for target in (
        Target("csv header", csv_header, st.tuples(_contents(), _FORMATS), 15_000),
        Target("csv rows", csv_rows, st.tuples(_tables()), 1_500),
        Target("months", months, st.tuples(_MONTHS, _MONTHS, _COLORS), 25_000),
        Target("page addresses", page_address, st.tuples(_ADDRESSES), 15_000),
        Target("sources", sources, st.tuples(_SOURCES), 10_000),
        Target("schedules", schedules, st.tuples(_SCHEDULES), 8_000),
        Target("one setting", one_setting, st.tuples(_FIELDS, _VALUES), 10_000),
        Target("setting files", setting_files, st.tuples(_FILES, _FILES), 10_000),
        Target("question sets", suite_files, st.tuples(_SUITE_FILES), 10_000),
        Target("redaction", redaction, st.tuples(_PIECES), 5_000),
    )
}


def throw(name: str, cases: int, *, new: bool) -> tuple[int, float]:
    """Run so many cases of a target; return how many ran and the seconds that they took.

    `new` takes other cases each time; else they are the same every time. Raises what escaped.
    """
    target, count = TARGETS[name], 0

    @settings(
        max_examples=cases,
        derandomize=not new,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(target.inputs)
    def check(values: tuple[Any, ...]) -> None:
        nonlocal count
        count += 1
        target.check(*values)

    started = time.monotonic()
    check()
    return count, time.monotonic() - started


def _run(name: str, share: float) -> tuple[int, float, str]:
    import traceback

    with TemporaryDirectory() as folder:
        settings_module.SECRETS_PATH = Path(folder) / "secrets.toml"
        try:
            return *throw(name, max(1, int(TARGETS[name].cases * share)), new=True), ""
        except BaseException:  # an assertion, or what escaped: with the case that brought it about
            said = io.StringIO()
            traceback.print_exc(file=said)
            return 0, 0.0, said.getvalue()


def main() -> int:
    """Run every target, two at a time, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="part of all cases, 0 to 1")
    parser.add_argument("--only", nargs="*", default=list(TARGETS), choices=list(TARGETS))
    options = parser.parse_args()
    started, total, failed = time.monotonic(), 0, 0
    longest_first = sorted(options.only, key=lambda name: name != "csv rows")
    with ProcessPoolExecutor(
        max_workers=min(2, os.cpu_count() or 1), max_tasks_per_child=1
    ) as pool:
        runs = {name: pool.submit(_run, name, options.share) for name in longest_first}
        for name, run in runs.items():
            cases, seconds, problem = run.result()
            total += cases
            failed += bool(problem)
            print(f"{name:20} {'failed' if problem else f'{cases:>8,} cases {seconds:6.0f} s'}")
            print(problem, end="", flush=True)
    print(f"{'total':20} {total:>8,} cases {time.monotonic() - started:6.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
