"""Count the bytes after the end of a packed file; only zeros are padding."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.core.cancel import Cancel


def count_trailing(rest: bytes, read: Callable[[], bytes], cancel: Cancel) -> tuple[int, bool]:
    """Return how many bytes there are to the end of a file, and whether all of them are zeros."""
    count, zeros = 0, True
    while rest:
        cancel.check()
        count += len(rest)
        zeros = zeros and not rest.strip(b"\0")
        rest = read()
    return count, zeros


def more_bytes(count: int) -> str:
    """Format a number of trailing bytes, such as `1 more byte` or `500 more bytes`."""
    return "1 more byte" if count == 1 else f"{count:,} more bytes"
