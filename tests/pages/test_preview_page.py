"""What the Preview page promises for every state of a file: absent, in part, whole, damaged."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.components.common.runs import jobs
from pages.components.preview.file_picker import TABS
from pages.components.preview.tables import rows_table
from pipeline.core.settings.settings import Settings
from pipeline.runs.history import History
from tests.pages.test_pages import (
    check,
    fresh_server,
    open_app,
    table,
    texts,
    type_source,
    unescape,
)
from tests.pages.test_url_state import address
from tests.preview.test_difference import AFTER, BEFORE
from tests.preview.test_preview import ODD, many
from tests.support.files import (
    GREEN,
    YELLOW,
    csv_bytes,
    load,
    put,
    put_parquet,
    put_trips,
    rows,
    trip,
)
from tests.support.servers import Server

__all__ = ["fresh_server"]  # a fixture that applies to every test here
pytestmark = pytest.mark.usefixtures("settings")


def look(source: object, view: str = "", **params: str) -> AppTest:
    """Open the page on green 2020-04 of a source, with one of its tabs open.

    The address of a server, which came by the link, is confirmed.
    """
    link = {"color": "green", "month": "2020-04", "source": str(source)} | params
    app = open_app("pages/preview.py", **link)
    if str(source).startswith("http"):
        check(app.button(key="ask address").click().run())
    return show(app, view) if view else app


def show(app: AppTest, view: str) -> AppTest:
    """Open a tab."""
    app.session_state["file_tab"] = TABS[view]
    return check(app.run())


def settle(app: AppTest, name: str) -> AppTest:
    """Wait for the session's task and return the page as it is then."""
    if f"task-{name}" in app.session_state:  # else it was done so soon that the page took it
        assert app.session_state[f"task-{name}"][1].wait(30)
    return check(app.run())


def frame(app: AppTest, column: str) -> list[dict[str, object]]:
    return table(app, column)


def test_month_of_a_folder_is_shown_in_every_tab(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, ODD)
    app = look(folder)
    assert "The whole file: 228 rows" in texts(app)
    assert frame(app, "VendorID")[0]["total_amount"] == 9.3
    schema = {row["column"]: row for row in frame(show(app, "columns"), "column")}
    assert schema["cbd_congestion_fee"]["status"] == "– not yet"
    assert "**cbd_congestion_fee**: A fee that only newer files have" in texts(app)
    profile = {row["column"]: row for row in frame(show(app, "profile"), "column")}
    assert profile["total_amount"]["maximum"] == "1,000.01"
    assert profile["VendorID"]["nulls"] == pytest.approx(1 / 228)
    findings = {row["finding"]: row for row in frame(show(app, "findings"), "finding")}
    assert (
        findings["Voids with their trip"]["count"],
        findings["Voids with their trip"]["of"],
    ) == (
        3,
        "pairs",
    )
    assert findings["Pickup outside the month"]["share of rows"] == pytest.approx(100 * 2 / 229)
    assert next(iter(findings)) == "Rejected"
    assert not settings.home.exists() or not rows(settings, "SELECT * FROM load_ledger")


def test_address_is_a_link_to_the_same_preview(folder: Path) -> None:
    put_trips(folder, YELLOW, [trip(YELLOW)])
    app = look(folder, color="yellow")
    assert "yellow" in texts(app)
    app.selectbox(key="file_month").set_value("2020-05")
    check(app.run())
    assert dict(app.query_params) == {"color": "yellow", "month": "2020-05", "source": str(folder)}
    odd = open_app("pages/preview.py", color="red", month="2020-77", source="sample")
    assert "green\\_tripdata\\_2020\\-04" in "".join(m.value for m in odd.markdown)


def test_missing_and_invalid_choices_are_explained(folder: Path) -> None:
    empty = open_app("pages/preview.py", source=" ")
    assert "Choose a source, folder or URL" in texts(empty)
    assert "is not published by" in texts(look(folder))
    assert "There is no source or folder" in texts(look(folder / "nowhere"))
    assert "Cannot preview" in texts(look("http://127.0.0.1:9"))
    app = type_source(look("sample"), "file_source", "https://me:secret@example.org/trips")
    check(app.run())
    assert "holds a user name or password" in texts(app)
    assert "secret" not in str(app.query_params)
    own = look("sample")
    own.segmented_control(key="file_mode").set_value("upload")
    assert "a file of your own" in texts(check(own.run()))


def test_remote_file_shows_first_rows_and_the_rest_after_a_fetch() -> None:
    content = gzip.compress(csv_bytes(GREEN, many(16_000)), mtime=0)
    path = f"/{GREEN.stem}.csv.gz"
    with Server({path: content}) as server:
        app = look(server.url, "findings")
        assert "The first" in texts(app)
        assert "Only the first" in texts(app)
        assert "needs the whole file" in texts(show(app, "changes"))
        check(app.button(key="fetch").click().run())
        settle(app, "fetch")
        assert "The whole file: 16,000 rows" in texts(check(app.run()))
        assert not [button for button in app.button if button.key == "fetch"]


