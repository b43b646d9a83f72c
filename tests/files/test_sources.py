"""Which source has which month, and that none of them can break the plan."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.core.cancel import Cancel
from pipeline.core.datasets import GREEN_TAXIS, YELLOW_TAXIS
from pipeline.core.errors import Cancelled, UsageError
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile, months_between
from pipeline.files import web
from pipeline.files.offers import Missing, Offer, Probe, Unknown
from pipeline.files.sources import open_source
from tests.support.servers import Server, closed_port, deaf_port, etag_of


def green(month: str = "2020-04") -> TripFile:
    return TripFile(GREEN_TAXIS, Month.parse(month))


def yellow(month: str = "2020-04") -> TripFile:
    return TripFile(YELLOW_TAXIS, Month.parse(month))


STEM = green().stem
FLAT = f"/{STEM}.csv.gz"
BELOW = f"/green/{STEM}.csv.gz"
MANY = [green(str(month)) for month in months_between(Month(2019, 1), Month(2021, 7))]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short waits."""
    monkeypatch.setattr(web, "PROBE_RETRY_WAIT", 0.01)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


def probe(name: str | Path, settings: Settings, file: TripFile | None = None) -> Probe:
    file = file or green()
    return open_source(str(name), settings).probe([file])[file]


# Names


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("github", "GitHub releases"),
        ("tlc", "TLC parquet"),
        ("sample", "Built-in sample (synthetic)"),
        ("https://example.org/trips", "https://example.org/trips"),
    ],
)
def test_source_is_opened_by_its_name(settings: Settings, name: str, label: str) -> None:
    source = open_source(name, settings)
    assert (source.name, source.label) == (name, label)


