"""`answers ask` and `answers truths` on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from pipeline.__main__ import app
from pipeline.answers.documents.documents import DocumentStore
from pipeline.answers.model import retry
from pipeline.core.settings.settings import Settings
from tests.pages.test_answers_page import GROUNDED, GUESSED, NOTES, QUESTION, answer
from tests.support.files import GREEN, load, put_trips, trip
from tests.support.gemini_server import KEY, MODEL, GeminiServer, ScriptedAnswer, ScriptedError


def run(*arguments: str, code: int = 0) -> Result:
    """Run the command in this process."""
    result = CliRunner().invoke(app, ["answers", *arguments])
    assert result.exit_code == code, result.output
    return result


def document(*arguments: str, code: int = 0) -> Any:
    return json.loads(run(*arguments, "--json", code=code).stdout)


@pytest.fixture
def server(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[GeminiServer]:
    """A model to ask, and a document to ask it about."""
    DocumentStore(settings.documents_path).add_text("Lanternfish 2.1", NOTES, settings)
    with GeminiServer(respond=answer) as running:
        monkeypatch.setenv("GEMINI_API_KEY", KEY)
        monkeypatch.setenv("GEMINI_BASE_URL", running.url)
        yield running


def test_both_sides_are_asked_and_checked_against_the_same_passages(server: GeminiServer) -> None:
    result = document("ask", QUESTION, "--model", "gemini-3.8-flash")
    plain, rag = result["sides"]
    assert (plain["mode"], plain["answer"]) == ("plain", GUESSED)
    assert (rag["mode"], rag["answer"]) == ("rag", GROUNDED)
    assert plain["claims"][0]["verdict"] == "value not in source"
    assert rag["claims"][0]["verdict"] == "found in source"
    assert rag["tokens"] == {"prompt": 11, "output": 1, "thinking": 5}
    assert rag["dollars"] == pytest.approx((11 * 0.75 + 6 * 3.75) / 1e6)
    assert rag["price_date"] == "2026-10-07"
    assert result["passages"][0]["document"] == "Lanternfish 2.1"
    assert all("gemini-3.8-flash" in request.path for request in server.requests)


@pytest.mark.parametrize(("mode", "answer_text"), [("plain", GUESSED), ("rag", GROUNDED)])
def test_one_side_alone_is_asked_once(server: GeminiServer, mode: str, answer_text: str) -> None:
    output = run("ask", QUESTION, "--mode", mode).output
    assert answer_text in output
    assert f"{MODEL}-001" in output
    assert len(server.requests) == 1


def test_prompts_need_no_key(server: GeminiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GEMINI_API_KEY")
    prompts = document("ask", QUESTION, "--prompts")["prompts"]
    assert "begin source [1]: Lanternfish 2.1" in prompts["rag"]
    assert "begin source" not in prompts["plain"]
    assert server.requests == []
    assert "Gemini is not set up" in run("ask", QUESTION, code=1).output


def test_failure_is_reported_with_the_text_that_arrived(
    server: GeminiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.01)
    server.respond = lambda request: (
        ScriptedAnswer(cut=True) if "source" in request.text else ScriptedError(500, KEY, KEY)
    )
    result = document("ask", QUESTION, code=1)
    plain, rag = result["sides"]
    assert "overloaded or failing" in plain["problem"]
    assert plain["outcome"] == "no answer"
    assert rag["answer"] == "Hello there."
    assert "closed the connection" in rag["problem"]
    assert KEY not in json.dumps(result)


def test_answer_cannot_command_the_terminal(server: GeminiServer) -> None:
    server.respond = lambda _request: ScriptedAnswer(["\x1b[2J\x1b]0;owned\x07hello \x9b31m there"])
    output = run("ask", QUESTION, "--mode", "plain").output
    assert "hello" in output
    assert not set(output) & {"\x1b", "\x07", "\x9b"}


def test_truths_are_listed_and_computed_without_a_key(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN), trip(GREEN, payment_type="2")])
    load(folder, GREEN, settings)
    listed = document("truths")["truths"]
    assert len(listed) >= 12
    assert "{color}" in listed[0]["question"]
    output = run("truths", "--month", "2020-04").output
    assert "2 trips" in output
    assert "Not loaded: green_tripdata_2020-03" in output  # the one that compares two months
    (share,) = document("truths", "cash-share", "--month", "2020-04")["truths"]
    assert (share["value"], share["right"]) == (50.0, "within 2 percentage points")
    assert "green_tripdata" in share["sql"]


def test_truth_that_cannot_be_computed_is_wrong_usage(settings: Settings) -> None:
    assert settings.home
    output = run("truths", "trips", "--month", "2020-04", code=2).output
    assert "Not loaded: green_tripdata_2020-04" in output
    assert "backfill --dataset green --from 2020-04" in " ".join(output.split())
    assert "There is no template" in run("truths", "nonsense", code=2).output
