"""What the pages promise: empty, planned, running, ended, failed, and given nonsense."""

from __future__ import annotations

import functools
import itertools
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner
from streamlit.runtime.scriptrunner import RerunData, get_script_run_ctx
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from pages.components.backfill.grid import (
    MONTH_NAMES,
    file_at,
    find_cells,
    grid_columns,
    grid_rows,
    legend,
)
from pages.components.backfill.progress_table import (
    STEPS,
    file_share,
)
from pages.components.common import frame
from pages.components.common.choice import (
    Choice,
    choice_of,
    command_line,
    read_params,
    write_params,
)
from pages.components.common.run_log import narrow
from pages.components.common.runs import Activity, jobs
from pages.components.common.words import duration, plain, size, time_left
from pages.components.runs.run_tables import timeline
from pipeline.__main__ import app as command
from pipeline.charts import CHARTS
from pipeline.core.datasets import GREEN_TAXIS, YELLOW_TAXIS
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, Selection, TripFile
from pipeline.runs.backfill import prepare_plan
from pipeline.runs.file_run import FileProgress
from pipeline.runs.history import History
from pipeline.runs.plan import FileState, Request
from pipeline.runs.policy import Policy
from pipeline.runs.run_records import GLYPHS, Run, RunFile
from tests.support.files import GREEN, YELLOW, backfill, load, put, put_trips, request, trip
from tests.support.servers import Server

ROOT = Path(__file__).parents[2]
DRAWN_CHARTS = [chart for chart in CHARTS.values() if chart.section]
TAXIS: dict[str, str | list[str]] = {"color": ["yellow", "green"]}
SAMPLE = {**TAXIS, "source": "sample", "from": "2020-04", "to": "2020-04"}

# AppTest reads the metadata of every installed package anew each time, to look for components.
manifest_scanner.scan_component_manifests = functools.cache(
    manifest_scanner.scan_component_manifests
)


@pytest.fixture(autouse=True)
def fresh_server() -> Iterator[None]:
    """Whatever a server remembers is this test's alone, and no run outlives it."""
    st.cache_resource.clear()
    yield
    if backfill := jobs().current():
        backfill.cancel.set()
    jobs().join(20)
    st.cache_resource.clear()


