"""A file is what its bytes are, whatever its name says: real files of every kind are loaded."""

from __future__ import annotations

import base64
import bz2
import csv
import gzip
import hashlib
import io
import json
import lzma
import sqlite3
import tarfile
import tempfile
import threading
import time
import zipfile
import zlib
from collections.abc import Callable
from datetime import datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import duckdb
import pyarrow
import pyarrow.parquet
import pytest

from pipeline.core.cancel import Cancel
from pipeline.core.datasets import GREEN_TAXIS
from pipeline.core.errors import Cancelled, StorageError, TripFileError
from pipeline.core.settings.settings import Settings
from pipeline.files.content import TextForm
from pipeline.files.prepare import PreparedFile, prepare
from pipeline.files.rewrite import rewrite_text
from pipeline.files.staging import find_staged
from pipeline.runs.policy import Policy
from tests.support.files import (
    GREEN,
    amounts,
    backfill,
    csv_bytes,
    header,
    load,
    request,
    rows,
    stage_from,
    trip,
    warehouse,
)
from tests.support.servers import Server, serving

GIB = 2**30
NAME = f"{GREEN.stem}.csv"
TRIPS = [trip(GREEN, total_amount=f"{9 + n}.30", trip_distance="1.68") for n in range(20)]
TEXT = csv_bytes(GREEN, TRIPS)
AMOUNTS = sorted(f"{9 + n}.30" for n in range(20))
HEADER = ",".join(header(GREEN.dataset))