def test_cancelled_fetch_says_so_and_can_be_continued(settings: Settings) -> None:
    content = gzip.compress(csv_bytes(GREEN, many(16_000)), mtime=0)
    path = f"/{GREEN.stem}.csv.gz"
    with Server({path: content}) as server:
        app = look(server.url)
        server.behave(path, stall_after=1000)
        check(app.button(key="fetch").click().run())
        assert server.holding.wait(10)
        check(app.button(key="fetch-cancel").click().run())
        settle(app, "fetch")
        assert "The download was cancelled" in texts(app)
        assert app.button(key="fetch")
    assert History(settings.history_path).runs() == []


def test_damaged_file_says_why_it_cannot_be_loaded(folder: Path) -> None:
    put(folder, GREEN, b"VendorID,surge\n1,2\n", "csv")
    app = look(folder, "columns")
    assert "A load of this file would fail" in texts(app)
    assert "lacks lpep_pickup_datetime" in texts(app)
    status = {row["column"]: row["status"] for row in frame(app, "column")}
    assert (status["PULocationID"], status["surge"]) == ("✕ missing", "+ extra")
    for view, sentence in (
        ("rows", "no row that can be read"),
        ("profile", "no profile"),
        ("findings", "no findings"),
        ("changes", "changes nothing"),
    ):
        assert sentence in texts(show(app, view))


def test_comparison_marks_changes_and_its_button_loads_the_file(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, BEFORE)
    load(folder, GREEN, settings)
    put_trips(folder, GREEN, AFTER)
    app = look(folder, "changes")
    check(app.button(key="compare").click().run())
    settle(app, "difference")
    assert "insert 2, update 1 and delete 1 rows, and leave 4 unchanged" in texts(app)
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
    app.segmented_control(key="file_mode").set_value("upload")
    check(app.run())
    app.file_uploader(key="file_upload").set_value((name, content, "application/gzip"))
    return check(app.run())


def test_uploaded_file_is_previewed_by_its_name_or_by_the_chosen_month() -> None:
    content = csv_bytes(GREEN, [trip(GREEN)] * 3)
    app = upload(f"{GREEN.stem}.csv.gz", gzip.compress(content))
    assert "The whole file: 3 rows" in texts(app)
    other = upload("my trips.csv", content)
    assert "Color found by its columns, month by its pickups" in texts(other)
    assert "The whole file: 3 rows" in texts(other)
    assert other.button(key="load").label.endswith("**Load green 2020-04**]")
    months = [trip(GREEN, lpep_pickup_datetime=f"2020-0{month}-01 08:00:00") for month in (1, 2, 3)]
    quarter = upload("quarter.csv", csv_bytes(GREEN, months))
    assert "Choose the month that it is of" in texts(quarter)
    assert not quarter.error
    quarter.selectbox(key="own_month").set_value("2020-02")
    assert "The whole file: 3 rows" in texts(check(quarter.run()))


def test_uploaded_table_shows_rows_profile_and_sql_and_cannot_be_loaded(folder: Path) -> None:
    app = upload("zones.csv", b"zone;borough\n1;EWR\n2;Queens\n")
    assert "This is no trip file, so it cannot be loaded" in texts(app)
    assert [row["borough"] for row in frame(app, "zone")] == ["EWR", "Queens"]
    assert not [button for button in app.button if button.key == "load"]
    assert frame(show(app, "profile"), "column")[0]["distinct"] == 2
    assert address(app) == {"mode": ["upload"], "tab": ["profile"]}
    show(app, "sql")
    assert app.text_area(key="sql-preview").value == "FROM file LIMIT 20"
    assert frame(app, "column")[1] == {"column": "borough", "type": "VARCHAR"}
    check(app.button(key="preview-run").click().run())
    settle(app, "query-preview")
    assert [row["borough"] for row in frame(app, "zone")] == ["EWR", "Queens"]
    large = upload("large.csv", b"id,v\n9007199254740993,1\n18446744073709551616,2\n")
    assert "The whole file: 2 rows" in texts(large)
    parquet = put_parquet(folder, GREEN, "SELECT 1 AS a, 2 AS b").read_bytes()
    assert "This is no trip file" in texts(upload(f"{GREEN.stem}.parquet", parquet))


