"""Links to pages: each parameter is read, wrong values are said, and nothing is started."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.components.common.params import PARAMS, Param, rename_old, unknown_names
from pages.components.common.runs import jobs
from pipeline.answers.documents.documents import DocumentStore
from pipeline.core.settings.settings import Settings
from pipeline.runs.history import History
from tests.pages.test_pages import check, fresh_server, open_app, texts
from tests.support.files import GREEN, backfill, put_trips, request, trip

__all__ = ["fresh_server"]  # a fixture that applies to every test here

ROOT = Path(__file__).parents[2]
PAGES = ("Backfill", "Preview", "Explore", "SQL", "Answers", "Runs", "Setup")
# A right value of each parameter, where that is not the same on all pages.
RIGHT = {
    "target": "local", "color": "green", "from": "2020-04", "to": "2020-04", "month": "2020-04",
    "source": "sample", "policy": "all", "force": "yes", "payment": "1", "borough": "Queens",
    "pickup": "42", "miles": "2", "strays": "yes", "synthetic": "yes", "by": "day",
    "picture": "svg", "day": "2020-04-01/2020-04-02", "slot": "0/17", "paid": "1", "zone": "42",
    "way": "42/41", "mode": "upload", "tab": "findings", "question": "What is new?",
    "answer": "example-files", "q": "SELECT 1", "metric": "fare", "versus": "year",
}  # fmt: skip
# Any text is a source, a question or a query; only their length or content can be wrong.
WRONG = {"source": "nowhere-at-all", "question": "x" * 2001, "q": "x" * 20_001}
# Values in the right form of what does not exist.
ABSENT = [
    ("Backfill", "color", "blue"), ("Backfill", "from", "2999-01"), ("Backfill", "to", "2019-13"),
    ("Preview", "month", "1999-01"), ("Explore", "color", "blue"), ("Explore", "zone", "9999"),
    ("Explore", "way", "9999/42"), ("Explore", "way", "42/9999"), ("Explore", "paid", "77"),
    ("Explore", "pickup", "9999"), ("Explore", "payment", "77"), ("Explore", "slot", "6/24"),
    ("Explore", "day", "2020-06-31/2020-07-01"), ("Runs", "run", "20260101-000000-00000000"),
    ("Answers", "answer", "0123456789ab"),
]  # fmt: skip


@pytest.fixture
def link(settings: Settings, folder: Path) -> Settings:
    """A home with one loaded month and one document, for links to open."""
    put_trips(folder, GREEN, [trip(GREEN)] * 3)
    backfill(settings, request(folder, GREEN))
    DocumentStore(settings.documents_path).add_text("Notes", "Nothing is new.", settings)
    return settings


def follow(page: str, name: str, value: str) -> AppTest:
    """Open a page with one parameter."""
    return open_app(f"pages/{page.lower()}.py", **{name: value})


def right_value(page: str, param: Param, settings: Settings) -> str:
    if param.name == "run":
        return History(settings.history_path).runs()[0].run_id
    if page == "Explore" and param.name in ("from", "to"):
        return "2020-04-01"
    if param.name == "tab" and page != "Preview":
        tabs = {"Backfill": "command", "Explore": "money", "Runs": "speed", "Setup": "settings"}
        return tabs[page]
    return "trips" if (page, param.name) == ("Answers", "mode") else RIGHT[param.name]


def complaints(app: AppTest) -> str:
    """What the page says about its address: everything that names a value it cannot use."""
    said = re.compile(
        r"There is no|not usable|is not a|cannot be used|left out|is used|nowhere", re.IGNORECASE
    )
    return "\n".join(line for line in texts(app).splitlines() if said.search(line))


@pytest.mark.usefixtures("link")
@pytest.mark.parametrize(("page", "name", "value"), ABSENT)
def test_link_to_what_does_not_exist_is_answered_in_one_line_that_names_it(
    page: str, name: str, value: str
) -> None:
    app = follow(page, name, value)
    lines = [line for line in texts(app).splitlines() if f"{name}={value} in the link" in line]
    assert len(lines) == 1
    assert "cannot be used" in lines[0]
    assert not app.error


@pytest.mark.usefixtures("link")
def test_link_with_a_wrong_and_a_right_color_opens_with_the_right_one() -> None:
    app = open_app("pages/backfill.py", color=["blue", "green"])
    assert app.pills(key="colors").value == ["green"]
    assert open_app("pages/backfill.py", color="blue").pills(key="colors").value == [
        "yellow", "green",
    ]  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_every_page_takes_right_values_and_says_wrong_ones(link: Settings, page: str) -> None:
    before = History(link.history_path).runs()
    params = [param for param in PARAMS if page in (param.pages or PAGES)]
    right = {param.name: right_value(page, param, link) for param in params}
    said_of_right = complaints(open_app(f"pages/{page.lower()}.py", **right))
    assert "in the link" not in said_of_right
    for param in params:
        wrong_value = WRONG.get(param.name, "no-such-value")
        said = complaints(follow(page, param.name, wrong_value))
        assert said, f"{page} ignores {param.name}={wrong_value}"
        assert said != said_of_right
    assert jobs().current() is None
    assert History(link.history_path).runs() == before


def test_docs_list_every_parameter_with_its_pages_and_earlier_names() -> None:
    rows = re.findall(
        r"^\| `([\w]+)` \| (.*?) \| (.*?) \| (.*?) ?\|$",
        (ROOT / "docs" / "links.md").read_text(),
        re.MULTILINE,
    )
    assert [row[0] for row in rows] == [param.name for param in PARAMS]
    for (_, values, pages, old), param in zip(rows, PARAMS, strict=True):
        assert values == param.values + ("; repeatable" if param.several else "")
        assert pages == (", ".join(param.pages) or "all")
        assert old == ", ".join(f"`{name}`" for name in param.old)


def test_names_are_read_by_the_page_that_has_them_under_another() -> None:
    assert rename_old({"taxi": ["green"], "x": ["1"]}, ["color"]) == {
        "color": ["green"],
        "x": ["1"],
    }
    assert rename_old({"color": ["green"]}, ["taxi"]) == {"taxi": ["green"]}
    assert rename_old({"taxi": ["green"]}, ["month"]) == {"taxi": ["green"]}
    assert unknown_names(["colour", "color", "since", "target"]) == ["colour"]


@pytest.mark.usefixtures("link")
@pytest.mark.parametrize(
    ("page", "key", "tab", "title"),
    [
        ("Backfill", "lower tab", "how", "How it loads"),
        ("Runs", "runs tab", "schedules", "Schedules"),
        ("Setup", "setup tab", "settings", "More settings"),
    ],
)
def test_link_opens_a_tab_and_the_open_tab_is_in_the_address(
    page: str, key: str, tab: str, title: str
) -> None:
    app = follow(page, "tab", tab)
    assert app.session_state[key] == f":yellow[{title}]"
    assert "".join(app.query_params["tab"]) == tab
    plain = open_app(f"pages/{page.lower()}.py")
    assert "tab" not in plain.query_params
    plain.session_state[key] = f":yellow[{title}]"  # what a click on the tab does
    check(plain.run())
    assert "".join(plain.query_params["tab"]) == tab


@pytest.mark.usefixtures("link")
def test_link_puts_a_query_into_the_box_and_does_not_run_it() -> None:
    app = follow("SQL", "q", "SELECT 42 AS answer")
    assert app.text_area(key="sql-warehouse").value == "SELECT 42 AS answer"
    assert "task-query-warehouse" not in app.session_state
    check(app.button(key="warehouse-run").click().run())
    assert app.session_state["task-query-warehouse"][1].wait(30)
    check(app.run())
    assert [f.value.to_dict("records") for f in app.dataframe if "answer" in f.value] == [
        [{"answer": 42}]
    ]
    assert dict(app.query_params) == {"q": "SELECT 42 AS answer"} or app.query_params["q"] == [
        "SELECT 42 AS answer"
    ]


@pytest.mark.usefixtures("link")
def test_link_puts_a_question_into_the_field_and_asks_nobody() -> None:
    app = open_app("pages/answers.py", mode="documents", question="What is new?")
    assert app.text_input(key="question").value == "What is new?"
    check(app.run())
    address = {name: app.query_params[name] for name in app.query_params}
    assert address in (
        {"mode": ["documents"], "question": ["What is new?"]},
        {"mode": "documents", "question": "What is new?"},
    )
    trips = open_app("pages/answers.py", mode="trips")
    assert trips.segmented_control(key="view").value == "trips"


def test_sql_page_without_trips_offers_the_sample(settings: Settings) -> None:
    app = open_app("pages/sql.py")
    assert "Nothing is loaded in the warehouse" in texts(app)
    assert app.button(key="sample")
    del settings
