"""From an offer to a verified file in staging, over a server and a disk that misbehave."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from pydantic import SecretStr

from pipeline.core.cancel import Cancel
from pipeline.core.datasets import GREEN_TAXIS
from pipeline.core.errors import (
    Cancelled,
    NotPublished,
    SourceUnreachable,
    StorageError,
    TripFileError,
)
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from pipeline.files import download, fetch, staging
from pipeline.files.download import stage
from pipeline.files.offers import Format, Offer, Unknown
from pipeline.files.sources import open_source
from pipeline.files.staging import Progress, StagedFile
from tests.support.servers import Server, closed_port, deaf_port, etag_of

GREEN = TripFile(GREEN_TAXIS, Month(2020, 4))
PATH = f"/{GREEN.stem}.csv.gz"
HEADER = ",".join(column.name for column in GREEN_TAXIS.columns).encode()
ROOT = Path(__file__).parents[2]


def trips(rows: int, seed: int = 0) -> bytes:
    """A csv that hardly packs, with this many data lines."""
    draw = random.Random(seed)
    return HEADER + b"\n" + b"".join(b"%0100x\n" % draw.getrandbits(400) for _ in range(rows))


CONTENT = gzip.compress(trips(3000), mtime=0)
CHANGED = gzip.compress(trips(3100, seed=1), mtime=0)
TEXT_PATH = f"/{GREEN.stem}.csv"
TEXT, CHANGED_TEXT = trips(3000), trips(3100, seed=1)


class Log(NamedTuple):
    """What a download told on its way."""

    notes: list[str]
    progress: list[Progress]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short waits between tries."""
    monkeypatch.setattr(fetch, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(fetch, "JITTER", 0.01)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server({PATH: CONTENT}) as server:
        yield server


@pytest.fixture
def hasty(settings: Settings) -> Settings:
    """Settings with little patience."""
    return settings.model_copy(update={"read_timeout_seconds": 0.2, "connect_timeout_seconds": 0.2})


def offer_at(url: str, format: Format = "csv.gz") -> Offer:
    return Offer(GREEN, f"{url}/{GREEN.stem}.{format}", format, None, None)


def fetched(
    offer: Offer | Unknown, settings: Settings, cancel: Cancel | None = None
) -> tuple[StagedFile, Log]:
    log = Log([], [])
    staged = stage(offer, settings, cancel or Cancel(), log.progress.append, log.notes.append)
    return staged, log


def in_staging(settings: Settings) -> list[str]:
    """What rests there; the unpacked copies are their loader's to remove, and tested apart."""
    files = [path for path in settings.staging.rglob("*") if path.is_file()]
    return sorted(path.name for path in files if path.suffix != ".unpacked")


WHOLE = [f"{GREEN.stem}.csv.gz", f"{GREEN.stem}.csv.gz.json"]


def test_staged_file_has_the_published_bytes_and_their_metadata(
    server: Server, settings: Settings
) -> None:
    staged, log = fetched(offer_at(server.url), settings)
    assert staged == StagedFile(
        file=GREEN,
        path=settings.staging / "green" / f"{GREEN.stem}.csv.gz",
        format="csv.gz",
        address=server.url + PATH,
        etag=etag_of(CONTENT),
        bytes=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        header=tuple(HEADER.decode().split(",")),
        data_lines=3000,
        carriage_returns=False,
    )
    assert staged.path.read_bytes() == CONTENT
    assert log.progress[0] == Progress(0, len(CONTENT))
    assert log.progress[-1] == Progress(len(CONTENT), len(CONTENT))
    assert log.notes == []
    assert in_staging(settings) == WHOLE


def test_unpacked_copy_has_the_same_text_and_is_removed_on_request(
    server: Server, settings: Settings
) -> None:
    staged, _ = fetched(offer_at(server.url), settings)
    assert staged.unpacked is not None
    assert staged.unpacked.read_bytes() == gzip.decompress(CONTENT)
    staged.delete_unpacked()
    assert not staged.unpacked.exists()
    again, _ = fetched(offer_at(server.url), settings)
    assert again == staged
    assert again.unpacked is not None
    assert again.unpacked.read_bytes() == gzip.decompress(CONTENT)


def test_download_requests_the_file_without_content_encoding(
    server: Server, settings: Settings
) -> None:
    server.behave(PATH, headers={"Content-Encoding": "gzip"})  # as some servers label any .gz
    staged, _ = fetched(offer_at(server.url), settings)
    assert staged.path.read_bytes() == CONTENT
    assert server.requests[0].headers["accept-encoding"] == "identity"


def test_body_without_content_length_is_downloaded_whole(
    server: Server, settings: Settings
) -> None:
    server.behave(PATH, chunked=True)
    staged, log = fetched(offer_at(server.url), settings)
    assert staged.bytes == len(CONTENT)
    assert {progress.total for progress in log.progress} == {None}


# Unchanged


@pytest.mark.parametrize(
    "validator",
    [
        {},
        {"etag": "weak"},
        {"etag": None, "last_modified": "Wed, 01 Jul 2020 10:00:00 GMT"},
    ],
)
def test_unchanged_file_is_not_downloaded_again_and_keeps_its_metadata(
    server: Server, settings: Settings, validator: dict[str, str | None]
) -> None:
    server.behave(PATH, **validator)
    offer = offer_at(server.url)
    first, _ = fetched(offer, settings)
    again, log = fetched(offer, settings)
    assert again == first
    assert log == (["unchanged since it was staged; not downloaded again"], [])


@pytest.mark.parametrize("etag", ["strong", "weak", None])
def test_staged_etag_equals_the_probed_one(
    server: Server, settings: Settings, etag: str | None
) -> None:
    server.behave(PATH, etag=etag, last_modified="Wed, 01 Jul 2020 10:00:00 GMT")
    source = open_source(server.url, settings)
    probed = source.probe([GREEN])[GREEN]
    assert isinstance(probed, Offer)
    assert probed.etag is not None
    staged, _ = fetched(probed, settings)
    assert staged.etag == probed.etag
    assert staged.bytes == probed.bytes
    again, _ = fetched(probed, settings)
    assert again.etag == probed.etag


def test_etag_of_resumed_file_equals_the_probed_one(server: Server, settings: Settings) -> None:
    server.behave(PATH, drop_after=50_000, drop_times=1)
    probed = open_source(server.url, settings).probe([GREEN])[GREEN]
    assert isinstance(probed, Offer)
    assert fetched(probed, settings)[0].etag == probed.etag


def test_changed_file_replaces_the_staged_one(server: Server, settings: Settings) -> None:
    first, _ = fetched(offer_at(server.url), settings)
    server.files[PATH] = CHANGED
    second, _ = fetched(offer_at(server.url), settings)
    assert (first.data_lines, second.data_lines) == (3000, 3100)
    assert second.path.read_bytes() == CHANGED
    assert in_staging(settings) == WHOLE


def test_changed_file_with_older_date_is_downloaded(server: Server, settings: Settings) -> None:
    """Many servers answer 304 to If-Modified-Since for any older date."""
    server.behave(PATH, etag=None, last_modified="Wed, 01 Jul 2020 10:00:00 GMT")
    fetched(offer_at(server.url), settings)
    server.files[PATH] = CHANGED
    probed = open_source(server.url, settings).probe([GREEN])[GREEN]
    assert isinstance(probed, Offer)
    assert fetched(probed, settings)[0].data_lines == 3100


def test_staged_file_of_another_address_is_not_reused(server: Server, settings: Settings) -> None:
    fetched(offer_at(server.url), settings)
    server.files[f"/elsewhere{PATH}"] = CHANGED
    staged, _ = fetched(offer_at(f"{server.url}/elsewhere"), settings)
    assert staged.data_lines == 3100
    assert "if-none-match" not in server.requests[-1].headers


@pytest.mark.parametrize("harm", ["shorten the file", "remove the file", "garble the note"])
def test_incomplete_staged_file_is_downloaded_again(
    server: Server, settings: Settings, harm: str
) -> None:
    staged, _ = fetched(offer_at(server.url), settings)
    if harm == "shorten the file":
        os.truncate(staged.path, 1000)
    elif harm == "remove the file":
        staged.path.unlink()
    else:
        Path(f"{staged.path}.json").write_text('{"file": 3}')
    again, _ = fetched(offer_at(server.url), settings)
    assert again == staged
    assert again.path.read_bytes() == CONTENT


def test_file_without_saved_metadata_is_not_mistaken_for_its_predecessor(
    server: Server, settings: Settings
) -> None:
    server.files[TEXT_PATH] = TEXT
    staged, _ = fetched(offer_at(server.url, "csv"), settings)
    in_the_way = Path(f"{staged.path}.json.new")
    in_the_way.mkdir()
    server.files[TEXT_PATH] = trips(3000, seed=2)  # as long as its predecessor
    with pytest.raises(StorageError):
        fetched(offer_at(server.url, "csv"), settings)
    in_the_way.rmdir()
    server.files[TEXT_PATH] = TEXT
    fetched(offer_at(server.url, "csv"), settings)
    assert staged.path.read_bytes() == TEXT


def test_staging_a_trip_file_removes_its_other_format(server: Server, settings: Settings) -> None:
    server.files[f"/{GREEN.stem}.csv"] = trips(5)
    fetched(offer_at(server.url), settings)
    fetched(offer_at(server.url, "csv"), settings)
    assert in_staging(settings) == [f"{GREEN.stem}.csv", f"{GREEN.stem}.csv.json"]


# Interrupted


@pytest.mark.parametrize("chunked", [False, True])
def test_dropped_download_resumes_where_it_stopped(
    server: Server, settings: Settings, chunked: bool
) -> None:
    server.behave(PATH, drop_after=50_000, drop_times=3, chunked=chunked)
    staged, log = fetched(offer_at(server.url), settings)
    assert staged.path.read_bytes() == CONTENT
    ranges = [request.headers.get("range") for request in server.requests]
    assert ranges == [None, "bytes=50000-", "bytes=100000-", "bytes=150000-"]
    assert {request.headers.get("if-range") for request in server.requests[1:]} == {
        etag_of(CONTENT)
    }
    assert "resumed at 0.1 MiB" in log.notes
    assert log.progress[-1].done == len(CONTENT)


def test_resumed_download_reports_its_offset(server: Server, settings: Settings) -> None:
    server.behave(PATH, drop_after=1_234, drop_times=1)
    _, log = fetched(offer_at(server.url), settings)
    assert "resumed at 1,234 bytes" in log.notes


def test_file_changed_during_download_is_downloaded_from_the_start(
    server: Server, settings: Settings
) -> None:
    server.behave(PATH, drop_after=50_000, drop_times=1, then=CHANGED)
    staged, log = fetched(offer_at(server.url), settings)
    assert staged.path.read_bytes() == CHANGED
    assert staged.etag == etag_of(CHANGED)
    assert "the file changed or cannot be resumed; starting over" in log.notes


def test_short_response_is_followed_by_a_request_for_the_rest(
    server: Server, settings: Settings
) -> None:
    server.behave(PATH, drop_after=50_000, drop_times=1, range_most=50_000)
    staged, _ = fetched(offer_at(server.url), settings)
    assert staged.path.read_bytes() == CONTENT
    ranges = [request.headers.get("range") for request in server.requests]
    assert ranges == [None, "bytes=50000-", "bytes=100000-", "bytes=150000-"]


@pytest.mark.parametrize("way", [{}, {"ranges": "mix"}])
def test_changed_file_is_never_spliced_even_by_a_server_that_would(
    server: Server, settings: Settings, way: dict[str, str]
) -> None:
    server.files[TEXT_PATH] = TEXT  # plain text: no checksum would tell
    server.behave(TEXT_PATH, drop_after=50_000, drop_times=1, then=CHANGED_TEXT, **way)
    staged, _ = fetched(offer_at(server.url, "csv"), settings)
    assert staged.path.read_bytes() == CHANGED_TEXT
    assert staged.etag == etag_of(CHANGED_TEXT)


def test_file_shrunk_during_download_is_downloaded_from_the_start(
    server: Server, settings: Settings
) -> None:
    small = gzip.compress(trips(3), mtime=0)
    server.behave(PATH, drop_after=50_000, drop_times=1, then=small, ranges="mix")
    staged, log = fetched(offer_at(server.url), settings)
    assert staged.path.read_bytes() == small
    assert any("416" in note for note in log.notes)


def test_response_with_another_range_is_never_spliced(server: Server, settings: Settings) -> None:
    server.files[TEXT_PATH] = TEXT
    server.behave(TEXT_PATH, drop_after=50_000, drop_times=1, ranges="shift")
    staged, log = fetched(offer_at(server.url, "csv"), settings)
    assert staged.path.read_bytes() == TEXT
    assert any("does not continue the download" in note for note in log.notes)


def test_server_without_ranges_sends_the_whole_file_again(
    server: Server, settings: Settings
) -> None:
    server.behave(PATH, drop_after=50_000, drop_times=1, ranges="ignore")
    staged, _ = fetched(offer_at(server.url), settings)
    assert staged.path.read_bytes() == CONTENT


@pytest.mark.parametrize("etag", ["weak", None])
def test_download_without_strong_etag_is_not_resumed(
    server: Server, settings: Settings, etag: str | None
) -> None:
    server.behave(PATH, drop_after=50_000, drop_times=1, etag=etag)
    staged, _ = fetched(offer_at(server.url), settings)
    assert staged.path.read_bytes() == CONTENT
    assert all("range" not in request.headers for request in server.requests)


def part_of(settings: Settings, content: bytes, etag: str, address: str) -> Path:
    """Leave behind what a killed download does."""
    folder = settings.staging / "green"
    folder.mkdir(parents=True)
    part = folder / f"{GREEN.stem}.csv.gz.part"
    part.write_bytes(content)
    Path(f"{part}.json").write_text(json.dumps({"address": address, "etag": etag}))
    return part


def test_complete_part_is_only_verified(server: Server, settings: Settings) -> None:
    part_of(settings, CONTENT, etag_of(CONTENT), server.url + PATH)
    staged, log = fetched(offer_at(server.url), settings)
    assert (staged.etag, staged.data_lines) == (etag_of(CONTENT), 3000)
    assert log.progress == []
    assert in_staging(settings) == WHOLE


def test_part_of_another_address_is_not_resumed(server: Server, settings: Settings) -> None:
    part_of(settings, CHANGED[:500], etag_of(CONTENT), "http://127.0.0.1/elsewhere")
    staged, _ = fetched(offer_at(server.url), settings)
    assert staged.path.read_bytes() == CONTENT
    assert "range" not in server.requests[0].headers


def test_damaged_part_is_downloaded_from_the_start(server: Server, settings: Settings) -> None:
    part_of(settings, bytes(50_000), etag_of(CONTENT), server.url + PATH)
    staged, log = fetched(offer_at(server.url), settings)
    assert staged.path.read_bytes() == CONTENT
    assert any(note.startswith("starting over, because") for note in log.notes)


def test_part_without_metadata_is_not_resumed(server: Server, settings: Settings) -> None:
    part = part_of(settings, CONTENT[:500], etag_of(CONTENT), server.url + PATH)
    Path(f"{part}.json").unlink()
    fetched(offer_at(server.url), settings)
    assert "range" not in server.requests[0].headers


PROCESS = """
import sys
from pipeline.core.cancel import Cancel
from pipeline.files.download import stage
from pipeline.core.settings.settings import Settings
from pipeline.files.offers import Offer
from pipeline.core.trips import TripFile

file = TripFile.parse(sys.argv[1].rpartition("/")[2])
offer = Offer(file, sys.argv[1], "csv.gz", None, None)
stage(offer, Settings(), Cancel(), lambda p: print(p.done, flush=True))
"""


def process(address: str, settings: Settings) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROCESS, address],
        cwd=ROOT,
        env=os.environ | {"FAREGROUND_HOME": str(settings.home)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_killed_download_is_finished_by_another_process(server: Server, settings: Settings) -> None:
    server.behave(PATH, stall_after=100_000)
    with process(server.url + PATH, settings) as killed:
        assert killed.stdout is not None
        for line in killed.stdout:
            if int(line) == 100_000:
                break
        killed.send_signal(signal.SIGKILL)
    assert not (settings.staging / "green" / f"{GREEN.stem}.csv.gz").exists()
    server.behave(PATH, stall_after=None)
    staged, log = fetched(offer_at(server.url), settings)
    assert staged.path.read_bytes() == CONTENT
    assert server.requests[-1].headers["range"] == "bytes=100000-"
    assert log.notes == ["resumed at 0.1 MiB"]


# Trouble


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_transient_failure_is_retried(server: Server, settings: Settings, status: int) -> None:
    server.behave(PATH, fail_status=status, fail_times=2)
    _, log = fetched(offer_at(server.url), settings)
    assert [note.rpartition(", ")[0] for note in log.notes] == [
        f"retry 2 of 5 after HTTP {status}",
        f"retry 3 of 5 after HTTP {status}",
    ]


def test_retry_delays_grow_and_are_reported(
    server: Server, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "FIRST_WAIT", 0.1)
    monkeypatch.setattr(fetch, "JITTER", 0.0)
    server.behave(PATH, fail_status=503, fail_times=3)
    started = time.monotonic()
    _, log = fetched(offer_at(server.url), settings)
    assert [note.rpartition(", ")[2] for note in log.notes] == [
        "waiting 0.1 s",
        "waiting 0.2 s",
        "waiting 0.4 s",
    ]
    assert time.monotonic() - started >= 0.7


@pytest.mark.parametrize(
    ("cap", "header", "told"),
    [
        (60.0, "0.3", "waiting 0.3 s"),
        (0.2, "3600", "waiting 0.2 s"),
        (0.2, "Wed, 01 Jul 2099 10:00:00 GMT", "waiting 0.2 s"),
        (60.0, "Wed, 01 Jul 2020 10:00:00 GMT", "waiting 0.0 s"),
        (60.0, "soon", "waiting 0.0 s"),
        (60.0, "nan", "waiting 0.0 s"),
    ],
)
def test_retry_after_is_honoured_within_reason(
    server: Server,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    cap: float,
    header: str,
    told: str,
) -> None:
    monkeypatch.setattr("pipeline.files.web.RETRY_AFTER_CAP", cap)
    server.behave(PATH, fail_status=429, fail_times=1, retry_after=header)
    _, log = fetched(offer_at(server.url), settings)
    assert log.notes == [f"retry 2 of 5 after HTTP 429, {told}"]


TROUBLE = {
    "always 503": {"fail_status": 503},
    "never answers": {"silent": True},
    "stalls": {"stall_after": 0},
    "drops at once": {"drop_after": 0},
    "announces more than it sends": {"length": len(CONTENT) + 1},
    "drips": {"drip": (1, 0.05)},
}


@pytest.mark.parametrize("trouble", TROUBLE)
def test_failing_source_is_unreachable_after_all_attempts(
    server: Server, hasty: Settings, trouble: str
) -> None:
    server.behave(PATH, **TROUBLE[trouble], etag=None)
    settings = hasty.model_copy(update={"download_attempts": 3})
    with pytest.raises(SourceUnreachable) as caught:
        fetched(offer_at(server.url), settings)
    assert server.methods() == ["GET"] * 3
    assert GREEN.filename in caught.value.problem
    assert server.url + PATH in caught.value.problem
    assert "in 3 attempts" in caught.value.problem
    assert caught.value.cure


@pytest.mark.parametrize("address", ["closed", "deaf"])
def test_source_without_connection_is_unreachable(hasty: Settings, address: str) -> None:
    with deaf_port() as deaf:
        url = deaf if address == "deaf" else closed_port()
        with pytest.raises(SourceUnreachable, match="no connection"):
            fetched(offer_at(url), hasty)


@pytest.mark.parametrize("status", [304, 400, 401, 403, 418, 451])
def test_refusal_is_not_retried(server: Server, settings: Settings, status: int) -> None:
    server.behave(PATH, fail_status=status)
    with pytest.raises(SourceUnreachable, match=f"HTTP {status}"):
        fetched(offer_at(server.url), settings)
    assert server.methods() == ["GET"]


@pytest.mark.parametrize("status", [404, 410])
def test_missing_file_is_not_published(server: Server, settings: Settings, status: int) -> None:
    server.behave(PATH, fail_status=status)
    with pytest.raises(NotPublished, match=f"{GREEN.filename} .*{PATH} .HTTP {status}"):
        fetched(offer_at(server.url), settings)
    assert server.methods() == ["GET"]


def test_forbidden_at_the_tlc_means_not_published(server: Server, settings: Settings) -> None:
    server.behave(PATH, fail_status=403)
    settings = settings.model_copy(update={"tlc_url": server.url})
    with pytest.raises(NotPublished):
        fetched(offer_at(server.url), settings)


def test_redirects_are_followed(server: Server, settings: Settings) -> None:
    server.files["/old.csv.gz"] = b""
    server.behave("/moved" + PATH, redirect=PATH)
    staged, _ = fetched(offer_at(f"{server.url}/moved"), settings)
    assert staged.address == f"{server.url}/moved{PATH}"
    assert staged.path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("to", "reason"),
    [
        (PATH, "redirects in a loop"),
        ("file:///etc/passwd", "not http or https"),
        ("ftp://127.0.0.1/x", "not http or https"),
        ("http://127.0.0.1:port/", "location header"),
    ],
)
def test_redirect_that_leads_nowhere_is_unreachable(
    server: Server, settings: Settings, to: str, reason: str
) -> None:
    server.behave(PATH, redirect=to)
    with pytest.raises(SourceUnreachable, match=reason):
        fetched(offer_at(server.url), settings)
    assert len(server.requests) <= 11


