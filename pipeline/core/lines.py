"""Counts the lines of a text stream, independently of the CSV reader that loads it.

A load compares this count with the rows that the database read, so that a row which the CSV reader
drops or merges is noticed.
"""

from __future__ import annotations

MAX_HEADER = 64 * 1024  # bytes
MAX_LINE = 1024 * 1024  # bytes


class EndlessLine(Exception):
    """A line is longer than any line of a trip file.

    The message is a predicate that follows the file's name: "has a line of more than 1 MiB".
    """


class LineCounter:
    """Counts the non-blank lines after the header of a text that arrives in chunks.

    A line ends with \\n, \\r\\n or a lone \\r; the last line may lack its ending. A blank line has
    no bytes at all. The count therefore equals the number of runs of bytes between line endings,
    and does not depend on where the chunks are cut.

    Attributes:
        commas: Number of commas after the header, those within quotes included.
        header: Bytes of the first line without its ending; None until that line is complete.
        carriage_returns: Whether the text so far contains a \\r.
    """

    def __init__(self) -> None:
        import numpy

        self._numpy = numpy
        self._head = bytearray()
        self._closed = 0
        self._open = 0  # bytes of the line that has not ended yet
        self.commas = 0
        self.header: bytes | None = None
        self.carriage_returns = False

    @property
    def count(self) -> int:
        """Number of non-blank lines after the header so far, including an unfinished one."""
        return self._closed + bool(self._open)

    def feed(self, chunk: bytes) -> None:
        """Count the lines of the next chunk.

        Args:
            chunk: Bytes that follow the previous chunk, at most 1 MiB: a line that begins and
                ends within one chunk is then shorter than `MAX_LINE`.

        Raises:
            EndlessLine: The header exceeds `MAX_HEADER`, or another line exceeds `MAX_LINE`.
        """
        if self.header is None:
            chunk = self._take_header(chunk)
        if not chunk:
            return
        codes = self._numpy.frombuffer(chunk, self._numpy.uint8)
        self.commas += int(self._numpy.count_nonzero(codes == ord(",")))
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
        """End the text and return its header, which may be a first line without an ending."""
        if self.header is None:
            self.header = bytes(self._head)
        return self.header

    def _take_header(self, chunk: bytes) -> bytes:
        """Set `header` once the first line is complete; return the bytes that follow it."""
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
