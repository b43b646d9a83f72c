"""Convert text files of other encodings and separators to a UTF-8, comma-separated csv.gz.

The cells keep every letter; a cell with a comma, such as 4,50, is put into quotes.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from pathlib import Path

from pipeline.core.cancel import Cancel
from pipeline.core.column_names import match_columns
from pipeline.core.datasets import Dataset
from pipeline.core.lines import MAX_LINE
from pipeline.files.content import TextForm
from pipeline.files.header import InvalidFile, split_line
from pipeline.files.unpack import require_limit

_LEVEL = 1  # of compression: isal's levels differ by a tenth in size, and this one is twice as fast


def rewrite_text(
    chunks: Iterator[bytes],
    form: TextForm,
    dataset: Dataset,
    target: Path,
    limit: int,
    cancel: Cancel,
) -> None:
    """Write a text to `target` as csv.gz; the same text always gives the same bytes.

    Args:
        chunks: The text's bytes.
        limit: Largest size of the text, in bytes.

    Raises InvalidFile for a text that cannot be read with certainty, Cancelled and OSError.
    """
    from isal import igzip

    lines = _Lines(dataset, form.separator)
    size = 0
    with (
        target.open("wb") as raw,
        igzip.IGzipFile("", "wb", _LEVEL, fileobj=raw, mtime=0) as out,
    ):
        for chunk in _as_utf8(chunks, form):
            cancel.check()
            size += len(chunk)
            require_limit(size, limit)
            out.write(lines.feed(chunk))
        out.write(lines.finish())


def _as_utf8(chunks: Iterator[bytes], form: TextForm) -> Iterator[bytes]:
    """Yield the text without what stands before its header, in UTF-8 as far as that is known."""
    skip = form.skip
    if form.encoding == "utf-8":
        for chunk in chunks:
            yield chunk[skip:]
            skip = max(0, skip - len(chunk))
        return
    decoder = codecs.getincrementaldecoder(form.encoding)(errors="replace")
    for chunk in chunks:
        text = decoder.decode(chunk)
        yield text[skip:].encode("utf-8", errors="replace")
        skip = max(0, skip - len(text))
    if decoder.getstate()[0]:
        raise InvalidFile(f"is truncated: its {form.encoding.upper()} text ends within a character")


class _Lines:
    """Rewrites the lines of a text whose letters between cells may be others than commas.

    A line that is not UTF-8 only in columns that are not loaded is read as Windows-1252, which
    changes nothing that is loaded. Any other such line stays, and becomes a reject.
    """

    def __init__(self, dataset: Dataset, separator: str) -> None:
        self._dataset = dataset
        self._separator = separator
        self._mark = separator.encode()
        self._rest = b""
        self._header: tuple[str, ...] | None = None
        self._loaded: tuple[int, ...] = ()

    def feed(self, chunk: bytes) -> bytes:
        """Return the rewritten lines that are complete with this chunk."""
        if self._is_unchanged(chunk):
            whole, self._rest = self._rest + chunk, b""
            return whole
        lines = (self._rest + chunk).splitlines(keepends=True)
        # A \r at the end of a chunk may be the first half of a \r\n.
        self._rest = b"" if lines and lines[-1].endswith(b"\n") else lines.pop() if lines else b""
        if len(self._rest) > MAX_LINE:
            raise InvalidFile(f"has a line of more than {MAX_LINE // 2**20} MiB")
        return b"".join(map(self._rewrite, lines))

    def finish(self) -> bytes:
        """Return the last line."""
        return self._rewrite(self._rest) if self._rest else b""

    def _is_unchanged(self, chunk: bytes) -> bool:
        ascii_only = self._rest.isascii() and chunk.isascii()
        return self._separator == "," and self._header is not None and ascii_only

    def _rewrite(self, line: bytes) -> bytes:
        if self._header is None:
            self._read_header(line)
        if not line.isascii():
            line = self._repair(line)
        if self._separator == ",":
            return line
        body = line.rstrip(b"\r\n")
        end = line[len(body) :]
        if b'"' in body:
            return self._rewrite_quoted(body) + end
        if b"," not in body:
            return body.replace(self._mark, b",") + end
        if self._mark not in body and body.count(b",") == len(self._header or ()) - 1 > 0:
            raise InvalidFile(
                f"has a header with {self._separator!r} between its names, and commas between the "
                "cells of other lines",
                "Export it again with commas in the header, too.",
            )
        return b",".join(map(_quoted, body.split(self._mark))) + end

    def _read_header(self, line: bytes) -> None:
        text = line.decode("utf-8-sig", errors="replace").strip("\r\n")
        self._header = split_line(text, self._separator)
        ours = match_columns(self._dataset, self._header)
        self._loaded = tuple(self._header.index(spelled) for spelled in ours.values())

    def _repair(self, line: bytes) -> bytes:
        """Return a line as UTF-8 if its other letters are all in columns that are not loaded."""
        try:
            line.decode()
            return line
        except UnicodeDecodeError:
            pass
        try:  # windows-1252 has no letter for five of the 256 bytes
            text = line.decode("cp1252")
        except UnicodeDecodeError:
            text = line.decode("latin-1")
        cells = split_line(text.rstrip("\r\n"), self._separator)
        loaded = "".join(cells[place] for place in self._loaded if place < len(cells))
        whole = len(cells) == len(self._header or ())
        return text.encode() if whole and loaded.isascii() else line

    def _rewrite_quoted(self, body: bytes) -> bytes:
        try:
            text = body.decode()
            cells = next(csv.reader([text], delimiter=self._separator, strict=True))
        except (csv.Error, StopIteration, UnicodeDecodeError):
            cells = []
        if not cells or body.count(b'"') % 2:
            # The quotes do not fit, or a cell goes on over lines: as they stand, so that the line
            # is a reject as in any csv.
            return body.replace(self._mark, b",")
        return b",".join(_quoted(cell.encode()) for cell in cells)


def _quoted(cell: bytes) -> bytes:
    if b"," not in cell and b'"' not in cell and b"\n" not in cell and b"\r" not in cell:
        return cell
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow([cell.decode("utf-8", "surrogateescape")])
    return out.getvalue().encode("utf-8", "surrogateescape")
