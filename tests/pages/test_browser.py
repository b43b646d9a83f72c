"""What only a real browser can see: navigation, refreshes, several visitors, clicks on a canvas."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from pages.components.backfill.grid import COLUMN_WIDTH
from pipeline.core.datasets import GREEN_TAXIS
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, Selection, TripFile
from pipeline.runs.history import History
from pipeline.runs.schedule import Schedule
from pipeline.runs.schedule.store import Schedules
from tests.support.browser import Visitor, serve
from tests.support.files import GREEN, YELLOW, backfill, put_trips, request, trip
from tests.support.files import rows as rows_of
from tests.support.servers import Server

SAMPLE = "/?source=sample&from=2020-04&to=2020-04&color=yellow&color=green"


@pytest.fixture
def address(settings: Settings) -> Iterator[str]:
    """The address of a server nobody has visited, with an empty home."""
    settings.home.mkdir()
    with serve(settings.home) as address:
        yield address


@pytest.fixture
def source(folder: Path) -> Iterator[Server]:
    """A server of twelve small months, which sends each in drips until told otherwise."""
    selection = Selection((GREEN_TAXIS,), Month(2020, 1), Month(2020, 12))
    with Server() as server:
        for file in selection.files():
            rows = [trip(file, PULocationID=str(zone)) for zone in range(1, 200)]
            content = put_trips(folder, file, rows).read_bytes()
            server.files[f"/{file.stem}.csv.gz"] = content
        server.behave(drip=(40, 0.05))
        yield server


def slow_choice(source: Server) -> str:
    return f"/?source={source.url}&from=2020-01&to=2020-12&color=green"


def test_first_link_to_a_page_shows_the_navigation_to_everyone(
    browser: Browser, address: str
) -> None:
    with Visitor(browser, address) as first, Visitor(browser, address) as second:
        first.open("/runs")
        expect(first.page.locator("h1")).to_have_text("Runs")
        second.open("/runs")
        for visitor in (first, second):
            links = visitor.page.get_by_test_id("stTopNavLink")
            expect(links).to_contain_text(
                ["Backfill", "Preview", "Explore", "SQL", "Answers", "Runs", "Setup"]
            )
            expect(visitor.page.get_by_test_id("stSidebarNavLink")).to_have_count(0)


def test_start_page_opens_under_its_name_and_every_tab_has_its_title(
    browser: Browser, address: str
) -> None:
    with Visitor(browser, address) as visitor:
        visitor.open("/backfill?color=green&from=2020-05&to=2020-05&source=sample")
        expect(visitor.page.locator("h1")).to_have_text("Backfill")
        expect(visitor.page).to_have_url(re.compile("color=green&from=2020-05"))
        expect(visitor.page.get_by_text("Page not found")).to_have_count(0)
        for title in ("Backfill", "Explore", "Setup"):
            visitor.page.get_by_role("link", name=title).first.click()
            expect(visitor.page).to_have_title(f"{title} · Fareground")
        expect(visitor.page.get_by_test_id("stHeaderLogo")).to_be_visible()


COUNT_CLICKS = """
window.clicks = 0;
addEventListener("click", event => clicks += event.isTrusted && event.detail > 0, true);
"""


def load_folder_and_open_charts(visitor: Visitor, folder: Path) -> None:
    """Type a folder of two files into the choice of the source, load them, open their charts."""
    visitor.pick("Source", str(folder))
    # A press on the plan of the choice before starts nothing.
    expect(visitor.page.get_by_text(f"from {folder}").first).to_be_visible(timeout=60_000)
    visitor.settle()
    visitor.press("Load 2 files")
    expect(visitor.page.get_by_text("All 2 files are loaded.")).to_be_visible(timeout=60_000)
    visitor.page.get_by_role("link", name="Open the charts").click()
    expect(visitor.page.locator("h1")).to_have_text("Explore")
    expect(visitor.page.locator(".js-plotly-plot").first).to_be_visible()
    expect(visitor.page.get_by_text("synthetic trips")).to_have_count(0)


def put_april(folder: Path) -> Path:
    for file in (GREEN, YELLOW):
        put_trips(folder, file, [trip(file)])
    return folder


def test_newcomer_reaches_charts_of_a_real_month_with_three_clicks(
    browser: Browser, address: str, folder: Path
) -> None:
    put_april(folder)
    with Visitor(browser, address) as visitor:
        visitor.page.add_init_script(COUNT_CLICKS)
        visitor.open()
        load_folder_and_open_charts(visitor, folder)
        visitor.expect_true("clicks === 3")


def test_newcomer_reaches_charts_of_the_sample_with_one_click_and_real_ones_with_four_more(
    browser: Browser, address: str, folder: Path
) -> None:
    put_april(folder)
    with Visitor(browser, address) as visitor:
        visitor.page.add_init_script(COUNT_CLICKS)
        visitor.open()
        visitor.press("Try it with the sample")
        expect(visitor.page.get_by_role("progressbar").first).to_be_visible()
        expect(visitor.page.get_by_role("button", name="Cancel")).to_be_enabled()
        expect(visitor.page.locator("h1")).to_have_text("Explore")
        expect(visitor.page.get_by_text("The sample is loaded")).to_be_visible()
        expect(visitor.page.get_by_text("synthetic trips")).to_be_visible()
        expect(visitor.page.locator(".js-plotly-plot").first).to_be_visible()
        visitor.expect_true("clicks === 1")
        visitor.settle()
        visitor.page.set_viewport_size({"width": 1280, "height": 1000})
        last = visitor.page.locator(".st-key-card-airports .main-svg").first
        expect(last).to_be_visible()
        main = "document.querySelector('[data-testid=stMain]').scrollHeight"
        visitor.expect_true(f"{main} <= 1700")
        visitor.page.get_by_role("link", name="Load real trips").click()
        expect(visitor.cell("● loaded")).to_have_count(6)
        load_folder_and_open_charts(visitor, folder)
        visitor.expect_true("clicks === 5")


def test_click_on_any_cell_of_a_run_selects_it_and_its_tab_is_in_the_address(
    browser: Browser, address: str, settings: Settings
) -> None:
    backfill(settings, request("sample", GREEN))
    run = History(settings.history_path).runs()[0].run_id
    with Visitor(browser, address) as visitor:
        page = visitor.page
        visitor.open("/runs")
        table = page.get_by_test_id("stDataFrame").first.bounding_box()
        assert table is not None
        page.mouse.click(table["x"] + 500, table["y"] + 1.5 * 35)
        expect(page.get_by_role("tab", name="Timeline")).to_be_visible()
        page.wait_for_url(f"**run={run}**")
        page.get_by_role("tab", name="Speed").click()
        page.wait_for_url("**tab=speed**")
        visitor.open(page.url.removeprefix(address))
        expect(page.get_by_role("tab", name="Speed")).to_have_attribute("aria-selected", "true")
        page.get_by_role("tab", name="History").click()
        expect(page.get_by_role("tab", name="Timeline")).to_be_visible()


def test_run_goes_on_through_a_refresh_and_other_pages(
    browser: Browser, address: str, source: Server
) -> None:
    with Visitor(browser, address) as visitor:
        visitor.open(slow_choice(source))
        visitor.press("Ask this address")
        visitor.press("Load 12 files")
        badge = visitor.page.get_by_role("link", name="Running:")
        expect(badge).to_be_visible()
        expect(visitor.page.get_by_text(re.compile(r"^[1-9]\d* of 12 files done"))).to_be_visible()
        visitor.page.reload()
        expect(badge).to_be_visible()
        visitor.page.get_by_role("link", name="Runs").click()
        expect(visitor.page.locator("h1")).to_have_text("Runs")
        expect(badge).to_be_visible()
        badge.click()
        expect(visitor.page.locator("h1")).to_have_text("Backfill")
        source.behave(drip=None)
        expect(visitor.cell("● loaded")).to_have_count(12)
        expect(visitor.page.get_by_text("● succeeded")).to_be_visible()
        expect(badge).not_to_be_visible()


def test_schedule_that_is_run_now_shows_how_it_goes_on_without_a_reload(
    browser: Browser, address: str, settings: Settings
) -> None:
    newest = Month.current().plus(-1)
    file = TripFile(GREEN_TAXIS, newest)
    content = put_trips(settings.home.parent, file, [trip(file)]).read_bytes()
    with Server({f"/{file.stem}.csv.gz": content}) as source, Visitor(browser, address) as visitor:
        source.behave(drip=(10, 0.1))
        Schedules(settings).add(
            Schedule(name="green-local", dataset=GREEN_TAXIS, since=newest, source=source.url)
        )
        visitor.open("/runs")
        visitor.page.get_by_role("tab", name="Schedules").click()
        visitor.press("Run now")
        expect(visitor.page.get_by_text("◐ running: 0 of 1 file done")).to_be_visible()
        source.behave(drip=None)
        expect(visitor.page.get_by_text(f"loaded green {newest}")).to_be_visible()
        expect(visitor.page.get_by_role("button", name="Run now")).to_be_enabled()


def test_second_visitor_sees_the_run_and_can_cancel_it(
    browser: Browser, address: str, source: Server, settings: Settings
) -> None:
    source.behave(drip=(2, 0.05))  # a busy machine may take half a minute to get to Cancel
    with Visitor(browser, address) as first, Visitor(browser, address) as second:
        second.open(SAMPLE)
        first.open(slow_choice(source))
        first.press("Ask this address")
        expect(first.page.get_by_role("button", name="Load 12 files")).to_be_enabled()
        first.settle()
        first.press("Load 12 files")
        expect(first.page.get_by_role("link", name="Running:")).to_be_visible()
        expect(second.page.get_by_role("link", name="Running:")).to_be_visible(timeout=60_000)
        expect(second.cell("◐ running")).not_to_have_count(0)
        # Until the page is drawn whole, what stood on it before is there too.
        expect(second.page.get_by_role("button", name="Cancel")).to_have_count(1)
        second.press("Cancel")
        pressed = time.monotonic()
        history = History(settings.history_path)
        while history.runs()[0].state == "running":
            assert time.monotonic() - pressed < 8  # the source alone would take minutes
            time.sleep(0.02)
        for visitor in (first, second):
            expect(visitor.page.get_by_text("◼ cancelled").first).to_be_visible()
        expect(
            first.page.get_by_role("button", name=re.compile("Continue: .* left"))
        ).to_be_enabled()
        expect(first.page.get_by_role("button", name="Cancel")).to_have_count(0)


def test_clicked_cell_shows_its_file(browser: Browser, address: str) -> None:
    with Visitor(browser, address) as visitor:
        visitor.open(SAMPLE)
        visitor.press("Load 2 files")
        expect(visitor.cell("● loaded")).to_have_count(2)
        expect(visitor.page.get_by_text("● succeeded")).to_be_visible()
        visitor.settle()
        canvas = visitor.page.locator(".st-key-grid canvas").first
        # Rows are 35 pixels high, as is the header; in front stand the names of the months.
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        assert box is not None
        green, april = box["x"] + box["width"] - COLUMN_WIDTH / 2, box["y"] + 1.5 * 35
        visitor.page.mouse.click(green, april)
        expect(visitor.page.get_by_text(f"● loaded · {GREEN.filename}")).to_be_visible()
        expect(visitor.page.get_by_role("button", name="Load again")).to_be_visible()


def test_run_started_by_keyboard_can_be_repeated_on_a_phone(
    browser: Browser, address: str, settings: Settings
) -> None:
    with Visitor(browser, address) as visitor:
        visitor.open(f"{SAMPLE}&force=yes")
        visitor.press_by_keyboard("Load 2 files again")
        expect(visitor.page.get_by_text("● succeeded")).to_be_visible()
        visitor.page.set_viewport_size({"width": 390, "height": 844})
        visitor.settle()
        main = "document.querySelector('[data-testid=stMain]')"
        visitor.expect_true(f"{main}.scrollWidth <= {main}.clientWidth")
        visitor.page.set_viewport_size({"width": 1400, "height": 1600})
        visitor.page.get_by_role("link", name="Open the run").click()
        visitor.page.get_by_role("tab", name="Timeline").click()
        expect(visitor.page.get_by_text("seconds since the start")).to_be_visible()
        visitor.press("Run again")
        dialog = visitor.page.get_by_role("dialog")
        expect(dialog.get_by_text("2 files to load")).to_be_visible()
        history = History(settings.history_path)
        assert len(history.runs()) == 1
        dialog.get_by_role("button", name="Load 2 files").click()
        expect(visitor.page.locator("h1")).to_have_text("Backfill")
        expect(visitor.page.get_by_text("● succeeded")).to_be_visible()
        first, second = history.runs()
        assert first.request == second.request


def test_address_of_a_choice_shows_it_to_another_visitor(browser: Browser, address: str) -> None:
    with Visitor(browser, address) as first, Visitor(browser, address) as second:
        first.open(SAMPLE)
        first.pick("To", "2020-07")
        first.page.get_by_role("button", name="yellow").click()
        first.page.get_by_role("tab", name="Command").click()
        line = (
            "python -m pipeline backfill --dataset green --from 2020-04 --to 2020-07 "
            "--source sample --policy "
        )
        expect(first.page.get_by_text(line)).to_be_visible()
        first.press("More")
        first.page.get_by_role("radio", name="All", exact=True).click()
        expect(first.page).to_have_url(re.compile("policy=all"))
        second.open(first.page.url.removeprefix(address))
        second.page.get_by_role("tab", name="Command").click()
        for visitor in (first, second):
            expect(visitor.page.get_by_text(f"{line}all")).to_be_visible()
        expect(second.page.get_by_text("4 files to load")).to_be_visible()

        first.await_heartbeat()
        first.page.go_back()
        expect(first.page.get_by_text(f"{line}missing-and-failed")).to_be_visible()


def test_visit_to_another_page_cut_short_keeps_the_choice_in_the_address(
    browser: Browser, address: str
) -> None:
    links = {"Backfill": f"{SAMPLE}&policy=all", "Preview": "/preview?source=sample&month=2020-05"}
    with Visitor(browser, address) as visitor:
        answers = HeldAnswers(visitor.page)
        for page, link in links.items():
            visitor.open(link)
            bare: list[bool] = []
            visitor.page.on("framenavigated", lambda f, bare=bare: bare.append("=" not in f.url))
            answers.hold()
            visitor.page.get_by_role("link", name="Runs").click()
            answers.await_one()
            visitor.page.get_by_role("link", name=page).click()
            answers.release()
            while not any(bare):  # what a browser makes of two clicks before the first is answered
                visitor.page.wait_for_timeout(20)
            expect(visitor.page.locator("h1")).to_have_text(page)
            expect(visitor.page).to_have_url(re.compile(link.split("&")[-1]))


class HeldAnswers:
    """What the app sends to a page that is not open yet, to be held back for a while."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._held: list[str | bytes] | None = None
        page.route_web_socket("**/_stcore/stream", self._connect)

    def hold(self) -> None:
        """Hold back all that is sent from now on."""
        self._held = []

    def await_one(self) -> None:
        """Wait until something is held back."""
        while not self._held:
            self._page.wait_for_timeout(20)

    def release(self) -> None:
        """Hand over what was held back, in its order, and hold back nothing more."""
        while self._held:  # what comes while another message is handed over waits its turn
            self._socket.send(self._held.pop(0))
        self._held = None

    def _connect(self, socket: WebSocketRoute) -> None:
        self._socket = socket
        socket.connect_to_server().on_message(self._take)

    def _take(self, message: str | bytes) -> None:
        if self._held is None:
            self._socket.send(message)
        else:
            self._held.append(message)


