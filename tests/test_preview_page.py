"""What the Preview page promises for every state of a file: absent, in part, whole, damaged."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.shared.inside_views import VIEW_LABELS, rows_table
from pages.shared.runs import jobs
from pipeline.history import History
from pipeline.settings import Settings
from tests.files import GREEN, YELLOW, csv_bytes, load, put, put_parquet, put_trips, rows, trip
from tests.servers import Server
from tests.test_difference import AFTER, BEFORE
from tests.test_pages import check, fresh_server, open_app, table, texts
from tests.test_preview import ODD, many

__all__ = ["fresh_server"]  # a fixture that applies to every test here
pytestmark = pytest.mark.usefixtures("settings")


def look(source: object, view: str = "", **params: str) -> AppTest:
    """Open the page on green 2020-04 of a source, with one of its views in front."""
    link = {"color": "green", "month": "2020-04", "source": str(source)} | params
    app = open_app("pages/preview.py", **link)
    return show(app, view) if view else app


def show(app: AppTest, view: str) -> AppTest:
    """Bring a view to the front."""
    app.session_state["inside"] = VIEW_LABELS[view]
    return check(app.run())


def settle(app: AppTest, name: str) -> AppTest:
    """Wait for the session's task and return the page as it is then."""
    if f"task-{name}" in app.session_state:  # else it was done so soon that the page took it
        assert app.session_state[f"task-{name}"][1].done(30)
    return check(app.run())


def frame(app: AppTest, column: str) -> list[dict[str, object]]:
    return table(app, column)


def test_a_month_of_a_folder_is_shown_from_every_side(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, ODD)
    app = look(folder)
    assert "The whole file: 228 rows" in texts(app)
    assert frame(app, "VendorID")[0]["total_amount"] == 9.3
    schema = {row["column"]: row for row in frame(show(app, "Columns"), "column")}
    assert schema["cbd_congestion_fee"]["status"] == "– not yet"
    assert "**cbd_congestion_fee**: A fee that only newer files have" in texts(app)
    profile = {row["column"]: row for row in frame(show(app, "Profile"), "column")}
    assert profile["total_amount"]["maximum"] == "1,000.01"
    assert profile["VendorID"]["nulls"] == pytest.approx(1 / 228)
    found = show(app, "Findings")
    titles = [expander.label for expander in found.expander]
    assert "**Voids with their trip** · 3 pairs" in titles
    assert "**Pickup outside the month** · 2 rows, 0.87%" in titles
    assert not settings.home.exists() or not rows(settings, "SELECT * FROM load_ledger")


def test_the_address_is_a_link_to_the_same_look(folder: Path) -> None:
    put_trips(folder, YELLOW, [trip(YELLOW)])
    app = look(folder, color="yellow")
    assert "yellow" in texts(app)
    app.selectbox(key="file_month").set_value("2020-05")
    check(app.run())
    assert dict(app.query_params) == {"color": "yellow", "month": "2020-05", "source": str(folder)}
    odd = open_app("pages/preview.py", color="red", month="2020-77", source="sample")
    assert "green\\_tripdata\\_2020\\-04" in "".join(m.value for m in odd.markdown)


def test_nothing_picked_and_what_cannot_be_had_are_said(folder: Path) -> None:
    app = look("sample")
    app.selectbox(key="file_source").set_value("place")
    check(app.run())
    assert "Name the folder or URL" in texts(app)
    assert "is not published by" in texts(look(folder))
    assert "There is no source or folder" in texts(look(folder / "nowhere"))
    assert "cannot be looked at" in texts(look("http://127.0.0.1:9"))
    app.text_input(key="file_place").set_value("https://me:secret@example.org/trips")
    check(app.run())
    assert "holds a user name or password" in texts(app)
    assert "secret" not in str(app.query_params)
    own = look("sample")
    own.segmented_control(key="file_way").set_value("own")
    assert "drop a file" in texts(check(own.run()))


def test_the_first_rows_of_a_remote_file_come_at_once_and_the_rest_by_a_button() -> None:
    content = gzip.compress(csv_bytes(GREEN, many(16_000)), mtime=0)
    path = f"/{GREEN.stem}.csv.gz"
    with Server({path: content}) as server:
        app = look(server.url, "Findings")
        assert "The first" in texts(app)
        assert "not all of the file" in texts(app)
        assert "needs the whole file" in texts(show(app, "What would loading change?"))
        check(app.button(key="fetch").click().run())
        settle(app, "fetch")
        assert "The whole file: 16,000 rows" in texts(check(app.run()))
        assert not [button for button in app.button if button.key == "fetch"]


def test_a_fetch_can_be_cancelled(settings: Settings) -> None:
    content = gzip.compress(csv_bytes(GREEN, many(16_000)), mtime=0)
    path = f"/{GREEN.stem}.csv.gz"
    with Server({path: content}) as server:
        app = look(server.url)
        server.behave(path, stall_after=1000)
        check(app.button(key="fetch").click().run())
        assert server.holding.wait(10)
        check(app.button(key="fetch-cancel").click().run())
        settle(app, "fetch")
        assert "The fetch was cancelled" in texts(app)
        assert app.button(key="fetch")
    assert History(settings.history_path).runs() == []