def test_folder_is_opened_by_path_and_by_file_url(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    (folder / FLAT[1:]).write_bytes(b"x")
    for name in (str(folder), folder.as_uri(), folder.name):
        source = open_source(name, settings)
        assert (source.name, source.label) == (name, name)
        assert isinstance(source.probe([green()])[green()], Offer)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gihub", "no source or folder 'gihub'"),
        ("", "no source or folder"),
        ("/no/such/folder", "no source or folder"),
        ("file:///no/such/folder", "no source or folder"),
        ("file://elsewhere/folder", "names another machine"),
        (__file__, "is a file, not a folder"),
        ("ftp://example.org/trips", "ftp: is not a supported protocol"),
        ("s3://bucket/trips", "s3: is not a supported protocol"),
        ("https:///trips", "not a web address"),
        ("https:trips", "not a web address"),
        ("http://[::1/trips", "not a web address"),
        ("http://me:s3cret@host:port/trips", "not a web address"),
        ("https://example.org/trips?sig=s3cret", "contains a ? or #"),
        ("https://example.org/trips#s3cret", "contains a ? or #"),
    ],
)
def test_invalid_source_is_a_usage_error(settings: Settings, name: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_source(name, settings)
    assert reason in caught.value.problem
    assert caught.value.cure
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("login", ["me:s3cret", "s3cret", "s3cret:", "me:s3%3Acret"])
def test_password_in_an_address_is_never_shown(
    settings: Settings, server: Server, login: str
) -> None:
    server.files[FLAT] = b"x"
    sent = {"s3cret": "s3cret:", "me:s3%3Acret": "me:s3:cret"}.get(login, login)
    server.behave(login=sent)
    source = open_source(server.url.replace("//", f"//{login}@"), settings)
    found = source.probe([green()])[green()]
    assert isinstance(found, Offer)
    assert found.address == server.url + FLAT
    assert source.name == source.label == server.url
    down = open_source(closed_port().replace("//", f"//{login}@"), settings)
    texts = [repr(source), repr(found), repr(down.probe([green()]))]
    assert all("cret" not in text.replace("SecretStr", "") for text in texts)


# What each source has


@pytest.mark.parametrize("month", ["2018-12", "2021-08"])
def test_github_is_not_requested_for_months_it_never_had(
    server: Server, settings: Settings, month: str
) -> None:
    settings = settings.model_copy(update={"github_url": server.url})
    assert probe("github", settings, green(month)) == Missing(
        green(month), "GitHub releases hold 2019-01 to 2021-07"
    )
    assert server.requests == []


@pytest.mark.parametrize("month", ["2019-01", "2020-04", "2021-07"])
def test_github_offers_the_months_it_has(server: Server, settings: Settings, month: str) -> None:
    settings = settings.model_copy(update={"github_url": server.url})
    path = f"/green/green_tripdata_{month}.csv.gz"
    server.files[path] = b"content"
    assert probe("github", settings, green(month)) == Offer(
        green(month), server.url + path, "csv.gz", 7, etag_of(b"content")
    )
    assert server.methods() == ["HEAD"]


def test_forbidden_at_the_tlc_means_missing(server: Server, settings: Settings) -> None:
    settings = settings.model_copy(update={"tlc_url": server.url})
    server.files[f"/{STEM}.parquet"] = b"content"
    server.behave(f"/{yellow().stem}.parquet", fail_status=403)
    assert probe("tlc", settings) == Offer(
        green(), f"{server.url}/{STEM}.parquet", "parquet", 7, etag_of(b"content")
    )
    assert isinstance(probe("tlc", settings, yellow()), Missing)
    assert server.methods() == ["HEAD", "HEAD"]


def test_tlc_is_not_requested_for_months_before_its_first(
    server: Server, settings: Settings
) -> None:
    settings = settings.model_copy(update={"tlc_url": server.url})
    files = [green("2013-07"), green("2013-08"), yellow("2009-01")]
    found = open_source("tlc", settings).probe(files)
    assert found[green("2013-07")] == Missing(
        green("2013-07"), "TLC parquet of green trips begins at 2013-08"
    )
    assert len(server.requests) == 2


def test_sample_offers_any_month(settings: Settings) -> None:
    found = probe("sample", settings, yellow("2031-12"))
    assert isinstance(found, Offer)
    assert (found.address, found.format) == ("sample:yellow_tripdata_2031-12", "csv.gz")
    assert found.etag


ORDER = [
    f"{place}{STEM}.{ending}" for ending in ("csv.gz", "parquet", "csv") for place in ("", "green/")
]


@pytest.mark.parametrize("kind", ["folder", "url"])
@pytest.mark.parametrize("first", range(len(ORDER)))
def test_first_name_in_order_wins_below_a_folder_or_address(
    settings: Settings, folder: Path, server: Server, kind: str, first: int
) -> None:
    (folder / "green").mkdir()
    for path in ORDER[first:]:
        (folder / path).write_bytes(b"content")
        server.files[f"/{path}"] = b"content"
    place = str(folder) if kind == "folder" else server.url
    found = probe(place, settings)
    assert isinstance(found, Offer)
    assert found.address == f"{place}/{ORDER[first]}"
    assert found.format == ORDER[first].partition(".")[2]
    assert found.bytes == 7


def test_month_not_in_folder_is_missing(settings: Settings, folder: Path) -> None:
    (folder / f"{STEM}.csv.gz").mkdir()  # a folder of that name is no file
    found = probe(folder, settings)
    names = f"{STEM}.csv.gz, .parquet or .csv"
    assert found == Missing(
        green(),
        f"no {names} in {folder} or the folders in it; "
        f"{STEM}.csv.gz is a folder: give one file a month",
    )


def test_version_of_file_in_folder_changes_when_it_is_written(
    settings: Settings, folder: Path
) -> None:
    path = folder / FLAT[1:]
    path.write_bytes(b"content")
    first, again = probe(folder, settings), probe(folder, settings)
    path.write_bytes(b"CONTENT")
    second = probe(folder, settings)
    assert isinstance(first, Offer)
    assert isinstance(second, Offer)
    assert first == again
    assert first.etag == f"{first.etag and first.etag.partition('-')[0]}-7"
    assert second.etag != first.etag


@pytest.mark.parametrize("status", [404, 410])
def test_month_not_at_address_is_missing(server: Server, settings: Settings, status: int) -> None:
    server.behave(fail_status=status)
    found = probe(server.url, settings)
    places = [f"{p}{STEM}.{e}" for e in ("csv.gz", "parquet", "csv") for p in ("", "green/")]
    reason = f"nothing at {server.url} under any of these names (404): {', '.join(places)}"
    assert found == Missing(green(), reason)
    assert server.methods() == ["HEAD"] * 6


def test_probe_results_keep_the_requested_order(server: Server, settings: Settings) -> None:
    files = [*reversed(MANY), yellow("2018-12"), green("2021-06")]
    settings = settings.model_copy(update={"github_url": server.url})
    assert list(open_source("github", settings).probe(files)) == files[:-1]


# How it is asked


@pytest.mark.parametrize("status", [403, 405, 501])
def test_probe_requests_the_first_byte_where_head_is_refused(
    server: Server, settings: Settings, status: int
) -> None:
    server.files[FLAT] = b"content"
    server.behave(head_status=status)
    found = probe(server.url, settings)
    assert found == Offer(green(), server.url + FLAT, "csv.gz", 7, etag_of(b"content"))
    assert server.methods() == ["HEAD", "GET"]
    assert server.requests[1].headers["range"] == "bytes=0-0"


@pytest.mark.parametrize("size", [0, 10_000_000])
def test_probe_does_not_read_the_body_where_head_and_ranges_are_refused(
    server: Server, settings: Settings, size: int
) -> None:
    server.files[FLAT] = bytes(size)
    server.behave(head_status=405, ranges="ignore", drip=(1000, 0.01))
    found = probe(server.url, settings)
    assert isinstance(found, Offer)
    assert found.bytes == size


def test_empty_file_is_offered_where_only_get_is_allowed(
    server: Server, settings: Settings
) -> None:
    server.files[FLAT] = b""
    server.behave(head_status=405)
    found = probe(server.url, settings)
    assert isinstance(found, Offer)
    assert found.bytes == 0


@pytest.mark.parametrize(
    ("way", "etag", "size"),
    [
        ({}, etag_of(b"content"), 7),
        ({"etag": "weak"}, etag_of(b"content", weak=True), 7),
        ({"etag": None}, None, 7),
        (
            {"etag": None, "last_modified": "Wed, 01 Jul 2020 10:00:00 GMT"},
            "Wed, 01 Jul 2020 10:00:00 GMT-7",
            7,
        ),
        ({"chunked": True}, etag_of(b"content"), None),
    ],
)
def test_version_and_size_come_from_the_headers(
    server: Server, settings: Settings, way: dict[str, object], etag: str | None, size: int | None
) -> None:
    server.files[FLAT] = b"content"
    server.behave(**way)
    found = probe(server.url, settings)
    assert found == Offer(green(), server.url + FLAT, "csv.gz", size, etag)


def test_probe_retries_a_transient_failure_once(server: Server, settings: Settings) -> None:
    server.files[FLAT] = b"content"
    server.behave(FLAT, fail_status=503, fail_times=1)
    assert isinstance(probe(server.url, settings), Offer)
    assert server.methods() == ["HEAD", "HEAD"]


@pytest.mark.parametrize(("hops", "kind"), [(5, Offer), (6, Unknown)])
def test_five_redirects_are_followed_and_no_more(
    server: Server, settings: Settings, hops: int, kind: type[Probe]
) -> None:
    settings = settings.model_copy(update={"github_url": server.url})
    server.files["/end"] = b"content"
    steps = [BELOW, *(f"/hop/{number}" for number in range(1, hops)), "/end"]
    for step, after in pairwise(steps):
        server.behave(step, redirect=after)
    found = probe("github", settings)
    assert isinstance(found, kind)
    if isinstance(found, Offer):
        assert (found.address, found.bytes) == (server.url + BELOW, 7)


def test_at_most_eight_probes_run_at_once(server: Server, settings: Settings) -> None:
    settings = settings.model_copy(update={"github_url": server.url})
    server.behave(silent=True)
    cancel = Cancel()

    def press() -> None:
        deadline = time.monotonic() + 4
        while len(server.requests) < 8 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)  # for a ninth
        cancel.set()

    threading.Thread(target=press, daemon=True).start()
    with pytest.raises(Cancelled):
        open_source("github", settings).probe(MANY, cancel)
    assert len(server.requests) == 8