def test_uploaded_file_can_be_queried_charted_downloaded_and_loaded(
    browser: Browser, address: str, settings: Settings, folder: Path
) -> None:
    rows = [trip(GREEN, PULocationID=str(zone)) for zone in range(1, 51)]
    path = put_trips(folder, GREEN, rows)
    with Visitor(browser, address) as visitor:
        visitor.open("/preview?source=sample")
        visitor.page.get_by_text("A file of your own", exact=True).click()
        visitor.page.locator("input[type=file]").set_input_files(path)
        expect(visitor.page.get_by_text("The whole file: 50 rows")).to_be_visible()
        visitor.page.get_by_role("tab", name="SQL").click()
        visitor.settle()
        box = visitor.page.get_by_role("textbox", name="SQL: one SELECT")
        box.fill("SELECT PULocationID AS zone, total_amount FROM trips ORDER BY zone")
        box.press("Control+Enter")
        expect(visitor.page.get_by_text("50 rows in")).to_be_visible()
        expect(visitor.page).to_have_url(re.compile("tab=sql"))
        with visitor.page.expect_download() as csv:
            visitor.page.get_by_role("button", name="CSV", exact=True).click()
        lines = csv.value.path().read_text().splitlines()
        assert lines[:2] == ['"zone","total_amount"', "1,9.30"]
        with visitor.page.expect_download() as parquet:
            visitor.page.get_by_role("button", name="Parquet", exact=True).click()
        totals = "SELECT count(*), sum(total_amount) FROM read_parquet(?)"
        found = duckdb.connect().execute(totals, [str(parquet.value.path())]).fetchone()
        assert found == (50, Decimal("465.00"))
        visitor.page.get_by_text("Chart", exact=True).click()
        expect(visitor.page.locator(".js-plotly-plot .bars .point")).to_have_count(50)
        visitor.press("Load green 2020-04")
        visitor.page.wait_for_url("**source=upload*")
        expect(visitor.page.get_by_text("The file is loaded").first).to_be_visible()
        visitor.open("/preview?mode=upload")
        visitor.page.locator("input[type=file]").set_input_files(put_trips(folder, GREEN, rows[:9]))
        expect(visitor.page.get_by_text("differs from what is loaded from upload")).to_be_visible()
        visitor.press("Load green 2020-04")
        visitor.press("Replace 50 rows")
        visitor.page.wait_for_url("**source=upload*")
        expect(visitor.page.get_by_text("The file is loaded").first).to_be_visible()
    assert rows_of(settings, "SELECT count(*) FROM green_tripdata") == [(9,)]


