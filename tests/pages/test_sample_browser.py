"""Real months beside the sample in a browser: the switch, and the removal of the sample."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Browser, expect

from pipeline.core.settings.settings import Settings
from pipeline.runs.history import History
from tests.pages.test_sample_page import MAY, in_month
from tests.support.browser import Visitor, serve
from tests.support.files import GREEN, amounts, backfill, put_trips, request, trip


def test_visitor_compares_real_months_with_sample_and_removes_it(
    browser: Browser, settings: Settings, folder: Path
) -> None:
    backfill(settings, request("sample", GREEN, MAY))
    put_trips(folder, GREEN, [trip(GREEN)] * 3)
    backfill(settings, request(folder, GREEN))
    synthetic = in_month(settings, MAY)
    with serve(settings.home) as address, Visitor(browser, address) as visitor:
        page = visitor.page
        visitor.open("/explore")
        figure = page.get_by_test_id("stMetricValue").first
        expect(figure).to_have_text("3")
        expect(page.get_by_text("Left out: 1 sample month.")).to_be_visible()
        page.get_by_text("Show sample months instead").click()
        expect(figure).to_have_text(synthetic)
        expect(page.get_by_text("Left out: 1 real month.")).to_be_visible()
        expect(page).to_have_url(re.compile("synthetic=yes"))

        visitor.press("Remove sample data")
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_text("1 sample month", exact=True)).to_be_visible()
        dialog.get_by_role("button", name="Cancel").click()
        expect(dialog).to_have_count(0)
        assert amounts(settings, MAY)
        visitor.press("Remove sample data")
        dialog.get_by_role("button", name="Remove 1 sample month").click()
        expect(dialog).to_have_count(0)
        expect(figure).to_have_text("3")
        expect(page.get_by_text("Left out:")).to_have_count(0)
    assert History(settings.history_path).runs()[0].is_removal
    assert amounts(settings, MAY) == []
    assert len(amounts(settings, GREEN)) == 3
