"""The Answers page in a real browser: two answers stream together, and hostile text stays text."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from pipeline.answers.documents.documents import DocumentStore
from pipeline.core.settings.settings import Settings
from tests.pages.test_answers_page import NOTES, QUESTION
from tests.pages.test_safe_markdown import HOSTILE
from tests.support.browser import Visitor, serve
from tests.support.gemini_server import KEY, GeminiServer, ScriptedAnswer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[GeminiServer]:
    with GeminiServer() as running:
        monkeypatch.setenv("GEMINI_API_KEY", KEY)
        monkeypatch.setenv("GEMINI_BASE_URL", running.url)
        yield running


@pytest.fixture
def address(settings: Settings, server: GeminiServer) -> Iterator[str]:
    """An app with one document, whose model is the local server."""
    assert server.url
    DocumentStore(settings.documents_path).add_text("Lanternfish 2.1", NOTES, settings)
    with serve(settings.home) as address:
        yield address


def ask(visitor: Visitor, question: str = QUESTION) -> None:
    visitor.open("/answers?mode=documents")
    visitor.page.get_by_label("Question").fill(question)
    expect(visitor.page.get_by_role("heading", name="[1] Lanternfish").first).to_be_visible()
    visitor.press("Ask both")


def test_two_answers_stream_together_and_stop_at_once(
    browser: Browser,
    address: str,
    server: GeminiServer,
) -> None:
    words = [f"word{number} " for number in range(400)]
    server.respond = lambda request: ScriptedAnswer(
        ["sourced ", *words] if "begin source" in request.text else ["guessed ", *words], pause=0.05
    )
    with Visitor(browser, address) as visitor:
        ask(visitor)
        columns = visitor.page.get_by_test_id("stColumn")
        guessed = columns.filter(has_text="guessed").first  # its verdict is in a later one
        sourced = columns.filter(has_text="sourced word").first
        expect(guessed).to_contain_text("word9 ")
        expect(sourced).to_contain_text("word9 ")
        assert "word399" not in guessed.inner_text()  # both were seen while both were on their way
        assert "word399" not in sourced.inner_text()
        visitor.press("Stop")
        expect(visitor.page.get_by_text("Stopped.")).to_have_count(2)
        expect(visitor.page.get_by_text("Both answers in numbers")).to_be_visible()
        assert "word399" not in guessed.inner_text()


# Notes whatever of this ever appears in an answer, however shortly.
WATCH = """
window.seen = [];
const wanted = ['img', 'iframe', 'script', '.katex', 'table a', '[data-testid=stIconMaterial]'];
const within = wanted.map(name => `[data-testid=stColumn] .stMarkdown ${name}`).join(', ');
new MutationObserver(() => document.querySelectorAll(within).forEach(
    node => window.seen.push(node.outerHTML)
)).observe(document, {childList: true, subtree: true});
"""


def test_hostile_answers_and_documents_stay_text_while_they_stream(
    browser: Browser,
    address: str,
    server: GeminiServer,
) -> None:
    # What a model would say that obeys the injected document, in pieces that split each construct.
    hostile = "\n\n".join(("So [1] says.", *HOSTILE))
    pieces = [hostile[start : start + 3] for start in range(0, len(hostile), 3)]
    server.respond = lambda _: ScriptedAnswer(
        ["It is **bold** and:\n\n- a list\n\n", *pieces], pause=0.004
    )
    with Visitor(browser, address) as visitor:
        visitor.page.add_init_script(WATCH)
        ask(visitor, "How many lanes are there, and how long does the ink store keep drafts?")
        expect(visitor.page.get_by_text("Both answers in numbers")).to_be_visible()
        visitor.settle()
        assert visitor.page.evaluate("window.seen") == []
        answers = visitor.page.get_by_test_id("stColumn")
        links = answers.locator(".stMarkdown a").evaluate_all(
            "nodes => nodes.map(node => node.getAttribute('href'))"
        )
        assert set(links) == {"#source-1-1"}
        body = visitor.page.locator("body")
        for shown in ("![x](http", "<script>alert(1)</script>", ":red[x]", "$x^2$", "this image"):
            expect(body).to_contain_text(shown)
        expect(answers.locator("strong", has_text="bold").nth(1)).to_be_attached()
        expect(answers.locator("li", has_text="a list")).to_have_count(2)
        expect(answers.locator("td", has_text="![x](y)").first).to_be_attached()
        answers.locator("a[href='#source-1-1']").first.click()
        expect(visitor.page.locator("#source-1-1")).to_be_in_viewport()
