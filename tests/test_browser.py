"""What only a real browser can see: navigation, refreshes, several visitors, clicks on a canvas."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect, sync_playwright

from pages.shared.grid import COLUMN_WIDTH
from pipeline.history import History
from pipeline.settings import Settings
from pipeline.trips import Color, Month, Selection
from tests.browser import Visitor, find_chromium, serve
from tests.files import GREEN, put_trips, trip
from tests.servers import Server

pytestmark = pytest.mark.browser

SAMPLE = "/?source=sample&from=2020-04&to=2020-04&color=yellow&color=green"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = find_chromium()
    if path is None:
        reason = "no Chromium on the PATH; on Debian: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    expect.set_options(timeout=20_000)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def address(settings: Settings) -> Iterator[str]:
    """The address of a server nobody has visited, with an empty home."""
    settings.home.mkdir()
    with serve(settings.home) as address:
        yield address


@pytest.fixture
def source(folder: Path) -> Iterator[Server]:
    """A server of twelve small months, which sends each in drips until told otherwise."""
    selection = Selection((Color.GREEN,), Month(2020, 1), Month(2020, 12))
    with Server() as server:
        for file in selection.files():
            rows = [trip(file, PULocationID=str(zone)) for zone in range(1, 200)]
            content = put_trips(folder, file, rows).read_bytes()
            server.files[f"/{file.stem}.csv.gz"] = content
        server.behave(drip=(40, 0.05))
        yield server


def slow_choice(source: Server) -> str:
    return f"/?source={source.url}&from=2020-01&to=2020-12&color=green"


def test_a_cold_link_to_a_page_shows_our_navigation_to_everyone(
    browser: Browser, address: str
) -> None:
    with Visitor(browser, address) as first, Visitor(browser, address) as second:
        first.open("/runs")
        expect(first.page.locator("h1")).to_have_text("Runs")
        second.open("/runs")
        for visitor in (first, second):
            links = visitor.page.get_by_test_id("stTopNavLink")
            expect(links).to_contain_text(
                ["Backfill", "Preview", "Explore", "Answers", "Runs", "Setup"]
            )
            assert visitor.page.get_by_test_id("stSidebarNavLink").count() == 0


def test_a_newcomer_reaches_charts_of_the_sample_by_one_click(
    browser: Browser, address: str
) -> None:
    with Visitor(browser, address) as visitor:
        visitor.open()
        visitor.press("Try it with the sample")
        expect(visitor.page.get_by_role("progressbar").first).to_be_visible()
        expect(visitor.page.get_by_role("button", name="Cancel")).to_be_enabled()
        expect(visitor.page.locator("h1")).to_have_text("Explore")
        expect(visitor.page.get_by_text("The sample is loaded")).to_be_visible()
        expect(visitor.page.get_by_text("synthetic trips")).to_be_visible()
        expect(visitor.page.locator(".js-plotly-plot").first).to_be_visible()
        visitor.page.get_by_role("link", name="Backfill").click()
        expect(visitor.cell("● loaded")).to_have_count(6)


def test_a_run_goes_on_through_a_refresh_and_other_pages_to_its_end(
    browser: Browser, address: str, source: Server
) -> None:
    with Visitor(browser, address) as visitor:
        visitor.open(slow_choice(source))
        visitor.press("Run")
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


def test_a_second_visitor_sees_the_run_and_cancels_it_at_once(
    browser: Browser, address: str, source: Server, settings: Settings
) -> None:
    with Visitor(browser, address) as first, Visitor(browser, address) as second:
        second.open(SAMPLE)
        first.open(slow_choice(source))
        first.press("Run")
        expect(second.page.get_by_role("link", name="Running:")).to_be_visible()
        expect(second.cell("◐ running")).not_to_have_count(0)
        # Until the page is drawn whole, what stood on it before is there too.
        expect(second.page.get_by_role("button", name="Cancel")).to_have_count(1)
        second.press("Cancel")
        pressed = time.monotonic()
        history = History(settings.history_path)
        while history.runs()[0].state == "running":
            assert time.monotonic() - pressed < 8  # the source alone would take a minute
            time.sleep(0.02)
        for visitor in (first, second):
            expect(visitor.page.get_by_text("◼ cancelled").first).to_be_visible()
        resume = first.page.get_by_role("button", name="Resume")
        expect(resume).to_be_enabled()


def test_a_click_on_a_cell_shows_that_file(browser: Browser, address: str) -> None:
    with Visitor(browser, address) as visitor:
        visitor.open(SAMPLE)
        visitor.press("Run")
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
        expect(visitor.page.get_by_role("button", name="Load this file again")).to_be_visible()


def test_a_run_by_keyboard_seen_on_a_phone_is_run_again_after_a_look_at_the_plan(
    browser: Browser, address: str, settings: Settings
) -> None:
    with Visitor(browser, address) as visitor:
        visitor.open(f"{SAMPLE}&force=yes")
        visitor.press_by_keyboard("Run")
        expect(visitor.page.get_by_text("● succeeded")).to_be_visible()
        visitor.page.set_viewport_size({"width": 390, "height": 844})
        visitor.settle()
        main = visitor.page.get_by_test_id("stMain")
        assert main.evaluate("main => main.scrollWidth <= main.clientWidth")
        visitor.page.set_viewport_size({"width": 1400, "height": 1600})
        visitor.page.get_by_role("link", name="Details").click()
        expect(visitor.page.get_by_role("heading", name="Timeline")).to_be_visible()
        visitor.press("Run again")
        dialog = visitor.page.get_by_role("dialog")
        expect(dialog.get_by_text("2 of 2 files will run")).to_be_visible()
        history = History(settings.history_path)
        assert len(history.runs()) == 1
        dialog.get_by_role("button", name="Run").click()
        expect(visitor.page.locator("h1")).to_have_text("Backfill")
        expect(visitor.page.get_by_text("● succeeded")).to_be_visible()
        first, second = history.runs()
        assert first.request == second.request


def test_the_address_of_a_choice_shows_the_same_choice_to_somebody_else(
    browser: Browser, address: str
) -> None:
    with Visitor(browser, address) as first, Visitor(browser, address) as second:
        first.open(SAMPLE)
        first.pick("To", "2020-07")
        first.page.get_by_role("button", name="yellow").click()
        line = (
            "python -m pipeline backfill --color green --from 2020-04 --to 2020-07 "
            "--source sample --policy "
        )
        expect(first.page.get_by_text(line)).to_be_visible()
        first.page.get_by_text("all", exact=True).click()
        expect(first.page).to_have_url(re.compile("policy=all"))
        second.open(first.page.url.removeprefix(address))
        for visitor in (first, second):
            expect(visitor.page.get_by_text(f"{line}all")).to_be_visible()
        expect(second.page.get_by_text("4 of 4 files will run")).to_be_visible()

        first.page.wait_for_timeout(4000)  # the page has looked at its address meanwhile
        first.page.go_back()
        expect(first.page.get_by_text(f"{line}missing-and-failed")).to_be_visible()


def test_a_visit_to_another_page_cut_short_leaves_the_choice_in_the_address(
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


def test_a_file_dropped_in_is_looked_into_queried_and_its_answer_downloaded(
    browser: Browser, address: str, folder: Path
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
        box = visitor.page.get_by_role("textbox", name="One SELECT")
        box.fill("SELECT PULocationID AS zone, total_amount FROM trips ORDER BY zone")
        box.press("Control+Enter")
        visitor.settle()
        visitor.press("Run query")
        expect(visitor.page.get_by_text("50 rows in")).to_be_visible()
        with visitor.page.expect_download() as csv:
            visitor.page.get_by_role("button", name="Download as CSV", exact=True).click()
        lines = csv.value.path().read_text().splitlines()
        assert lines[:2] == ['"zone","total_amount"', "1,9.30"]
        with visitor.page.expect_download() as parquet:
            visitor.page.get_by_role("button", name="Download as Parquet", exact=True).click()
        totals = "SELECT count(*), sum(total_amount) FROM read_parquet(?)"
        found = duckdb.execute(totals, [str(parquet.value.path())]).fetchone()
        assert found == (50, Decimal("465.00"))


def test_a_hostile_folder_name_is_shown_letter_by_letter(
    browser: Browser, address: str, folder: Path
) -> None:
    hostile = folder / "**b** [l](x) ![i](x) <img src=x> $x^2$ `c` :red[r] www.x.y"
    hostile.mkdir()
    with Visitor(browser, address) as visitor:
        visitor.open(SAMPLE)
        visitor.pick("Source", "A folder or URL")
        place = visitor.page.get_by_label("Folder or URL")
        place.fill(str(hostile))
        place.press("Enter")
        sentence = f"0 of 2 files will run, from {hostile}."
        expect(visitor.page.get_by_text(sentence)).to_be_visible()
        place.fill(f"{hostile} not there")
        place.press("Enter")
        problem = visitor.page.get_by_text("There is no source or folder")
        expect(problem).to_contain_text(hostile.name)
        assert problem.locator("strong, a[href=x], img, code, .katex").count() == 0


def test_the_chosen_warehouse_stays_from_page_to_page_and_follows_the_back_button(
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
        visitor.page.wait_for_timeout(4000)  # until the server knows that the browser has it
        visitor.page.go_back()
        expect(visitor.page.get_by_text("in the warehouse Google Cloud")).to_be_visible()


def test_a_secret_typed_in_is_written_once_confirmed_and_shows_nowhere(
    browser: Browser, settings: Settings
) -> None:
    canary = "canary-90ab41"
    settings.home.mkdir()
    with serve(settings.home) as address, Visitor(browser, address) as visitor:
        visitor.open("/setup")
        page = visitor.page
        page.get_by_label("GEMINI_API_KEY", exact=True).fill(canary)
        page.get_by_label("GCP_DATASET", exact=True).fill("half typed")
        page.get_by_role("button", name="Save").nth(1).click()
        secrets = Path(page.get_by_role("dialog").locator("code").inner_text())
        assert not secrets.exists()
        visitor.press("Write")
        expect(page.get_by_text("Saved: GEMINI_API_KEY.")).to_be_visible()
        assert canary in secrets.read_text()
        assert secrets.stat().st_mode & 0o777 == 0o600
        visitor.settle()
        values = [box.input_value() for box in page.locator("input").all()]
        assert canary not in page.content() + page.url + "".join(values)
        page.get_by_role("tab", name="Doctor").click()
        visitor.press("Check")
        expect(page.get_by_text("checks done:")).to_be_visible()
        assert canary not in page.content()
    assert canary not in (settings.home.parent / "server.log").read_text()
    everything = [p.read_bytes() for p in settings.home.rglob("*") if p.is_file()]
    assert canary.encode() not in b"".join(everything)
