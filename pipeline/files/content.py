"""Tell what a file is by its first bytes, never by its name: a packing, parquet, text, or neither.

A text is a csv if its first line, read with one of a few encodings and separators, names the
columns of the dataset; with any other reading it would not, so the reading is certain.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Literal, NoReturn

from pipeline.core.datasets import Dataset
from pipeline.files.header import (
    CURE_ADDRESS,
    InvalidFile,
    check_header,
    excerpt,
    first_line,
    is_data,
    lacking_columns,
    split_line,
)

HEAD = 64 * 1024  # bytes from which a file is told

_CURE_UNPACK = "Unpack it, and give the csv or parquet file that is inside."
_CURE_EXPORT = "Save it as csv (UTF-8), and give that file."
CURE_LOGIN = (
    "Open the address in a browser: if it asks for a login, write user:password@ into the address; "
    "otherwise find the address of the file itself."
)

Packing = Literal["gzip", "zlib", "zip archive", "zstd", "bzip2", "xz", "lz4", "tar archive"]
Kind = Packing | Literal["parquet", "text"]

_PACKINGS: tuple[tuple[bytes, Packing], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"x\x01", "zlib"),  # what Content-Encoding calls deflate
    (b"x\x9c", "zlib"),
    (b"x\xda", "zlib"),
    (b"PK\x03\x04", "zip archive"),
    (b"PK\x05\x06", "zip archive"),  # without members
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x04\x22\x4d\x18", "lz4"),
)
_ZSTD_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")  # begins what pzstd writes

ENCRYPTED = (
    "is encrypted parquet, and Fareground has no key for it",
    "Write it without encryption, or take the month from another source.",
)

_FOREIGN: tuple[tuple[bytes, str, str], ...] = (
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _CURE_UNPACK),
    (b"Rar!\x1a\x07", "a rar archive", _CURE_UNPACK),
    (b"\x1f\x9d", "packed by compress (.Z)", _CURE_UNPACK),
    (b"\x5d\0\0", "packed by lzma, in its old format", _CURE_UNPACK),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel or Word document", _CURE_EXPORT),
    (b"%PDF-", "a PDF document", "Find the csv or parquet file from which it was made."),
    (b"SQLite format 3\0", "a SQLite database", "Export the trips from it as csv."),
    (b"PGDMP", "a dump of a PostgreSQL database", "Restore it, and export the trips as csv."),
    (b"ARROW1", "an Arrow (Feather) file", "Write it as parquet."),
    (b"FEA1", "an old Feather file", "Write it as parquet."),
    (b"\xff\xff\xff\xff", "a stream of Arrow", "Write it as parquet."),
    (b"ORC", "an ORC file", "Write it as parquet."),
    (b"Obj\x01", "an Avro file", "Write it as parquet."),
    (b"\x89PNG\r\n", "a PNG picture", CURE_ADDRESS),
    (b"\xff\xd8\xff", "a JPEG picture", CURE_ADDRESS),
    (b"\x7fELF", "a program", CURE_ADDRESS),
)

BYTE_ORDER_MARKS = (
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_SEPARATOR_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
# Times hold these, too, so between cells they do not separate for certain.
_WITHIN_TIMES = " :-/."
# A title, a blank line or Excel's `sep=;` may stand before the header.
_MOST_LINES_BEFORE = 10


@dataclass(frozen=True)
class TextForm:
    """How the bytes of a text are to be read as csv.

    Attributes:
        encoding: A Python codec without byte order mark; "utf-8" also for a text in ASCII.
        separator: The letter between cells.
        skip: What stands before the header, such as a byte order mark or a line that names the
            separator: bytes of a text in UTF-8, letters of any other.
        lines_before: Whole lines of it.
    """

    encoding: str = "utf-8"
    separator: str = ","
    skip: int = 0
    lines_before: int = 0

    @property
    def is_plain(self) -> bool:
        """Whether every reader reads such a text as it is."""
        return self == PLAIN_TEXT

    @property
    def description(self) -> str:
        """What the text is, for people: "UTF-16 csv with semicolons between the cells"."""
        words = [] if self.encoding == "utf-8" else [self.encoding[:6].upper()]
        words.append("csv")
        if self.separator != ",":
            name = _SEPARATOR_NAMES.get(self.separator, repr(self.separator))
            words.append(f"with {name} between the cells")
        elif self.skip and self.encoding == "utf-8":
            words.append("with other lines before the header")
        return " ".join(words)


PLAIN_TEXT = TextForm()


def tell_kind(head: bytes) -> Kind:
    """Return what a file is by its first bytes, at most HEAD of them.

    Raises InvalidFile for an empty file, and for kinds that hold no trips or cannot be read.
    """
    if not head:
        raise InvalidFile("is empty")
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"PARE"):
        raise InvalidFile(*ENCRYPTED)
    if head[257:262] == b"ustar":
        return "tar archive"
    if _ZSTD_SKIPPABLE.match(head):
        return "zstd"
    for magic, packing in _PACKINGS:
        if head.startswith(magic):
            return packing
    for magic, name, cure in _FOREIGN:
        if head.startswith(magic):
            raise InvalidFile(f"is {name}", cure)
    if head[8:12] == b"DUCK":
        raise InvalidFile("is a DuckDB database", "Export the trips from it as csv or parquet.")
    if not head.strip(b"\0"):
        raise InvalidFile(
            f"begins with {len(head):,} zero bytes instead of text",
            "Download it again: an interrupted copy or a failing disk leaves such files.",
        )
    return "text"


def tell_text(head: bytes, dataset: Dataset) -> TextForm:
    """Return how a text is to be read as csv of a dataset.

    A text with another first line is returned as read with commas; `check_header` refuses it.

    Raises InvalidFile for a text that is a document of another kind, such as a web page.
    """
    encoding, marks = _tell_encoding(head, dataset)
    text = _decode(head, encoding)[marks:]
    before, separator = _find_header(text, dataset)
    if separator:
        skip = marks + len(before)
        if before and encoding == "utf-8":
            # Bytes of the mark of UTF-8 are no letters of the decoded text.
            mark = len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0
            skip = mark + len(before.encode(errors="surrogateescape"))
        return TextForm(encoding, separator, skip, len(before.splitlines()))
    line = first_line(text)
    refuse_other_texts(text, head)
    likeliest = max(_SEPARATOR_NAMES, key=lambda separator: len(split_line(line, separator)))
    if likeliest != ",":
        check_header(split_line(line, likeliest), dataset)
    return TextForm(encoding, ",", marks)


def _find_header(text: str, dataset: Dataset) -> tuple[str, str]:
    """Return what stands before the header, and the letter between its names; "" for no header.

    Raises InvalidFile if trips stand before it, or cells may hold the letter.
    """
    before = ""
    lines = text.splitlines(keepends=True)[: _MOST_LINES_BEFORE + 1]
    for number, line in enumerate(lines, start=1):
        header = line.rstrip("\r\n")
        if separator := _tell_separator(header, dataset):
            width = len(split_line(header, separator))
            for earlier in lines[: number - 1]:
                cells = split_line(earlier.rstrip("\r\n"), separator)
                if 2 * len(cells) > width and is_data(cells):
                    raise InvalidFile(
                        f"has lines of data before its header, which is line {number}",
                        "Make the line of column names the first one.",
                    )
            return before, separator
        before += line
    return "", ""


def _tell_separator(line: str, dataset: Dataset) -> str:
    """Return the letter between the names of a header, or "" if the line is none.

    Raises InvalidFile for a letter that cells hold, too.
    """
    others = (letter for letter in line[:1000] if not letter.isalnum() and letter not in "_\"'")
    for separator in dict.fromkeys((*_SEPARATOR_NAMES, *others)):
        if not lacking_columns(split_line(line, separator), dataset):
            if separator in _WITHIN_TIMES:
                raise InvalidFile(
                    f"separates its cells by {separator!r}, which also occurs in times",
                    "Export it again with commas between the cells.",
                )
            return separator
    return ""


def _tell_encoding(head: bytes, dataset: Dataset) -> tuple[str, int]:
    """Return the encoding of a text, and how many letters of a byte order mark it begins with.

    That of UTF-8 is not counted, because every reader knows it.
    """
    for mark, encoding in BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return encoding, 1
    if b"\0" in head[:4]:
        for encoding in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be"):
            if _find_header(_decode(head, encoding), dataset)[1]:
                return encoding, 0
    return "utf-8", 0


def _decode(head: bytes, encoding: str) -> str:
    if (
        encoding == "utf-8"
    ):  # with a letter for each byte that is none, so that bytes can be counted
        return head.decode("utf-8-sig", errors="surrogateescape")
    return head.decode(encoding, errors="replace")


def refuse_other_texts(text: str, head: bytes) -> None:
    """Raise if a text without a header is a well-known kind of document."""
    text = text.encode(errors="surrogateescape").decode(errors="replace")
    start = text.lstrip("\ufeff \t\r\n")
    if start.startswith("version https://git-lfs"):
        raise InvalidFile(
            "is a Git LFS pointer: a note of where the file is, not the file",
            "Fetch the file with `git lfs pull`, or download it with its media link.",
        )
    lowered = start[:4096].lower()
    if lowered.startswith("<"):
        if re.search(r"<(html|!doctype html|head|body|title|script|div|p|table|style)\b", lowered):
            raise InvalidFile("is a web page, not a trip file", CURE_LOGIN)
        code = re.search(r"<code>\s*([a-z]{1,40})\s*</code>", start[:4096], re.IGNORECASE)
        says = f" that says {code[1]}" if code else ""
        raise InvalidFile(f"is an XML document{says}, not a trip file", CURE_ADDRESS)
    if re.match(r'[{\[]\s*(["{\[\]}]|-?[0-9]|$)', start):
        _refuse_json(start)
    if re.match(r"(--(?!-)|/\*|CREATE |INSERT |BEGIN;|SET )", start):
        raise InvalidFile("is SQL, not a trip file", "Run it, and export the trips as csv.")
    strange = sum(head[:1024].count(code) for code in _CONTROLS) + text[:1024].count("\ufffd")
    if b"\0" in head[:1024] or strange > 16:
        raise InvalidFile(
            "has a first line that is not text: it is not csv, parquet or a known compression "
            "format",
            CURE_ADDRESS,
        )


_CONTROLS = bytes({*range(32)} - {*b"\t\n\f\r"})


def _refuse_json(start: str) -> NoReturn:
    # What servers answer in place of a file, at any depth of the document.
    says = r'"(?:error|message|detail|error_description)"\s*:\s*"([^"]{1,80})'
    error = re.search(says, start[:2000]) if start.startswith("{") else None
    says = f" that says {excerpt(error[1])!r}" if error else ""
    raise InvalidFile(
        f"is JSON{says}, not a trip file",
        CURE_ADDRESS if error else "Write the trips as csv or parquet, and give that file.",
    )