# A source in trouble


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ({"fail_status": 500}, "HTTP 500"),
        ({"fail_status": 429, "retry_after": "3600"}, "HTTP 429"),
        ({"fail_status": 401}, "HTTP 401"),
        ({"fail_status": 403}, "HTTP 403"),
        ({"redirect": FLAT}, "redirects in a loop"),
        ({"redirect": "ftp://127.0.0.1/x"}, "not http or https"),
        ({"silent": True}, "no answer within 0.05 s"),
    ],
)
def test_unreachable_source_is_unknown_with_the_addresses_to_try(
    server: Server, settings: Settings, way: dict[str, str], reason: str
) -> None:
    settings = settings.model_copy(update={"read_timeout_seconds": 0.05})
    server.files[f"/{STEM}.parquet"] = b""
    server.behave(**way)
    found = probe(server.url, settings)
    assert isinstance(found, Unknown)
    assert reason in found.reason
    assert [offer.address for offer in found.offers] == [f"{server.url}/{path}" for path in ORDER]


def test_absent_address_is_not_among_the_addresses_to_try(
    server: Server, settings: Settings
) -> None:
    server.behave(BELOW, fail_status=500)
    found = probe(server.url, settings)
    assert isinstance(found, Unknown)
    assert [offer.address for offer in found.offers] == [server.url + BELOW]


