"""What the pages promise: empty, planned, running, ended, failed, and given nonsense."""

from __future__ import annotations

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
from streamlit.runtime.scriptrunner import RerunData, get_script_run_ctx
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from pages.shared import frame, views
from pages.shared.choice import Choice, choice_of, command_line, is_news, read_params, write_params
from pages.shared.frame import Now
from pages.shared.grid import MONTH_NAMES, file_at, find_cells, grid_columns, grid_rows, legend
from pages.shared.log import narrow
from pages.shared.runs import jobs
from pages.shared.words import duration, plain, size
from pipeline.__main__ import app as command
from pipeline.backfill import prepare_plan
from pipeline.history import History
from pipeline.load import FileProgress
from pipeline.plan import FileState, Policy, Request
from pipeline.run_records import GLYPHS, Run, RunFile
from pipeline.settings import Settings
from pipeline.trips import Color, Month, Selection
from tests.files import GREEN, YELLOW, load, put, put_trips, trip
from tests.servers import Server

ROOT = Path(__file__).parent.parent
SAMPLE = {"source": "sample", "color": ["yellow", "green"], "from": "2020-04", "to": "2020-04"}


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


def test_an_empty_warehouse_greets_and_one_click_loads_the_sample_and_shows_its_charts(
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
        f"{color}_tripdata_2020-{month}" for month in ("04", "05", "06") for color in Color
    ]
    check(app.run())
    assert app.title[0].value == "Explore"
    assert "The sample is loaded" in texts(app)
    assert len(drawn(app)) == 11


def test_a_cancelled_tour_stays_where_it_can_be_resumed(settings: Settings) -> None:
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
    assert not app.button(key="resume").disabled


def test_the_runs_page_without_a_run_has_the_button_that_fills_it(settings: Settings) -> None:
    assert not settings.home.exists()
    app = open_app("pages/runs.py")
    assert not app.button(key="sample").disabled


