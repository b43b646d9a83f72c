"""Many sessions that click at random while a backfill runs, in a real Chromium."""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from playwright.sync_api import Error as PlaywrightError

from pipeline.core.datasets import GREEN_TAXIS, YELLOW_TAXIS
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, Selection
from pipeline.runs.history import History
from tests.pages.test_browser import address as address
from tests.support.browser import Visitor
from tests.support.files import assert_rollups_agree, put_trips, rows, trip
from tests.support.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(900)]

TABS = 5  # a profile
PATIENCE = 120  # seconds: a busy machine may take long, and is not what is tested here
FILES = Selection((YELLOW_TAXIS, GREEN_TAXIS), Month(2020, 1), Month(2020, 12)).files()


@pytest.mark.parametrize(
    ("number_of_visitors", "clicks"), [(8, 16), pytest.param(20, 40, marks=pytest.mark.long)]
)
def test_random_visitors_disturb_neither_a_run_nor_each_other(
    settings: Settings,
    folder: Path,
    browser: Browser,
    address: str,
    number_of_visitors: int,
    clicks: int,
) -> None:
    draws = random.Random(20)
    with Server() as source, ExitStack() as stack:
        for number, file in enumerate(FILES, start=1):
            trips = [trip(file, PULocationID=str(n % 250 + 1)) for n in range(200 + number)]
            source.files[f"/{file.stem}.csv.gz"] = put_trips(folder, file, trips).read_bytes()
        source.behave(drip=(3, 0.05))  # for longer than the clicks take
        opened = time.monotonic()
        visitors: list[Visitor] = []
        for number in range(number_of_visitors):
            beside = visitors[number - number % TABS] if number % TABS else None
            visitor = Visitor(browser, address, beside=beside, patience=PATIENCE)
            visitor.page.set_viewport_size({"width": 900, "height": 700})
            visitors.append(stack.enter_context(visitor))
        for number, visitor in enumerate(visitors):  # all at once: none waits for another's page
            visitor.page.goto(address + choice(number), wait_until="commit")
        for visitor in visitors:
            visitor.settle()
        print(f"all open after {time.monotonic() - opened:.0f} s")
        first, *others = visitors
        first.open(f"/?color=yellow&color=green&from=2020-01&to=2020-12&source={source.url}")
        first.press("Ask this address")
        first.press("Load 24 files")
        run = await_run(settings)
        clicked: Counter[str] = Counter()
        deadline = time.monotonic() + 600
        while History(settings.history_path).run(run).state == "running":
            assert time.monotonic() < deadline
            clicked[click_something(draws.choice(others), draws)] += 1
            if clicked.total() - clicked[""] >= clicks:
                source.behave(drip=None)  # and so let the run end
        print(f"{clicked} in {time.monotonic() - deadline + 600:.0f} s")
        assert clicked.total() - clicked[""] >= clicks

        for visitor in others:
            visitor.page.get_by_role("link", name="Backfill").first.click()
        for number, visitor in enumerate(others, start=1):  # nobody got another's choice
            expect(visitor.page.locator("h1")).to_have_text("Backfill", timeout=1000 * PATIENCE)
            for part in choice(number).removeprefix("/?").split("&"):
                expect(visitor.page).to_have_url(re.compile(part), timeout=1000 * PATIENCE)
    (ended,) = History(settings.history_path).runs()
    assert (ended.run_id, ended.state) == (run, "succeeded")
    for number, file in enumerate(FILES, start=1):
        count = f"SELECT count(*) FROM {file.dataset.table} WHERE filename = '{file.filename}'"
        assert rows(settings, count) == [(200 + number,)]
    assert_rollups_agree(settings)


def choice(number: int) -> str:
    """The address with what this visitor has chosen, which no other one has."""
    months = f"from=2019-{number % 12 + 1:02d}&to=2021-{number % 7 + 1:02d}"
    return f"/?source=sample&{months}"


def await_run(settings: Settings) -> str:
    """Return the id of the run as soon as it has begun."""
    deadline = time.monotonic() + PATIENCE
    while not (runs := History(settings.history_path).runs()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return runs[0].run_id


def click_something(visitor: Visitor, draws: random.Random) -> str:
    """Click a link to a page, a tab or an expander as an idle person might, never what changes
    anything; return which it was, "" when it was drawn anew under the pointer."""
    kinds = ["[data-testid=stTopNavLink]", "[data-testid=stExpander] summary", "[role=tab]"]
    for kind in draws.sample(kinds, 3):
        found = visitor.page.locator(kind)
        if count := found.count():
            try:
                found.nth(draws.randrange(count)).click(timeout=3000)
            except PlaywrightError:
                return ""
            return kind
    return ""
