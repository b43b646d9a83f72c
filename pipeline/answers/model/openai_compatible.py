"""Ask any server that speaks the OpenAI API: Ollama, llama.cpp, LM Studio, vLLM, LiteLLM, OpenAI.

Such a server needs an address, mostly no key, and lists the models that it has. Not every server
counts tokens in a stream, so usage may stay unknown. An answer counts as complete only with a
finish reason: a stream that was cut can look like one that has ended.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pipeline.answers.model import (
    ModelResponse,
    OnWait,
    TokenUsage,
    ignore_wait,
    require_ready,
)
from pipeline.answers.model.answer_text import MOST_CHARACTERS, AnswerText
from pipeline.answers.model.endings import TOO_LARGE, check_ending
from pipeline.answers.model.openai_compatible_errors import explainer, unreadable
from pipeline.answers.model.openai_compatible_pieces import ModelList, Piece, bound_response
from pipeline.answers.model.prompts import Prompt
from pipeline.answers.model.retry import (
    IDLE_PATIENCE,
    PATIENCE,
    quote,
    retry,
    retry_answer,
    run_request,
)
from pipeline.core.cancel import Cancel
from pipeline.core.errors import ModelError, ModelGone
from pipeline.core.settings.settings import Settings

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

# The client adds headers of its own, and those that its environment variables name, such as another
# service's login. A server gets these alone, and the key of the settings.
_HEADERS = frozenset(
    {
        "host",
        "accept",
        "accept-encoding",
        "connection",
        "content-type",
        "content-length",
        "transfer-encoding",
        "user-agent",
    }
)


class OpenAICompatible:
    """A server that speaks the OpenAI API; implements `Model`."""

    label = "OpenAI-compatible"
    setup_hint = (
        "Set OPENAI_BASE_URL to the server's address in the environment or secrets.toml, such as "
        "http://127.0.0.1:11434/v1 for Ollama. No key is needed for a local server."
    )
    model_setting = "OPENAI_MODEL"
    embedding_model = ""

    def __init__(self, settings: Settings, patience: float = PATIENCE) -> None:
        """Use the address, key and model of the settings.

        Args:
            settings: Say what is asked, and with which key.
            patience: Most seconds that one try may take.
        """
        self._settings = settings
        self._patience = patience

    @property
    def is_ready(self) -> bool:
        """Whether there is an address."""
        return bool(self._settings.openai_base_url)

    @property
    def default_model(self) -> str:
        """The model of the settings; empty for the first that the server lists."""
        return self._settings.openai_model

    @property
    def data_notice(self) -> str:
        """Where questions and sources go."""
        parts = urlsplit(self._settings.openai_base_url)
        return f"Questions and sources go to {parts.scheme}://{parts.netloc}."

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
                if not response.model:
                    response.model = await self._first_model(client)
                await retry_answer(
                    lambda: _stream(client, prompt, response, schema, self._patience),
                    explainer(self._settings, response.model),
                    on_wait,
                    response,
                )

        run_request(ask, cancel)
        return response

    def embed(self, texts: Sequence[str], *, question: bool) -> list[list[float]]:  # noqa: ARG002
        """Raise ModelError: no embeddings are offered."""
        raise ModelError(
            f"{self.label} servers are not asked for embeddings.",
            cure="Choose BM25 or whole documents, which need none.",
        )

    def list_models(self) -> list[str]:
        """Return the models that the server lists, in its order."""

        async def ask() -> list[str]:
            async with self._connect() as client:
                return await self._list(client)

        return run_request(ask)

    @asynccontextmanager
    async def _connect(self) -> AsyncIterator[AsyncOpenAI]:
        """Yield a client for the block; it follows no redirect, which would take the key along."""
        require_ready(self)
        import httpx2
        from openai import AsyncOpenAI

        from pipeline.files.web import tls

        key = self._settings.openai_api_key.get_secret_value()

        async def set_headers(request: httpx2.Request) -> None:
            for header in set(request.headers) - _HEADERS:
                del request.headers[header]
            request.headers["Accept-Encoding"] = "identity"
            if key:
                request.headers["Authorization"] = f"Bearer {key}"

        timeout = httpx2.Timeout(
            IDLE_PATIENCE,
            connect=self._settings.connect_timeout_seconds,
            read=min(IDLE_PATIENCE, self._patience),
        )
        async with (
            httpx2.AsyncClient(
                verify=tls(),
                timeout=timeout,
                event_hooks={"request": [set_headers], "response": [bound_response]},
            ) as http,
            AsyncOpenAI(
                api_key=key or "none",  # the client refuses to work without one
                base_url=self._settings.openai_base_url,
                max_retries=0,
                timeout=timeout,
                http_client=http,
            ) as client,
        ):
            yield client

    async def _list(self, client: AsyncOpenAI) -> list[str]:
        async def attempt() -> list[str]:
            async with asyncio.timeout(min(IDLE_PATIENCE, self._patience)):
                try:
                    page = await client.models.list()
                except AttributeError:  # of openai 3.57, about a page of text
                    raise unreadable() from None
            return [model.id for model in ModelList.model_validate(page).data]

        return await retry(attempt, explainer(self._settings, ""), ignore_wait)

    async def _first_model(self, client: AsyncOpenAI) -> str:
        names = await self._list(client)
        if not names:
            raise ModelGone(
                "The server has no model.", cure="Load one there, as with `ollama pull llama3.2`."
            )
        return names[0]


async def _stream(
    client: AsyncOpenAI,
    prompt: Prompt,
    response: ModelResponse,
    schema: dict[str, Any] | None,
    patience: float,
) -> None:
    """Make one try: fill the response from the stream; raise ModelError unless it ends well."""
    roles = {"user": "user", "model": "assistant"}
    messages: list[Any] = [{"role": "system", "content": prompt.system}]
    messages += [{"role": roles[said.role], "content": said.text} for said in prompt.messages]
    options: dict[str, Any] = {}
    if schema:
        described = {"name": "answer", "schema": schema}
        options["response_format"] = {"type": "json_schema", "json_schema": described}
    started = time.monotonic()
    finish_reason = refusal = ""
    chunks = 0
    text = AnswerText(response, started)
    try:
        async with asyncio.timeout(patience):
            stream = await client.chat.completions.create(
                model=response.model,
                messages=messages,
                stream=True,
                stream_options={"include_usage": True},
                **options,
            )
            async for chunk in stream:
                chunks += 1
                piece = Piece.model_validate(chunk)
                refusal += _add(piece, response, text)
                if piece.choices and piece.choices[0].finish_reason:
                    finish_reason = piece.choices[0].finish_reason
                if text.is_full or len(refusal) > MOST_CHARACTERS:
                    finish_reason = TOO_LARGE
                    break  # leaving the block of the client closes the connection
    except TimeoutError:
        finish_reason = "timeout"
    finally:
        text.end()
        response.seconds = time.monotonic() - started
    if not chunks and finish_reason != "timeout":
        raise unreadable()
    if refusal:
        raise ModelError(
            f"The model refuses to answer: {quote(refusal)}", cure="Rephrase the question."
        )
    check_ending(response, finish_reason, patience, is_thinking=text.is_thinking)


def _add(piece: Piece, response: ModelResponse, text: AnswerText) -> str:
    """Add a piece of the stream to the response; return the model's words of refusal, if any."""
    response.model_version = piece.model or response.model_version
    counts = piece.usage
    # Some servers send a usage of nulls with each piece: what they do not count is unknown.
    if counts and counts.prompt_tokens is not None and counts.completion_tokens is not None:
        details = counts.completion_tokens_details
        thinking = details.reasoning_tokens if details else None
        # Reasoning tokens are part of the completion tokens.
        output = counts.completion_tokens - (thinking or 0)
        response.usage = TokenUsage(counts.prompt_tokens, output, thinking)
    if not piece.choices:
        return ""
    delta = piece.choices[0].delta
    if delta is None:
        return ""
    if delta.content:
        text.add(delta.content)
    return delta.refusal or ""