def test_the_plan_says_which_files_run_and_why_before_anything_does(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    app = open_app(source=str(folder), **{"from": "2020-04", "to": "2020-05"})
    rows = {row["file"]: row for row in table(app, "file")}
    assert rows["green_tripdata_2020-04"]["runs"] == "▶ yes"
    assert rows["green_tripdata_2020-04"]["why"] == "not loaded yet"
    assert rows["green_tripdata_2020-04"]["size"].endswith("bytes")
    assert rows["yellow_tripdata_2020-05"]["runs"] == "no"
    assert rows["yellow_tripdata_2020-05"]["state"] == "– unavailable"
    assert grid(app)["green 2020", "Apr"] == "· missing"
    assert grid(app)["yellow 2020", "May"] == "– unavailable"
    assert app.button(key="cancel").disabled
    assert app.button(key="retry").disabled
    assert app.button(key="resume").disabled
    assert History(settings.history_path).runs() == []


def test_a_run_ends_with_loaded_cells_marked_as_synthetic(settings: Settings) -> None:
    app = run_to_end(open_app(**SAMPLE))
    cells = grid(app)
    for row in ("yellow 2020", "green 2020"):
        *state, rows, sign = cells[row, "Apr"].split()
        assert (state, sign) == (["●", "loaded"], "*")
        assert int(rows.replace(",", "")) > 1000
    assert "* synthetic" in texts(app)
    assert "**● succeeded**" in texts(app)
    assert "0 of 2 files will run" in texts(app)
    assert app.button(key="run").disabled
    assert [run.state for run in History(settings.history_path).runs()] == ["succeeded"]


def test_a_file_that_failed_says_why_and_can_be_tried_again(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, YELLOW, [trip(YELLOW)])
    broken = put(folder, GREEN, b"<html>not a trip file</html>", "csv")
    broken = broken.rename(broken.with_suffix(".csv.gz"))
    app = run_to_end(open_app(source=str(folder), **{"from": "2020-04", "to": "2020-04"}))
    assert grid(app)["green 2020", "Apr"] == "✕ failed"
    assert grid(app)["yellow 2020", "Apr"] == "● loaded 1"
    assert "green_tripdata_2020-04.csv.gz is a web page, not a trip file" in texts(app)
    assert app.button(key="retry").label == "Retry 1 file that failed"

    broken.unlink()
    put_trips(folder, GREEN, [trip(GREEN), trip(GREEN, PULocationID="7")])
    check(app.button(key="retry").click().run())
    jobs().join(30)
    check(app.run())
    assert grid(app)["green 2020", "Apr"] == "● loaded 2"
    newest = History(settings.history_path).runs()[0]
    assert [f.file for f in History(settings.history_path).files(newest.run_id)] == [GREEN]


def test_a_click_on_a_cell_shows_the_files_story_and_loads_it_again(settings: Settings) -> None:
    app = run_to_end(open_app(**SAMPLE))
    app.session_state["grid"] = {
        "selection": {"rows": [], "columns": [], "cells": [(0, "yellow 2020")]}
    }
    check(app.run())
    said = texts(app)
    assert YELLOW.filename in said
    assert "sample:yellow_tripdata_2020-04" in said
    assert "sha256" in said
    assert "In the plan: does not run; loaded" in said
    assert "staged" in said
    counts = {metric.label: metric.value for metric in app.metric}
    assert counts["rows"] == counts["inserted"] != "0"
    check(app.button(key="load-file").click().run())
    jobs().join(30)
    newest = History(settings.history_path).runs()[0]
    assert newest.request.force
    assert [f.file for f in History(settings.history_path).files(newest.run_id)] == [YELLOW]


def test_a_run_of_another_process_is_shown_with_how_to_cancel_it(settings: Settings) -> None:
    with Server({f"/{GREEN.stem}.csv.gz": b"x" * 100_000}) as server:
        server.behave(f"/{GREEN.stem}.csv.gz", stall_after=1000)
        with run_elsewhere(settings, server.url) as process:
            app = open_app(**SAMPLE)
            assert f"kill -INT {process.pid}" in texts(app)
            assert app.button(key="run").disabled
            assert app.button(key="cancel").disabled
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


def test_an_interrupted_run_says_so_and_resume_finishes_it(settings: Settings) -> None:
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
        assert " left: Resume runs " in app.warning[0].value
        assert app.button(key="resume").label.startswith("Resume ")
        check(app.button(key="resume").click().run())
        jobs().join(30)
        check(app.run())
        assert grid(app)["green 2020", "Apr"] == "● loaded 1"
        runs = History(settings.history_path).runs()
        assert [run.state for run in runs] == ["succeeded", "interrupted"]


def test_two_visitors_who_both_press_run_start_one_run(settings: Settings) -> None:
    first, second = open_app(**SAMPLE), open_app(**SAMPLE)
    first.button(key="run").click().run()
    second.button(key="run").click().run()
    check(first)
    check(second)
    jobs().join(30)
    assert len(History(settings.history_path).runs()) == 1


def test_run_never_runs_another_plan_than_the_one_on_the_page(settings: Settings) -> None:
    app = open_app(**SAMPLE)
    app.selectbox(key="last").select("2020-06")
    app.button(key="run").click().run()
    assert "press Run again" in check(app).info[0].value
    assert History(settings.history_path).runs() == []
    app.button(key="run").click().run()
    jobs().join(30)
    run = History(settings.history_path).runs()[0]
    assert run.request.selection.last == Month(2020, 6)


@pytest.mark.usefixtures("settings")
def test_a_link_with_nonsense_falls_back_and_says_so() -> None:
    app = open_app(
        color=["green", "pink"],
        source="sample",
        policy="some",
        force="perhaps",
        **{"from": "2020-13", "to": "9999-12"},
    )
    said = unescape(app.warning[0].value)
    for word in ("pink", "2020-13", "9999-12", "some", "perhaps"):
        assert word in said
    assert app.query_params["color"] == "green"
    assert app.query_params["from"] == "2020-04"
    assert "1 of 1 files will run" in texts(app)
    app.selectbox(key="last").select("2020-05").run()
    assert not check(app).warning


@pytest.mark.usefixtures("settings")
def test_the_address_of_the_page_that_was_left_undoes_no_choice() -> None:
    app = open_app(source="sample", color="green", policy="all")
    app.query_params.clear()
    # As hasty clicks from page to page leave it, of the Preview page.
    app.query_params |= {"color": "yellow", "month": "2020-07", "source": "github"}
    check(app.run())
    assert "--color green --from 2020-04 --to 2020-04 --source sample --policy all" in texts(app)


@pytest.mark.usefixtures("settings")
def test_widgets_that_a_browser_emptied_do_not_undo_the_choice() -> None:
    app = open_app(source="sample", color="green", policy="all", to="2020-06")
    # So does a browser that is cut short, by clicks from page to page, while it draws them.
    app.selectbox(key="first").select("2009-01")
    app.selectbox(key="source").select("github")
    app.button_group(key="policy").set_value(None)
    check(app.run())
    assert "--color green --from 2020-04 --to 2020-06 --source sample --policy all" in texts(app)


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"from": "2020-05", "to": "2020-04"}, "runs backwards"),
        ({"source": "/no/such/folder"}, "no source or folder"),
        ({"source": ""}, "No folder or URL"),
        ({"source": "ftp://127.0.0.1/x"}, "kind ftp"),
        ({"source": "http://somebody:secret@127.0.0.1/x"}, "user name or password"),
    ],
)
def test_a_choice_that_cannot_be_is_explained_and_cannot_run(
    params: dict[str, str], problem: str
) -> None:
    app = open_app(**params)
    assert problem in unescape(app.error[0].value)
    assert app.button(key="run").disabled
    assert "secret" not in str(dict(app.query_params))