def in_zip(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


def with_comment(comment: bytes) -> bytes:
    """The trips in a zip archive with a comment."""
    out = io.BytesIO(in_zip((NAME, TEXT)))
    with zipfile.ZipFile(out, "a") as archive:
        archive.comment = comment
    return out.getvalue()


def in_tar(*members: tuple[str, bytes], **attributes: object) -> bytes:
    """Members in a tar archive, with attributes of `TarInfo` such as the type."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for attribute, value in attributes.items():
                setattr(info, attribute, value)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def with_size_field(field: bytes) -> bytes:
    """The trips in a tar archive whose header states another size, with its right checksum."""
    archive = bytearray(in_tar((NAME, TEXT)))
    archive[124:136] = field
    archive[148:156] = b" " * 8
    archive[148:156] = b"%06o\0 " % sum(archive[:512])
    return bytes(archive)


def with_damage(content: bytes, place: int, damage: bytes) -> bytes:
    return content[:place] + damage + content[place + len(damage) :]


def with_false_utf8_name() -> bytes:
    """A zip archive whose name of the member is said to be UTF-8, and is not."""
    content = in_zip(("é.csv", TEXT))
    return content.replace("é".encode(), b"\xff\xfe")


def packed_by(codec: str, content: bytes) -> bytes:
    sink = pyarrow.BufferOutputStream()
    with pyarrow.CompressedOutputStream(sink, codec) as stream:
        stream.write(content)
    return bytes(sink.getvalue())


def parquet(content: bytes = TEXT, options: str = "") -> bytes:
    """The trips as parquet, with options of DuckDB's COPY."""
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        path = Path(folder)
        (path / "a.csv").write_bytes(content)
        connection.execute("SET force_mbedtls_unsafe = true")
        connection.execute("PRAGMA add_parquet_key('k', '0123456789112345')")
        connection.execute(
            f"COPY (FROM read_csv('{path}/a.csv')) TO '{path}/a.parquet' (FORMAT parquet{options})"
        )
        return (path / "a.parquet").read_bytes()


def with_encrypted_columns() -> bytes:
    """Parquet whose footer is plain, and a column of it encrypted."""
    import pyarrow.parquet.encryption as encryption

    class Keys(encryption.KmsClient):  # type: ignore[misc]
        def __init__(self, _configuration: object) -> None:
            super().__init__()

        def wrap_key(self, key: bytes, _name: str) -> bytes:
            return base64.b64encode(key)

        def unwrap_key(self, key: str, _name: str) -> bytes:
            return base64.b64decode(key)

    table = pyarrow.parquet.read_table(io.BytesIO(PARQUET))
    properties = encryption.CryptoFactory(Keys).file_encryption_properties(
        encryption.KmsConnectionConfig(),
        encryption.EncryptionConfiguration(
            footer_key="f", column_keys={"k": ["VendorID"]}, plaintext_footer=True
        ),
    )
    out = io.BytesIO()
    pyarrow.parquet.write_table(table, out, encryption_properties=properties)
    return out.getvalue()


def _swap(text: bytes) -> bytes:
    """The text with semicolons between cells and decimal commas, as a German Excel writes it."""
    return text.translate(bytes.maketrans(b",.", b";,"))


PARQUET = parquet()

READ: dict[str, tuple[bytes, str]] = {
    "csv": (TEXT, ""),
    "csv with a byte order mark": (b"\xef\xbb\xbf" + TEXT, ""),
    "csv.gz": (gzip.compress(TEXT), ""),
    "gzip of several members": (gzip.compress(TEXT[:900]) + gzip.compress(TEXT[900:]), ""),
    "gzip whose first member is empty": (gzip.compress(b"") + gzip.compress(TEXT), ""),
    "gzip with zeros behind it": (gzip.compress(TEXT) + bytes(1000), "1,000 zero bytes"),
    "gzip with one zero behind it": (gzip.compress(TEXT) + bytes(1), "1 zero byte after"),
    "parquet": (PARQUET, ""),
    "gzip in gzip": (gzip.compress(gzip.compress(TEXT)), "csv within gzip within gzip"),
    "gzip in gzip in gzip": (gzip.compress(gzip.compress(gzip.compress(TEXT))), "gzip within gzip"),
    "parquet in gzip": (gzip.compress(PARQUET), "parquet within gzip: unpacked"),
    "parquet in zip": (in_zip(("x.parquet", PARQUET)), "parquet within zip archive (x.parquet)"),
    "zip": (in_zip((NAME, TEXT)), f"csv within zip archive ({NAME}): unpacked and rewritten"),
    "zip that is not compressed": (in_zip((NAME, TEXT), method=zipfile.ZIP_STORED), "zip archive"),
    "zip packed by lzma": (in_zip((NAME, TEXT), method=zipfile.ZIP_LZMA), "zip archive"),
    "zip made on a Mac": (
        in_zip(
            ("d/", b""), (f"d/{NAME}", TEXT), (f"__MACOSX/d/._{NAME}", b"x"), (".DS_Store", b"")
        ),
        "zip archive",
    ),
    "zip with a note beside the trips": (in_zip((NAME, TEXT), ("LIES.txt", b"x")), "zip archive"),
    "csv.gz in zip": (in_zip((f"{NAME}.gz", gzip.compress(TEXT))), "csv within gzip within zip"),
    "zip in gzip": (gzip.compress(in_zip((NAME, TEXT))), "within zip archive"),
    "zstd": (packed_by("zstd", TEXT), "csv within zstd"),
    "zstd of several frames": (packed_by("zstd", TEXT[:99]) + packed_by("zstd", TEXT[99:]), "zstd"),
    "lz4": (packed_by("lz4", TEXT), "csv within lz4"),
    "bzip2": (bz2.compress(TEXT[:77]) + bz2.compress(TEXT[77:]), "csv within bzip2"),
    "xz": (lzma.compress(TEXT) + bytes(8), "csv within xz"),
    "tar": (in_tar((NAME, TEXT)), "tar archive"),
    "tar made in the folder of the trips": (in_tar((f"./{NAME}", TEXT)), f"(./{NAME})"),
    "tar made in another folder": (in_tar((f"../trips/{NAME}", TEXT)), "tar archive"),
    "tar with zeros behind it": (in_tar((NAME, TEXT)) + bytes(70_000), "tar archive"),
    "zip with zeros behind it": (in_zip((NAME, TEXT)) + bytes(1000), "zip archive"),
    "zip with a comment": (with_comment(b"made by hand"), "zip archive"),
    "zip packed by bzip2": (in_zip((NAME, TEXT), method=zipfile.ZIP_BZIP2), "zip archive"),
    "tar.gz": (gzip.compress(in_tar((f"x/{NAME}", TEXT))), "within gzip"),
    "UTF-16": (TEXT.decode().encode("utf-16"), "UTF-16 csv: rewritten as csv.gz"),
    "UTF-16, big end first": (b"\xfe\xff" + TEXT.decode().encode("utf-16-be"), "UTF-16 csv"),
    "UTF-16 without a mark": (TEXT.decode().encode("utf-16-le"), "UTF-16 csv"),
    "UTF-32": (TEXT.decode().encode("utf-32"), "UTF-32 csv"),
    "UTF-16 in gzip": (gzip.compress(TEXT.decode().encode("utf-16")), "UTF-16 csv"),
    "semicolons": (TEXT.replace(b",", b";"), "csv with semicolons between the cells: rewritten"),
    "semicolons and decimal commas": (_swap(TEXT), "semicolons"),
    "the same in UTF-16 and zip": (
        in_zip(("Daten.csv", _swap(TEXT).decode().encode("utf-16"))),
        "UTF-16 csv with semicolons between the cells within zip archive (Daten.csv)",
    ),
    "tabs": (TEXT.replace(b",", b"\t"), "tabs"),
    "tabs and carriage returns": (TEXT.replace(b",", b"\t").replace(b"\n", b"\r\n"), "tabs"),
    "vertical bars": (TEXT.replace(b",", b"|"), "vertical bars"),
    "a line that names the separator": (b"sep=;\r\n" + _swap(TEXT), "semicolons"),
    "a line that names the separator, behind a mark": (
        b"\xef\xbb\xbfsep=;\r\n" + _swap(TEXT),
        "semicolons",
    ),
    "a title and a blank line": (
        "Züge 2020\n\n".encode() + TEXT,
        "csv with other lines before the header",
    ),
    "a title in UTF-16": (("Züge\r\n" + TEXT.decode()).encode("utf-16"), "UTF-16 csv"),
    "Hive's control character": (TEXT.replace(b",", b"\x01"), "'\\x01' between the cells"),
    "carets": (TEXT.replace(b",", b"^"), "'^' between the cells"),
    "zlib": (zlib.compress(TEXT), "csv within zlib"),
    "zstd behind a frame to skip": (
        b"\x50\x2a\x4d\x18\x04\0\0\0abcd" + packed_by("zstd", TEXT),
        "csv within zstd",
    ),
    "a line that names the comma": (b"sep=,\n" + TEXT, "other lines before the header"),
}


def put(folder: Path, content: bytes, name: str = f"{NAME}.gz") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("ending", ["csv.gz", "csv", "parquet"])
@pytest.mark.parametrize("kind", READ)
def test_file_is_read_by_its_content_whatever_its_name(
    tmp_path: Path, kind: str, ending: str
) -> None:
    content, remark = READ[kind]
    path = tmp_path / f"x.{ending}"
    path.write_bytes(content)
    prepared = prepare_file(path, tmp_path)
    assert prepared.content.data_lines == 20
    assert remark in prepared.remark
    assert (prepared.original is None) == (prepared.path == path)
    if prepared.original is not None:
        assert prepared.original.sha256 == hashlib.sha256(content).hexdigest()
        assert prepared.original.bytes == len(content)
    assert path.read_bytes() == content


def prepare_file(
    path: Path, folder: Path, limit: int = GIB, cancel: Cancel | None = None
) -> PreparedFile:
    return prepare(path, GREEN, "https://host/x", folder / "rewritten", limit, cancel or Cancel())


@pytest.mark.parametrize("kind", READ)
def test_file_of_every_kind_loads_to_the_cent_with_a_remark(
    settings: Settings, tmp_path: Path, kind: str
) -> None:
    content, remark = READ[kind]
    source = put(tmp_path / "source", content)
    state, files = backfill(settings, request(source, GREEN))
    assert state == "succeeded"
    assert amounts(settings, GREEN) == AMOUNTS
    assert remark in files[GREEN].reason
    assert files[GREEN].bytes == len(content)
    assert files[GREEN].sha256 == hashlib.sha256(content).hexdigest()
    staged = find_staged(GREEN, settings)
    assert staged is not None
    left = {path.name for path in staged.path.parent.iterdir()}
    assert left == {staged.path.name, f"{staged.path.name}.json"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "cp1252"])
