"""Stores under FAREGROUND_HOME that an earlier version wrote open complete in this version.

tests/answers/stores holds them as that version left them: three documents and their embeddings,
and three runs of one question set, of which one succeeded, one was stopped after two answers and
one lost its process before its first.
"""

from __future__ import annotations

import gzip
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.answers.documents.documents import DocumentStore
from pipeline.answers.documents.retrieval import search
from pipeline.answers.documents.vectors import VectorStore
from pipeline.answers.suites.evaluation import is_running, run_suite
from pipeline.answers.suites.suite_runs import SuiteRunStore
from pipeline.core.cancel import Cancel
from pipeline.core.settings.settings import Settings
from tests.answers.documents.test_retrieval import LetterCounts
from tests.support.gemini_server import KEY, MODEL, GeminiServer, ScriptedAnswer

STORES = Path(__file__).with_name("stores")


@pytest.fixture
def earlier(settings: Settings) -> Settings:
    """Settings whose home holds the stores of the earlier version."""
    settings.home.mkdir()
    for packed in STORES.glob("*.gz"):
        (settings.home / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
    return settings


def test_earlier_documents_open_complete(earlier: Settings) -> None:
    documents = DocumentStore(earlier.documents_path)
    egret, heron, tern = documents.documents()
    assert (heron.id, heron.title, heron.date, heron.version, heron.chunks) == (
        "f685ad5bdf",
        "Heron 2.4",
        "2026-03-02",
        "2.4",
        3,
    )
    assert heron.added_at == datetime(2026, 11, 28, 21, 53, 42, 54308, UTC)
    assert (egret.address, egret.format, tern.address) == (
        "upload:egret.html",
        "html",
        "paste:Tern – notes",
    )
    for document in (egret, heron, tern):
        assert len(documents.text(document)) == document.characters
        chunks = documents.chunks_of([document.id])
        assert "".join(chunk.text for chunk in chunks) == documents.text(document)
    (passage, *_) = search(documents, "What does the company plan of Heron 2.4 cost?", 1)
    assert passage.context == "Heron 2.4, 2026-03-02 > Limits"
    assert "| company | 500 | $1,900 |" in passage.text


def test_documents_of_version_2_get_the_new_column(settings: Settings) -> None:
    documents = DocumentStore(settings.documents_path)
    stored = documents.add_text("Heron", "Heron rests.", settings)
    with closing(sqlite3.connect(settings.documents_path)) as connection:
        connection.execute("ALTER TABLE documents DROP COLUMN unreadable_characters")
        connection.execute("PRAGMA user_version = 2")
    assert documents.documents() == [stored]
    assert len(search(documents, "Heron rests", 1)) == 1


def test_earlier_document_is_replaced_by_its_new_version(earlier: Settings) -> None:
    documents = DocumentStore(earlier.documents_path)
    documents.add_text("Tern – notes", "# Tern\nTern keeps 8 buckets.\n", earlier)
    assert len(documents.documents()) == 3
    assert [p.text for p in search(documents, "Tern buckets")] == [
        "# Tern\nTern keeps 8 buckets.\n"
    ]


def test_earlier_embeddings_are_reused(earlier: Settings) -> None:
    embedder = LetterCounts()
    dense = (VectorStore(earlier.vectors_path), embedder)
    passages = search(DocumentStore(earlier.documents_path), "How many buckets?", dense=dense)
    assert len(passages) == 5
    assert embedder.calls == [1]  # the question


def test_earlier_suite_runs_open_complete(earlier: Settings) -> None:
    runs = SuiteRunStore(earlier.suites_path)
    interrupted, stopped, succeeded = runs.runs()
    assert [run.state for run in (interrupted, stopped, succeeded)] == [
        "running",
        "stopped",
        "succeeded",
    ]
    assert not is_running(interrupted, earlier)
    assert stopped.reason == "Somebody stopped it."
    assert succeeded.folder == Path("/srv/fareground/sets")
    assert [question.id for question in succeeded.suite.questions] == ["q01", "q02", "price"]
    assert [len(runs.answers(run.run_id)) for run in (interrupted, stopped, succeeded)] == [0, 2, 6]
    scored = {(a.question_id, a.side): a for a in runs.answers(succeeded.run_id)}
    assert {key: answer.outcome for key, answer in scored.items()} == {
        ("q01", "plain"): "wrong",
        ("q01", "rag"): "right",
        ("q02", "plain"): "wrong",
        ("q02", "rag"): "right",
        ("price", "plain"): "wrong",
        ("price", "rag"): "abstained",
    }
    limit = scored["q02", "rag"]
    assert (limit.answer, limit.model, limit.model_version) == (
        "A tenant may keep 2,048 flows [1].",
        MODEL,
        f"{MODEL}-001",
    )
    assert (limit.prompt_tokens, limit.output_tokens, limit.thinking_tokens) == (11, 2, 5)
    assert (limit.claims, limit.claims_found) == (1, 1)
    assert limit.dollars == pytest.approx((11 * 0.3 + 7 * 2.5) / 1e6)


def test_earlier_stopped_run_is_resumed(earlier: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = SuiteRunStore(earlier.suites_path)
    (stopped,) = [run for run in runs.runs() if run.state == "stopped"]
    with GeminiServer(respond=lambda _: ScriptedAnswer(["I do not know."])) as server:
        monkeypatch.setenv("GEMINI_API_KEY", KEY)
        monkeypatch.setenv("GEMINI_BASE_URL", server.url)
        settings = Settings(home=earlier.home)
        ended = run_suite(stopped, settings, Cancel(), calls_a_minute=1e6)
        assert (ended.state, len(runs.answers(ended.run_id))) == ("succeeded", 6)
        assert len(server.requests_to("streamGenerateContent")) == 4