@pytest.mark.usefixtures("settings")
def test_a_source_that_is_down_shows_a_plan_and_says_so() -> None:
    with Server() as server:
        url = server.url
    app = open_app(source=url, color="green", **{"from": "2020-04", "to": "2020-04"})
    assert "could not be asked" in app.warning[0].value
    assert not app.button(key="run").disabled


@pytest.mark.usefixtures("settings")
def test_the_runs_page_of_an_empty_home_says_where_to_start() -> None:
    app = open_app("pages/runs.py")
    assert "no run yet" in texts(app)
    assert not app.dataframe


@pytest.mark.usefixtures("settings")
def test_a_link_to_a_run_that_is_not_there_says_so() -> None:
    run_to_end(open_app(**SAMPLE))
    app = open_app("pages/runs.py", run="no-such-run")
    assert "no run" in app.error[0].value


def test_a_link_to_a_run_shows_its_counts_timeline_files_and_log(settings: Settings) -> None:
    run_to_end(open_app(**SAMPLE))
    history = History(settings.history_path)
    run = history.runs()[0]
    app = open_app("pages/runs.py", run=run.run_id)
    assert table(app, "started (UTC)")[0]["files"] == "2 loaded"
    assert {row["state"] for row in table(app, "file")} == {"● loaded"}
    total = sum(file.rows or 0 for file in history.files(run.run_id))
    assert next(m.value for m in app.metric if m.label == "Inserted") == f"{total:,}"
    assert app.get("plotly_chart")
    assert f"run {run.run_id} begins, files: 2" in texts(app)

    app.text_input(key=f"label of {run.run_id}").set_value("first *try*").run()
    check(app)
    assert history.run(run.run_id).label == "first *try*"
    assert table(app, "started (UTC)")[0]["label"] == "first *try*"

    check(app.button(key="again").click().run())
    assert "0 of 2 files will run" in texts(app)


def test_the_log_narrows_by_level_and_words(settings: Settings) -> None:
    run_to_end(open_app(**SAMPLE))
    history = History(settings.history_path)
    lines = history.log_lines(history.runs()[0].run_id)
    assert narrow(lines, [], "") == lines
    assert narrow(lines, ["error"], "") == []
    found = narrow(lines, ["info"], "GREEN staged")
    assert [line.file for line in found] == [GREEN]