def test_text_is_rewritten_alike_wherever_its_pieces_end(tmp_path: Path, encoding: str) -> None:
    lines = [*_swap(TEXT).decode().splitlines()[:4], '"Züge; ""x""";4,50;"a', 'b";1', "last;1,5"]
    text = "\r\n".join(lines).encode(encoding)
    form = TextForm("utf-16-le" if encoding == "utf-16-le" else "utf-8", ";", 0)

    def rewritten(*chunks: bytes) -> bytes:
        path = tmp_path / "rewritten"
        rewrite_text(iter(chunks), form, GREEN_TAXIS, path, GIB, Cancel())
        return gzip.decompress(path.read_bytes())

    whole = rewritten(text)
    assert b"4,50" in whole
    for end in range(0, len(text), 1 + len(text) // 150):
        assert rewritten(text[:end], text[end:]) == whole
    assert rewritten(*(bytes([letter]) for letter in text)) == whole


def test_rewritten_file_that_did_not_change_is_skipped(settings: Settings, tmp_path: Path) -> None:
    source = put(tmp_path / "source", READ["zip"][0])
    backfill(settings, request(source, GREEN))
    staged = find_staged(GREEN, settings)
    assert staged is not None
    assert staged.format == "csv.gz"
    before = staged.path.stat().st_mtime_ns
    _, files = backfill(settings, request(source, GREEN, policy=Policy.ALL))
    assert files[GREEN].state == "skipped"
    put(source, READ["zip"][0])  # the same bytes, at another time
    _, files = backfill(settings, request(source, GREEN, policy=Policy.ALL))
    assert (files[GREEN].state, files[GREEN].reason[:9]) == ("skipped", "unchanged")
    put(source, in_zip((NAME, csv_bytes(GREEN, TRIPS[:5]))))
    _, files = backfill(settings, request(source, GREEN))
    assert (files[GREEN].state, files[GREEN].rows) == ("loaded", 5)
    assert staged.path.stat().st_mtime_ns != before


def test_same_text_is_always_rewritten_to_the_same_bytes(tmp_path: Path) -> None:
    made = []
    for name in ("a", "b"):
        path = tmp_path / name
        path.write_bytes(READ["semicolons and decimal commas"][0])
        prepared = prepare_file(path, tmp_path / f"{name}.d")
        made.append(prepared.path.read_bytes())
        time.sleep(1.1 if name == "a" else 0)
    assert made[0] == made[1]
    assert gzip.decompress(made[0]).count(b"\n") == TEXT.count(b"\n")


def test_cells_of_a_semicolon_file_keep_every_letter(tmp_path: Path) -> None:
    text = (
        HEADER.replace(",", ";") + ";note\n"
        '2;2020-04-01 08:00:00;2020-04-01 08:12:30;"N";1;42;41;1;1,680;8;0,5;-0,5;0;0;;,3;9,30;1;1'
        ';0;"a;b, ""c"""\n'
        "2;2020-04-01 08:00:00;2020-04-01 08:12:30;N;1;42;41;1;2;8;;;;;;;9;1;1;0;1,5 miles\n"
    )
    path = tmp_path / "x"
    path.write_text(text)
    rewritten = gzip.decompress(prepare_file(path, tmp_path).path.read_bytes()).decode()
    cells = list(csv.reader(io.StringIO(text), delimiter=";"))
    assert list(csv.reader(io.StringIO(rewritten))) == cells


def test_damaged_line_of_a_semicolon_file_stays_a_reject(
    settings: Settings, tmp_path: Path
) -> None:
    good = TEXT.replace(b",", b";").splitlines(keepends=True)
    many = good[:1] + good[1:] * 20
    bad = [b'2;"2020-04-01 08:00:00;2020-04-01\n', b"2;2020-04-01;x\n"]
    entry = load(put(tmp_path / "s", b"".join(many + bad)), GREEN, settings)
    assert (entry.rows, entry.rejected) == (400, 2)


def test_trip_within_a_quoted_cell_of_a_semicolon_file_is_a_reject(
    settings: Settings, tmp_path: Path
) -> None:
    first, trips = TEXT.replace(b",", b";").split(b"\n", 1)
    lines = trips.splitlines()
    cell = [lines[0] + b';"open', lines[1] + b";x", b'y"', lines[2] + b';"5"" pipe"']
    text = b"\n".join([first + b";note", *(line + b";" for line in lines * 20), *cell, b""])
    entry = load(put(tmp_path / "s", text), GREEN, settings)
    assert (entry.rows, entry.rejected) == (401, 3)


def test_rejects_are_numbered_by_the_lines_of_the_published_file(
    settings: Settings, tmp_path: Path
) -> None:
    first, *lines = TEXT.splitlines(keepends=True)
    text = b"".join([b"Green trips\n", b"\n", first, *lines * 20, b"1,2\n"])
    load(put(tmp_path / "s", text), GREEN, settings)
    with warehouse(settings) as opened:
        (reject,) = opened.read("SELECT line FROM rejects", {}).table.to_pylist()
    assert reject["line"] == 4 + 400


@pytest.mark.parametrize(
    "title", [b"K\xf6ln\n", b"\xdcbersicht\nf\xfcr \xff\xe9\n", b"\xef\xbb\xbf\xdc\n"]
)
def test_title_of_another_encoding_does_not_cut_the_header(
    settings: Settings, tmp_path: Path, title: bytes
) -> None:
    entry = load(put(tmp_path / "s", title + TEXT), GREEN, settings)
    assert (entry.rows, entry.rejected) == (20, 0)
    staged = find_staged(GREEN, settings)
    assert staged is not None
    assert gzip.decompress(staged.path.read_bytes()) == TEXT


def test_letters_of_latin_1_in_an_unknown_column_reject_nothing(
    settings: Settings, tmp_path: Path
) -> None:
    names = [*header(GREEN.dataset), "straße"]
    text = csv_bytes(GREEN, [t | {"straße": "Köln, €"} for t in TRIPS], names).decode()
    entry = load(put(tmp_path / "s", text.encode("cp1252")), GREEN, settings)
    assert (entry.rows, entry.rejected) == (20, 0)
    staged = find_staged(GREEN, settings)
    assert staged is not None
    assert gzip.decompress(staged.path.read_bytes()).decode() == text
    assert "UTF-8 in columns that are not loaded" in staged.remark


def test_wrong_letters_in_a_loaded_column_are_still_a_reject(
    settings: Settings, tmp_path: Path
) -> None:
    names = [*header(GREEN.dataset), "street"]
    many = [t | {"street": "Koln"} for t in TRIPS * 20]
    text = csv_bytes(GREEN, many, names)
    damaged = text.replace(b",N,", b",\xff,", 1).replace(b"Koln", b"K\xf6ln", 7)
    entry = load(put(tmp_path / "s", damaged), GREEN, settings)
    assert (entry.rows, entry.rejected) == (399, 1)


def workbook() -> bytes:
    return in_zip(("[Content_Types].xml", b"<x/>"), ("xl/workbook.xml", b"<x/>"))


def encrypted_zip() -> bytes:
    content = bytearray(in_zip((NAME, TEXT), method=zipfile.ZIP_STORED))
    content[6] |= 1
    directory = content.rindex(b"PK\x01\x02")
    content[directory + 8] |= 1
    return bytes(content)


def sqlite_file() -> bytes:
    with sqlite3.connect(":memory:") as connection:
        connection.execute("CREATE TABLE t (x)")
        return connection.serialize()


def without_header() -> bytes:
    return TEXT.split(b"\n", 1)[1]


HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head></html>"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:3747\nsize 854903002\n"
S3_ERROR = b"<?xml version='1.0'?>\n<Error><Code>AccessDenied</Code></Error>"
OLD_GREEN = (
    b"VendorID,lpep_pickup_datetime,Lpep_dropoff_datetime,Store_and_fwd_flag,RateCodeID,"
    b"Pickup_longitude,Pickup_latitude,Dropoff_longitude,Dropoff_latitude,Passenger_count\n"
)
OLD_YELLOW = b"vendor_name,Trip_Pickup_DateTime,Trip_Dropoff_DateTime,Start_Lon,Start_Lat\n"
SPARSE = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": NAME}
REFUSED: dict[str, tuple[bytes | Callable[[], bytes], str, str]] = {
    "empty": (b"", "is empty", "Run it again"),
    "gzip of nothing": (gzip.compress(b""), "is empty", "Run it again"),
    "zeros": (bytes(5000), "begins with 5,000 zero bytes", "Download it again"),
    "zeros in gzip": (gzip.compress(bytes(5000)), "begins with 5,000 zero", "Download it again"),
    "LFS pointer": (POINTER, "is a Git LFS pointer", "git lfs pull"),
    "web page": (HTML, "is a web page, not a trip file", "asks for a login"),
    "web page in gzip": (gzip.compress(HTML), "is a web page", "asks for a login"),
    "web page in UTF-16": (HTML.decode().encode("utf-16"), "is a web page", "asks for a login"),
    "web page behind blanks": (b"\xef\xbb\xbf \r\n" + HTML, "is a web page", "login"),
    "XML": (b"<?xml version='1.0'?><Trips/>", "is an XML document, not", "Check that the address"),
    "error of a bucket": (S3_ERROR, "is an XML document that says AccessDenied", "address"),
    "JSON": (b'[{"VendorID": 2}]', "is JSON, not a trip file", "Write the trips as csv"),
    "JSON lines": (b'{"VendorID": 2}\n{"VendorID": 1}\n', "is JSON", "Write the trips as csv"),
    "JSON error": (b'{"message": "Not Found"}', "is JSON that says 'Not Found'", "address"),
    "SQL": (b"-- dump\nCREATE TABLE x (y int);\n", "is SQL, not a trip file", "export the trips"),
    "encrypted parquet": (
        lambda: parquet(options=", ENCRYPTION_CONFIG {footer_key: 'k'}"),
        "is encrypted parquet",
        "without encryption",
    ),
    "parquet with encrypted columns": (
        with_encrypted_columns,
        "is encrypted parquet",
        "without encryption",
    ),
    "encrypted zip": (encrypted_zip, "whose member green_tripdata_2020-04.csv is en", "pass"),
    "zip of two months": (
        in_zip((NAME, TEXT), ("green_tripdata_2020-04.csv.gz", TEXT)),
        "is a zip archive with 2 files: green_tripdata_2020-04.csv, green_tripdata_2020-04.csv.gz",
        "give the one csv or parquet file",
    ),
    "zip of unknown files": (
        in_zip(*((f"part{n}.csv", TEXT) for n in range(5))),
        "with 5 files: part0.csv, part1.csv, part2.csv and 2 more",
        "give the one csv or parquet file",
    ),
    "zip of another month": (
        in_zip(("green_tripdata_2020-05.csv", TEXT)),
        "is a zip archive with another trip file, green_tripdata_2020-05.csv",
        "give the one csv or parquet file",
    ),
    "zip of nothing": (in_zip(), "is a zip archive without files", "another source"),
    "cut zip": (in_zip((NAME, TEXT))[:-30], "is a zip archive that is truncated or damaged", ""),
    "cut tar": (in_tar((NAME, TEXT))[:2000], "damaged", ""),
    "zip with more behind it": (
        in_zip((NAME, TEXT)) + b"J" * 500,
        "has 500 more bytes after the end of its zip archive",
        "unpack it",
    ),
    "zip behind a zip": (
        in_zip(("a.csv", b"x")) + in_zip((NAME, TEXT)),
        "more bytes before the first member of its zip archive",
        "unpack it",
    ),
    "zip with a damaged bzip2": (
        with_damage(in_zip((NAME, TEXT), method=zipfile.ZIP_BZIP2), 120, b"damage"),
        "is a zip archive that is truncated or damaged",
        "another source",
    ),
    "zip whose directory is elsewhere": (
        with_damage(in_zip((NAME, TEXT)), len(in_zip((NAME, TEXT))) - 6, b"\xf0\xff\xff\x7f"),
        "is a zip archive that is truncated or damaged",
        "another source",
    ),
    "zip with a name that is not UTF-8": (
        with_false_utf8_name,
        "is a zip archive that is truncated or damaged",
        "another source",
    ),
    "zip of folders": (in_zip(("a/", b"")), "it has only folders", "Give the csv"),
    "zip of hidden files": (in_zip((".a/b.csv", TEXT)), "it has only hidden files", "Give the csv"),
    "tar with more behind it": (
        in_tar((NAME, TEXT)) + b"junk" * 1000,
        f"more bytes after {NAME}, the last member of its tar archive that can be read",
        "unpack it",
    ),
    "tar with a damaged second header": (
        in_tar((NAME, TEXT), ("second.csv", TEXT)).replace(b"second", b"damage"),
        f"more bytes after {NAME}, the last member of its tar archive that can be read",
        "unpack it",
    ),
    "tar behind a tar": (
        in_tar((NAME, TEXT)) + in_tar((NAME, TEXT)),
        f"more bytes after {NAME}, the last member of its tar archive that can be read",
        "unpack it",
    ),
    "tar without its end": (
        in_tar((NAME, TEXT))[: 512 + -(-len(TEXT) // 512) * 512],
        "is a tar archive that is truncated: it does not end in zeros",
        "",
    ),
    "tar of a link": (
        in_tar((NAME, b""), type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        "is a tar archive without a trip file: it has only links",
        "Give the csv or parquet file",
    ),
    "tar of a device": (in_tar((NAME, b""), type=tarfile.FIFOTYPE), "only devices", "Give the csv"),
    "tar with a negative size": (
        with_size_field(b"-0000000001\0"),
        "has a size of -1 bytes",
        "Unpack it",
    ),
    "tar with an endless size": (with_size_field(b"\x80" + b"\xff" * 11), "damaged (", ""),
    "tar with a size that is no number": (
        in_tar((NAME, TEXT), pax_headers={"size": "abc"}),
        "more bytes after",
        "",
    ),
    "tar of a sparse file": (
        in_tar((NAME, TEXT), type=tarfile.GNUTYPE_SPARSE),
        "is a sparse file",
        "Unpack it",
    ),
    "tar with a false map of a sparse file": (
        in_tar((NAME, TEXT), pax_headers=SPARSE),
        "is a tar archive that is truncated or damaged (",
        "",
    ),
    "cut zstd": (packed_by("zstd", TEXT)[:-9], "is truncated: its zstd stream ends", ""),
    "cut xz": (lzma.compress(TEXT)[:-9], "is truncated: its xz stream ends", ""),
    "cut bzip2": (bz2.compress(TEXT)[:-9], "is truncated: its bzip2 stream ends", ""),
    "cut gzip": (gzip.compress(TEXT)[:-9], "is truncated: its gzip stream ends", ""),
    "cut UTF-16": (TEXT.decode().encode("utf-16")[:-1], "is truncated: its UTF-16-LE text", ""),
    "more behind a gzip": (
        gzip.compress(TEXT) + b"12345678",
        "has 8 more bytes after the end of its gzip stream",
        "compress the whole csv again",
    ),
    "more behind a bzip2": (bz2.compress(TEXT) + b"1234", "has 4 more bytes after the end", ""),
    "packed too often": (
        gzip.compress(gzip.compress(gzip.compress(gzip.compress(gzip.compress(gzip.compress(TEXT)))))),
        "is compressed more than 4 times",
        "Unpack it",
    ),
    "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(99), "is a 7z archive", "Unpack it"),
    "rar": (b"Rar!\x1a\x07\x01" + bytes(99), "is a rar archive", "Unpack it"),
    "compress": (b"\x1f\x9d\x90abc", "packed by compress", "Unpack it"),
    "Excel": (workbook, "is an Excel workbook", "Save the sheet as csv"),
    "Word": (in_zip(("word/document.xml", b"")), "is a Word document", "Find the csv"),
    "OpenDocument": (in_zip(("mimetype", b""), ("content.xml", b"")), "OpenDocument", "Save"),
    "old Excel": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old Excel or Word", "Save"),
    "old Feather": (b"FEA1" + bytes(60), "is an old Feather file", "Write it as parquet"),
    "stream of Arrow": (b"\xff" * 4 + bytes(60), "is a stream of Arrow", "Write it as parquet"),
    "YAML": (b"---\n- a: 1\n", "lacks VendorID", "Check that the address"),
    "table of a web page": (b"<table><tr><td>2</td></tr></table>", "is a web page", "login"),
    "trips before the header": (
        b"".join([*TEXT.splitlines(keepends=True)[1:4], TEXT]),
        "has lines of data before its header, which is line 4",
        "column names the first one",
    ),
    "header with semicolons": (
        HEADER.replace(",", ";").encode() + b"\n" + TEXT.split(b"\n", 1)[1],
        "has a header with ';' between its names, and commas",
        "commas in the header",
    ),
    "each line in quotes": (
        b"".join(b'"%s"\n' % line for line in TEXT.splitlines()),
        "has each line in quotes",
        "quotes around single cells",
    ),
    "a column missing": (
        csv_bytes(GREEN, TRIPS, [name for name in header(GREEN.dataset) if name != "VendorID"]),
        "lacks VendorID, which the row identity needs",
        "Add what is missing",
    ),
    "SQLite": (sqlite_file, "is a SQLite database", "Export the trips"),
    "PDF": (b"%PDF-1.7\n" + bytes(50), "is a PDF document", "Find the csv"),
    "Arrow": (b"ARROW1\0\0" + bytes(50), "is an Arrow (Feather) file", "Write it as parquet"),
    "no header": (without_header, "has no header: its first line is data (2, 2020", "VendorID"),
    "no header, semicolons": (
        lambda: _swap(without_header()),
        "has no header: its first line is data",
        "VendorID,lpep",
    ),
    "old green": (OLD_GREEN, "has coordinates instead of zones", "--source tlc"),
    "old yellow": (OLD_YELLOW, "has coordinates instead of zones", "--source tlc"),
    "colons": (TEXT.replace(b",", b":"), "separates its cells by ':', which also occurs", "commas"),
    "blanks": (TEXT.replace(b",", b" "), "separates its cells by ' '", "commas"),
    "several letters": (TEXT.replace(b",", b"=>"), "lacks VendorID", ""),
    "high-volume services": (
        b"hvfhs_license_num,dispatching_base_num,pickup_datetime\nHV1,B1,2020-04-01\n",
        "is a file of high-volume services",
        "green taxis",
    ),
    "error of Cloud Storage": (
        b'{\n "error": {\n  "code": 404,\n  "message": "No such object: x"}}',
        "is JSON that says 'No such object: x'",
        "address",
    ),
    "fragment of a page": (b"<div>Please sign in</div>", "is a web page", "login"),
    "lzma": (lzma.compress(TEXT, lzma.FORMAT_ALONE), "packed by lzma, in its old", "Unpack it"),
    "one byte behind a gzip": (gzip.compress(TEXT) + b"x", "has 1 more byte after the end", ""),
    "noise": (bytes(range(128, 256)) * 9, "has a first line that is not text", "address"),
    "binary": (b"ab\0\1\2" * 99, "has a first line that is not text", "address"),
}  # fmt: skip


@pytest.mark.parametrize("ending", ["csv.gz", "parquet"])
@pytest.mark.parametrize("kind", REFUSED)
def test_file_that_cannot_be_read_is_named_for_what_it_is_with_a_cure(
    tmp_path: Path, kind: str, ending: str
) -> None:
    content, problem, cure = REFUSED[kind]
    path = tmp_path / f"x.{ending}"
    path.write_bytes(content if isinstance(content, bytes) else content())
    with pytest.raises(TripFileError) as caught:
        prepare_file(path, tmp_path)
    assert problem in caught.value.problem
    assert caught.value.problem.startswith(f"{GREEN} from https://host/x ")
    assert cure in caught.value.cure
    assert caught.value.cure
    assert "MAX_REJECTED" not in caught.value.cure
    assert caught.value.problem.isprintable()


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="reading it is an error on Linux")
def test_file_that_cannot_be_read_is_not_said_to_be_unwritable(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="/proc/self/mem cannot be read: Input/output error"):
        prepare_file(Path("/proc/self/mem"), tmp_path)


def test_names_in_an_archive_never_reach_a_message_raw(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(in_zip(("a\x1b[31m.csv", TEXT), ("b\n.csv", TEXT)))
    with pytest.raises(TripFileError, match="is a zip archive with 2 files") as caught:
        prepare_file(path, tmp_path)
    assert caught.value.problem.isprintable()


def zeros(size: int) -> bytes:
    """A gzip of a csv header and this many line ends, made without packing them one by one."""
    packer = zlib.compressobj(9, wbits=-15)
    head = packer.compress(TEXT.split(b"\n")[0]) + packer.flush(zlib.Z_FULL_FLUSH)
    block = 2**24
    packed = packer.compress(b"\n" * block) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + head + packed * (size // block)


@pytest.mark.parametrize("wrap", [gzip.compress, bz2.compress, lambda c: in_zip((NAME, c))])
def test_bomb_in_another_packing_is_refused_by_the_limit(
    tmp_path: Path, wrap: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "x"
    path.write_bytes(wrap(zeros(GIB)))
    started = time.process_time()
    with pytest.raises(TripFileError, match=r"larger than 0\.05 GiB when unpacked.*MAX_UNPACKED"):
        prepare_file(path, tmp_path, limit=int(0.05 * GIB))
    assert time.process_time() - started < 3
    assert sum(f.stat().st_size for f in tmp_path.rglob("*") if f.is_file()) < 0.1 * GIB


def test_layer_of_an_archive_larger_than_the_limit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(in_zip((NAME, TEXT + b"\n" * 3_000_000)))
    with pytest.raises(TripFileError, match="larger than"):
        prepare_file(path, tmp_path, limit=1_000_000)


def test_cancel_stops_rewriting_within_two_seconds(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(in_zip((f"{NAME}.gz", zeros(8 * GIB))))
    cancel = Cancel()
    threading.Timer(0.5, cancel.set).start()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        prepare_file(path, tmp_path, limit=64 * GIB, cancel=cancel)
    assert time.monotonic() - started < 2.5


def test_cancel_stops_a_gzip_of_countless_empty_members(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(gzip.compress(b"") * 3_000_000)
    cancel = Cancel()
    threading.Timer(0.5, cancel.set).start()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        prepare_file(path, tmp_path, cancel=cancel)
    assert time.monotonic() - started < 2.5


def test_failed_rewriting_leaves_the_earlier_staged_file(
    settings: Settings, tmp_path: Path
) -> None:
    source = put(tmp_path / "s", TEXT)
    staged = stage_from(source, GREEN, settings)
    put(source, in_zip((NAME, TEXT))[:-30])
    with pytest.raises(TripFileError):
        stage_from(source, GREEN, settings)
    assert staged.path.read_bytes() == TEXT
    assert not list(settings.staging.rglob("*.rewriting"))


@pytest.mark.parametrize("coding", ["gzip", "br", "identity", "x-gzip, gzip", "utf-8"])
@pytest.mark.parametrize("kind", ["csv", "csv.gz", "gzip in gzip", "zip", "parquet"])
def test_content_encoding_of_a_server_decides_nothing(
    settings: Settings, kind: str, coding: str
) -> None:
    path = f"/{NAME}.gz"
    with Server({path: READ[kind][0]}) as server:
        server.behave(path, headers={"Content-Encoding": coding})
        state, _ = backfill(settings, request(server.url, GREEN))
    assert state == "succeeded"
    assert amounts(settings, GREEN) == AMOUNTS


def test_download_that_the_server_unpacks_resumes_and_is_skipped_when_unchanged(
    settings: Settings,
) -> None:
    path = f"/{NAME}.gz"
    text = csv_bytes(GREEN, TRIPS * 500)
    with Server({path: text}) as server:
        server.behave(path, drop_after=200_000, drop_times=1)
        state, _ = backfill(settings, request(server.url, GREEN))
        assert state == "succeeded"
        ranges = [r.headers.get("range") for r in server.requests if r.method == "GET"]
        assert any(r and r.startswith("bytes=") and r != "bytes=0-0" for r in ranges)
        _, files = backfill(settings, request(server.url, GREEN, policy=Policy.ALL))
        assert files[GREEN].state == "skipped"
    assert rows(settings, "SELECT count(*) FROM green_tripdata") == [(10_000,)]


def test_staged_note_tells_what_was_rewritten_to_later_runs(
    settings: Settings, tmp_path: Path
) -> None:
    content = READ["zip"][0]
    staged = stage_from(put(tmp_path / "s", content), GREEN, settings)
    note = json.loads(staged.path.with_name(staged.path.name + ".json").read_text())
    assert note["original"] == {
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "lines_before": 0,
    }
    assert find_staged(GREEN, settings) == staged
    assert staged.sha256 == hashlib.sha256(staged.path.read_bytes()).hexdigest()


@pytest.mark.parametrize("ending", ["csv.gz", "parquet"])
@pytest.mark.parametrize(("others", "warned"), [(20, True), (12, True), (9, False), (0, False)])
def test_two_months_in_one_file_are_told_and_all_loaded(
    settings: Settings, tmp_path: Path, ending: str, others: int, warned: bool
) -> None:
    may = [trip(GREEN, pickup=f"2020-05-{day + 1:02} 08:00:00") for day in range(others)]
    text = csv_bytes(GREEN, [*TRIPS, *may])
    content = parquet(text) if ending == "parquet" else gzip.compress(text)
    source = put(tmp_path / "s", content, f"{GREEN.stem}.{ending}")
    _, files = backfill(settings, request(source, GREEN))
    assert (files[GREEN].state, files[GREEN].rows) == ("loaded", 20 + others)
    sentence = f"{others} of {20 + others} sampled trips were picked up in 2020-05"
    assert (sentence in files[GREEN].reason) == warned


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("form", ["%m/%d/%Y %I:%M %p", "%d-%b-%Y %H:%M", "%d.%m.%Y %H:%M"])
def test_two_months_are_told_in_every_spelling_of_dates(
    settings: Settings, tmp_path: Path, form: str, ending: str
) -> None:
    days = [datetime(2020, month, day, 8) for month in (4, 5) for day in (3, 13, *range(14, 27))]
    dropoff = {GREEN.dataset.dropoff: days[0].strftime(form)}
    text = csv_bytes(GREEN, [trip(GREEN, pickup=f"{day:{form}}", **dropoff) for day in days])
    content = parquet(text) if ending == "parquet" else text
    source = put(tmp_path / "s", content, f"{GREEN.stem}.{ending}")
    _, files = backfill(settings, request(source, GREEN))
    assert (files[GREEN].state, files[GREEN].rows) == ("loaded", len(days))
    assert "15 of 30 sampled trips were picked up in 2020-05" in files[GREEN].reason


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
def test_file_without_trips_does_not_take_the_place_of_loaded_ones(
    settings: Settings, tmp_path: Path, ending: str
) -> None:
    backfill(settings, request(put(tmp_path / "s", TEXT), GREEN))
    head = csv_bytes(GREEN, [])
    content = {"csv": head, "csv.gz": gzip.compress(head), "parquet": parquet(head)}[ending]
    empty = put(tmp_path / "empty", content, f"{GREEN.stem}.{ending}")
    state, files = backfill(settings, request(empty, GREEN))
    assert (state, files[GREEN].state) == ("failed", "failed")
    assert "has no trips, but 20 trips of green_tripdata_2020-04 are loaded" in files[GREEN].reason
    assert amounts(settings, GREEN) == AMOUNTS
    state, files = backfill(settings, request(empty, GREEN, force=True))
    assert (state, files[GREEN].deleted) == ("succeeded", 20)


def test_other_month_far_into_a_large_file_is_told(settings: Settings, tmp_path: Path) -> None:
    may = [trip(GREEN, pickup="2020-05-01 08:00:00")] * 10_000
    text = csv_bytes(GREEN, [*TRIPS * 500, *may])
    _, files = backfill(settings, request(put(tmp_path / "s", text), GREEN))
    assert files[GREEN].rows == 20_000
    assert "were picked up in 2020-05" in files[GREEN].reason


class Unpacking(BaseHTTPRequestHandler):
    """A server that tells the size of the packed file, and sends it unpacked without a size."""

    protocol_version = "HTTP/1.1"
    stored = gzip.compress(TEXT)

    def do_HEAD(self) -> None:
        self.respond({"Content-Length": str(len(self.stored))})

    def do_GET(self) -> None:
        self.respond({"Transfer-Encoding": "chunked"})
        if self.path == f"/{NAME}.gz":
            self.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(TEXT), TEXT))

    def respond(self, headers: dict[str, str]) -> None:
        found = self.path == f"/{NAME}.gz"
        self.send_response(200 if found else 404)
        headers |= {"Last-Modified": "Wed, 01 Apr 2020 08:00:00 GMT"}
        for name, value in (headers if found else {"Content-Length": "0"}).items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_file_with_two_sizes_at_its_server_is_not_stale_after_its_load(settings: Settings) -> None:
    with serving(Unpacking) as url:
        _, files = backfill(settings, request(url, GREEN))
        assert (files[GREEN].state, amounts(settings, GREEN)) == ("loaded", AMOUNTS)
        for policy in (Policy.MISSING_AND_FAILED, Policy.ALL):
            _, files = backfill(settings, request(url, GREEN, policy=policy))
            assert files[GREEN].state == "skipped"
            assert "stale" not in files[GREEN].reason
