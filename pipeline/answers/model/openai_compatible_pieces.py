"""Limit and validate the responses from servers of the OpenAI API.

The openai client reads a response for as long as it goes on, and hands fields over without a look
at their types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from pipeline.answers.model.response_limits import (
    STREAM_BYTES,
    ResponseRefused,
    limit_response,
)

if TYPE_CHECKING:
    import httpx2

DOCUMENT_BYTES = 4_000_000  # of a list of models
EVENT_BYTES = 1_000_000  # of one event of a stream


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
    """Limit the size of a response; a hook for httpx2 clients.

    A compressed response is refused, because a short one can unpack to any length.
    """
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise ResponseRefused("it is compressed")
    if response.request.method == "POST":
        limit_response(response, STREAM_BYTES, EVENT_BYTES)
    else:
        limit_response(response, DOCUMENT_BYTES)
