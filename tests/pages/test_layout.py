"""Nothing jumps: what is on a page stays where it is while the rest of the page is drawn.

Measured is what browsers call cumulative layout shift: how much of the window moved, times how far,
summed; https://web.dev/articles/cls calls up to 0.1 good. Shifts in the half second after a click
do not count, as there. Neither do those while a page opens until its title is there and none of
the gray bars that Streamlit shows, lower than a widget, until its code for it has arrived. All
shifts of a view are summed, where the web's figure is only the worst five seconds of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from pipeline.answers.documents.documents import DocumentStore
from pipeline.core.datasets import GREEN_TAXIS
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from pipeline.runs.history import History
from tests.pages.test_answers_browser import server as server
from tests.pages.test_answers_page import NOTES, QUESTION
from tests.support.browser import Visitor, serve
from tests.support.files import GREEN, YELLOW, backfill, request
from tests.support.gemini_server import GeminiRequest, GeminiServer, ScriptedAnswer

# What is late for a click on a busy machine counts as a jump.
pytestmark = [pytest.mark.slow, pytest.mark.alone]

CLICK_MOST = 0.05
PAGE_MOST = {"desk": 0.05, "phone": 0.1}
WIDTHS = {"desk": (1280, 800), "phone": (390, 844)}

WATCH = """
window.shifts = [];
let whole = Infinity;  // since when the page was drawn whole
function seek() {
    if (window.opened) return;
    if (!document.querySelector("h1") || document.querySelector("[data-testid=stSkeleton]"))
        whole = Infinity;
    else if (whole === Infinity) whole = performance.now() + 20;  // after this frame
    requestAnimationFrame(seek);
}
requestAnimationFrame(seek);
new PerformanceObserver(list => {
    for (const shift of list.getEntries())
        if (!shift.hadRecentInput && shift.startTime > whole) shifts.push({
            value: shift.value,
            moved: shift.sources.map(({node, previousRect: a, currentRect: b}) =>
                `${node?.textContent?.slice(0, 40)}: ${a.x},${a.y} to ${b.x},${b.y}`),
        });
}).observe({type: "layout-shift", buffered: true});
"""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings of a home with the sample of two months and a document in it."""
    may = TripFile(GREEN_TAXIS, Month(2020, 5))
    backfill(settings, request("sample", GREEN, YELLOW, may))
    DocumentStore(settings.documents_path).add_text("Lanternfish 2.1", NOTES, settings)
    return settings


@pytest.fixture
def address(settings: Settings, server: GeminiServer) -> Iterator[str]:
    """The address of a server that nobody has visited, whose model is a local one."""
    server.respond = talk
    with serve(settings.home) as address:
        yield address


def talk(asked: GeminiRequest) -> ScriptedAnswer:
    """A long answer in many pieces, and one side's ends well before the other's."""
    words = [f"word{number} " for number in range(60 if "begin source" in asked.text else 30)]
    return ScriptedAnswer(
        ["Glow lanes split a queue into 12 lanes [1].\n\nMore: ", *words], pause=0.05
    )


def settle(visitor: Visitor) -> None:
    """Wait until the page is drawn whole and stands still."""
    visitor.settle()
    expect(visitor.page.get_by_test_id("stSkeleton")).to_have_count(0)
    visitor.page.wait_for_timeout(300)  # canvases and charts come after the script's end


def shifts(page: Page) -> list[dict[str, Any]]:
    """Return the shifts since the last call, and what moved in each."""
    found: list[dict[str, Any]] = page.evaluate("opened = true, shifts.splice(0)")
    return found


def total(moved: list[dict[str, Any]]) -> float:
    return sum(shift["value"] for shift in moved)


def choose(option: str) -> Callable[[Page], None]:
    return lambda page: page.get_by_role("radio", name=option, exact=True).first.click()


def open_tab(name: str) -> Callable[[Page], None]:
    return lambda page: page.get_by_role("tab", name=name).click()


def select_finding(page: Page) -> None:
    table = page.get_by_test_id("stDataFrame").first.bounding_box()
    assert table is not None
    page.mouse.click(table["x"] + 20, table["y"] + 90)


def chart(page: Page) -> None:
    page.get_by_role("textbox", name="SQL: one SELECT").press("Control+Enter")
    expect(page.get_by_text(" rows in ")).to_be_visible()
    page.get_by_text("Chart", exact=True).click()
    expect(page.locator(".js-plotly-plot .bars .point")).not_to_have_count(0)


def save(page: Page) -> None:
    page.get_by_role("button", name="Edit").first.click()
    page.get_by_role("button", name="Save", exact=True).first.click()


def examine(page: Page) -> None:
    page.get_by_role("button", name="Check everything").click()
    expect(page.get_by_text("checks done:")).to_be_visible(timeout=30_000)


