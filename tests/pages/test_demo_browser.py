"""The demo of the Answers page in a real browser: in three clicks, by link, and with a model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from pipeline.core.settings.settings import Settings
from tests.support.browser import Visitor, serve
from tests.support.openai_server import ChatRequest, OpenAIServer, ScriptedChat


@pytest.fixture
def address(settings: Settings) -> Iterator[str]:
    with serve(settings.home) as address:
        yield address


def result(page: Page, words: str) -> None:
    expect(page.get_by_text(words, exact=True)).to_be_visible()


def test_demo_without_a_key_shows_opens_guesses_and_hands_out(
    browser: Browser, address: str, tmp_path: Path
) -> None:
    with Visitor(browser, address) as visitor:
        page = visitor.page
        visitor.open("/answers")
        visitor.press("Show both answers")
        result(page, "0 of 5 claims found")
        result(page, "4 of 4 claims found")
        page.locator(".st-key-claim-example-approval-rag-4").click()
        expect(page.get_by_text("line 28").last).to_be_visible()
        with page.expect_download() as download:
            page.get_by_role("button", name="Handout").click()
        path = tmp_path / "handout.html"
        download.value.save_as(path)
        assert "4 of 4 claims found" in path.read_text()
        expect(page).to_have_url(re.compile("answer=example-approval"))
        page.get_by_text("Guess first").click()
        expect(page.get_by_text("hidden: guess first")).to_have_count(2)
        page.get_by_role("button", name="Made up").first.click()
        expect(page.get_by_text("guesses agree with the check")).to_contain_text("1 of 1")


def test_local_server_answers_and_the_link_shows_it_again_without_the_server(
    browser: Browser, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def respond(request: ChatRequest) -> ScriptedChat:
        if "begin source" in request.text:
            return ScriptedChat(["Approvals are part ", "of the business plan [1]."], pause=0.2)
        return ScriptedChat(["Approvals are ", "free in every plan."], pause=0.2)

    with OpenAIServer(respond=respond) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        with serve(settings.home) as address, Visitor(browser, address) as visitor:
            page = visitor.page
            visitor.open("/answers")
            visitor.press("Ask both")
            result(page, "0 of 1 claim found")
            result(page, "1 of 1 claim found")
            expect(page).to_have_url(re.compile(r"answer=[0-9a-f]{12}"))
            questions = len(server.questions)
            page.reload()
            result(page, "1 of 1 claim found")
            assert len(server.questions) == questions == 2


def test_all_tabs_of_a_result_fit_on_a_phone(browser: Browser, address: str) -> None:
    with Visitor(browser, address) as visitor:
        visitor.page.set_viewport_size({"width": 390, "height": 844})
        visitor.open("/answers")
        visitor.press("Show both answers")
        tabs = visitor.page.get_by_role("tab")
        expect(tabs).to_have_count(4)
        boxes = [tab.bounding_box() for tab in tabs.all()]
        assert all(box and box["x"] + box["width"] <= 390 - 16 for box in boxes), boxes