def test_a_setting_that_cannot_be_is_named_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setenv("FAREGROUND_BUSY_WAIT_SECONDS", "soon")
    app = open_app(**SAMPLE)
    monkeypatch.delenv("FAREGROUND_BUSY_WAIT_SECONDS")
    assert "BUSY" in app.error[0].value
    assert not settings.warehouse_path.exists()


def test_a_home_that_cannot_be_used_is_named_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FAREGROUND_HOME", str(tmp_path / "file" / "home"))
    app = open_app(**SAMPLE)
    monkeypatch.setenv("FAREGROUND_HOME", str(settings.home))
    assert "cannot be made" in unescape(app.error[0].value)
    assert "Set FAREGROUND_HOME" in unescape(app.error[0].value)


CHOICES = [
    Choice(),
    Choice(colors=(Color.GREEN,), first=Month(2019, 1), last=Month(2021, 12), force=True),
    Choice(source="/data/a folder's trips", policy=Policy.ALL),
    Choice(source="https://127.0.0.1/ü?", policy=Policy.MISSING),
]


@pytest.mark.parametrize("choice", CHOICES)
def test_a_link_gives_back_the_choice_it_was_made_from(choice: Choice) -> None:
    assert read_params(write_params(choice)) == (choice, [])


def test_an_address_from_before_the_newest_choice_does_not_undo_it() -> None:
    first, second, third = ({"to": [f"2020-0{month}"]} for month in (1, 2, 3))
    known = [first, second, third]
    assert not is_news(first, known)
    assert not is_news(second, known)
    assert not is_news({}, known)
    assert not is_news(third, known)
    assert is_news(first, known), "the browser had our newest address: somebody went back"
    assert is_news({"to": ["2020-12"]}, [first, second]), "a link"
    there_and_back = [first, second, first]
    assert not is_news(first, there_and_back)
    assert not is_news(second, there_and_back)