def label(page: Page) -> None:
    box = page.get_by_label("Label")
    box.fill("the first")
    box.press("Enter")


def type_question(page: Page) -> None:
    page.get_by_label("Question", exact=True).fill(QUESTION)
    expect(page.get_by_role("heading", name="[1] Lanternfish").first).to_be_visible()


def open_trips(page: Page) -> None:
    choose("Ask about the loaded trips")(page)
    expect(page.get_by_text("Exact answer")).to_be_visible()


def heights(page: Page) -> dict[str, float]:
    """How far below the top of the page each side's answer begins, in pixels."""
    found: dict[str, float] = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("h3")]
            .filter(head => ["Plain", "With sources"].includes(head.textContent))
            .map(head => [head.textContent, head.getBoundingClientRect().top
                + document.querySelector("[data-testid=stMain]").scrollTop]))"""
    )
    assert set(found) == {"Plain", "With sources"}
    return found


def ask(page: Page) -> None:
    before = heights(page)
    page.get_by_role("button", name="Ask both").click()
    expect(page.get_by_text("word9 ").first).to_be_visible()
    assert heights(page) == pytest.approx(before, abs=1)
    expect(page.get_by_text("Both answers in numbers")).to_be_visible()
    assert heights(page) == pytest.approx(before, abs=1)


def ask_more(page: Page) -> None:
    box = page.get_by_test_id("stChatInput").locator("textarea")
    box.fill("And since when?")
    box.press("Enter")
    expect(page.get_by_text("Both answers in numbers")).to_have_count(2)


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_jumps_while_a_question_is_answered(
    browser: Browser, address: str, width: str
) -> None:
    moves = {}
    for prepare in (type_question, open_trips):
        with Visitor(browser, address, animated=True) as visitor:
            page = visitor.page
            page.set_viewport_size(dict(zip(("width", "height"), WIDTHS[width], strict=True)))
            page.add_init_script(WATCH)
            visitor.open("/answers?mode=documents")
            prepare(page)
            settle(visitor)
            for act in (ask, ask_more):
                shifts(page)
                act(page)
                settle(visitor)
                moves[f"{prepare.__name__}, {act.__name__}"] = shifts(page)
    jumps = {act: moved for act, moved in moves.items() if total(moved) > CLICK_MOST}
    assert not jumps, "\n".join(map(str, jumps.items()))


def test_no_tab_of_explore_makes_the_page_higher_than_1700_pixels(
    browser: Browser, address: str
) -> None:
    with Visitor(browser, address) as visitor:
        visitor.page.set_viewport_size({"width": 1280, "height": 800})
        main = "document.querySelector('[data-testid=stMain]').scrollHeight"
        heights = {}
        may = "&from=2020-05-01&to=2020-05-31"  # its figures have a change against April
        for tab in ("when", "where", "money", "compare", "data"):
            for period in ("", may):
                visitor.open(f"/explore?tab={tab}{period}")
                settle(visitor)
                heights[tab + period] = visitor.page.evaluate(main)
        assert max(heights.values()) <= 1700, heights


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_jumps_while_it_is_drawn(
    browser: Browser, address: str, settings: Settings, width: str
) -> None:
    (run,) = History(settings.history_path).runs()
    views: list[tuple[str, Callable[[Page], None]]] = [
        ("/?source=sample&from=2020-04&to=2020-06&color=yellow&color=green", open_tab("Log")),
        ("/preview?source=sample&color=green&month=2020-05", choose("yellow")),
        ("/preview?source=sample&color=green&month=2020-05&tab=findings", select_finding),
        ("/sql?q=SELECT+payment_type,+count(*)+AS+trips+FROM+green_tripdata+GROUP+BY+ALL", chart),
        ("/explore", open_tab("Where")),
        ("/answers", choose("Ask about the loaded trips")),
        (f"/runs?run={run.run_id}", label),
        ("/setup", save),
        ("/setup", examine),
    ]
    jumps = {}
    with Visitor(browser, address, animated=True) as visitor:
        page = visitor.page
        page.set_viewport_size(dict(zip(("width", "height"), WIDTHS[width], strict=True)))
        page.add_init_script(WATCH)
        for number, (path, act) in enumerate(views):
            page.goto(address + path)
            settle(visitor)
            if total(moved := shifts(page)) > PAGE_MOST[width]:
                jumps[f"{number}: {path} opened"] = moved
            act(page)
            page.wait_for_timeout(300)
            settle(visitor)
            if total(moved := shifts(page)) > CLICK_MOST:
                jumps[f"{number}: {path} clicked"] = moved
    assert not jumps, "\n".join(map(str, jumps.items()))