def open_app(page: str = "pages/backfill.py", **params: str | list[str]) -> AppTest:
    """Open a page in a session of its own."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    for name, value in params.items():
        app.query_params[name] = value
    if page != "pages/backfill.py":
        app.switch_page(page)
    return check(app.run())


def drawn(app: AppTest) -> list[Any]:
    """The charts that can be seen."""
    return [chart for chart in app.get("plotly_chart") if chart.key != "nothing"]


def check(app: AppTest) -> AppTest:
    """Return the page, after making sure that nobody sees a traceback on it."""
    assert not app.exception, app.exception
    return app


def texts(app: AppTest) -> str:
    """All that the page says outside tables and widgets, as people read it."""
    parts = [app.markdown, app.caption, app.text, app.code, app.title, app.subheader]
    parts += [app.info, app.warning, app.error]
    return unescape("\n".join(element.value for part in parts for element in part))


def has_button(app: AppTest, key: str) -> bool:
    """Whether the page has a button with this key."""
    return any(button.key == key for button in app.button)


def open_tab(app: AppTest, key: str, name: str) -> AppTest:
    """Open one of the tabs with this key; only the open one is drawn."""
    app.session_state[key] = f":yellow[{name}]"
    return check(app.run())


def type_source(app: AppTest, key: str, source: str) -> AppTest:
    """Type a folder or URL into the choice of a source."""
    box = app.selectbox(key=key)
    box.options.append(source)
    box.set_value(source)
    return app


def command_of(app: AppTest) -> str:
    """The command in the tab Command, which is opened for it."""
    open_tab(app, "lower tab", "Command")
    return next(code.value for code in app.code if code.value.startswith("python -m pipeline"))


def unescape(markdown: str) -> str:
    """Markdown without its backslashes."""
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown)


def table(app: AppTest, first_column: str) -> list[dict[str, str]]:
    """The rows of the table whose first column has this name."""
    frames = [frame.value for frame in app.dataframe]
    return next(f for f in frames if f.columns[0] == first_column).to_dict("records")


def grid(app: AppTest) -> dict[tuple[str, str], str]:
    """The cells of the grid that say something, by color and year, and month."""
    frame = next(f.value for f in app.dataframe if set(f.value.index) <= set(MONTH_NAMES))
    return {
        (str(column), str(month)): text
        for column, cells in frame.to_dict().items()
        for month, text in cells.items()
        if text
    }


def run_to_end(app: AppTest) -> AppTest:
    """Press Run and return the page as it is when the run has ended."""
    app.button(key="run").click().run()
    check(app)
    jobs().join(30)
    return check(app.run())


@contextmanager
def run_elsewhere(settings: Settings, source: str) -> Iterator[subprocess.Popen[bytes]]:
    """Have the command line run a backfill of its own; it is killed at the end of the block."""
    line = [sys.executable, "-m", "pipeline", "backfill", "--from", "2020-04", "--source", source]
    process = subprocess.Popen(
        line, cwd=ROOT, env=os.environ | {"FAREGROUND_HOME": str(settings.home)}
    )
    try:
        deadline = time.monotonic() + 20
        history = History(settings.history_path)
        while not any(
            f.state == "running" for run in history.runs() for f in history.files(run.run_id)
        ):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("page", sorted(path.name for path in (ROOT / "pages").glob("*.py")))
def test_page_of_an_empty_warehouse_has_at_most_one_main_button(
    settings: Settings, page: str
) -> None:
    assert not settings.home.exists()
    app = open_app(f"pages/{page}", source="sample")
    main = [button.label for button in app.button if button.proto.type == "primary"]
    assert len(main) <= 1, main


def test_empty_warehouse_offers_the_sample_and_one_click_leads_to_its_charts(
    settings: Settings,
) -> None:
    app = open_app(source="tests", color="green")
    assert "Nothing is loaded yet" in texts(app)
    check(app.button(key="sample").click().run())
    assert app.query_params["source"] == "sample"
    jobs().join(60)
    (run,) = History(settings.history_path).runs()
    files = History(settings.history_path).files(run.run_id)
    assert [file.file.stem for file in files] == [
        f"{color}_tripdata_2020-{month}"
        for month in ("04", "05", "06")
        for color in ("yellow", "green")
    ]
    check(app.run())
    assert app.title[0].value == "Explore"
    assert "The sample is loaded" in texts(app)
    assert len(drawn(app)) == 4, "over time, and those of the first tab"


def test_cancelled_tour_stays_on_the_page_that_can_resume_it(settings: Settings) -> None:
    assert not settings.home.exists()
    app = open_app()
    check(app.button(key="sample").click().run())
    backfill = jobs().current()
    assert backfill is not None
    backfill.cancel.set()
    jobs().join(20)
    check(app.run())
    assert app.title[0].value == "Backfill"
    assert "◼ cancelled" in texts(app)
    assert re.search(r"Continue: \d files? left", app.button(key="run").label)


def test_runs_page_without_runs_offers_the_sample(settings: Settings) -> None:
    assert not settings.home.exists()
    app = open_app("pages/runs.py")
    assert not app.button(key="sample").disabled


def test_plan_says_which_files_will_run_and_why(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    app = open_app(**TAXIS, source=str(folder), **{"from": "2020-04", "to": "2020-05"})
    rows = {row["file"]: row for row in table(app, "file")}
    assert rows["green_tripdata_2020-04"]["load"] == "▶ yes"
    assert rows["green_tripdata_2020-04"]["why"] == "not loaded yet"
    assert rows["green_tripdata_2020-04"]["size"].endswith("bytes")
    assert rows["yellow_tripdata_2020-05"]["load"] == "no"
    assert rows["yellow_tripdata_2020-05"]["state"] == "– unavailable"
    assert grid(app)["green 2020", "Apr"] == "· missing"
    assert grid(app)["yellow 2020", "May"] == "– unavailable"
    assert "1 of 4 files to load" in texts(app)
    assert "Load 1 file" in app.button(key="run").label
    assert not has_button(app, "cancel")
    assert History(settings.history_path).runs() == []


def test_backfill_without_taxis_says_that_none_are_chosen(settings: Settings) -> None:
    assert not settings.home.exists()
    app = open_app(source="sample")
    check(app.pills(key="colors").set_value([]).run())
    assert "No taxis are chosen" in unescape(app.error[0].value)
    assert app.button(key="run").disabled


def test_running_backfill_counts_the_files_that_its_button_said(
    settings: Settings, folder: Path
) -> None:
    may = TripFile(GREEN_TAXIS, Month(2020, 5))
    for file in (GREEN, may):
        put_trips(folder, file, [trip(file)])
    load(folder, GREEN, settings)
    app = open_app(source=str(folder), **{"from": "2020-04", "to": "2020-06"})
    assert "Load 1 file" in app.button(key="run").label  # of six: one is loaded, four are absent
    june = TripFile(GREEN_TAXIS, Month(2020, 6))
    plan = prepare_plan(request(folder, GREEN, YELLOW, june), settings)
    history = History(settings.history_path)
    history.start_run("a-run", plan, "test")

    def activity() -> Activity:
        return Activity(history.run("a-run"), None, tuple(history.files("a-run")), None)

    assert (activity().finished, activity().to_load) == (0, 1)
    history.save_file("a-run", RunFile(may, "unavailable", "gone meanwhile", seconds=0.1))
    assert (activity().finished, activity().to_load) == (1, 1)


def test_finished_sample_run_marks_its_cells_as_synthetic(settings: Settings) -> None:
    app = run_to_end(open_app(**SAMPLE))
    cells = grid(app)
    for row in ("yellow 2020", "green 2020"):
        *state, rows, sign = cells[row, "Apr"].split()
        assert (state, sign) == (["●", "loaded"], "*")
        assert int(rows.replace(",", "")) > 1000
    assert "* synthetic" in texts(app)
    assert "**● succeeded**" in texts(app)
    assert "All 2 files are loaded." in texts(app)
    assert not has_button(app, "run")
    labels = [link.proto.label for link in app.get("page_link")]
    assert {"Open the charts", "Open the run"} <= set(labels)
    assert [run.state for run in History(settings.history_path).runs()] == ["succeeded"]


def test_run_that_loaded_nothing_has_no_size(settings: Settings, folder: Path) -> None:
    broken = put(folder, GREEN, b"<html>not a trip file</html>", "csv")
    months = {"from": "2020-04", "to": "2020-04"}
    run_to_end(open_app(color="green", source=str(folder), **months))
    assert broken.exists()
    (run,) = History(settings.history_path).runs()
    figures = {m.label: m.value for m in open_app("pages/runs.py", run=run.run_id).metric}
    assert (figures["Size of the files"], figures["Unpacked"]) == ("–", "–")


def test_failed_file_says_why_and_can_be_retried(settings: Settings, folder: Path) -> None:
    put_trips(folder, YELLOW, [trip(YELLOW)])
    broken = put(folder, GREEN, b"<html>not a trip file</html>", "csv")
    broken = broken.rename(broken.with_suffix(".csv.gz"))
    months = {"from": "2020-04", "to": "2020-04"}
    app = run_to_end(open_app(**TAXIS, source=str(folder), **months))
    assert grid(app)["green 2020", "Apr"] == "✕ failed"
    assert grid(app)["yellow 2020", "Apr"] == "● loaded 1"
    assert "green_tripdata_2020-04.csv.gz is a web page, not a trip file" in texts(app)
    assert "Retry 1 failed" in app.button(key="run").label
    check(app.button_group(key="policy").set_value("missing").run())
    assert app.button(key="run").disabled
    assert "Nothing to load: 1 file is loaded, 1 failed before." in texts(app)
    check(app.button_group(key="policy").set_value("missing-and-failed").run())

    broken.unlink()
    put_trips(folder, GREEN, [trip(GREEN), trip(GREEN, PULocationID="7")])
    check(app.button(key="run").click().run())
    jobs().join(30)
    check(app.run())
    assert grid(app)["green 2020", "Apr"] == "● loaded 2"
    newest = History(settings.history_path).runs()[0]
    files = History(settings.history_path).files(newest.run_id)
    assert {f.file: f.state for f in files} == {YELLOW: "skipped", GREEN: "loaded"}


def test_clicked_cell_shows_details_and_can_load_the_file_again(settings: Settings) -> None:
    app = run_to_end(open_app(**SAMPLE))
    app.session_state["grid"] = {
        "selection": {"rows": [], "columns": [], "cells": [(0, "yellow 2020")]}
    }
    check(app.run())
    text = texts(app)
    assert YELLOW.filename in text
    assert "sample:yellow_tripdata_2020-04" in text
    assert "sha256" in text
    assert "Not to load: loaded" in text
    assert "staged" in text
    counts = {metric.label: metric.value for metric in app.metric}
    assert counts["rows"] == counts["inserted"] != "0"
    check(app.button(key="load-file").click().run())
    jobs().join(30)
    newest = History(settings.history_path).runs()[0]
    assert newest.request.force
    assert [f.file for f in History(settings.history_path).files(newest.run_id)] == [YELLOW]


def test_run_of_another_process_is_shown_with_how_to_cancel_it(settings: Settings) -> None:
    with Server({f"/{GREEN.stem}.csv.gz": b"x" * 100_000}) as server:
        server.behave(f"/{GREEN.stem}.csv.gz", stall_after=1000)
        with run_elsewhere(settings, server.url) as process:
            app = open_app(**SAMPLE)
            assert f"kill -INT {process.pid}" in texts(app)
            assert not has_button(app, "run")
            assert not has_button(app, "cancel")
            labels = [link.proto.label for link in app.get("page_link")]
            assert any("Running:" in label for label in labels)
            states = {row["file"]: row["state"] for row in table(app, "file")}
            assert states[GREEN.stem] == "◐ running"
            assert grid(app)["green 2020", "Apr"] == "◐ running"
            runs = check(open_app("pages/runs.py"))
            assert table(runs, "started (UTC)")[0]["state"] == "◐ running"
            process.send_signal(signal.SIGINT)
            process.wait(20)
        check(app.run())
        assert "**◼ cancelled**" in texts(app)


def test_interrupted_run_says_so_and_resume_finishes_it(settings: Settings) -> None:
    with Server() as server:
        rows = [trip(GREEN)]
        folder = settings.home.parent
        content = put_trips(folder, GREEN, rows).read_bytes()
        server.files[f"/{GREEN.stem}.csv.gz"] = content
        server.behave(f"/{GREEN.stem}.csv.gz", stall_after=10)
        with run_elsewhere(settings, server.url) as process:
            server.holding.wait(20)
            process.kill()
            process.wait(20)
        server.behave(f"/{GREEN.stem}.csv.gz", stall_after=None)
        app = open_app(**SAMPLE)
        assert "**‖ interrupted**" in texts(app)
        assert "during this run; 1 file left" in app.warning[0].value
        links = [link.proto.label for link in app.get("page_link")]
        assert "Choose its files again" in links  # another choice is in the address
        app = open_app()  # a visit without a choice opens with that of the newest run
        check(app.button(key="ask address").click().run())
        assert "Continue: 1 file left" in app.button(key="run").label
        check(app.button(key="run").click().run())
        jobs().join(30)
        check(app.run())
        assert grid(app)["green 2020", "Apr"] == "● loaded 1"
        runs = History(settings.history_path).runs()
        assert [run.state for run in runs] == ["succeeded", "interrupted"]


def test_two_sessions_that_press_run_start_one_run(settings: Settings) -> None:
    first, second = open_app(**SAMPLE), open_app(**SAMPLE)
    first.button(key="run").click().run()
    second.button(key="run").click().run()
    check(first)
    check(second)
    jobs().join(30)
    assert len(History(settings.history_path).runs()) == 1


def test_run_button_starts_only_the_plan_that_was_shown(settings: Settings) -> None:
    app = open_app(**SAMPLE)
    app.selectbox(key="last").select("2020-06")
    app.button(key="run").click().run()
    assert "press the button again" in check(app).info[0].value
    assert History(settings.history_path).runs() == []
    app.button(key="run").click().run()
    jobs().join(30)
    run = History(settings.history_path).runs()[0]
    assert run.request.selection.last == Month(2020, 6)


@pytest.mark.usefixtures("settings")
def test_link_with_invalid_values_falls_back_and_says_so() -> None:
    app = open_app(
        color=["green", "pink"],
        source="sample",
        policy="some",
        force="perhaps",
        **{"from": "2020-13", "to": "9999-12"},
    )
    warning = unescape(app.warning[0].value)
    for word in ("pink", "2020-13", "9999-12", "some", "perhaps"):
        assert word in warning
    assert app.query_params["color"] == "green"
    assert app.query_params["from"] == "2020-04"
    assert "1 file to load" in texts(app)
    app.selectbox(key="last").select("2020-05").run()
    assert not check(app).warning


@pytest.mark.usefixtures("settings")
def test_parameter_that_no_page_has_is_named() -> None:
    app = open_app("pages/setup.py", colour="green", color="green")
    assert "parameters that no page uses: colour" in texts(app)
    assert "no page uses" not in texts(open_app("pages/setup.py", color="green"))


def test_first_month_behind_the_last_moves_it_and_the_other_way_round() -> None:
    app = open_app(source="sample", color="green", **{"from": "2020-04", "to": "2020-05"})
    app.selectbox(key="first").select("2020-08").run()
    assert "--from 2020-08 --to 2020-08" in command_of(app)
    app.selectbox(key="last").select("2020-03").run()
    assert "--from 2020-03 --to 2020-03" in command_of(app)
    newest, *_, first = app.selectbox(key="first").options
    assert newest > first


@pytest.mark.usefixtures("settings")
def test_months_offered_are_those_of_the_source_newest_first(folder: Path) -> None:
    newest = Month.current().plus(-1)
    app = open_app(source="github", color="yellow", **{"from": "2020-04", "to": "2020-05"})
    months = app.selectbox(key="first").options
    assert (months[0], months[-1]) == ("2021-07", "2019-01")
    check(app.selectbox(key="source").select("tlc").run())
    assert app.selectbox(key="last").options[0] == str(newest)
    assert app.selectbox(key="last").options[-1] == "2009-01"
    for month in (Month(2021, 2), Month(2021, 3)):
        file = replace(YELLOW, month=month)
        put_trips(folder, file, [trip(file)])
    check(type_source(app, "source", str(folder)).run())
    assert app.selectbox(key="first").options == ["2021-03", "2021-02"]
    assert (app.selectbox(key="first").value, app.selectbox(key="last").value) == (
        "2021-03", "2021-03",
    )  # fmt: skip
    assert "Load 1 file" in app.button(key="run").label


@pytest.mark.usefixtures("settings")
def test_month_of_a_link_is_kept_although_the_source_has_no_such_month() -> None:
    app = open_app(source="github", color="yellow", **{"from": "2021-06", "to": "2022-01"})
    assert app.selectbox(key="last").value == "2022-01"
    assert "6 months are not in GitHub releases (2021-08 to 2022-01)." in texts(app)
    rows = {row["file"]: row for row in table(app, "file")}
    assert rows["6 files"]["state"] == "– unavailable"  # one row for all of them


def test_visit_without_a_choice_opens_with_the_next_month_of_the_newest_run(
    settings: Settings, folder: Path
) -> None:
    may = replace(GREEN, month=Month(2020, 5))
    for file in (GREEN, may):
        put_trips(folder, file, [trip(file)])
    backfill(settings, request(folder, GREEN))
    app = open_app()
    line = f"--dataset green --from 2020-05 --to 2020-05 --source {folder}"
    assert line in command_of(app)
    backfill(settings, request(folder, may))
    assert line in command_of(open_app())  # there is no month after it
    assert "The file is loaded." in texts(open_app())


def test_plan_says_how_long_it_takes_at_the_rate_of_past_runs(
    settings: Settings, folder: Path
) -> None:
    may = replace(GREEN, month=Month(2020, 5))
    for file in (GREEN, may):
        put_trips(folder, file, [trip(file)])
    link = {"source": str(folder), "color": "green", "from": "2020-05", "to": "2020-05"}
    assert "about" not in texts(open_app(**link)).split("to load")[1]
    backfill(settings, request(folder, GREEN))
    assert re.search(r"1 file to load, \d+ bytes, about \d+ s, from", texts(open_app(**link)))
    rate = History(settings.history_path).load_rate("local", str(folder))
    assert rate is not None
    assert rate.seconds(10, None) == pytest.approx(10 * rate.seconds(1, None))


@pytest.mark.usefixtures("settings")
def test_address_of_the_previous_page_changes_no_choice() -> None:
    app = open_app(source="sample", color="green", policy="all")
    app.query_params.clear()
    # As hasty clicks from page to page leave it, of the Preview page.
    app.query_params |= {"color": "yellow", "month": "2020-07", "source": "github"}
    check(app.run())
    assert "--dataset green --from 2020-04 --to 2020-04 --source sample --policy all" in command_of(
        app
    )


@pytest.mark.usefixtures("settings")
def test_widgets_emptied_by_a_browser_get_their_values_back() -> None:
    app = open_app(source="sample", color="green", policy="all", to="2020-06")
    # So does a browser that is cut short, by clicks from page to page, while it draws them.
    app.selectbox(key="first").select("2009-01")
    app.selectbox(key="source").select("github")
    app.button_group(key="policy").set_value(None)
    check(app.run())
    assert "--dataset green --from 2020-04 --to 2020-06 --source sample --policy all" in command_of(
        app
    )


@pytest.mark.usefixtures("settings")
def test_link_whose_months_run_backwards_opens_with_the_first() -> None:
    app = open_app(**{"from": "2020-05", "to": "2020-04", "source": "sample"})
    assert "to=2020-04 in the link cannot be used: it is before from=2020-05" in texts(app)
    assert app.selectbox(key="last").value == "2020-05"


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"source": "/no/such/folder"}, "no source or folder"),
        ({"source": ""}, "No source is chosen"),
        ({"source": "ftp://127.0.0.1/x"}, "ftp: is not a supported protocol"),
        ({"source": "http://somebody:secret@127.0.0.1/x"}, "user name or password"),
    ],
)
def test_invalid_choice_is_explained_and_cannot_run(params: dict[str, str], problem: str) -> None:
    app = open_app(**params)
    assert problem in unescape(app.error[0].value)
    assert app.button(key="run").disabled
    assert "secret" not in str(dict(app.query_params))


@pytest.mark.usefixtures("settings")
def test_unreachable_source_is_reported_beside_a_plan() -> None:
    with Server() as server:
        url = server.url
    app = open_app(source=url, color="green", **{"from": "2020-04", "to": "2020-04"})
    check(app.button(key="ask address").click().run())
    assert "Cannot reach" in app.warning[0].value
    assert "1 file is unchecked" in app.warning[0].value
    assert not app.button(key="run").disabled


@pytest.mark.usefixtures("settings")
def test_runs_page_of_an_empty_home_says_that_nothing_ran() -> None:
    app = open_app("pages/runs.py")
    assert "No run yet" in texts(app)
    assert not app.dataframe


@pytest.mark.usefixtures("settings")
def test_link_to_an_unknown_run_says_so() -> None:
    run_to_end(open_app(**SAMPLE))
    app = open_app("pages/runs.py", run="no-such-run")
    assert "run=no-such-run in the link cannot be used: there is no such run" in texts(app)


def test_link_to_a_run_shows_its_counts_timeline_files_and_log(settings: Settings) -> None:
    run_to_end(open_app(**SAMPLE))
    history = History(settings.history_path)
    run = history.runs()[0]
    app = open_app("pages/runs.py", run=run.run_id)
    assert table(app, "started (UTC)")[0]["files"] == "2 loaded"
    assert {row["state"] for row in table(app, "file")} == {"● loaded"}
    total = sum(file.rows or 0 for file in history.files(run.run_id))
    assert next(m.value for m in app.metric if m.label == "Inserted") == f"{total:,}"
    open_tab(app, "run tab", "Timeline")
    assert app.get("plotly_chart")
    open_tab(app, "run tab", "Log")
    assert f"run {run.run_id} begins, files: 2" in texts(app)

    app.text_input(key=f"label of {run.run_id}").set_value("first *try*").run()
    check(app)
    assert history.run(run.run_id).label == "first *try*"
    assert table(app, "started (UTC)")[0]["label"] == "first *try*"

    check(app.button(key="again").click().run())
    assert "All 2 files are loaded." in texts(app)


def test_log_is_filtered_by_level_and_words(settings: Settings) -> None:
    run_to_end(open_app(**SAMPLE))
    history = History(settings.history_path)
    lines = history.log_lines(history.runs()[0].run_id)
    assert narrow(lines, [], "") == lines
    assert narrow(lines, ["error"], "") == []
    narrowed = narrow(lines, ["info"], "GREEN staged")
    assert [line.file for line in narrowed] == [GREEN]


def test_invalid_setting_is_named_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setenv("FAREGROUND_BUSY_WAIT_SECONDS", "soon")
    app = open_app(**SAMPLE)
    monkeypatch.delenv("FAREGROUND_BUSY_WAIT_SECONDS")
    assert "BUSY" in app.error[0].value
    assert not settings.warehouse_path.exists()


def test_unusable_home_is_named_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FAREGROUND_HOME", str(tmp_path / "file" / "home"))
    app = open_app(**SAMPLE)
    monkeypatch.setenv("FAREGROUND_HOME", str(settings.home))
    assert "nothing can be written in its place" in unescape(app.error[0].value)
    assert "set FAREGROUND_HOME" in unescape(app.error[0].value)


CHOICES = [
    Choice(),
    Choice(datasets=(GREEN_TAXIS,), first=Month(2019, 1), last=Month(2021, 12), force=True),
    Choice(source="/data/a folder's trips", policy=Policy.ALL),
    Choice(source="https://127.0.0.1/ü?", policy=Policy.MISSING),
]


@pytest.mark.parametrize("choice", CHOICES)
def test_link_gives_back_the_choice_it_was_made_from(choice: Choice) -> None:
    assert read_params(write_params(choice)) == (choice, [])


@pytest.mark.usefixtures("settings")
def test_shown_command_line_does_what_the_page_would(tmp_path: Path) -> None:
    import json
    import shlex

    folder = tmp_path / "somebody's $(trips) & more"
    folder.mkdir()
    put_trips(folder, GREEN, [trip(GREEN)])
    choice = Choice(
        datasets=(GREEN_TAXIS,),
        last=Month(2020, 6),
        source=str(folder),
        policy=Policy.ALL,
        force=True,
    )
    words = shlex.split(command_line(choice.request()))
    assert words[:3] == ["python", "-m", "pipeline"]
    shown = CliRunner().invoke(command, [*words[3:], "--dry-run", "--json"])
    assert shown.exit_code == 0, shown.output
    planned = prepare_plan(choice.request(), Settings())
    assert json.loads(shown.stdout)["source"] == str(folder)
    assert [f["reason"] for f in json.loads(shown.stdout)["files"]] == [
        p.reason for p in planned.files
    ]
    assert choice_of(planned.request) == choice


def test_every_state_has_a_glyph_of_its_own() -> None:
    assert len({GLYPHS[state] for state in FileState}) == len(FileState)
    runs = ("running", "succeeded", "failed", "cancelled", "interrupted", "nothing-to-do")
    assert len({GLYPHS[state] for state in runs}) == len(runs)


def test_text_from_outside_is_escaped_completely() -> None:
    hostile = "**b** [l](http://x) ![i](http://x) <img> :red[x] $x^2$ `c` ~~s~~ # h | t | \\ :dog:"
    assert unescape(plain(hostile)) == hostile
    assert not re.search(r"(?<!\\)(?:\\\\)*[*\[\]()<>:$`~#|!_]", plain(hostile))


def test_time_that_is_left_fits_a_phone() -> None:
    assert [time_left(s) for s in (0.4, 59.4, 59.6, 429, 3569, 3571, 90_000)] == [
        *("about 0 s", "about 59 s", "about 1 min", "about 7 min", "about 59 min"),
        *("about 1.0 h", "about 25.0 h"),
    ]


def test_sizes_and_durations_have_readable_units() -> None:
    assert [size(n) for n in (None, 0, 999, 52_428, 52_429, 134_481_400, 4_500_000_000)] == [
        "", "0.0 MiB", "999 bytes", "52,428 bytes", "0.1 MiB", "128.3 MiB", "4,291.5 MiB",
    ]  # fmt: skip
    assert [duration(s) for s in (0.04, 9.94, 9.96, 59.4, 59.6, 185, 3599.6, 3725)] == [
        "0.0 s", "9.9 s", "10 s", "59 s", "1 min 00 s", "3 min 05 s", "1 h 00 min", "1 h 02 min",
    ]  # fmt: skip


def test_every_cell_of_the_grid_leads_back_to_its_file() -> None:
    files = Selection((YELLOW_TAXIS, GREEN_TAXIS), Month(2019, 11), Month(2021, 2)).files()
    cells = find_cells(files, {}, None, ())
    columns = grid_columns(cells)
    assert list(columns)[:3] == ["yellow 2021", "green 2021", "yellow 2020"]
    assert grid_rows(cells) == list(range(1, 13))
    assert {file_at(cells, row, name) for row in range(12) for name in columns} == {*files, None}
    assert file_at(cells, 99, "yellow 2020") is None
    assert file_at(cells, 0, "Jan") is None


def test_grid_has_no_row_for_an_unknown_month() -> None:
    files = Selection((GREEN_TAXIS,), Month(2020, 11), Month(2021, 2)).files()
    cells = find_cells(files, {}, None, ())
    assert grid_rows(cells) == [1, 2, 11, 12]
    assert file_at(cells, 2, "green 2020") == files[0]
    assert file_at(cells, 2, "green 2021") is None
    assert "synthetic" not in legend(cells)


def test_states_of_the_running_backfill_override_plan_and_ledger() -> None:
    run_files = [RunFile(GREEN, "running"), RunFile(YELLOW, "loaded", rows=7)]
    cells = find_cells([GREEN, YELLOW], {}, None, run_files, "sample")
    assert str(cells[GREEN]) == "◐ running"
    assert str(cells[YELLOW]) == "● loaded 7 *"


def test_first_loaded_file_is_charted_while_the_run_goes_on(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = replace(ended_now().ended, state="running")  # type: ignore[type-var]
    ours: Any = object()
    states = ["running"]

    def read_activity() -> Activity:
        return Activity(run, ours, (RunFile(GREEN, states[-1]),), None)

    monkeypatch.setattr(frame, "read_activity", read_activity)
    app = open_app("pages/explore.py")
    assert "Nothing is loaded yet" in texts(app)
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    states.append("loaded")
    assert drawn(check(app.run()))


def test_share_of_a_file_grows_from_step_to_step() -> None:
    half = FileProgress(GREEN, 100, "download", 50)
    shares = [file_share(FileProgress(GREEN, 100)), file_share(half)]
    for step in STEPS[2:]:
        shares.append(file_share(FileProgress(GREEN, 100, step)))
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] < 1


def test_timeline_has_every_step_of_a_load(settings: Settings) -> None:
    run_to_end(open_app(**SAMPLE))
    history = History(settings.history_path)
    run = history.runs()[0]
    steps = history.steps(run.run_id)
    figure = timeline(run, steps)
    drawn = sum(len(trace.y) for trace in figure.data)
    assert drawn == len(steps) > 4
    assert figure.layout.yaxis.type == "category"
    ends = [b + x for trace in figure.data for b, x in zip(trace.base, trace.x, strict=True)]
    assert 0 < max(ends) <= run.seconds + 0.01


def test_explain_plan_shows_the_statements_without_running_them(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    app.query_params["source"] = str(folder)
    app.session_state["lower tab"] = ":yellow[How it loads]"
    app.run()
    check(app)
    assert app.selectbox(key="explained").options == [GREEN.stem]
    shown = texts(app)
    assert "green: the table green_tripdata" in shown
    assert "INSERT INTO storage.green_tripdata" in shown
    assert History(settings.history_path).runs() == []


@pytest.mark.usefixtures("settings")
def test_click_at_the_moment_a_run_ends_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = open_app(source="sample")
    clicks: list[str] = []
    activities = itertools.chain([Activity(None, None, (), None)], itertools.repeat(ended_now()))

    def read_activity() -> Activity:
        now = next(activities)
        context = get_script_run_ctx()
        assert context is not None
        pages = context.pages_manager.get_pages()
        runs = next(key for key, page in pages.items() if page["url_pathname"] == "runs")
        if now.ended and not clicks:
            # As a server without fast reruns hears of a click on "Runs".
            context.script_requests.request_rerun(RerunData(page_script_hash=runs))
            clicks.append(runs)
        return now

    monkeypatch.setattr(frame, "read_activity", read_activity)
    assert check(app.run()).title[0].value == "Runs"


def ended_now() -> Activity:
    """What is going on when some run has just ended."""
    plan_request = Request(Selection((GREEN_TAXIS,), GREEN.month, GREEN.month))
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    return Activity(
        None, None, (), Run("a-run", "succeeded", plan_request, "", begun, begun, 1, "app", "")
    )