def test_second_upload_replaces_everything_about_the_first() -> None:
    app = upload("green_tripdata_2020-04.csv", csv_bytes(GREEN, [trip(GREEN)] * 3))
    show(app, "sql")
    check(app.button(key="preview-run").click().run())
    settle(app, "query-preview")
    assert frame(app, "payment_type")
    app.file_uploader(key="file_upload").set_value(("zones.csv", b"zone,borough\n1,EWR\n", ""))
    second = check(app.run())
    assert "green" not in texts(second)
    assert second.text_area(key="sql-preview").value == "FROM file LIMIT 20"
    assert not [f for f in second.dataframe if f.value.columns[0] == "payment_type"]
    yellow = ("yellow.csv", csv_bytes(YELLOW, [trip(YELLOW)] * 2), "")
    app.file_uploader(key="file_upload").set_value(yellow)
    third = check(app.run())
    assert third.segmented_control(key="own_color").value == "yellow"
    assert "yellow_tripdata_2020-04" in texts(third)
    assert "The whole file: 2 rows" in texts(third)
    damaged = ("broken.csv.gz", gzip.compress(csv_bytes(GREEN, []), mtime=0)[:30], "")
    app.file_uploader(key="file_upload").set_value(damaged)
    fourth = check(app.run())
    assert "broken.csv.gz" in unescape(fourth.error[0].value)
    assert "source" not in fourth.error[0].value


def test_upload_is_loaded_by_a_run_of_its_own_source(settings: Settings) -> None:
    app = upload("mine.csv", csv_bytes(GREEN, [trip(GREEN)] * 3))
    check(app.button(key="load").click().run())
    jobs().join(30)
    assert len(rows(settings, "SELECT * FROM green_tripdata")) == 3
    run = History(settings.history_path).runs()[0]
    assert (run.request.source, run.state) == ("upload", "succeeded")
    again = upload("mine.csv", csv_bytes(GREEN, [trip(GREEN)] * 3))
    assert "same as loaded" in texts(again)
    assert again.button(key="load").disabled


def test_upload_asks_before_it_replaces_real_trips(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, BEFORE)
    load(folder, GREEN, settings)
    app = upload("mine.csv", csv_bytes(GREEN, [trip(GREEN)] * 3))
    assert "differs from what is loaded from" in texts(app)
    check(app.button(key="load").click().run())
    assert "They are replaced by your file" in texts(app)
    assert len(rows(settings, "SELECT * FROM green_tripdata")) == len(BEFORE)
    assert app.button(key="replace")


@pytest.mark.parametrize(
    "name",
    [
        "../../../etc/green_tripdata_2020-04.csv",
        "<img src=x onerror=alert(1)>.csv",
        "a'; DROP TABLE trips; --.csv",
        "green_tripdata_2020-04.csv\n.csv",
    ],
)
def test_uploaded_file_with_a_hostile_name_is_stored_under_a_fixed_one(name: str) -> None:
    app = upload(name, b"<html>no trips</html>")
    assert "web page" in texts(app)
    folder = Path(app.session_state["upload"][1].name)
    assert {path.name for path in folder.iterdir()} == {"upload", "owner.lock"}
    assert not app.exception


def test_sql_box_runs_queries_refuses_writes_and_keeps_a_history(folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN, PULocationID=str(zone)) for zone in (1, 2, 3)])
    app = look(folder, "sql")
    app.text_area(key="sql-preview").set_value("SELECT sum(total_amount) AS dollars FROM trips")
    check(app.button(key="preview-run").click().run())
    settle(app, "query-preview")
    assert [float(row["dollars"]) for row in frame(app, "dollars")] == [27.9]
    assert "1 row" in texts(app)
    app.text_area(key="sql-preview").set_value("COPY trips TO '/tmp/stolen.csv'")
    check(app.button(key="preview-run").click().run())
    settle(app, "query-preview")
    assert "Only read-only statements are allowed here" in texts(app)
    labels = [button.label for button in app.button]
    assert any("sum\\(total\\_amount\\)" in label for label in labels)


def test_cancelled_query_says_so() -> None:
    app = look("sample", "sql")
    app.text_area(key="sql-preview").set_value("SELECT sum(i) FROM range(1000000000000) t(i)")
    check(app.button(key="preview-run").click().run())
    check(app.button(key="preview-cancel").click().run())
    settle(app, "query-preview")
    assert "The query was cancelled" in texts(app)


def test_rows_table_keeps_numbers_and_nulls() -> None:
    shown = rows_table([{"a": 1, "b": None}, {"a": None, "b": None}])
    assert str(shown["a"].dtype) == "Int64"
    assert shown["b"].isna().all()
    assert list(rows_table([{"a": 2**64}, {"a": 1}])["a"]) == [str(2**64), 1]


def test_preview_without_a_file_offers_the_sample(settings: Settings) -> None:
    assert not settings.home.exists()
    app = open_app("pages/preview.py", source=" ")
    check(app.button(key="sample").click().run())
    assert app.selectbox(key="file_source").value == "sample"
    assert "The whole file" in texts(app)


def test_unreachable_source_offers_another_try_and_the_sample(folder: Path) -> None:
    app = look(folder)
    put_trips(folder, GREEN, [trip(GREEN)])
    assert "The whole file: 1 row " in texts(check(app.button(key="again").click().run()))
    assert not [button for button in app.button if button.key in ("again", "sample")]
    missing = look(folder / "nowhere")
    check(missing.button(key="sample").click().run())
    assert missing.selectbox(key="file_source").value == "sample"
    assert "The whole file" in texts(missing)
