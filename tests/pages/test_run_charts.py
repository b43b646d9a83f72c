"""Charts of the seconds, speed and cost of files show what the history has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pages.components.runs.run_charts import describe, draw_costs, draw_durations, draw_rates
from pipeline.core.datasets import GREEN_TAXIS
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from pipeline.files.offers import Missing
from pipeline.runs.history import History
from pipeline.runs.locks import backfill_lock
from pipeline.runs.plan import FileState, Plan, PlannedFile
from pipeline.runs.policy import Policy
from pipeline.runs.run_records import RunFile, Timing
from tests.pages.test_pages import fresh_server, open_app, open_tab, texts
from tests.support.files import GREEN, YELLOW, backfill, put, put_trips, request, trip

__all__ = ["fresh_server"]

MAY = TripFile(GREEN_TAXIS, Month(2020, 5))


def run_two(settings: Settings, folder: Path) -> str:
    """Run a backfill of one month that loads and one that fails; return its id."""
    put_trips(folder, GREEN, [trip(GREEN), trip(GREEN, PULocationID="7")])
    put(folder, MAY, b"no,trip,file\n1,2,3\n")
    backfill(settings, request(folder, GREEN, MAY))
    (run,) = History(settings.history_path).runs()
    return run.run_id


def test_chart_of_durations_has_every_step_of_every_file(settings: Settings, folder: Path) -> None:
    history = History(settings.history_path)
    run_id = run_two(settings, folder)
    timings = history.timings("local", run_id)
    figure = draw_durations(timings)
    drawn = {
        (x, bar.name): y for bar in figure.data for x, y in zip(bar.x, bar.y, strict=True) if y
    }
    recorded = {
        (str(step.file.month), step.step): (step.finished_at - step.started_at).total_seconds()
        for step in history.steps(run_id)
    }
    assert drawn == pytest.approx(recorded)
    assert {"download", "extract", "merge", "commit"} <= {step for _, step in drawn}
    notes = [note.text for note in figure.layout.annotations]
    assert notes == ["green", "✕ failed"]
    assert figure.layout.yaxis.title.text == "seconds"
    assert figure.layout.xaxis.title.text == "month of the file"


def test_chart_of_rates_has_only_loaded_files(settings: Settings, folder: Path) -> None:
    timings = History(settings.history_path).timings("local", run_two(settings, folder))
    figure = draw_rates(timings)
    assert figure is not None
    (bar,) = figure.data
    loaded = next(t.run_file for t in timings if t.run_file.state == "loaded")
    assert (list(bar.x), list(bar.y)) == (["2020-04"], [2 / (loaded.seconds or 0)])
    assert figure.layout.yaxis.title.text == "rows per second"
    assert draw_costs(timings) is None, "this warehouse bills nothing"
    assert figure.layout.xaxis.range is None, "a place for a month that there is not"
    assert figure.layout.bargap == pytest.approx(0.775), "a single bar, a quarter as wide as all"
    assert describe(timings, None).startswith("The newest load of each file in this warehouse: 1 f")


def test_charts_without_a_run_show_the_newest_load_of_each_file(
    settings: Settings, folder: Path
) -> None:
    history = History(settings.history_path)
    put_trips(folder, GREEN, [trip(GREEN)])
    put_trips(folder, YELLOW, [trip(YELLOW)])
    backfill(settings, request(folder, GREEN, YELLOW))
    put_trips(folder, GREEN, [trip(GREEN), trip(GREEN, PULocationID="7")])
    backfill(settings, request(folder, GREEN, YELLOW, policy=Policy.ALL))
    newest, first = (run.run_id for run in history.runs())
    timings = {timing.run_file.file: timing for timing in history.timings("local")}
    assert (timings[GREEN].run_id, timings[GREEN].run_file.rows) == (newest, 2)
    assert timings[YELLOW].run_id == first, "the second run skipped it"
    assert history.timings("gcp") == []


def test_chart_of_costs_has_units() -> None:
    billed = RunFile(GREEN, "loaded", rows=10, seconds=2.0, bytes_billed=30 * 2**20, slot_ms=4_500)
    timings = [
        Timing("r", billed, {"upload": 1.0}),
        Timing("r", replace(billed, file=YELLOW, bytes_billed=None), {}),
    ]
    figure = draw_costs(timings)
    assert figure is not None
    assert [list(bar.y) for bar in figure.data] == [[30.0], [4.5]]
    titles = (figure.layout.yaxis.title.text, figure.layout.yaxis2.title.text)
    assert titles == ("MiB billed", "slot seconds")
    assert "30.0 MiB billed" in figure.data[0].hovertext[0]


@pytest.mark.usefixtures("fresh_server")
def test_run_that_loaded_nothing_says_so_instead_of_empty_axes(
    settings: Settings, folder: Path
) -> None:
    backfill(settings, request(folder, GREEN))
    (run,) = History(settings.history_path).runs()
    app = open_app("pages/runs.py", run=run.run_id)
    open_tab(app, "run tab", "Timeline")
    assert "so there is nothing to chart" in texts(app)
    assert not app.get("plotly_chart")


@pytest.mark.usefixtures("fresh_server")
def test_page_shows_a_run_in_the_other_warehouse(settings: Settings, folder: Path) -> None:
    cloud_request = replace(request(folder, GREEN), target="gcp")
    planned = PlannedFile(GREEN, True, "missing", FileState.MISSING, 1, Missing(GREEN, "test"))
    with backfill_lock("gcp", settings):
        History(settings.history_path).start_run("r", Plan(cloud_request, "a", (planned,)), "app")
        for page in ("pages/runs.py", "pages/answers.py"):
            labels = [link.proto.label for link in open_app(page).get("page_link")]
            assert any("Running in Google Cloud" in label for label in labels), page
    labels = [link.proto.label for link in open_app("pages/runs.py").get("page_link")]
    assert not any("Running" in label for label in labels), "it is over"
