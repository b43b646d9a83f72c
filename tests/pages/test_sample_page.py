"""Sample data on the pages: charts keep it apart, dialogs remove it and guard real months."""

from __future__ import annotations

from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.components.common.runs import read_activity
from pipeline.core.datasets import GREEN_TAXIS
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from pipeline.ops.sample import remove_sample
from pipeline.runs.history import History
from tests.pages.test_explore_page import explore, metrics
from tests.pages.test_pages import check, fresh_server, open_app, run_elsewhere, texts
from tests.support.files import GREEN, amounts, backfill, put_trips, request, rows, trip
from tests.support.servers import Server

__all__ = ["fresh_server"]  # a fixture that every test here uses

MAY = TripFile(GREEN_TAXIS, Month(2020, 5))
CHOICE = {"color": "green", "from": "2020-04", "to": "2020-05", "source": "sample"}


@pytest.fixture
def mixed(settings: Settings, folder: Path) -> Settings:
    """Three real trips of April, and May of the sample."""
    backfill(settings, request("sample", GREEN, MAY))
    put_trips(folder, GREEN, [trip(GREEN)] * 3)
    backfill(settings, request(folder, GREEN))
    st.cache_resource.clear()
    return settings


def keys(app: AppTest) -> set[str | None]:
    return {button.key for button in app.button}


def in_month(settings: Settings, file: TripFile) -> str:
    """Return the number of a file's trips without strays, as the page writes it."""
    pickup = file.dataset.pickup
    sql = f"SELECT count(*) FROM {file.dataset.table} WHERE filename = '{file.filename}'"
    ((trips,),) = rows(settings, f"{sql} AND {pickup}::VARCHAR LIKE '{file.month}%'")
    return f"{trips:,}"


def press(app: AppTest, key: str) -> AppTest:
    return check(app.button(key=key).click().run())


def test_charts_show_real_months_and_say_what_is_left_out(mixed: Settings) -> None:
    assert len(amounts(mixed, MAY)) > 1000
    app = explore()
    assert metrics(app)["Trips"] == "3"
    assert "Left out: 1 sample month." in texts(app)
    assert "synthetic trips" not in texts(app)


def test_switch_shows_sample_months_alone_and_is_in_address(mixed: Settings) -> None:
    app = explore()
    check(app.toggle(key="synthetic").set_value(True).run())
    assert metrics(app)["Trips"] == in_month(mixed, MAY)
    assert "Left out: 1 real month." in texts(app)
    assert app.query_params["synthetic"] == "yes"
    assert explore(synthetic="yes").toggle(key="synthetic").value is True


def test_sample_alone_is_charted_without_switch(settings: Settings) -> None:
    backfill(settings, request("sample", GREEN))
    app = explore()
    assert metrics(app)["Trips"] == in_month(settings, GREEN)
    assert "Left out" not in texts(app)
    assert "synthetic trips" in texts(app)


def test_answers_offer_real_months_and_say_which_are_not_offered(mixed: Settings) -> None:
    assert mixed.home.exists()
    app = open_app("pages/answers.py")
    check(app.segmented_control(key="view").set_value("trips").run())
    months = next(box for box in app.selectbox if box.key == "truth month")
    assert months.options == ["2020-04"]
    assert "Not offered: 1 sample month." in texts(app)


@pytest.mark.parametrize("page", ["pages/setup.py", "pages/backfill.py"])
def test_removal_is_asked_for_in_a_dialog_with_months_and_trips(mixed: Settings, page: str) -> None:
    trips = len(amounts(mixed, MAY))
    app = press(open_app(page), "remove-sample")
    assert f"This removes **1 sample month** with **{trips:,} synthetic trips**" in texts(app)
    assert app.button(key="confirm removal").label == ":orange[**Remove 1 sample month**]"
    assert len(amounts(mixed, MAY)) == trips


def test_removal_is_not_offered_without_sample_nor_while_a_backfill_runs(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    backfill(settings, request(folder, GREEN))
    assert "remove-sample" not in keys(open_app("pages/setup.py"))
    backfill(settings, request("sample", MAY))
    st.cache_resource.clear()
    assert not open_app("pages/setup.py").button(key="remove-sample").disabled
    with Server({f"/{GREEN.stem}.csv.gz": b"x" * 100_000}) as server:
        server.behave(f"/{GREEN.stem}.csv.gz", stall_after=1000)
        with run_elsewhere(settings, server.url):
            app = open_app("pages/setup.py")
            assert not [b for b in app.button if b.key == "remove-sample" and not b.disabled]


def test_sample_replaces_real_month_only_after_a_dialog(mixed: Settings) -> None:
    app = open_app(**CHOICE, force="yes")
    assert "Replaces 1 real month." in texts(app)
    runs = len(History(mixed.history_path).runs())
    press(app, "run")
    assert "Synthetic trips replace the 3 trips of **1 real month**." in texts(app)
    assert "confirm replacing" in keys(app)
    assert len(History(mixed.history_path).runs()) == runs
    assert len(amounts(mixed, GREEN)) == 3


def test_pages_take_removal_for_no_run_to_repeat(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    backfill(settings, request(folder, GREEN))
    backfill(settings, request("sample", MAY))
    history = History(settings.history_path)
    loading = history.runs()[0]
    before = read_activity()
    remove_sample("local", settings, "command line")
    after = read_activity()
    assert after.ended == before.ended == loading
    assert after.mark != before.mark  # pages read the ledger again
    removal = history.runs()[0]
    app = open_app("pages/runs.py", run=removal.run_id)
    assert "removal of sample data" in texts(app)
    assert "again" not in keys(app)
    assert "again" in keys(open_app("pages/runs.py", run=loading.run_id))