def test_a_damaged_file_says_why_it_cannot_be_loaded(folder: Path) -> None:
    put(folder, GREEN, b"VendorID,surge\n1,2\n", "csv")
    app = look(folder, "Columns")
    assert "A load of this file would fail" in texts(app)
    assert "lacks lpep_pickup_datetime" in texts(app)
    status = {row["column"]: row["status"] for row in frame(app, "column")}
    assert (status["PULocationID"], status["surge"]) == ("✕ missing", "+ extra")
    for view, sentence in (
        ("Rows", "no row to show"),
        ("Profile", "no profile"),
        ("Findings", "nothing to find"),
        ("What would loading change?", "changes nothing"),
    ):
        assert sentence in texts(show(app, view))


def test_a_comparison_marks_what_would_change_and_the_button_loads_it(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, BEFORE)
    load(folder, GREEN, settings)
    put_trips(folder, GREEN, AFTER)
    app = look(folder, "What would loading change?")
    check(app.button(key="compare").click().run())
    settle(app, "difference")
    assert "insert 2, update 1 and delete 1 rows, and leave 4 as they are" in texts(app)
    changes = frame(app, "change")
    assert [row["change"] for row in changes] == [
        "◐ updated",
        "+ inserted",
        "+ inserted",
        "– deleted",
    ]
    assert changes[0]["total_amount"] == "9.30 → 10.00"
    assert len(rows(settings, "SELECT * FROM green_tripdata")) == len(BEFORE)
    check(app.button(key="load").click().run())
    jobs().join(30)
    assert len(rows(settings, "SELECT * FROM green_tripdata")) == len(AFTER)


def upload(name: str, content: bytes) -> AppTest:
    app = look("sample")
    app.segmented_control(key="file_way").set_value("own")
    check(app.run())
    app.file_uploader(key="file_upload").set_value((name, content, "application/gzip"))
    return check(app.run())


def test_a_file_of_ones_own_is_looked_into_by_its_name_or_by_what_it_is_taken_for(
    folder: Path,
) -> None:
    content = csv_bytes(GREEN, [trip(GREEN)] * 3)
    app = upload(f"{GREEN.stem}.csv.gz", gzip.compress(content))
    assert "The whole file: 3 rows" in texts(app)
    assert not [button for button in app.button if button.key == "load"]
    other = upload("my trips.csv", content)
    assert "does not say which color and month" in texts(other)
    assert "The whole file: 3 rows" in texts(other)
    parquet = put_parquet(folder, GREEN, "SELECT 1 AS a, 2 AS b").read_bytes()
    assert "A load of this file would fail" in texts(upload(f"{GREEN.stem}.parquet", parquet))


@pytest.mark.parametrize(
    "name",
    [
        "../../../etc/green_tripdata_2020-04.csv",
        "<img src=x onerror=alert(1)>.csv",
        "a'; DROP TABLE trips; --.csv",
        "green_tripdata_2020-04.csv\n.csv",
    ],
)
def test_a_hostile_name_leads_nowhere(name: str) -> None:
    app = upload(name, b"<html>no trips</html>")
    assert "web page" in texts(app)
    folder = Path(app.session_state["upload"][1].name)
    assert [path.name for path in folder.iterdir()] == ["upload.csv"]
    assert not app.exception


def test_the_sql_box_answers_refuses_and_remembers(folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN, PULocationID=str(zone)) for zone in (1, 2, 3)])
    app = look(folder, "SQL")
    app.text_area(key="sql").set_value("SELECT sum(total_amount) AS dollars FROM trips")
    check(app.button(key="query-run").click().run())
    settle(app, "query")
    assert [float(row["dollars"]) for row in frame(app, "dollars")] == [27.9]
    assert "1 row" in texts(app)
    app.text_area(key="sql").set_value("COPY trips TO '/tmp/stolen.csv'")
    check(app.button(key="query-run").click().run())
    settle(app, "query")
    assert "Only statements that read are allowed here" in texts(app)
    labels = [button.label for button in app.button]
    assert any("sum\\(total\\_amount\\)" in label for label in labels)


def test_a_query_can_be_cancelled() -> None:
    app = look("sample", "SQL")
    app.text_area(key="sql").set_value("SELECT sum(i) FROM range(1000000000000) t(i)")
    check(app.button(key="query-run").click().run())
    check(app.button(key="query-cancel").click().run())
    settle(app, "query")
    assert "The query was cancelled" in texts(app)


def test_numbers_stay_numbers_and_nothing_stays_nothing() -> None:
    shown = rows_table([{"a": 1, "b": None}, {"a": None, "b": None}])
    assert str(shown["a"].dtype) == "Int64"
    assert shown["b"].isna().all()


def test_with_nothing_to_look_into_the_sample_is_a_click_away(settings: Settings) -> None:
    assert not settings.home.exists()
    app = open_app("pages/preview.py", source=" ")
    check(app.selectbox(key="file_source").set_value("place").run())
    check(app.button(key="sample").click().run())
    assert app.selectbox(key="file_source").value == "sample"
    assert "The whole file" in texts(app)


def test_from_a_source_that_does_not_answer_both_ways_on_are_a_click_away(folder: Path) -> None:
    app = look(folder)
    put_trips(folder, GREEN, [trip(GREEN)])
    assert "The whole file: 1 row," in texts(check(app.button(key="again").click().run()))
    assert not [button for button in app.button if button.key in ("again", "sample")]
    missing = look(folder / "nowhere")
    check(missing.button(key="sample").click().run())
    assert missing.selectbox(key="file_source").value == "sample"
    assert "The whole file" in texts(missing)
