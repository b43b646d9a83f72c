"""The demo on the Answers page: without a key, with models, guesses, links and handouts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pipeline.answers.comparisons import ComparisonStore
from pipeline.answers.demo import EXAMPLE_LABEL, QUESTIONS, make_example
from pipeline.answers.handout import write_handout
from pipeline.answers.model.prompts import Side
from pipeline.core.settings.settings import Settings
from tests.pages.test_pages import check, open_app, texts, unescape
from tests.support.files import GREEN, load, put_trips, trip
from tests.support.gemini_server import KEY, GeminiServer, ScriptedAnswer
from tests.support.nli_folder import make_nli_folder
from tests.support.openai_server import ChatRequest, OpenAIServer, ScriptedChat

SIDES = [side.label for side in Side]
MADE_UP = "Approvals are free in every plan."
GROUNDED = "Approvals are part of the business plan [1]."


@pytest.fixture(autouse=True)
def fresh_server() -> Iterator[None]:
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


def show_example(name: str = "approval") -> AppTest:
    app = open_app("pages/answers.py")
    if name != "approval":
        check(app.radio(key="demo question").set_value(name).run())
    return check(app.button(key="show example").click().run())


def results(app: AppTest) -> list[str]:
    return [metric.value for metric in app.metric if metric.label in SIDES]


def badges(app: AppTest) -> list[str]:
    """Return the badges within both answers."""
    answers = [m.value for m in app.markdown if re.search(r"badge\[\S \d+\](?! )", m.value)]
    return re.findall(r":(\w+-badge\[\S \d+\])", " ".join(answers))


def test_page_opens_on_a_demo_that_needs_no_key(settings: Settings) -> None:
    app = open_app("pages/answers.py")
    assert "Same question, same model, only one side gets the source." in texts(app)
    app = show_example()
    assert results(app) == ["0 of 5 claims found", "4 of 4 claims found"]
    assert unescape(texts(app)).count(EXAMPLE_LABEL) == 2
    assert badges(app).count("green-badge[● 4]") == 1
    assert len([e for e in app.expander if "found in source" in e.label]) == 4
    assert not settings.comparisons_path.exists()  # an example is made anew each time


@pytest.mark.parametrize("name", list(QUESTIONS))
def test_verdicts_on_each_example_are_those_of_the_check(name: str, settings: Settings) -> None:
    assert settings.home
    plain, rag = results(show_example(name))
    assert re.fullmatch(r"0 of [3-6] claims found", plain)
    found, claims = re.findall(r"\d", rag)
    assert found == claims


def test_sentence_of_a_claim_is_marked_in_its_document(settings: Settings) -> None:
    assert settings.home
    app = show_example()
    marked = [m.value for m in app.markdown if ":yellow-background[business plan" in m.value]
    assert marked
    assert "Faster starts" in marked[0]  # what follows in the document


def test_votes_reveal_claims_one_by_one_and_keep_the_score(settings: Settings) -> None:
    assert settings.home
    app = show_example()
    check(app.toggle(key="guess example-approval on").set_value(True).run())
    assert results(app) == ["hidden: guess first"] * 2
    assert {badge.split("[")[1][0] for badge in badges(app)} == {"?"}
    check(app.button(key="guess example-approval plain 1 made up").click().run())
    check(app.button(key="guess example-approval rag 1 made up").click().run())
    assert "**1 of 2** guesses agree" in app.get("progress")[0].proto.text
    assert "Guessed: made up, as the check says." in texts(app)
    assert "Guessed: made up, unlike the check." in texts(app)
    check(app.button(key="guess example-approval reveal").click().run())
    assert results(app) == ["0 of 5 claims found", "4 of 4 claims found"]


def test_answer_that_declines_is_not_voted_on(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings.home
    with OpenAIServer(respond=lambda _request: ScriptedChat(["I do not know."])) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        app = check(open_app("pages/answers.py").button(key="ask demo").click().run())
    assert results(app) == ["abstained", "abstained"]
    id = app.session_state["shown comparison"]
    check(app.toggle(key=f"guess {id} on").set_value(True).run())
    assert results(app) == ["abstained", "abstained"]
    assert not [button for button in app.button if button.label == "Made up"]


def answered_by_gemini() -> GeminiServer:
    return GeminiServer(
        respond=lambda request: ScriptedAnswer(
            [GROUNDED if "begin source" in request.text else MADE_UP]
        )
    )


def answered_locally() -> OpenAIServer:
    def respond(request: ChatRequest) -> ScriptedChat:
        return ScriptedChat([GROUNDED if "begin source" in request.text else MADE_UP])

    return OpenAIServer(respond=respond)


@pytest.mark.parametrize("make", [answered_by_gemini, answered_locally])
def test_asked_answers_are_kept_and_their_address_survives_a_refresh(
    make: Callable[[], GeminiServer | OpenAIServer],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with make() as server:
        if isinstance(server, GeminiServer):
            monkeypatch.setenv("GEMINI_API_KEY", KEY)
            monkeypatch.setenv("GEMINI_BASE_URL", server.url)
        else:
            monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        app = check(open_app("pages/answers.py").button(key="ask demo").click().run())
        assert results(app) == ["0 of 1 claim found", "1 of 1 claim found"]
        id = app.session_state["shown comparison"]
    kept = ComparisonStore(settings.comparisons_path).find(id)
    assert kept.sides[Side.PLAIN].text == MADE_UP
    assert kept.sides[Side.RAG].usage.total
    # The server is gone: nothing is asked again.
    again = open_app("pages/answers.py", answer=id)
    assert results(again) == ["0 of 1 claim found", "1 of 1 claim found"]
    assert EXAMPLE_LABEL not in unescape(texts(again))


def test_failed_answer_says_why_and_is_kept(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenAIServer(respond=lambda _request: ScriptedChat([], finish="content_filter")) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        app = check(open_app("pages/answers.py").button(key="ask demo").click().run())
    shown = [unescape(warning.value) for warning in app.warning]
    assert len([text for text in shown if "content filter stopped the answer" in text]) == 2
    assert settings.comparisons_path.exists()


def test_pasted_answer_is_checked_in_place_of_a_side(settings: Settings) -> None:
    app = show_example()
    app.text_area(key="pasted text example-approval").set_value(f"{MADE_UP} {GROUNDED}")
    check(app.button(key="check example-approval").click().run())
    assert results(app) == ["1 of 2 claims found", "4 of 4 claims found"]
    assert "Pasted from elsewhere" in unescape(texts(app))
    id = app.session_state["shown comparison"]
    assert ComparisonStore(settings.comparisons_path).find(id).sides[Side.PLAIN].origin == "pasted"


def test_trips_are_asked_about_with_their_exact_answer(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)] * 3)
    load(folder, GREEN, settings)
    app = show_example("trips")
    assert "3 trips" in [metric.value for metric in app.metric]
    assert results(app) == ["– not judged", "✓ right"]  # three of 35,612 trips are loaded


def test_demo_about_trips_offers_the_sample_while_none_is_loaded(settings: Settings) -> None:
    assert settings.home
    app = open_app("pages/answers.py")
    check(app.radio(key="demo question").set_value("trips").run())
    assert "No trips are loaded yet" in texts(app)


def ask_both(monkeypatch: pytest.MonkeyPatch, chat: ScriptedChat) -> AppTest:
    """Return the page after both sides have given this answer."""
    with OpenAIServer(respond=lambda _request: chat) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        return check(open_app("pages/answers.py").button(key="ask demo").click().run())


def test_thinking_of_a_model_is_left_out_and_the_page_says_so(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = ask_both(monkeypatch, ScriptedChat([f"<think>Is it free? {MADE_UP}</think>", GROUNDED]))
    assert results(app) == ["1 of 1 claim found"] * 2
    assert MADE_UP not in texts(app)
    assert "Plain: thinking omitted." in texts(app)
    id = app.session_state["shown comparison"]
    page = write_handout(ComparisonStore(settings.comparisons_path).find(id))
    assert "thinking omitted" in page
    assert MADE_UP not in page


def test_answer_cut_within_its_first_sentence_is_shown_and_not_checked(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings.home
    app = ask_both(monkeypatch, ScriptedChat(["Approvals are free in ev"], cut=True))
    assert results(app) == ["no whole sentence"] * 2
    assert "Approvals are free in ev" in texts(app)
    assert not badges(app)


def test_answer_of_very_many_claims_shows_the_first_ones_and_counts_all(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings.home
    app = ask_both(monkeypatch, ScriptedChat([f"{MADE_UP} " * 300]))
    assert results(app) == ["0 of 300 claims found"] * 2
    assert len([expander for expander in app.expander if "not" in expander.label]) == 400
    assert texts(app).count("Showing 200 of 300 claims. The totals count all of them.") == 2


@pytest.mark.parametrize("damage", ["bytes", "folder"])
def test_answers_that_cannot_be_stored_are_shown_with_a_warning(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    damage_store(settings, damage)
    app = ask_both(monkeypatch, ScriptedChat([GROUNDED]))
    assert results(app) == ["1 of 1 claim found"] * 2
    (warning,) = [unescape(w.value) for w in app.warning if "could not be kept" in w.value]
    assert "comparisons.sqlite" in warning
    check(app.run())
    assert results(app) == ["1 of 1 claim found"] * 2
    app.text_area(key="pasted text unsaved-1").set_value(MADE_UP)
    check(app.button(key="check unsaved-1").click().run())
    assert results(app) == ["0 of 1 claim found", "1 of 1 claim found"]


@pytest.mark.parametrize("damage", ["bytes", "folder"])
def test_link_to_an_answer_in_a_damaged_store_says_so_and_shows_the_page(
    settings: Settings, damage: str
) -> None:
    damage_store(settings, damage)
    app = open_app("pages/answers.py", answer="0123456789ab")
    shown = texts(app)
    assert "comparisons.sqlite" in shown
    assert "The questions of the demo are shown." in shown
    assert "Same question, same model, only one side gets the source." in shown
    check(app.button(key="show example").click().run())
    assert results(app) == ["0 of 5 claims found", "4 of 4 claims found"]


def damage_store(settings: Settings, damage: str) -> None:
    """Put what is no database where comparisons are kept."""
    path = settings.comparisons_path
    path.parent.mkdir(parents=True, exist_ok=True)
    if damage == "folder":
        path.mkdir()
    else:
        path.write_bytes(b"not a database " * 500)


def test_damaged_prices_leave_the_answers_and_say_why_no_price_is_known(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.home.mkdir(parents=True, exist_ok=True)
    (settings.home / "prices.json").write_text('{"date": "2026-11", "models": {"m": 1e400}}')
    app = ask_both(monkeypatch, ScriptedChat([GROUNDED]))
    assert results(app) == ["1 of 1 claim found"] * 2
    assert texts(app).count("prices.json is not a table of prices") == 2


def test_reveal_leaves_no_claim_to_go(settings: Settings) -> None:
    assert settings.home
    app = show_example()
    check(app.toggle(key="guess example-approval on").set_value(True).run())
    assert "9 of 9 claims to go" in app.get("progress")[0].proto.text
    check(app.button(key="guess example-approval reveal").click().run())
    assert app.get("progress")[0].proto.text == "All verdicts are revealed; nobody guessed."
    assert "to go" not in texts(app)


def test_example_has_no_empty_table_of_figures(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings.home
    assert not show_example().dataframe
    app = ask_both(monkeypatch, ScriptedChat([GROUNDED]))
    assert list(app.dataframe[0].value["side"]) == SIDES
    app.text_area[0].set_value(MADE_UP)
    check(next(button for button in app.button if button.label == "Check it").click().run())
    assert list(app.dataframe[0].value["side"]) == ["With sources"]


def test_claim_about_the_documents_date_shows_the_line_that_holds_it(settings: Settings) -> None:
    app = show_example("release")
    line = "Heron 2.4, files, people and faster starts, 2025-10-07"
    assert f"Document date: {line}" in texts(app)
    page = write_handout(make_example("release", settings))
    assert f"Nearest sentence in [1]: <mark>{line}</mark>" in page


def test_scores_next_to_nothing_are_left_out(settings: Settings) -> None:
    assert settings.home
    assert not re.search(r"score \S*e-|score 0\.00", texts(show_example()))


def test_table_in_an_answer_is_a_table_with_a_badge_in_each_row(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings.home
    table = "| Plan | Price |\n|---|---|\n| Every plan | free |\n| Business plan | paid |\n"
    app = ask_both(monkeypatch, ScriptedChat([f"Plans:\n\n{table}\nEnd."]))
    answer = next(m.value for m in app.markdown if "| --- | --- |" in m.value)
    rows = [line for line in answer.splitlines() if line.startswith("|")]
    assert rows[0] == "| Plan | Price |"
    assert [bool(re.search(r"-badge\[. \d\] \|$", row)) for row in rows[2:]] == [True, True]


def test_nli_model_judges_the_claims_of_the_demo(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert settings.home
    app = show_example()
    assert not [button for button in app.button if button.label == "Judge with the NLI model"]
    example = make_example("approval", settings)
    texts_of = [passage.source for passage in example.passages]
    words = " ".join([*texts_of, *(answer.text for answer in example.sides.values())])
    monkeypatch.setenv("FAREGROUND_NLI_MODEL", str(make_nli_folder(tmp_path / "model", words)))
    check(app.run())
    check(app.button(key="judge nli example-approval").click().run())
    assert texts(app).count("judge: ") == 9
    assert "✓ judge: supported" in texts(app)
