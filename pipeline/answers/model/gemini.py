"""Ask Google's Gemini API for answers, embeddings and the list of its models.

A stream of google-genai 3.4 that was cut can look like one that has ended, so an answer counts as
complete only with a finish reason.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from pipeline.answers.model import (
    ModelResponse,
    OnWait,
    TokenUsage,
    ignore_wait,
    require_ready,
)
from pipeline.answers.model.answer_text import AnswerText
from pipeline.answers.model.endings import TOO_LARGE, check_ending
from pipeline.answers.model.gemini_client import connect, explainer
from pipeline.answers.model.prompts import Prompt
from pipeline.answers.model.retry import PATIENCE, quote, retry, retry_answer, run_request
from pipeline.core.cancel import Cancel
from pipeline.core.errors import ModelError
from pipeline.core.settings.settings import Settings

if TYPE_CHECKING:
    from google.genai import Client, types

_TEXTS_A_REQUEST = 100  # the most that batchEmbedContents takes


class Gemini:
    """The Gemini API, or a proxy that speaks it; implements `Model`."""

    label = "Gemini"
    setup_hint = (
        "Add a key on the Setup page, or set GEMINI_API_KEY (create a key in Google AI Studio)."
    )
    data_notice = "Questions and sources go to Google, which may use what is sent on its free tier."
    model_setting = "GEMINI_MODEL"
    embedding_model = "gemini-embedding-2"

    def __init__(self, settings: Settings, patience: float = PATIENCE) -> None:
        """Use the key, address and model of the settings.

        Args:
            settings: Say what is asked, and with which key.
            patience: Most seconds that one try may take.
        """
        self._settings = settings
        self._patience = patience

    @property
    def is_ready(self) -> bool:
        """Whether there is a key."""
        return bool(self._settings.gemini_api_key.get_secret_value())

    @property
    def default_model(self) -> str:
        """The model of the settings."""
        return self._settings.gemini_model

    def _connect(self) -> AbstractAsyncContextManager[Client]:
        require_ready(self)
        return connect(self._settings, self._patience)

    def generate(
        self,
        prompt: Prompt,
        *,
        name: str = "",
        response: ModelResponse | None = None,
        cancel: Cancel | None = None,
        on_wait: OnWait = ignore_wait,
        schema: dict[str, Any] | None = None,
    ) -> ModelResponse:
        """Ask a model and return its answer, as `Model.generate` says."""
        response = response if response is not None else ModelResponse()
        response.model = name or self.default_model

        async def ask() -> None:
            async with self._connect() as client:
                await retry_answer(
                    lambda: _stream(client, prompt, response, schema, self._patience),
                    explainer(self._settings, response.model),
                    on_wait,
                    response,
                )

        run_request(ask, cancel)
        return response

    def embed(self, texts: Sequence[str], *, question: bool) -> list[list[float]]:
        """Return one vector for each text, as `Model.embed` says."""
        from google.genai import types

        config = types.EmbedContentConfig(
            task_type="RETRIEVAL_QUERY" if question else "RETRIEVAL_DOCUMENT"
        )

        async def ask() -> list[list[float]]:
            vectors: list[list[float]] = []
            async with self._connect() as client:
                for start in range(0, len(texts), _TEXTS_A_REQUEST):
                    batch = texts[start : start + _TEXTS_A_REQUEST]
                    # As Content each: the client would join plain texts for newer models.
                    contents = [_content("user", text) for text in batch]

                    async def attempt(contents: list[types.Content] = contents) -> Any:
                        reply = await client.aio.models.embed_content(
                            model=self.embedding_model, contents=list(contents), config=config
                        )
                        return [list(vector.values or []) for vector in reply.embeddings or []]

                    made = await retry(
                        attempt, explainer(self._settings, self.embedding_model), ignore_wait
                    )
                    if len(made) != len(batch) or not all(made):
                        raise ModelError(
                            f"{self.embedding_model} gave {len(made):,} vectors for "
                            f"{len(batch):,} texts.",
                            cure="Choose another embedding model.",
                        )
                    vectors += made
            return vectors

        return run_request(ask)

    def list_models(self) -> list[str]:
        """Return the models that the API offers for answers, in its order."""

        async def ask() -> list[str]:
            async with self._connect() as client:

                async def attempt() -> list[str]:
                    pager = await client.aio.models.list(config={"page_size": 200})
                    return [
                        (model.name or "").removeprefix("models/")
                        async for model in pager
                        if "generateContent" in (model.supported_actions or [])
                    ]

                return await retry(attempt, explainer(self._settings, ""), ignore_wait)

        return run_request(ask)


async def _stream(
    client: Client,
    prompt: Prompt,
    response: ModelResponse,
    schema: dict[str, Any] | None,
    patience: float,
) -> None:
    """Make one try: fill the response from the stream; raise ModelError unless it ends well."""
    from google.genai import types

    config = types.GenerateContentConfig(
        system_instruction=prompt.system,
        response_mime_type="application/json" if schema else None,
        response_schema=schema,
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        automatic_continuation=False,
    )
    contents = [_content(message.role, message.text) for message in prompt.messages]
    started = time.monotonic()
    block_reason = finish_reason = ""
    text = AnswerText(response, started)
    try:
        async with asyncio.timeout(patience):
            stream = await client.aio.models.generate_content_stream(
                model=response.model, contents=list(contents), config=config
            )
            async for chunk in stream:
                block_reason = _block_reason(chunk) or block_reason
                finish_reason = _add(chunk, response, text) or finish_reason
                if text.is_full:
                    finish_reason = TOO_LARGE
                    break  # leaving the block of the client closes the connection
    except TimeoutError:
        finish_reason = "TIMEOUT"
    finally:
        text.end()
        response.seconds = time.monotonic() - started
    if block_reason:
        raise ModelError(
            f"The API blocked the question ({quote(block_reason)}).",
            cure="Rephrase it, or remove the source that may be the cause.",
        )
    check_ending(response, finish_reason, patience, is_thinking=text.is_thinking)


def _add(chunk: types.GenerateContentResponse, response: ModelResponse, text: AnswerText) -> str:
    """Add a piece of the stream to the response; return the finish reason, if it has arrived."""
    response.model_version = chunk.model_version or response.model_version
    if counts := chunk.usage_metadata:
        response.usage = TokenUsage(
            counts.prompt_token_count or response.usage.prompt,
            counts.candidates_token_count or response.usage.output,
            counts.thoughts_token_count or response.usage.thinking,
        )
    candidate = chunk.candidates[0] if chunk.candidates else None
    if candidate is None:
        return ""
    for part in (candidate.content.parts or []) if candidate.content else []:
        if part.text and not part.thought:
            text.add(part.text)
    return candidate.finish_reason.value if candidate.finish_reason else ""


def _block_reason(chunk: types.GenerateContentResponse) -> str:
    feedback = chunk.prompt_feedback
    return feedback.block_reason.value if feedback and feedback.block_reason else ""


def _content(role: str, text: str) -> types.Content:
    from google.genai import types

    return types.Content(role=role, parts=[types.Part(text=text)])
