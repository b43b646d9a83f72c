"""Counting the lines of a text that comes in chunks, apart from the database that will read it."""

from __future__ import annotations

MAX_HEADER = 64 * 1024
MAX_LINE = 1024 * 1024


class EndlessLine(Exception):
    """A line is longer than any line of a trip file: what it is, to follow the file's name."""


class LineCounter:
    """Counts the non-blank lines behind the first one, whose bytes it keeps as `header`.

    A line ends with \\n, \\r\\n or a lone \\r, and the last one with or without. Blank means
    without a single byte. So there are as many lines as runs of bytes between line ends, wherever
    the text is cut into chunks.
    """

    def __init__(self) -> None:
        import numpy

        self._numpy = numpy
        self._head = bytearray()
        self._closed = 0
        self._open = 0  # length of the line that has not ended yet
        self.header: bytes | None = None
        self.carriage_returns = False

    @property
    def count(self) -> int:
        """Data lines so far, the unfinished one included."""
        return self._closed + bool(self._open)

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes, at most 1 MiB; raise EndlessLine."""
        if self.header is None:
            chunk = self._take_header(chunk)
        if not chunk:
            return
        codes = self._numpy.frombuffer(chunk, self._numpy.uint8)
        ends = codes == ord("\n")
        if b"\r" in chunk:
            self.carriage_returns = True
            ends |= codes == ord("\r")
        first = int(ends.argmax())
        if not ends[first]:
            self._open += len(chunk)
            self._require_ending(self._open)
            return
        self._require_ending(self._open + first)
        self._closed += int(self._numpy.count_nonzero(ends[1:] > ends[:-1]))
        self._closed += bool(self._open) and first == 0
        self._open = int(ends[::-1].argmax())

    def finish(self) -> bytes:
        """Return the header of a text that has ended."""
        if self.header is None:
            self.header = bytes(self._head)
        return self.header

    def _take_header(self, chunk: bytes) -> bytes:
        """Move the first line to `header`, once it is complete, and return what follows it."""
        self._head += chunk
        ends = [end for end in (self._head.find(b"\n"), self._head.find(b"\r")) if end >= 0]
        end = min(ends, default=len(self._head))
        if end > MAX_HEADER:
            raise EndlessLine(f"has a first line of more than {MAX_HEADER // 1024} KiB")
        if not ends:
            return b""
        self.header = bytes(self._head[:end])
        return bytes(self._head[end:])

    @staticmethod
    def _require_ending(length: int) -> None:
        if length > MAX_LINE:
            raise EndlessLine(f"has a line of more than {MAX_LINE // 2**20} MiB")
