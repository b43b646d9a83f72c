"""Widgets and addresses of pages: links, going back, and quick clicks from page to page."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pages.components.common.url_state import forget_older, is_new
from pipeline.core.settings.settings import Settings
from tests.pages.test_pages import check


def draw() -> None:
    """Draw one of two pages. Only the first has a widget, which Streamlit drops on the second.

    `cut` ends the run early, as a click does that comes before the widget is drawn.
    """
    import streamlit as st

    from pages.components.common.url_state import Params, UrlState, note_heartbeat, note_page

    state = st.session_state
    url = UrlState("a color", params=("color",), widgets=("color",), required=("color",))

    def adopt(link: Params) -> None:
        state.color = link.get("color", ["yellow"])[-1]

    note_page(state.page)
    if state.cut:
        st.stop()
    if state.page == "first":
        url.load(adopt)
        st.pills("Color", ["yellow", "green", "red"], key="color")
        url.save({"color": [state.color]})
        url.confirm()
        if "browser has the address" in state:
            note_heartbeat()
            url.confirm()


@pytest.fixture
def app() -> AppTest:
    """The first page, on which green has been chosen."""
    app = AppTest.from_function(draw)
    go(app, "first")
    return choose(app, "green")


def go(app: AppTest, page: str, *, cut: bool = False) -> AppTest:
    """Open a page by a click in the navigation, which drops the query parameters."""
    app.session_state["page"], app.session_state["cut"] = page, cut
    app.query_params.clear()
    return check(app.run())


def choose(app: AppTest, color: str | None) -> AppTest:
    app.pills(key="color").set_value(color)
    return check(app.run())


def chosen(app: AppTest) -> str | None:
    value: str | None = app.pills(key="color").value
    return value


def address(app: AppTest) -> dict[str, list[str]]:
    """The query parameters of the page's address."""
    values = dict(app.query_params)
    return {name: [value] if isinstance(value, str) else value for name, value in values.items()}


def test_first_link_fills_the_widget_and_becomes_the_address() -> None:
    app = AppTest.from_function(draw)
    app.session_state["page"], app.session_state["cut"] = "first", False
    app.query_params["color"] = "red"
    assert chosen(check(app.run())) == "red"
    assert address(app) == {"color": ["red"]}


def test_page_without_link_writes_its_address() -> None:
    app = AppTest.from_function(draw)
    assert chosen(go(app, "first")) == "yellow"
    assert address(app) == {"color": ["yellow"]}
    assert address(choose(app, "red")) == {"color": ["red"]}


def test_widget_has_its_value_after_another_page(app: AppTest) -> None:
    go(app, "second")
    assert "color" not in app.session_state
    assert chosen(go(app, "first")) == "green"
    assert address(app) == {"color": ["green"]}


def test_widget_keeps_its_value_through_runs_that_clicks_cut_short(app: AppTest) -> None:
    go(app, "second")
    for _ in range(2):
        go(app, "first", cut=True)
    assert "color" not in app.session_state
    assert chosen(go(app, "first")) == "green"


def test_value_chosen_after_return_is_not_undone(app: AppTest) -> None:
    go(app, "second")
    go(app, "first")
    assert chosen(choose(app, "red")) == "red"
    assert chosen(go(app, "first")) == "red"
    go(app, "second")
    assert chosen(go(app, "first")) == "red"


def test_required_widget_that_a_browser_emptied_is_filled_again(app: AppTest) -> None:
    assert chosen(choose(app, None)) == "green"


def test_followed_link_replaces_the_chosen_value(app: AppTest) -> None:
    app.query_params["color"] = "red"
    assert chosen(check(app.run())) == "red"


def test_parameter_under_its_old_name_is_read_and_written_under_the_present_one() -> None:
    app = AppTest.from_function(draw)
    app.session_state["page"], app.session_state["cut"] = "first", False
    app.query_params["taxi"] = "red"
    assert chosen(check(app.run())) == "red"
    assert address(app) == {"color": ["red"]}


def test_address_of_another_page_changes_nothing(app: AppTest) -> None:
    app.query_params.clear()
    app.query_params |= {"color": "red", "month": "2020-07"}
    assert chosen(check(app.run())) == "green"
    assert address(app) == {"color": ["green"]}


def test_older_address_does_not_undo_a_newer_choice() -> None:
    first, second, third = ({"to": [f"2020-0{month}"]} for month in (1, 2, 3))
    history = [first, second, third]
    assert not is_new(first, history)
    assert not is_new(second, history)
    assert not is_new({}, history)
    assert not is_new(third, history)
    assert is_new({"to": ["2020-12"]}, history), "a link"
    forget_older(second, history)
    assert not is_new(first, history), "the browser may not have the newest address yet"
    forget_older(third, history)
    assert is_new(first, history), "the browser had the newest address: somebody went back"
    there_and_back = [first, second, first]
    forget_older(first, there_and_back)
    assert not is_new(second, there_and_back)


def test_click_sent_with_an_older_address_does_not_undo_the_click_before(app: AppTest) -> None:
    app.query_params["color"] = "yellow"
    assert chosen(check(app.run())) == "green"


def test_going_back_restores_the_choice_of_that_address(app: AppTest) -> None:
    app.session_state["browser has the address"] = True
    check(app.run())
    app.query_params["color"] = "yellow"
    assert chosen(check(app.run())) == "yellow"


def beat_after_another_page() -> None:
    """Draw a page whose fragment the browser asks for once more after another page was opened."""
    import streamlit as st

    from pages.components.common.frame import live_page
    from pages.components.common.url_state import note_page

    note_page(st.session_state.page)
    beats = st.session_state.setdefault("beats", [])
    live_page("Backfill", lambda _activity: None, heartbeat=lambda: beats.append(1))


def test_page_that_has_been_left_does_nothing_more(settings: Settings) -> None:
    settings.home.mkdir(parents=True, exist_ok=True)
    app = AppTest.from_function(beat_after_another_page)
    for page, beats in (("Backfill", 1), ("Explore", 1), ("Backfill", 2)):
        app.session_state["page"] = page
        check(app.run())
        assert len(app.session_state["beats"]) == beats


def draw_page() -> None:
    """Draw the widgets of one page, or a page without any."""
    from datetime import datetime

    import streamlit as st

    from pages.components.backfill.choice_form import pick_choice
    from pages.components.common.runs import Activity
    from pages.components.common.url_state import note_page
    from pages.components.explore.filter_bar import show_filter_bar
    from pages.components.preview.file_picker import choose_file
    from pipeline.charts.zones import Zones
    from pipeline.warehouse.ledger import LedgerEntry
    from tests.support.files import GREEN

    page = st.session_state.page
    note_page(page)
    if page == "backfill":
        pick_choice(Activity(None, None, (), None), {})
    elif page == "preview":
        choose_file()
    elif page == "explore":
        entry = LedgerEntry(GREEN, "loaded", "a-run", "github", datetime(2026, 1, 1), 1.0)
        show_filter_bar({GREEN: entry}, Zones())


@pytest.mark.parametrize(
    ("page", "widget", "value"),
    [
        ("backfill", "source", "sample"),
        ("preview", "file_month", "2020-05"),
        ("explore", "taxi", ["green"]),
    ],
)
def test_page_keeps_its_choice_when_streamlit_drops_it(page: str, widget: str, value: Any) -> None:
    app = AppTest.from_function(draw_page)
    go(app, page)
    assert app.session_state[widget] != value
    app.session_state[widget] = value
    check(app.run())
    go(app, "runs")
    del app.session_state[widget]
    assert go(app, page).session_state[widget] == value