def test_hostile_folder_name_is_shown_letter_by_letter(
    browser: Browser, address: str, folder: Path
) -> None:
    hostile = folder / "**b** [l](x) ![i](x) <img src=x> $x^2$ `c` :red[r] www.x.y"
    hostile.mkdir()
    with Visitor(browser, address) as visitor:
        visitor.open(SAMPLE)
        visitor.pick("Source", str(hostile))
        sentence = f"Nothing to load: 1 month is not in {hostile} (2020-04)."
        expect(visitor.page.get_by_text(sentence)).to_be_visible()
        visitor.pick("Source", f"/not there/{hostile.name}")
        problem = visitor.page.get_by_text("There is no source or folder")
        expect(problem).to_contain_text(hostile.name)
        expect(problem.locator("strong, a[href=x], img, code, .katex")).to_have_count(0)


def test_chosen_warehouse_stays_across_pages_and_follows_the_back_button(
    browser: Browser, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = {"PROJECT_ID": "some-project", "BUCKET_NAME": "trips-1", "DATASET": "trips"}
    for name, value in place.items():
        monkeypatch.setenv(f"GCP_{name}", value)
    settings.home.mkdir()
    with serve(settings.home) as address, Visitor(browser, address) as visitor:
        visitor.open("/runs?target=gcp")
        expect(visitor.page.get_by_text("in the warehouse Google Cloud")).to_be_visible()
        visitor.page.get_by_role("link", name="Setup").click()
        expect(visitor.page.locator("h1")).to_have_text("Setup")
        visitor.page.get_by_role("link", name="Runs").click()
        expect(visitor.page.get_by_text("in the warehouse Google Cloud")).to_be_visible()
        expect(visitor.page).to_have_url(re.compile("target=gcp"))
        visitor.page.get_by_role("radio", name="Local").click()
        expect(visitor.page.get_by_text("in the warehouse Local")).to_be_visible()
        expect(visitor.page).to_have_url(re.compile("target=local"))
        visitor.await_heartbeat()
        visitor.page.go_back()
        expect(visitor.page.get_by_text("in the warehouse Google Cloud")).to_be_visible()


def test_typed_secret_is_written_after_confirmation_and_shown_nowhere(
    browser: Browser, settings: Settings
) -> None:
    canary = "canary-90ab41"
    settings.home.mkdir()
    with serve(settings.home) as address, Visitor(browser, address) as visitor:
        visitor.open("/setup")
        page = visitor.page
        page.get_by_role("button", name="Edit").nth(2).click()  # after both warehouses
        page.get_by_label("API key", exact=True).fill(canary)
        visitor.press("Save")
        expect(page.get_by_text("will be written to")).to_be_visible()
        secrets = Path(page.get_by_test_id("stPopoverBody").locator("pre code").inner_text())
        assert not secrets.exists()
        visitor.press("Write")
        expect(page.get_by_text("Saved: GEMINI_API_KEY.")).to_be_visible()
        assert canary in secrets.read_text()
        assert secrets.stat().st_mode & 0o777 == 0o600
        visitor.settle()
        values = [box.input_value() for box in page.locator("input").all()]
        assert canary not in page.content() + page.url + "".join(values)
        visitor.press("Check everything")
        expect(page.get_by_text("checks done:")).to_be_visible()
        assert canary not in page.content()
    assert canary not in (settings.home.parent / "server.log").read_text()
    everything = [p.read_bytes() for p in settings.home.rglob("*") if p.is_file()]
    assert canary.encode() not in b"".join(everything)
