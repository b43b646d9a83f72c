"""Question sets on the Answers page: the estimate, a run, Stop, Resume, and the results."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.components.answers.suite_results import suite_jobs
from pipeline.answers.documents.documents import DocumentStore
from pipeline.answers.suites.suite_runs import SuiteRunStore
from pipeline.answers.suites.suites import open_scope, parse_suite
from pipeline.core.errors import UsageError
from pipeline.core.settings.settings import Settings
from tests.pages.test_answers_page import NOTES
from tests.pages.test_pages import check, open_app, texts
from tests.support.gemini_server import KEY, GeminiRequest, GeminiServer, ScriptedAnswer, wait_until

SUITE = b"""
suite: Lanes
document: Lanternfish 2.1
questions:
  - question: Into how many lanes do glow lanes split a queue?
    checks: [{number: 12}]
  - question: What does the ink store cost?
    kind: unanswerable
"""


@pytest.fixture(autouse=True)
def fresh_server() -> Iterator[None]:
    """Clear the caches of the server, and let no job outlive its test."""
    st.cache_resource.clear()
    yield
    if job := suite_jobs().running():
        job.task.cancel.set()
        job.task.wait(10)
    st.cache_resource.clear()


def answer(request: GeminiRequest) -> ScriptedAnswer:
    if "cost?" in request.text:
        return ScriptedAnswer(["I do not know."])
    return ScriptedAnswer(["12 lanes [1]." if "begin source" in request.text else "40 lanes."])


@pytest.fixture
def server(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[GeminiServer]:
    DocumentStore(settings.documents_path).add_text("Lanternfish 2.1", NOTES, settings)
    with GeminiServer(respond=answer) as running:
        monkeypatch.setenv("GEMINI_API_KEY", KEY)
        monkeypatch.setenv("GEMINI_BASE_URL", running.url)
        yield running


def open_suites() -> AppTest:
    app = open_app("pages/answers.py")
    return check(app.segmented_control(key="view").set_value("suites").run())


def upload(app: AppTest) -> AppTest:
    check(app.selectbox(key="suite").set_value("your own").run())
    app.file_uploader(key="suite file").set_value(("lanes.yaml", SUITE, "application/yaml"))
    return check(app.run())


def run_to_end(app: AppTest) -> AppTest:
    app.number_input(key="suite Calls a minute").set_value(600)
    check(app.run())
    check(app.button(key="run suite").click().run())
    job = suite_jobs().newest()
    assert job is not None
    assert job.task.wait(20)
    return check(app.run())


def test_calls_and_price_show_before_a_run_that_needs_a_key(
    settings: Settings,
) -> None:
    assert settings.home
    app = open_suites()
    shown = texts(app)
    assert "46 calls" in shown
    assert "at most **$" in shown
    assert app.button(key="run suite").disabled
    assert "No question set has been run yet." in shown


def test_run_ends_with_rates_differences_and_every_answer(
    server: GeminiServer, settings: Settings
) -> None:
    app = run_to_end(upload(open_suites()))
    tables = [frame.value for frame in app.dataframe]
    runs = next(table for table in tables if "question set" in table.columns)
    assert runs.loc[0, "state"] == "● succeeded"
    assert runs.loc[0, "answers"] == "4 of 4"
    rates = next(table for table in tables if "claims found" in table.columns)
    right = {row["side"]: row["right"] for row in rates.to_dict("records")
             if row["questions"] == "answerable"}  # fmt: skip
    assert right["plain"].startswith("0% (0 of 1")
    assert right["with sources"].startswith("100% (1 of 1")
    answers = next(table for table in tables if "answer" in table.columns)
    assert sorted(answers["outcome"]) == ["– abstained", "– abstained", "● right", "✕ wrong"]
    assert len(server.requests_to("streamGenerateContent")) == 4
    assert [b.label for b in app.get("download_button")] == [
        "Download HTML", "Download CSV", "Download JSON",
    ]  # fmt: skip
    for path in settings.home.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes()


def test_run_is_stopped_and_resumed(server: GeminiServer, settings: Settings) -> None:
    server.script = [ScriptedAnswer(), ScriptedAnswer(silent=True)]
    app = upload(open_suites())
    app.number_input(key="suite Calls a minute").set_value(600)
    check(app.run())
    check(app.button(key="run suite").click().run())
    store = SuiteRunStore(settings.suites_path)
    (run,) = store.runs()
    wait_until(lambda: len(server.requests_to("streamGenerateContent")) == 2)
    check(app.run())
    assert "◐ running" in texts(app)
    assert "1 of 4 answers are kept" in [bar.proto.text for bar in app.get("progress")]
    assert "as soon as it has ended" in texts(app)
    tables = [frame.value for frame in app.dataframe]
    assert [list(t["answers"]) for t in tables if "question set" in t] == [["… of 4"]]
    (interim,) = (table for table in tables if "claims found" in table)
    assert list(interim["answers"]) == ["1"]
    assert "Interim results" in texts(app)
    assert len(store.answers(run.run_id)) == 1
    check(app.button(key="stop suite").click().run())
    job = suite_jobs().newest()
    assert job is not None
    assert job.task.wait(10)
    check(app.run())
    assert store.run(run.run_id).state == "stopped"
    check(app.button(key=f"resume {run.run_id}").click().run())
    wait_until(lambda: store.run(run.run_id).state == "succeeded", 20)
    assert len(store.answers(run.run_id)) == 4
    assert len(server.requests_to("streamGenerateContent")) == 5  # the silent one was asked again


def test_invalid_suite_is_reported(settings: Settings) -> None:
    assert settings.home
    app = open_suites()
    check(app.selectbox(key="suite").set_value("your own").run())
    app.file_uploader(key="suite file").set_value(("bad.yaml", b"suite: 1\n- x", "text/yaml"))
    check(app.run())
    assert len(app.error) == 1


def test_suite_cannot_name_a_file_elsewhere_on_the_machine(
    settings: Settings, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.md"
    secret.write_text("# Secret\n\nthe secret")
    folder = tmp_path / "sets"
    folder.mkdir()
    for document in (str(secret), "../secret.md"):
        suite = parse_suite(SUITE.replace(b"Lanternfish 2.1", document.encode()), "set.yaml")
        with pytest.raises(UsageError):
            open_scope(suite, settings, folder)
    assert DocumentStore(settings.documents_path).documents() == []


def test_search_is_measured_on_the_page_without_a_key(settings: Settings) -> None:
    assert settings.home
    app = check(open_suites().button(key="measure").click().run())
    table = next(f.value for f in app.dataframe if "in the first five" in f.value.columns)
    assert len(table) == 8
    headings = table[table["chunks"].str.startswith("by heading")]
    assert list(headings["in the first five"]) == ["100.0%", "100.0%"]


def test_run_without_a_model_says_why_it_is_disabled(settings: Settings) -> None:
    assert settings.home
    app = open_app("pages/answers.py", mode="suites")
    assert app.button(key="run suite").disabled
    assert "Cannot run: Gemini is not set up." in texts(app)