@pytest.mark.usefixtures("settings")
def test_the_command_line_shown_does_what_the_page_would(tmp_path: Path) -> None:
    import json
    import shlex

    folder = tmp_path / "somebody's $(trips) & more"
    folder.mkdir()
    put_trips(folder, GREEN, [trip(GREEN)])
    choice = Choice(
        colors=(Color.GREEN,),
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


def test_every_state_has_a_glyph_of_its_own_within_its_kind() -> None:
    assert len({GLYPHS[state] for state in FileState}) == len(FileState)
    runs = ("running", "succeeded", "failed", "cancelled", "interrupted", "nothing-to-do")
    assert len({GLYPHS[state] for state in runs}) == len(runs)


def test_text_from_outside_is_escaped_to_the_last_sign() -> None:
    hostile = "**b** [l](http://x) ![i](http://x) <img> :red[x] $x^2$ `c` ~~s~~ # h | t | \\ :dog:"
    assert unescape(plain(hostile)) == hostile
    assert not re.search(r"(?<!\\)(?:\\\\)*[*\[\]()<>:$`~#|!_]", plain(hostile))


def test_sizes_and_durations_carry_units_a_person_can_read() -> None:
    assert [size(n) for n in (None, 0, 999, 49_999, 50_000, 12_345_678, 4_500_000_000)] == [
        "", "0.0 MB", "999 bytes", "49,999 bytes", "0.1 MB", "12.3 MB", "4,500.0 MB",
    ]  # fmt: skip
    assert [duration(s) for s in (0.04, 9.94, 9.96, 59.4, 59.6, 185, 3599.6, 3725)] == [
        "0.0 s", "9.9 s", "10 s", "59 s", "1 min 00 s", "3 min 05 s", "1 h 00 min", "1 h 02 min",
    ]  # fmt: skip


def test_every_cell_of_the_grid_leads_back_to_its_file() -> None:
    files = Selection((Color.YELLOW, Color.GREEN), Month(2019, 11), Month(2021, 2)).files()
    cells = find_cells(files, {}, None, ())
    columns = grid_columns(cells)
    assert list(columns)[:3] == ["yellow 2021", "green 2021", "yellow 2020"]
    assert grid_rows(cells) == list(range(1, 13))
    assert {file_at(cells, row, name) for row in range(12) for name in columns} == {*files, None}
    assert file_at(cells, 99, "yellow 2020") is None
    assert file_at(cells, 0, "Jan") is None


def test_the_grid_has_no_row_for_a_month_that_nothing_is_known_of() -> None:
    files = Selection((Color.GREEN,), Month(2020, 11), Month(2021, 2)).files()
    cells = find_cells(files, {}, None, ())
    assert grid_rows(cells) == [1, 2, 11, 12]
    assert file_at(cells, 2, "green 2020") == files[0]
    assert file_at(cells, 2, "green 2021") is None
    assert "synthetic" not in legend(cells)


def test_the_states_of_a_run_that_is_on_come_before_the_plans_and_the_ledgers() -> None:
    run_files = [RunFile(GREEN, "running"), RunFile(YELLOW, "loaded", rows=7)]
    cells = find_cells([GREEN, YELLOW], {}, None, run_files, "sample")
    assert str(cells[GREEN]) == "◐ running"
    assert str(cells[YELLOW]) == "● loaded 7 *"


def test_what_the_very_first_run_has_loaded_shows_while_it_goes_on(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = replace(ended_now().ended, state="running")  # type: ignore[type-var]
    ours: Any = object()
    states = ["running"]

    def look() -> Now:
        return Now(run, ours, (RunFile(GREEN, states[-1]),), None)

    monkeypatch.setattr(frame, "look", look)
    app = open_app("pages/explore.py")
    assert "Nothing is loaded yet" in texts(app)
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    states.append("loaded")
    assert drawn(check(app.run()))


def test_a_files_share_only_grows_from_step_to_step() -> None:
    half = FileProgress(GREEN, 100, "download", 50)
    shares = [views.file_share(FileProgress(GREEN, 100)), views.file_share(half)]
    for step in views.STEPS[2:]:
        shares.append(views.file_share(FileProgress(GREEN, 100, step)))
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] < 1


def test_every_step_of_a_load_has_its_place_in_the_timeline(settings: Settings) -> None:
    run_to_end(open_app(**SAMPLE))
    history = History(settings.history_path)
    run = history.runs()[0]
    steps = history.steps(run.run_id)
    figure = views.timeline(run, steps)
    drawn = sum(len(trace.y) for trace in figure.data)
    assert drawn == len(steps) > 4
    assert figure.layout.yaxis.type == "category"
    ends = [b + x for trace in figure.data for b, x in zip(trace.base, trace.x, strict=True)]
    assert 0 < max(ends) <= run.seconds + 0.01


def test_what_will_happen_is_shown_for_a_planned_file_before_it_runs(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    app.query_params["source"] = str(folder)
    app.session_state["happens"] = True
    app.run()
    check(app)
    assert app.selectbox(key="explained").options == [GREEN.stem]
    shown = texts(app)
    assert "green: the table green_tripdata" in shown
    assert "INSERT INTO storage.green_tripdata" in shown
    assert History(settings.history_path).runs() == []


@pytest.mark.usefixtures("settings")
def test_a_click_on_a_link_in_the_moment_in_which_a_run_ends_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = open_app(source="sample")
    clicks: list[str] = []
    looks = itertools.chain([Now(None, None, (), None)], itertools.repeat(ended_now()))

    def look() -> Now:
        now = next(looks)
        context = get_script_run_ctx()
        assert context is not None
        pages = context.pages_manager.get_pages()
        runs = next(key for key, page in pages.items() if page["url_pathname"] == "runs")
        if now.ended and not clicks:
            # As a server without fast reruns hears of a click on "Runs".
            context.script_requests.request_rerun(RerunData(page_script_hash=runs))
            clicks.append(runs)
        return now

    monkeypatch.setattr(frame, "look", look)
    assert check(app.run()).title[0].value == "Runs"


def ended_now() -> Now:
    """What is going on when some run has just ended."""
    asked = Request(Selection((Color.GREEN,), GREEN.month, GREEN.month))
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    return Now(None, None, (), Run("a-run", "succeeded", asked, "", begun, begun, 1, "app", ""))