def test_later_name_that_responds_wins_over_a_failing_earlier_one(
    server: Server, settings: Settings
) -> None:
    server.behave(FLAT, fail_status=500)
    server.files[BELOW] = b"content"
    found = probe(server.url, settings)
    assert isinstance(found, Offer)
    assert found.address == server.url + BELOW


@pytest.mark.parametrize("trouble", ["closed", "deaf"])
def test_server_that_is_down_is_given_up_for_all_files_at_once(
    settings: Settings, trouble: str
) -> None:
    settings = settings.model_copy(update={"connect_timeout_seconds": 0.2})
    with deaf_port() as deaf:
        source = open_source(deaf if trouble == "deaf" else closed_port(), settings)
        started = time.monotonic()
        found = source.probe(MANY)
    assert time.monotonic() - started < 5
    assert {type(answer) for answer in found.values()} == {Unknown}
    first = found[MANY[0]]
    assert isinstance(first, Unknown)
    assert "no connection" in first.reason
    assert len(first.offers) == 6


def test_slow_server_does_not_delay_the_plan(
    server: Server, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "PROBES_TIMEOUT", 2.0)
    settings = settings.model_copy(update={"github_url": server.url})
    quick = MANY[3]
    server.files[f"/green/{quick.stem}.csv.gz"] = b"content"
    server.behave(silent=True)
    server.behave(f"/green/{quick.stem}.csv.gz", silent=False)
    found = open_source("github", settings).probe(MANY)
    assert isinstance(found[quick], Offer)
    slow = found[MANY[0]]
    assert isinstance(slow, Unknown)
    assert "no answer in time" in slow.reason


def test_unreadable_folder_is_unknown(settings: Settings, folder: Path) -> None:
    source = open_source(str(folder), settings)
    folder.rmdir()
    folder.symlink_to(folder)  # a loop
    found = source.probe([green()])[green()]
    assert isinstance(found, Unknown)
    assert str(folder) in found.reason
    assert len(found.offers) == 6


def test_cancel_stops_a_probe(server: Server, settings: Settings) -> None:
    server.behave(silent=True)
    cancel = Cancel()
    pressed: list[float] = []

    def press() -> None:
        server.holding.wait(10)
        pressed.append(time.monotonic())
        cancel.set()

    threading.Thread(target=press, daemon=True).start()
    with pytest.raises(Cancelled):
        open_source(server.url, settings).probe(MANY, cancel)
    assert time.monotonic() - pressed[0] < 2
