"""What is asked of the Gemini API: answers, vectors, token counts and the models there are.

Known of google-genai 3.4 and held here: a stream that is cut can look like one that has ended.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.answers.gemini_client import (
    PATIENCE,
    OnWait,
    Result,
    connect,
    ignore_wait,
    persist,
)
from pipeline.answers.gemini_errors import quote
from pipeline.answers.prompts import Prompt
from pipeline.answers.usage import Usage
from pipeline.cancel import Cancel
from pipeline.errors import ModelError
from pipeline.settings import Settings

if TYPE_CHECKING:
    from google.genai import Client, types

EMBEDDING_MODEL = "gemini-embedding-2"

_EMBEDDED_AT_ONCE = 100  # most texts in one batchEmbedContents request


@dataclass
class Reply:
    """An answer as far as it has come in; another thread may look on.

    `first_token_seconds` and `seconds` count from when the try that was answered began; what was
    waited for a quota before is `waited_seconds`. `model_version` is what the API says answered.
    """

    model: str = ""
    text: str = ""
    model_version: str = ""
    usage: Usage = field(default_factory=Usage)
    first_token_seconds: float | None = None
    seconds: float | None = None
    waited_seconds: float = 0.0
    note: str = ""


def has_key(settings: Settings) -> bool:
    """Whether there is a key to ask with."""
    return bool(settings.gemini_api_key.get_secret_value())


def generate(
    prompt: Prompt,
    settings: Settings,
    *,
    model: str = "",
    reply: Reply | None = None,
    cancel: Cancel | None = None,
    on_wait: OnWait = ignore_wait,
    schema: dict[str, Any] | None = None,
    patience: float = PATIENCE,
) -> Reply:
    """Ask a model and return its answer; `reply`, if given, fills up while the answer streams in.

    Args:
        model: A name such as `gemini-3.5-flash-lite`; the settings' own where empty.
        reply: Where the answer goes; what had come in stays there when this raises.
        schema: A schema of the API's the answer must have, for answers that a program reads.
        patience: Most seconds one try may take.

    Raises KeyRefused, ModelGone, QuotaSpent, or ModelError for all else that keeps an answer from
    coming whole; Cancelled soon after `cancel` is set.
    """
    reply = reply if reply is not None else Reply()
    reply.model = model or settings.gemini_model

    async def ask() -> None:
        async with connect(settings, patience) as client:
            started = time.monotonic()
            await persist(
                lambda: _stream(client, prompt, reply, schema, patience),
                settings,
                reply.model,
                on_wait,
                may_retry=lambda: not reply.text,
                waited=lambda: setattr(reply, "waited_seconds", time.monotonic() - started),
            )

    _run(ask, cancel)
    return reply


def embed(
    texts: Sequence[str],
    settings: Settings,
    *,
    question: bool = False,
    model: str = EMBEDDING_MODEL,
    cancel: Cancel | None = None,
    on_wait: OnWait = ignore_wait,
) -> list[list[float]]:
    """Return a vector for each text; `question` says that they are questions, not passages.

    Raises what `generate` raises.
    """
    from google.genai import types

    config = types.EmbedContentConfig(
        task_type="RETRIEVAL_QUERY" if question else "RETRIEVAL_DOCUMENT"
    )

    async def ask() -> list[list[float]]:
        vectors: list[list[float]] = []
        async with connect(settings, PATIENCE) as client:
            for start in range(0, len(texts), _EMBEDDED_AT_ONCE):
                # As Content each: the client would join plain texts into one for newer models.
                batch = [
                    _content("user", text) for text in texts[start : start + _EMBEDDED_AT_ONCE]
                ]

                async def attempt(batch: list[types.Content] = batch) -> list[list[float]]:
                    found = await client.aio.models.embed_content(
                        model=model, contents=list(batch), config=config
                    )
                    return [list(one.values or []) for one in found.embeddings or []]

                got = await persist(attempt, settings, model, on_wait)
                if len(got) != len(batch) or not all(got):
                    raise ModelError(
                        f"{model} gave {len(got):,} vectors for {len(batch):,} texts.",
                        cure="Choose another embedding model.",
                    )
                vectors += got
        return vectors

    return _run(ask, cancel)


def count_tokens(prompt: Prompt, settings: Settings, *, model: str = "") -> int:
    """Return how many tokens a prompt has, instructions included; raises what `generate` does."""
    asked = model or settings.gemini_model

    async def ask() -> int:
        async with connect(settings, PATIENCE) as client:
            contents = [_content("user", prompt.system), *_contents(prompt)]
            found = await persist(
                lambda: client.aio.models.count_tokens(model=asked, contents=list(contents)),
                settings,
                asked,
                ignore_wait,
            )
            return int(found.total_tokens or 0)

    return _run(ask, None)


def list_models(settings: Settings) -> list[str]:
    """Return the names of the models that the API offers for answers, in its order.

    Raises what `generate` raises.
    """

    async def ask() -> list[str]:
        async with connect(settings, PATIENCE) as client:

            async def attempt() -> list[str]:
                pager = await client.aio.models.list(config={"page_size": 200})
                return [
                    (found.name or "").removeprefix("models/")
                    async for found in pager
                    if "generateContent" in (found.supported_actions or [])
                ]

            return await persist(attempt, settings, "", ignore_wait)

    return _run(ask, None)


def _run(work: Callable[[], Coroutine[Any, Any, Result]], cancel: Cancel | None) -> Result:
    from pipeline.web import run

    return run(work, cancel or Cancel())


async def _stream(
    client: Client, prompt: Prompt, reply: Reply, schema: dict[str, Any] | None, patience: float
) -> None:
    """Make one try: fill the reply from the stream; raise ModelError unless it ends well."""
    from google.genai import types

    config = types.GenerateContentConfig(
        system_instruction=prompt.system,
        response_mime_type="application/json" if schema else None,
        response_schema=schema,
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        automatic_continuation=False,
    )
    started = time.monotonic()
    blocked = finish = ""
    try:
        async with asyncio.timeout(patience):
            stream = await client.aio.models.generate_content_stream(
                model=reply.model, contents=list(_contents(prompt)), config=config
            )
            async for chunk in stream:
                blocked = _blocked(chunk) or blocked
                finish = _take(chunk, reply, started) or finish
    except TimeoutError:
        finish = "TIMEOUT"
    finally:
        reply.seconds = time.monotonic() - started
    _judge_end(reply, blocked, finish, patience)


def _take(chunk: types.GenerateContentResponse, reply: Reply, started: float) -> str:
    """Add a piece of the stream to the reply; return the finish reason, if it has come."""
    reply.model_version = chunk.model_version or reply.model_version
    if used := chunk.usage_metadata:
        reply.usage = Usage(
            used.prompt_token_count or reply.usage.prompt,
            used.candidates_token_count or reply.usage.output,
            used.thoughts_token_count or reply.usage.thinking,
        )
    candidate = chunk.candidates[0] if chunk.candidates else None
    if candidate is None:
        return ""
    for part in (candidate.content.parts or []) if candidate.content else []:
        if part.text and not part.thought:
            if reply.first_token_seconds is None:
                reply.first_token_seconds = time.monotonic() - started
            reply.text += part.text
    return candidate.finish_reason.value if candidate.finish_reason else ""


def _blocked(chunk: types.GenerateContentResponse) -> str:
    feedback = chunk.prompt_feedback
    return feedback.block_reason.value if feedback and feedback.block_reason else ""


def _judge_end(reply: Reply, blocked: str, finish: str, patience: float) -> None:
    """Return where the answer came whole; say in ModelError why it did not."""
    if blocked:
        raise ModelError(
            f"The API blocked the question ({quote(blocked)}).",
            cure="Put it in other words, or leave out the source that may be the cause.",
        )
    if finish == "TIMEOUT":
        raise ModelError(
            f"The answer did not end within {patience:,.0f} s; what came is shown.",
            cure="Try again, or ask for less.",
        )
    if not finish:
        raise ModelError(
            "The stream was cut before the answer ended; what came is shown.", cure="Try again."
        )
    if finish == "MAX_TOKENS":
        reply.note = "The answer reached the model's longest length and stops there."
    elif finish != "STOP":
        raise ModelError(
            f"The model broke the answer off ({quote(finish)}).",
            cure="Put the question in other words.",
        )
    if not reply.text.strip():
        raise ModelError(
            "The model answered with nothing at all.", cure="Try again, or choose another model."
        )


def _contents(prompt: Prompt) -> list[types.Content]:
    return [_content(turn.role, turn.text) for turn in prompt.turns]


def _content(role: str, text: str) -> types.Content:
    from google.genai import types

    return types.Content(role=role, parts=[types.Part(text=text)])
