"""A second provider of models needs one class and one line: command, page and doctor ask it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
import streamlit as st

from pipeline.answers.documents.documents import DocumentStore
from pipeline.answers.model import ModelResponse, OnWait, TokenUsage, ignore_wait, providers
from pipeline.answers.model.gemini import Gemini
from pipeline.answers.model.prompts import Prompt
from pipeline.answers.model.providers import open_model
from pipeline.core.cancel import Cancel
from pipeline.core.datasets import either_of
from pipeline.core.settings.settings import Settings, load_settings
from pipeline.ops.doctor.runner import run_checks
from pipeline.ops.doctor.services import service_checks
from tests.house import CodeStructure
from tests.pages.test_answers_page import (
    GROUNDED,
    GUESSED,
    NOTES,
    QUESTION,
    ask,
    comparison,
    open_page,
)
from tests.pages.test_pages import check, texts
from tests.support.command import document, pipeline
from tests.support.gemini_server import KEY
from tests.support.servers import JsonHandler, serving


class ChatHandler(JsonHandler):
    """Speaks a little of OpenAI's API, whose requests and responses are unlike Gemini's."""

    def do_GET(self) -> None:
        self.answer(200, {"data": [{"id": "tiny-1"}, {"id": "tiny-2"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        question = body["messages"][-1]["content"]
        text = GROUNDED if "begin source [1]" in question else GUESSED
        if "Claims:" in question:
            assert body["response_format"]["json_schema"]["schema"]["type"] == "array"
            quote = "Glow lanes split a queue into 12 lanes."
            text = json.dumps([{"claim": 1, "verdict": "supported", "quote": quote}])
        message = {"role": "assistant", "content": text}
        usage = {"prompt_tokens": 21, "completion_tokens": 9}
        choices = [{"message": message, "finish_reason": "stop"}]
        self.answer(200, {"model": f"{body['model']}-q4", "choices": choices, "usage": usage})


class Tiny:
    """A provider behind ChatHandler; implements `Model`. It needs no key."""

    label = "Tiny"
    setup_hint = "Start the local server."
    data_notice = "Questions go nowhere."
    model_setting = "TINY_MODEL"
    default_model = "tiny-1"
    embedding_model = ""
    is_ready = True
    url = ""

    def __init__(self, settings: Settings) -> None:
        """Take settings as every provider does."""

    def generate(
        self,
        prompt: Prompt,
        *,
        name: str = "",
        response: ModelResponse | None = None,
        cancel: Cancel | None = None,
        on_wait: OnWait = ignore_wait,  # noqa: ARG002
        schema: dict[str, Any] | None = None,
    ) -> ModelResponse:
        response = response or ModelResponse()
        response.model = name or self.default_model
        messages = [{"role": "system", "content": prompt.system}]
        messages += [{"role": message.role, "content": message.text} for message in prompt.messages]
        body: dict[str, Any] = {"model": response.model, "messages": messages}
        if schema:
            body["response_format"] = {"type": "json_schema", "json_schema": {"schema": schema}}
        reply = self._request("/v1/chat/completions", body)
        (cancel or Cancel()).check()
        response.text = reply["choices"][0]["message"]["content"]
        response.model_version = reply["model"]
        counts = reply["usage"]
        response.usage = TokenUsage(counts["prompt_tokens"], counts["completion_tokens"])
        response.seconds = response.first_token_seconds = 0.1
        return response

    def embed(self, texts: Sequence[str], *, question: bool) -> list[list[float]]:
        raise NotImplementedError

    def list_models(self) -> list[str]:
        return [entry["id"] for entry in self._request("/v1/models")["data"]]

    def _request(self, path: str, body: dict[str, Any] | None = None) -> Any:
        data = json.dumps(body).encode() if body else None
        with urllib.request.urlopen(f"{self.url}{path}", data) as reply:
            return json.load(reply)


@pytest.fixture(autouse=True)
def second_provider(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Register the provider beside Gemini, with its server, and store a document."""
    DocumentStore(settings.documents_path).add_text("Lanternfish 2.1", NOTES, settings)
    handler: type[BaseHTTPRequestHandler] = ChatHandler
    with serving(handler) as url:
        monkeypatch.setattr(Tiny, "url", url)
        monkeypatch.setattr(providers, "PROVIDERS", (*providers.PROVIDERS, Tiny))
        st.cache_resource.clear()
        yield
        st.cache_resource.clear()


def test_first_ready_provider_is_asked(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(open_model(settings), Tiny)
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    assert isinstance(open_model(Settings(home=settings.home)), Gemini)
    monkeypatch.delenv("GEMINI_API_KEY")
    monkeypatch.setattr(Tiny, "is_ready", False)
    assert isinstance(open_model(settings), Gemini)


def test_provider_of_the_settings_is_asked_and_an_unknown_one_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("FAREGROUND_MODEL_PROVIDER", "Tiny")
    assert isinstance(open_model(Settings(home=settings.home)), Tiny)
    monkeypatch.setenv("FAREGROUND_MODEL_PROVIDER", "huge")
    refused = pipeline(settings, "answers", "ask", QUESTION)
    names = either_of(provider(settings).label.lower() for provider in providers.PROVIDERS)
    words = " ".join(refused.stderr.split())
    assert f"Set FAREGROUND_MODEL_PROVIDER to {names}, or unset it." in words
    of_model = [check for check in service_checks(load_settings()) if check.name == "huge"]
    assert run_checks(of_model)[0].state == "failed"
    assert "no model provider 'huge'" in texts(open_page())


def test_command_asks_the_second_provider(settings: Settings) -> None:
    plain, rag = document(pipeline(settings, "answers", "ask", QUESTION, "--json"))["sides"]
    assert (plain["answer"], rag["answer"]) == (GUESSED, GROUNDED)
    assert (rag["model"], rag["model_version"]) == ("tiny-1", "tiny-1-q4")
    assert rag["tokens"] == {"prompt": 21, "output": 9, "thinking": None}
    assert rag["dollars"] is None
    assert rag["claims"][0]["verdict"] == "found in source"


def test_suite_runs_with_the_second_provider(settings: Settings) -> None:
    arguments = ("answers", "eval", "releases", "--side", "rag", "--per-minute", "1e6", "--json")
    run = document(pipeline(settings, *arguments))
    assert (run["state"], run["models"], run["answered"]) == ("succeeded", ["tiny-1"], 23)


def test_page_asks_and_judges_with_the_second_provider() -> None:
    app = ask()
    shown = texts(app)
    assert "API key" not in shown
    assert "tiny-1-q4" in shown
    assert [row["tokens"] for row in comparison(app)] == ["30", "30"]
    assert app.selectbox(key="how to find").options == ["Best passages (BM25)", "Whole documents"]
    assert set(app.selectbox(key="model").options) == {"tiny-1", "tiny-2"}
    check(app.button(key="judge 1").click().run())
    assert "✓ judge: supported" in texts(app)


def test_doctor_examines_the_second_provider(settings: Settings) -> None:
    of_model = [check for check in service_checks(settings) if check.name == "tiny"]
    (result,) = run_checks(of_model)
    assert result.state == "ok"
    assert "tiny-1 is among 2 models" in result.message


def test_only_the_list_of_providers_imports_one() -> None:
    for provider in providers.PROVIDERS:
        files = provider.__module__  # those of a provider are named after it
        if files.startswith("pipeline."):
            importers = {
                pair.importer
                for pair in CodeStructure().imports
                if pair.imported.startswith(files) and not pair.importer.startswith(files)
            }
            assert importers == {"pipeline.answers.model.providers"}, provider