def test_url_password_is_sent_never_shown_and_not_forwarded(
    server: Server,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipeline.files.public.is_public", lambda _: True)  # the other server's
    caplog.set_level(0)
    source = open_source(server.url.replace("//", "//me:s3cret%40@"), settings)
    with Server({PATH: CONTENT}) as other:
        server.behave("/" + GREEN.stem + ".csv.gz", login="me:s3cret@", redirect=other.url + PATH)
        probed = source.probe([GREEN])[GREEN]
        assert isinstance(probed, Offer)
        staged, log = fetched(probed, settings)
        assert staged.bytes == len(CONTENT)
        assert all("authorization" not in request.headers for request in other.requests)
        other.behave(PATH, fail_status=418)
        with pytest.raises(SourceUnreachable) as caught:
            fetched(replace(probed, etag="another"), settings)
    shown = [source.name, source.label, probed, probed.login, staged, log, caught.value]
    on_disk = [path.read_bytes() for path in settings.staging.rglob("*.json")]
    for text in (*map(repr, shown), str(caught.value), caplog.text, repr(on_disk)):
        assert "s3cret" not in text


# Bad content


HTML = b"<!doctype html><html><body>Please sign in</body></html>"


@pytest.mark.parametrize(
    "content", [HTML, gzip.compress(HTML, mtime=0), CONTENT[:-1], CONTENT + b"x", b""]
)
def test_bad_content_leaves_nothing_behind_but_the_earlier_good_file(
    server: Server, settings: Settings, content: bytes
) -> None:
    good, _ = fetched(offer_at(server.url), settings)
    server.files[PATH] = content
    with pytest.raises(TripFileError, match=f"{GREEN.filename} from {server.url}"):
        fetched(offer_at(server.url), settings)
    assert in_staging(settings) == WHOLE
    assert good.path.read_bytes() == CONTENT
    assert server.methods() == ["GET", "GET"]


@pytest.mark.parametrize("chunked", [False, True])
def test_body_over_the_limit_is_not_downloaded_to_its_end(
    server: Server, settings: Settings, chunked: bool
) -> None:
    server.behave(PATH, chunked=chunked)
    settings = settings.model_copy(update={"max_unpacked_gib": 1e-5})
    with pytest.raises(TripFileError, match="larger than 1e-05 GiB"):
        fetched(offer_at(server.url), settings)
    assert in_staging(settings) == []


# The disk


def test_disk_without_room_for_file_and_load_is_refused_before_download(
    server: Server, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.home.mkdir(parents=True)
    free = shutil.disk_usage(settings.home).free
    monkeypatch.setattr(staging, "SPACE_FACTOR", free // len(CONTENT) + 1)
    with pytest.raises(StorageError, match=r"needs [\d,.]+ MiB .* has [\d,.]+ MiB free") as caught:
        fetched(offer_at(server.url), settings)
    assert "Free some space" in caught.value.cure
    assert in_staging(settings) == []


def test_full_disk_is_reported_with_path_and_cure(server: Server, settings: Settings) -> None:
    part = settings.staging / "green" / f"{GREEN.stem}.csv.gz.part"
    part.parent.mkdir(parents=True)
    part.symlink_to("/dev/full")  # every write fails with ENOSPC
    with pytest.raises(StorageError, match=r"part cannot be written: No space left") as caught:
        fetched(offer_at(server.url), settings)
    assert "Free some space" in caught.value.cure


LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
from pipeline.core.errors import StorageError
try:
    exec(PROCESS)
except StorageError as error:
    print(error)
"""


@pytest.mark.parametrize("kind", ["http", "folder"])
def test_system_limit_is_reported_with_path_and_cure(
    server: Server, settings: Settings, folder: Path, kind: str
) -> None:
    (folder / PATH[1:]).write_bytes(CONTENT)
    address = server.url + PATH if kind == "http" else str(folder / PATH[1:])
    code = f"PROCESS = {PROCESS!r}\n{LIMITED}"
    done = subprocess.run(
        [sys.executable, "-c", code, address],
        cwd=ROOT,
        env=os.environ | {"FAREGROUND_HOME": str(settings.home)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "csv.gz.part cannot be written: File too large" in done.stdout
    assert "ulimit" in done.stdout
    assert not (settings.staging / "green" / PATH[1:]).exists()


@contextlib.contextmanager
def without_privileges() -> Iterator[None]:
    """Root may write anywhere: be nobody for a moment."""
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if was_root:
            os.seteuid(0)


def test_home_that_is_not_writable_is_reported(server: Server, settings: Settings) -> None:
    fetched(offer_at(server.url), settings)  # imports everything, too
    target = settings.staging / "green"
    server.files[PATH] = CHANGED
    target.chmod(0o555)
    with without_privileges(), pytest.raises(StorageError, match="Permission denied") as caught:
        fetched(offer_at(server.url), settings)
    target.chmod(0o755)
    assert "FAREGROUND_HOME" in caught.value.cure
    assert in_staging(settings) == WHOLE


def test_home_below_a_file_is_reported(server: Server, settings: Settings) -> None:
    settings.home.write_text("a file")
    with pytest.raises(StorageError, match="FAREGROUND_HOME"):
        fetched(offer_at(server.url), settings)


# Cancel


def press(cancel: Cancel, when: threading.Event) -> Callable[[], float]:
    """Press Cancel once `when` is set; return what gives the time it was pressed."""
    pressed: list[float] = []

    def wait() -> None:
        when.wait(10)
        pressed.append(time.monotonic())
        cancel.set()

    threading.Thread(target=wait, daemon=True).start()
    return lambda: pressed[0]


STALLS = {
    "waiting for headers": {"silent": True},
    "stalled at the first byte": {"stall_after": 0},
    "stalled in the middle": {"stall_after": 100_000},
}


@pytest.mark.parametrize("stall", STALLS)
def test_cancel_stops_a_stalled_download_and_leaves_its_part(
    server: Server, settings: Settings, stall: str
) -> None:
    server.behave(PATH, **STALLS[stall])
    cancel, arrived = Cancel(), threading.Event()
    middle = stall == "stalled in the middle"
    pressed = press(cancel, arrived if middle else server.holding)

    def watch(progress: Progress) -> None:
        if progress.done == 100_000:
            arrived.set()

    with pytest.raises(Cancelled):
        stage(offer_at(server.url), settings, cancel, watch)
    assert time.monotonic() - pressed() < 2
    if middle:
        assert (settings.staging / "green" / f"{PATH[1:]}.part").stat().st_size == 100_000
        server.behave(PATH, stall_after=None)
        fetched(offer_at(server.url), settings)
        assert server.requests[-1].headers["range"] == "bytes=100000-"


def test_cancel_stops_a_download_that_drips(server: Server, settings: Settings) -> None:
    server.behave(PATH, drip=(100, 0.01))
    cancel, dripping = Cancel(), threading.Event()
    pressed = press(cancel, dripping)
    with pytest.raises(Cancelled):
        stage(offer_at(server.url), settings, cancel, lambda _: dripping.set())
    assert time.monotonic() - pressed() < 2


def test_cancel_stops_the_wait_between_tries(server: Server, settings: Settings) -> None:
    server.behave(PATH, fail_status=503, retry_after="30")
    cancel, waiting = Cancel(), threading.Event()
    pressed = press(cancel, waiting)
    with pytest.raises(Cancelled):
        stage(offer_at(server.url), settings, cancel, on_note=lambda _: waiting.set())
    assert time.monotonic() - pressed() < 2


def test_cancel_stops_a_connection_that_is_not_accepted(settings: Settings) -> None:
    cancel, soon = Cancel(), threading.Event()
    pressed = press(cancel, soon)
    threading.Timer(0.2, soon.set).start()
    with deaf_port() as url, pytest.raises(Cancelled):
        fetched(offer_at(url), settings, cancel)
    assert time.monotonic() - pressed() < 2


def test_cancel_stops_the_lookup_of_a_name(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lookup blocks its thread for as long as the resolver pleases."""
    asked, answered = threading.Event(), threading.Event()

    def slow(*_: object, **__: object) -> list[object]:
        asked.set()
        answered.wait(20)
        return []

    monkeypatch.setattr("socket.getaddrinfo", slow)
    cancel = Cancel()
    pressed = press(cancel, asked)
    with pytest.raises(Cancelled):
        fetched(offer_at("http://slow.invalid"), settings, cancel)
    elapsed = time.monotonic() - pressed()
    answered.set()
    assert elapsed < 2


def test_cancelled_run_stages_nothing_more(server: Server, settings: Settings) -> None:
    cancel = Cancel()
    cancel.set()
    with pytest.raises(Cancelled):
        fetched(offer_at(server.url), settings, cancel)
    assert server.requests == []


# Unknown


def test_addresses_of_an_unchecked_file_are_tried_in_order(
    server: Server, settings: Settings
) -> None:
    server.files[f"/{GREEN.stem}.csv"] = trips(7)
    offers = tuple(offer_at(server.url + place, "csv") for place in ("/a", "/b", ""))
    staged, _ = fetched(Unknown(GREEN, "slow", offers), settings)
    assert staged.data_lines == 7
    assert len(server.requests) == 3


def test_unchecked_file_at_none_of_its_addresses_is_not_published(
    server: Server, settings: Settings
) -> None:
    offers = tuple(offer_at(server.url + place) for place in ("/a", "/b"))
    with pytest.raises(NotPublished):
        fetched(Unknown(GREEN, "slow", offers), settings)


def test_unchecked_file_whose_server_is_still_down_is_unreachable(hasty: Settings) -> None:
    url = closed_port()
    with pytest.raises(SourceUnreachable):
        fetched(Unknown(GREEN, "down", (offer_at(url),)), hasty)


# A folder


def local(folder: Path, content: bytes = CONTENT) -> Path:
    path = folder / f"{GREEN.stem}.csv.gz"
    path.write_bytes(content)
    return path


def probe_folder(folder: Path, settings: Settings) -> Offer:
    probed = open_source(str(folder), settings).probe([GREEN])[GREEN]
    assert isinstance(probed, Offer)
    return probed


def test_file_from_folder_is_copied_verified_and_not_copied_again(
    folder: Path, settings: Settings
) -> None:
    original = local(folder)
    probed = probe_folder(folder, settings)
    staged, log = fetched(probed, settings)
    assert staged.path != original
    assert staged.path.read_bytes() == CONTENT
    assert (staged.address, staged.etag, staged.bytes) == (str(original), probed.etag, probed.bytes)
    assert log.progress[-1] == Progress(len(CONTENT), len(CONTENT))
    again, log = fetched(probe_folder(folder, settings), settings)
    assert again == staged
    assert log == (["unchanged since it was staged; not downloaded again"], [])


@pytest.mark.parametrize("ending", ["", ".json", ".part", ".part.json"])
def test_folder_in_place_of_a_staged_file_or_note_is_named(
    folder: Path, settings: Settings, ending: str
) -> None:
    local(folder)
    offer = probe_folder(folder, settings)
    place = settings.staging / "green" / f"{GREEN.stem}.csv.gz{ending}"
    place.mkdir(parents=True)
    with pytest.raises(StorageError, match="is a folder: nothing") as caught:
        stage(offer, settings, Cancel())
    assert str(place) in caught.value.problem
    assert caught.value.cure.startswith("Move it away")
    place.rmdir()
    assert stage(offer, settings, Cancel()).path.is_file()


def test_damaged_file_in_folder_says_to_replace_it(folder: Path, settings: Settings) -> None:
    local(folder, CONTENT[:-5] + bytes([CONTENT[-5] ^ 1]) + CONTENT[-4:])
    with pytest.raises(TripFileError, match="damaged") as caught:
        stage(probe_folder(folder, settings), settings, Cancel())
    assert caught.value.cure.startswith("Replace it with a whole copy")


def test_changed_file_in_folder_is_copied_again(folder: Path, settings: Settings) -> None:
    local(folder)
    fetched(probe_folder(folder, settings), settings)
    local(folder, CHANGED)
    staged, _ = fetched(probe_folder(folder, settings), settings)
    assert staged.data_lines == 3100


@pytest.mark.parametrize("changes", [1, 99])
def test_file_changing_during_copy_is_copied_again_then_refused(
    folder: Path, settings: Settings, changes: int
) -> None:
    original = local(folder)
    notes: list[str] = []
    left = iter(range(changes))

    def change(progress: Progress) -> None:
        if next(left, None) is not None:
            original.write_bytes(CHANGED + bytes(progress.done % 7 + len(notes)))

    offer = probe_folder(folder, settings)
    if changes == 1:
        staged = stage(offer, settings, Cancel(), change, notes.append)
        assert staged.data_lines == 3100
        assert notes == ["the file changed while it was copied; copying it again"]
    else:
        with pytest.raises(TripFileError, match="keeps changing"):
            stage(offer, settings, Cancel(), change, notes.append)
        assert len(notes) == download.COPY_ATTEMPTS
        assert in_staging(settings) == []


def test_file_removed_from_folder_is_not_published(folder: Path, settings: Settings) -> None:
    original = local(folder)
    offer = probe_folder(folder, settings)
    original.unlink()
    with pytest.raises(NotPublished):
        fetched(offer, settings)


def test_unreadable_file_in_folder_is_unreachable(folder: Path, settings: Settings) -> None:
    original = local(folder)
    offer = probe_folder(folder, settings)
    original.unlink()
    original.symlink_to(original)  # a loop
    with pytest.raises(SourceUnreachable, match=f"{GREEN.filename} cannot be read from {folder}"):
        fetched(offer, settings)


def test_cancel_stops_a_copy_and_leaves_nothing(folder: Path, settings: Settings) -> None:
    local(folder, CONTENT * 20)
    cancel = Cancel()
    with pytest.raises(Cancelled):
        stage(probe_folder(folder, settings), settings, cancel, lambda _: cancel.set())
    assert in_staging(settings) == []


# The sample


def test_sample_is_generated_once_and_verified(settings: Settings) -> None:
    probed = open_source("sample", settings).probe([GREEN])[GREEN]
    assert isinstance(probed, Offer)
    staged, _ = fetched(probed, settings)
    assert (staged.address, staged.etag) == (f"sample:{GREEN.stem}", probed.etag)
    assert staged.data_lines > 1000
    again, log = fetched(probed, settings)
    assert again == staged
    assert log.notes == ["unchanged since it was staged; not downloaded again"]


def test_parquet_is_staged_with_the_metadata_of_its_footer(
    server: Server, settings: Settings, tmp_path: Path
) -> None:
    import duckdb

    names = [column.name for column in GREEN_TAXIS.columns]
    made = tmp_path / "made.parquet"
    select = ", ".join(f"1 AS {name}" for name in names)
    duckdb.connect().execute(f"COPY (SELECT {select} FROM range(12)) TO '{made}' (FORMAT parquet)")
    server.files[f"/{GREEN.stem}.parquet"] = made.read_bytes()
    staged, _ = fetched(offer_at(server.url, "parquet"), settings)
    assert (staged.data_lines, staged.header) == (12, tuple(names))


def test_the_login_of_an_offer_is_no_part_of_what_it_is() -> None:
    offer = offer_at("https://example.org")
    assert replace(offer, login=SecretStr("me:s3cret")) == offer
