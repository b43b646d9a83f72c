"""Limit the size of responses from servers of the OpenAI API, and validate their fields.

The openai client reads a response for as long as it goes on, and hands fields over without a look
at their types.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import httpx2

DOCUMENT_BYTES = 4_000_000  # of a list of models
STREAM_BYTES = 32_000_000  # of a streamed answer: each of its words comes with some 250 bytes
EVENT_BYTES = 1_000_000  # of one event of a stream


class _Read(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class _Delta(_Read):
    content: str | None = None
    refusal: str | None = None


class _Choice(_Read):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _TokenDetails(_Read):
    reasoning_tokens: int | None = None


class _Usage(_Read):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    completion_tokens_details: _TokenDetails | None = None


class Piece(_Read):
    """A piece of a streamed answer. Its validation raises a ValueError."""

    model: str | None = None
    choices: list[_Choice] | None = None
    usage: _Usage | None = None


class _ListedModel(_Read):
    id: str


class ModelList(_Read):
    """The list of models. Its validation raises a ValueError."""

    data: list[_ListedModel]


async def bound_response(response: httpx2.Response) -> None:
    """Limit the size of a response: reading beyond it raises ValueError. Hook for httpx2 clients.

    A compressed response is refused, because a short one can unpack to any length.
    """
    import httpx2

    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise ValueError("the response is compressed")
    assert isinstance(response.stream, httpx2.AsyncByteStream)
    parts: httpx2.AsyncByteStream = response.stream
    is_stream = response.request.method == "POST"

    class Bounded(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            total = event = 0
            end = b""
            async for part in parts:
                total += len(part)
                event = event_bytes(event, end, part)
                end = (end + part)[-3:]
                if total > (STREAM_BYTES if is_stream else DOCUMENT_BYTES):
                    raise ValueError("the response is too long")
                if is_stream and event > EVENT_BYTES:
                    raise ValueError("an event of the response is too long")
                yield part

        async def aclose(self) -> None:
            await parts.aclose()

    response.stream = Bounded()


def event_bytes(before: int, end: bytes, part: bytes) -> int:
    """Return the length of the unfinished event, which was `before` and ended in `end`."""
    joined = end + part
    blank = max(joined.rfind(line) + len(line) for line in (b"\n\n", b"\r\n\r\n", b"\r\r"))
    return len(joined) - blank if blank > len(end) else before + len(part)
