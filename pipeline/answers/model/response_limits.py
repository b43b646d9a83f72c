"""Limit the size of a model's response, which the clients of the providers read without end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2

# Of a streamed answer: each of its pieces comes with some 250 bytes, and may be one letter of the
# 200,000 that are read.
STREAM_BYTES = 64_000_000


class ResponseRefused(ValueError):
    """A response is not read, or not to its end; the message says why, as the end of a sentence."""


def limit_response(response: httpx2.Response, most: int, most_event: int | None = None) -> None:
    """Have a response raise ResponseRefused where it is read beyond its limit.

    Args:
        response: Of which nothing is read yet.
        most: Bytes of the response.
        most_event: Bytes of each event, if it is a stream of them.
    """
    import httpx2

    assert isinstance(response.stream, httpx2.AsyncByteStream)
    parts: httpx2.AsyncByteStream = response.stream

    class Bounded(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            total = event = 0
            end = b""
            async for part in parts:
                total += len(part)
                event = event_bytes(event, end, part)
                end = (end + part)[-3:]
                if total > most:
                    raise ResponseRefused(f"it is longer than {most / 1e6:g} MB")
                if most_event and event > most_event:
                    raise ResponseRefused(
                        f"one of its events is longer than {most_event / 1e6:g} MB"
                    )
                yield part

        async def aclose(self) -> None:
            await parts.aclose()

    response.stream = Bounded()


def event_bytes(before: int, end: bytes, part: bytes) -> int:
    """Return the length of the unfinished event, which was `before` and ended in `end`."""
    joined = end + part
    blank = max(joined.rfind(line) + len(line) for line in (b"\n\n", b"\r\n\r\n", b"\r\r"))
    return len(joined) - blank if blank > len(end) else before + len(part)
