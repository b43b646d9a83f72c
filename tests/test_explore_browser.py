"""What only a real browser can see of the charts: a click that filters, a link, a download."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet
import pytest
from playwright.sync_api import Browser, Locator, expect

from pipeline.settings import Settings
from tests.browser import Visitor, serve
from tests.files import GREEN, YELLOW, load, put_trips, trip
from tests.test_browser import browser as browser

pytestmark = pytest.mark.browser


@pytest.fixture
def address(settings: Settings, folder: Path) -> Iterator[str]:
    """The address of a server over a hundred trips paid in two ways."""
    for file in (GREEN, YELLOW):
        paid = [trip(file, payment_type=1 + n % 2, PULocationID=str(n % 5 + 1)) for n in range(50)]
        put_trips(folder, file, paid)
        load(folder, file, settings)
    with serve(settings.home) as address:
        yield address


def hit(bar: Locator) -> None:
    """Click in the middle of a bar: Plotly watches the mouse, not the bar."""
    bar.wait_for()
    bar.scroll_into_view_if_needed()
    box = bar.bounding_box()
    assert box is not None
    at = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    bar.page.mouse.move(*at)
    bar.page.mouse.click(*at)


def trips_shown(visitor: Visitor) -> Locator:
    return visitor.page.get_by_test_id("stMetric").first.get_by_test_id("stMetricValue")


def test_a_click_on_a_bar_filters_all_charts_and_its_link_shows_the_same_elsewhere(
    browser: Browser, address: str
) -> None:
    with Visitor(browser, address) as first, Visitor(browser, address) as second:
        first.open("/explore?taxi=green")
        expect(trips_shown(first)).to_have_text("50")
        hit(first.page.locator(".st-key-card-payments .bars .point path").first)
        expect(trips_shown(first)).to_have_text("25")
        expect(first.page.get_by_role("button", name="credit card")).to_be_visible()
        first.page.wait_for_url("**paid=1**")
        second.open(first.page.url.removeprefix(address))
        expect(trips_shown(second)).to_have_text("25")
        second.press("credit card")
        expect(trips_shown(second)).to_have_text("50")
        expect(trips_shown(first)).to_have_text("25")


def test_the_data_and_the_page_of_a_chart_are_downloaded_and_open(
    browser: Browser, address: str, tmp_path: Path
) -> None:
    with Visitor(browser, address) as visitor:
        visitor.open("/explore")
        visitor.page.locator(".st-key-details-zones button").first.click()
        for kind in ("Parquet", "HTML"):
            with visitor.page.expect_download() as started:
                visitor.page.get_by_role("button", name=kind, exact=True).click()
            started.value.save_as(tmp_path / f"zones.{kind.lower()}")
        found = pyarrow.parquet.read_table(tmp_path / "zones.parquet").to_pylist()
        assert {row["zone"]: int(row["trips"]) for row in found} == dict.fromkeys(range(1, 6), 20)
        visitor.page.goto(f"file://{tmp_path}/zones.html")
        expect(visitor.page.locator(".bars .point path")).to_have_count(5)


def test_the_sql_of_a_chart_is_shown_when_it_is_opened_and_follows_a_click(
    browser: Browser, address: str
) -> None:
    with Visitor(browser, address) as visitor:
        visitor.open("/explore?taxi=green")
        sql, open_it = visitor.page.get_by_test_id("stCode"), ".st-key-details-zones button"
        visitor.page.locator(open_it).first.click()
        expect(sql).to_contain_text("-- color_0 = green")
        visitor.page.keyboard.press("Escape")
        expect(sql).to_have_count(0)
        hit(visitor.page.locator(".st-key-card-payments .bars .point path").first)
        expect(trips_shown(visitor)).to_have_text("25")
        visitor.page.locator(open_it).first.click()
        expect(sql).to_contain_text("-- payment_0 = 1")


def test_a_table_below_the_charts_is_drawn_when_it_is_opened(
    browser: Browser, address: str
) -> None:
    with Visitor(browser, address) as visitor:
        visitor.open("/explore")
        table = visitor.page.get_by_test_id("stDataFrame")
        expect(table).to_have_count(0)
        visitor.page.get_by_text("Against what the sources are known to have").click()
        expect(table).to_be_visible()


def test_charts_have_the_colors_of_the_theme_and_of_one_that_is_switched_to(
    browser: Browser, address: str
) -> None:
    with Visitor(browser, address) as visitor:
        visitor.open("/explore")
        label = visitor.page.locator(".st-key-card-payments .xtick text").first
        expect(label).to_have_css("fill", "rgb(23, 22, 20)")
        visitor.page.emulate_media(color_scheme="dark")
        expect(label).to_have_css("fill", "rgb(237, 235, 232)")
