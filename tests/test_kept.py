"""What is in the widgets of a page is there again, whatever Streamlit forgot of it meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.test_pages import check


def draw() -> None:
    """Draw one of two pages; only the first has a widget, which Streamlit forgets on the other.

    `cut` cuts the run short, as a click does that comes before the widget is drawn.
    """
    import streamlit as st

    from pages.shared.kept import enter, keep, restore

    state = st.session_state
    enter(state.page)
    if state.cut:
        st.stop()
    if state.page == "first":
        restore(["color"], emptied="color" in state and state.color is None)
        st.pills("Color", ["yellow", "green", "red"], default="yellow", key="color")
        keep(["color"])


@pytest.fixture
def app() -> AppTest:
    """The first page, with green picked on it."""
    app = AppTest.from_function(draw)
    go(app, "first")
    return pick(app, "green")


def go(app: AppTest, page: str, *, cut: bool = False) -> AppTest:
    app.session_state["page"], app.session_state["cut"] = page, cut
    return check(app.run())


def pick(app: AppTest, color: str | None) -> AppTest:
    app.pills(key="color").set_value(color)
    return check(app.run())


def picked(app: AppTest) -> str | None:
    value: str | None = app.pills(key="color").value
    return value


def test_a_widget_has_its_value_again_when_its_page_is_back(app: AppTest) -> None:
    go(app, "second")
    assert "color" not in app.session_state
    assert picked(go(app, "first")) == "green"


def test_runs_that_clicks_cut_short_lose_nothing(app: AppTest) -> None:
    go(app, "second")
    for _ in range(2):
        go(app, "first", cut=True)
    assert "color" not in app.session_state
    assert picked(go(app, "first")) == "green"


def test_what_is_picked_afterwards_is_not_undone(app: AppTest) -> None:
    go(app, "second")
    go(app, "first")
    assert picked(pick(app, "red")) == "red"
    assert picked(go(app, "first")) == "red"
    go(app, "second")
    assert picked(go(app, "first")) == "red"


def test_a_widget_that_may_not_be_empty_is_filled_again(app: AppTest) -> None:
    assert picked(pick(app, None)) == "green"


def draw_choice() -> None:
    """Draw the widgets of one page, or a page without any."""
    import streamlit as st

    from pages.shared.filters import choose
    from pages.shared.kept import enter
    from pages.shared.look import pick_file
    from pages.shared.picker import pick_choice
    from pipeline.charts.zones import Zones
    from tests.files import GREEN

    page = st.session_state.page
    enter(page)
    if page == "backfill":
        pick_choice()
    elif page == "preview":
        pick_file()
    elif page == "explore":
        choose([GREEN], Zones())


@pytest.mark.parametrize(
    ("page", "widget", "value"),
    [
        ("backfill", "source", "sample"),
        ("preview", "file_month", "2020-05"),
        ("explore", "taxi", ["green"]),
    ],
)
def test_each_page_with_a_choice_keeps_it(page: str, widget: str, value: Any) -> None:
    app = AppTest.from_function(draw_choice)
    go(app, page)
    assert app.session_state[widget] != value
    app.session_state[widget] = value
    check(app.run())
    go(app, "runs")
    app.query_params.clear()  # as the browser does
    del app.session_state[widget]  # as Streamlit does after hasty clicks
    assert go(app, page).session_state[widget] == value
