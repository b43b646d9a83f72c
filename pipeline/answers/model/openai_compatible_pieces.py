"""Limit the size of responses from servers of the OpenAI API, and validate their fields.

The openai client reads a response for as long as it goes on, and hands fields over without a look
at their types.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

if TYPE_CHECKING:
    import httpx2

DOCUMENT_BYTES = 4_000_000  # of a list of models
# Of a streamed answer: each of its pieces comes with some 250 bytes, and may be one letter of the
# 200,000 that are read.
STREAM_BYTES = 64_000_000
EVENT_BYTES = 1_000_000  # of one event of a stream


class ResponseRefused(ValueError):
    """A response is not read, or not to its end; the message says why, as the end of a sentence."""


class _Read(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class _Delta(_Read):
    content: str | None = None
    refusal: str | None = None


class _Choice(_Read):
    delta: _Delta | None = None
    finish_reason: str | None = None


def _or_unknown(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """Return what a value is validated to, or None if it has another form."""
    try:
        return validate(value)
    except ValidationError:
        return None


_Model = Annotated[str | None, Field(max_length=500), WrapValidator(_or_unknown)]
_Count = Annotated[int | None, Field(ge=0, le=10**12), WrapValidator(_or_unknown)]


class _TokenDetails(_Read):
    reasoning_tokens: _Count = None


class _Usage(_Read):
    prompt_tokens: _Count = None
    completion_tokens: _Count = None
    completion_tokens_details: Annotated[_TokenDetails | None, WrapValidator(_or_unknown)] = None


_KnownUsage = Annotated[_Usage | None, WrapValidator(_or_unknown)]


class Piece(_Read):
    """A piece of a streamed answer. Its validation raises a ValueError.

    Only what holds the answer must have its form: a model or usage in another one is unknown.
    """

    model: _Model = None
    choices: list[_Choice] | None = None
    usage: _KnownUsage = None


class _ListedModel(_Read):
    id: str


class ModelList(_Read):
    """The list of models. Its validation raises a ValueError."""

    data: list[_ListedModel]


async def bound_response(response: httpx2.Response) -> None:
    """Limit the size of a response: reading beyond it raises ResponseRefused.

    A hook for httpx2 clients. A compressed response is refused, because a short one can unpack to
    any length.
    """
    import httpx2

    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise ResponseRefused("it is compressed")
    assert isinstance(response.stream, httpx2.AsyncByteStream)
    parts: httpx2.AsyncByteStream = response.stream
    is_stream = response.request.method == "POST"
    most = STREAM_BYTES if is_stream else DOCUMENT_BYTES

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
                if is_stream and event > EVENT_BYTES:
                    raise ResponseRefused(
                        f"one of its events is longer than {EVENT_BYTES / 1e6:g} MB"
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
