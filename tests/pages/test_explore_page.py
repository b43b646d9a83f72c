"""Open the Explore page in every state: empty, full, poor in data, filtered, selected, locked."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.components.common.drawing import Drawn, make_figure, rows_of
from pages.components.explore import chart_menu
from pages.components.explore.compare import Series, draw_overlay
from pages.components.explore.figures import make_figures, previous_period, sparkline
from pages.components.explore.metrics import METRICS
from pages.components.explore.place_charts import draw_map
from pages.components.explore.renderers import RENDERERS, ChartView, period_end, renders
from pages.components.explore.trip_charts import draw_fares
from pipeline.charts import CHARTS, FIGURES, Chart, CrossFilter, Filters, build_query
from pipeline.charts.zones import Zones, parse_shapes
from pipeline.core.datasets import DATASETS, GREEN_TAXIS, Dataset
from pipeline.core.settings.settings import Settings
from pipeline.core.sql import SQL_FOLDER
from pipeline.core.trips import Month, TripFile
from tests.charts.test_zones import SHAPES, square
from tests.pages.test_pages import (
    DRAWN_CHARTS,
    check,
    drawn,
    open_app,
    run_elsewhere,
    texts,
)
from tests.support import cars
from tests.support.files import GREEN, YELLOW, load, put_trips, trip, warehouse

MARCH = TripFile(GREEN_TAXIS, Month(2020, 3))
SECTIONS = {"When": "when", "Where": "where", "Money": "money"}


@pytest.fixture(autouse=True)
def fresh_server() -> Iterator[None]:
    """Clear what earlier tests left in the caches of the server."""
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


def explore(**params: str | list[str]) -> AppTest:
    return open_app("pages/explore.py", **params)


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


@pytest.fixture
def two_colors(settings: Settings, folder: Path) -> Settings:
    """Green trips in two hours of two days, one a stray; yellow trips; and the month before."""
    green = [trip(GREEN, PULocationID=zone, tip_amount="2") for zone in (7, 7, 42)]
    green += [
        trip(GREEN, pickup="2020-04-02 18:00:00", dropoff="2020-04-02 18:30:00", payment_type=2),
        trip(GREEN, pickup="2008-12-31 23:00:00", dropoff="2008-12-31 23:10:00"),
    ]
    put_trips(folder, GREEN, green)
    put_trips(folder, YELLOW, [trip(YELLOW, PULocationID=132, trip_distance="12")] * 3)
    put_trips(folder, MARCH, [trip(MARCH)] * 2)
    for file in (MARCH, GREEN, YELLOW):
        load(folder, file, settings)
    return settings


def test_empty_warehouse_offers_the_sample(settings: Settings) -> None:
    assert not settings.home.exists()
    app = explore()
    assert "Nothing is loaded yet" in texts(app)
    assert not app.button(key="sample").disabled


def test_empty_warehouse_reports_invalid_values_of_a_link_and_keeps_the_link(
    settings: Settings, folder: Path
) -> None:
    link = {"color": "purple", "since": "xx", "metric": "joy", "zone": "74"}
    app = explore(**link)
    for name in ("color=purple", "from=xx", "metric=joy"):
        assert f"{name} in the link cannot be used" in texts(app)
    assert texts(app).count("in the link cannot be used") == 3
    put_trips(folder, GREEN, [trip(GREEN, PULocationID=zone) for zone in (74, 7, 7)])
    load(folder, GREEN, settings)
    st.cache_resource.clear()  # the ledger was read before
    assert metrics(check(app.run()))["Trips"] == "1"


def test_page_shows_all_charts_figures_filters_and_strays(two_colors: Settings) -> None:
    assert two_colors.warehouse_path.exists()
    app = explore()
    assert metrics(app)["Trips"] == "9"
    assert metrics(app)["Revenue"] == "$84"
    assert metrics(app)["Tip share"] == "9.4%"  # 6 of 8 x 8 dollars
    assert "**9** of 10 trips" in texts(app)
    elements = []
    for tab, section in SECTIONS.items():
        app = explore(tab=tab)
        titles = [chart.title for chart in DRAWN_CHARTS if chart.section == section]
        assert all(f"**{title}**" in texts(app) for title in titles)
        assert len(drawn(app)) == 1 + len(titles)
        elements += drawn(app)
    assert "Download zone shapes" in [button.label for button in explore(tab="Where").button]
    assert not app.warning
    assert not app.error
    for element in elements:
        layout = json.loads(element.proto.spec)["layout"]
        axes = {name: about for name, about in layout.items() if name[1:5] == "axis"}
        assert len(axes) >= 2
        for name, about in axes.items():
            # Not the axes of a map, nor one that is shared with the axis below.
            if about.get("visible", True) and about.get("showticklabels", True):
                assert about["title"]["text"], (element.proto.id, name)


def test_filters_come_from_the_address_and_say_how_many_trips_they_leave(
    two_colors: Settings,
) -> None:
    assert two_colors.warehouse_path.exists()
    app = explore(
        taxi="green", since="2020-04-01", until="2020-04-30", payment="1", pickup="7", miles="1.0"
    )
    assert metrics(app)["Trips"] == "2"
    assert "**2** of 10 trips" in texts(app)
    chips = {b.label: b for b in app.button if str(b.key).startswith("clear-")}
    assert chips.keys() == {
        "green",
        "2020-04-01 to 2020-04-30",
        "credit card",
        "Astoria (7)",
        "at least 1 miles",
    }
    assert app.multiselect(key="payment").value == [1]
    check(app.multiselect(key="pickup").set_value([]).run())
    assert metrics(app)["Trips"] == "3"


@pytest.mark.usefixtures("two_colors")
def test_link_to_months_opens_with_their_first_and_last_day() -> None:
    app = explore(**{"color": "green", "from": "2020-04", "to": "2020-04"})
    assert app.session_state["days"] == (date(2020, 4, 1), date(2020, 4, 30))


@pytest.mark.usefixtures("two_colors")
def test_link_of_an_earlier_version_opens_and_gets_the_present_names() -> None:
    old: dict[str, str | list[str]] = {
        "taxi": ["green", "yellow"],
        "since": "2020-04-02",
        "until": "2020-04-30",
    }
    link: dict[str, str | list[str]] = {
        "payment": ["1", "-1"],
        "pickup": ["7", "42"],
        "miles": "1.5",
        "strays": "yes",
        "by": "week",
        "picture": "svg",
        "day": "2020-03-30/2020-04-05",
        "slot": "2/8",
        "paid": "1",
        "zone": "7",
        "way": "*/41",
    }
    app = explore(**old, **link)
    now = {"color": ["green", "yellow"], "from": "2020-04-02", "to": "2020-04-30"}
    assert app.query_params == {**now, **link}
    assert app.pills(key="taxi").value == ["green", "yellow"]
    assert app.selectbox(key="period").value == "custom"
    assert app.multiselect(key="payment").value == [1, -1]
    assert app.multiselect(key="pickup").value == [7, 42]
    assert app.number_input(key="miles").value == 1.5
    assert app.toggle(key="strays").value is True
    assert {button.label for button in app.button if str(button.key).startswith("clear-")} == {
        "green and yellow",
        "2020-04-02 to 2020-04-30",
        "credit card",
        "not recorded",
        "Astoria (7)",
        "Central Harlem North (42)",
        "at least 1.5 miles",
        "with strays",
        "2020-03-30 to 2020-04-05",
        "Wednesday, 08:00 to 08:59",
        "anywhere → Central Harlem (41)",
    }


def test_map_stands_before_the_busiest_zones_once_the_shapes_are_there(
    two_colors: Settings,
) -> None:
    shapes = parse_shapes(json.dumps({**SHAPES, "features": [square(7), square(42)]}))
    (two_colors.home / "zones").mkdir()
    (two_colors.home / "zones" / "shapes.json").write_text(json.dumps(shapes))
    titles = [text.value.strip("*") for text in explore(tab="Where").markdown]
    charts = [chart.title for chart in CHARTS.values() if chart.section in ("top", "where")]
    assert [title for title in titles if title in charts] == charts


@pytest.mark.usefixtures("two_colors")
def test_sql_and_downloads_of_a_chart_are_sent_once_they_are_opened() -> None:
    app = explore()
    assert len(drawn(app)) > 2
    assert not app.code
    assert not app.get("download_button")


def test_figures_are_compared_with_the_period_before_where_it_is_loaded(
    two_colors: Settings,
) -> None:
    assert two_colors.warehouse_path.exists()
    app = explore(taxi="green", since="2020-04-01", until="2020-04-30")
    assert {metric.label: metric.delta for metric in app.metric}["Trips"] == "+100.0%"
    assert "against 2020-03-01 to 2020-03-31" in app.metric[0].help
    app = explore(taxi="yellow")
    assert {metric.delta for metric in app.metric} == {""}


@pytest.mark.usefixtures("two_colors")
def test_no_change_is_shown_where_a_month_of_one_color_is_not_loaded() -> None:
    # March has green trips only, so that both colors together seem to grow.
    app = explore(**{"from": "2020-04-01", "to": "2020-04-30"})
    assert {metric.delta for metric in app.metric} == {""}


def test_selections_come_from_the_address_and_can_be_cleared(two_colors: Settings) -> None:
    assert two_colors.warehouse_path.exists()
    app = explore(day="2020-04-02/2020-04-02", paid="2", zone="42")
    assert metrics(app)["Trips"] == "1"
    for name, left in (("day", "1"), ("paid", "4"), ("zone", "9")):
        check(app.button(key=f"clear-{name}").click().run())
        assert name not in app.query_params
        assert metrics(app)["Trips"] == left
    for route, left in (("42/41", "4"), ("132/*", "3"), ("*/41", "9"), ("*/1", "0")):
        assert metrics(explore(way=route))["Trips"] == left
    app = explore(slot="2/8")  # 2020-04-01 was a Wednesday
    assert metrics(app)["Trips"] == "6"


@pytest.mark.parametrize(
    "address",
    [
        {"day": "2020-06-31/2020-07-01"},
        {"slot": "9/25", "paid": "' OR 1=1", "zone": "<b>"},
        {"since": "tomorrow", "payment": "gold", "pickup": "-1", "miles": "far", "by": "aeon"},
    ],
)
def test_unusable_address_filters_nothing(two_colors: Settings, address: dict[str, str]) -> None:
    assert two_colors.warehouse_path.exists()
    app = explore(**address)
    assert metrics(app)["Trips"] == "9"
    assert texts(app).count("in the link cannot be used") == len(address)


def test_days_that_run_backwards_or_have_no_trips_are_reported(two_colors: Settings) -> None:
    assert two_colors.warehouse_path.exists()
    app = explore(since="2020-04-30", until="2020-04-01")
    assert "to=2020-04-01 in the link cannot be used: it is before from=2020-04-30" in texts(app)
    assert metrics(app)["Trips"] == "9"
    app = explore(since="2021-01-01", until="2021-01-31")
    assert metrics(app)["Trips"] == "0"
    assert texts(app).count("No trips are left by these filters.") == 3


def test_strays_are_charted_if_chosen(two_colors: Settings) -> None:
    assert two_colors.warehouse_path.exists()
    app = explore(strays="yes", since="2008-12-01", until="2008-12-31", taxi="green")
    assert metrics(app)["Trips"] == "1"
    assert "**Strays by file: 1 trip**" in texts(explore(tab="Data"))


def test_single_trip_is_charted(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    app = explore(since="2020-04-01", until="2020-04-01")
    assert metrics(app)["Average fare"] == "$8.00"
    assert metrics(app)["Average speed"] == "8.1 mph"
    assert "Only green is loaded or chosen." in texts(explore(tab="Compare"))
    assert "None of these trips began or ended at an airport." in texts(app)


def test_charts_of_what_no_loaded_color_has_are_left_out(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DATASETS, cars.CARS.name, cars.CARS)
    cars.put_cars(folder)
    load(folder, cars.APRIL, settings)
    cards_shown = "\n".join(texts(explore(tab=tab)) for tab in SECTIONS)
    for chart in DRAWN_CHARTS:
        assert (f"**{chart.title}**" in cards_shown) == (chart.section != "money")
    app = explore()
    assert metrics(app).keys() == {"Trips"}
    assert "These trips have no payment types and no distances." in texts(app)
    assert "payment" not in [box.key for box in app.multiselect]
    assert app.selectbox(key="metric").options == ["Trips"]
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    st.cache_resource.clear()  # the ledger, which only a run of this server would have refreshed
    cards_shown = texts(explore(tab="Money"))
    money = [chart for chart in DRAWN_CHARTS if chart.section == "money"]
    assert all(f"**{chart.title}**" in cards_shown for chart in money)
    assert cards_shown.count("Without hired: not recorded.") == len(money)
    assert "Without hired: not recorded." in texts(explore(metric="fare", tab="Where"))
    assert "**Card tips by hour**" not in texts(explore(taxi="cars", tab="Money"))


def test_columns_without_any_value_are_named(settings: Settings, folder: Path) -> None:
    nothing = ("payment_type", "fare_amount", "total_amount", "tip_amount", "trip_distance")
    empty = dict.fromkeys((*nothing, "PULocationID", "DOLocationID"))
    put_trips(folder, GREEN, [trip(GREEN, **empty)] * 3)
    load(folder, GREEN, settings)
    app = explore(tab="Money", metric="revenue")
    text = texts(app)
    assert metrics(app)["Trips"] == "3"
    assert metrics(app)["Revenue"] == "–"
    assert "payment_type is missing in all" in text
    assert "Revenue: not recorded for these trips." in text
    assert "3 without a fare" in text
    assert "3 without a distance" in text
    assert "No zone of pickup is known" in texts(explore(tab="Where"))
    assert "No tips: they are recorded only for trips paid by card." in text


def test_page_names_the_process_that_holds_the_warehouse(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAREGROUND_BUSY_WAIT_SECONDS", "0.2")
    from tests.support.servers import Server

    with Server() as server:
        server.files["/yellow_tripdata_2020-04.csv.gz"] = b"x" * 200_000
        server.behave(drip=(10, 0.05))
        with run_elsewhere(settings, server.url) as process:
            assert f"The process {process.pid} holds the warehouse" in texts(explore())


def test_unreadable_warehouse_is_reported_with_a_cure_and_the_filters_stay(
    two_colors: Settings,
) -> None:
    with duckdb.connect(str(two_colors.warehouse_path)) as connection:
        connection.execute("DROP TABLE day_summary")
    app = explore(taxi="green")
    (error,) = app.error
    assert "The warehouse could not be read" in error.value
    assert "pipeline doctor" in error.value
    assert app.multiselect(key="payment").value == []
    assert not app.metric


def test_plotly_accepts_every_chart_as_sent_to_the_browser(two_colors: Settings) -> None:
    assert two_colors.warehouse_path.exists()
    apps = [explore(tab=tab) for tab in (*SECTIONS, "Compare")]
    specs = [json.loads(chart.proto.spec) for app in apps for chart in app.get("plotly_chart")]
    # Each page has the chart over time and one that cannot be seen.
    assert len(specs) == len(DRAWN_CHARTS) - 1 + 2 * len(apps) + 2
    for spec in specs:
        checked = go.Figure(spec).to_dict()  # raises what Plotly says of a wrong name or value
        assert len(checked["data"]) == len(spec["data"]) > 0


@pytest.mark.usefixtures("two_colors")
def test_swipe_over_a_chart_moves_no_axis() -> None:
    for chart in [chart for tab in SECTIONS for chart in drawn(explore(tab=tab))]:
        layout = json.loads(chart.proto.spec)["layout"]
        axes = [value for name, value in layout.items() if name[1:].startswith("axis")]
        assert axes
        assert all(axis["fixedrange"] for axis in axes), layout["title"]
    with pytest.raises(ValueError, match="colour"):
        go.Figure({"data": [{"type": "bar", "marker": {"colour": "red"}}]})


def test_downloads_hold_the_rows_of_the_chart(two_colors: Settings) -> None:
    query = build_query(CHARTS["zones"], Filters(), "local")
    with warehouse(two_colors) as opened:
        result = opened.read(query.sql, query.parameters)
    rows = pyarrow.csv.read_csv(io.BytesIO(chart_menu.to_csv(result.table))).to_pylist()
    assert rows[0] == {"zone": 42, "trips": 4, "dollars": 37.2}
    assert (
        pyarrow.parquet.read_table(io.BytesIO(chart_menu.to_parquet(result.table))) == result.table
    )
    filtered = build_query(CHARTS["zones"], Filters(zones=(7,)), "local")
    with warehouse(two_colors) as opened:
        result = opened.read(filtered.sql, filtered.parameters)
        assert "-- zone_0 = 7" in chart_menu.with_values(result.sql, filtered)
        alone = opened.query(chart_menu.standalone_sql(filtered, result), limit=5)
    assert [(int(row[0]), int(row[1])) for row in alone.rows] == [(7, 2)]


def test_fares_beyond_the_axis_are_counted_in_the_note() -> None:
    table = pa.table(
        {
            "color": ["green"] * 4,
            "dollars": pa.array([-1, 8, 100, None], pa.int64()),
            "trips": [3, 20, 1_200, 5],
        }
    )
    figure, note = draw_fares(table, ChartView())
    assert figure is not None
    assert sum(sum(bar["y"]) for bar in figure["data"]) == 20
    assert note == ("Not drawn, but counted: 3 below $0, 1,200 of $100 or more, 5 without a fare.")


def hatched_periods(app: AppTest) -> list[str]:
    """The periods of the chart over time whose bars are hatched."""
    spec = json.loads(drawn(app)[0].proto.spec)
    return [
        period
        for trace in spec["data"]
        for period, shape in zip(
            trace["x"], trace["marker"].get("pattern", {}).get("shape", ()), strict=False
        )
        if shape
    ]


@pytest.mark.parametrize(
    ("grain", "hatched"), [("day", "2020-03-01"), ("week", "2020-02-24"), ("month", "2020-03-01")]
)
def test_periods_that_are_not_loaded_for_all_taxis_are_hatched(
    two_colors: Settings, grain: str, hatched: str
) -> None:
    assert two_colors.warehouse_path.exists()
    app = explore(by=grain)  # March is there for green only
    assert hatched in hatched_periods(app)
    assert f"Hatched: each {grain} that is not" in texts(app)
    assert "2020-04-02" not in hatched_periods(app)


def test_legend_of_hatched_bars_shows_the_color_of_whole_periods(two_colors: Settings) -> None:
    assert two_colors.warehouse_path.exists()
    bars = json.loads(drawn(explore(by="day"))[0].proto.spec)["data"]
    green = next(trace for trace in bars if trace["name"] == "green")
    # Plotly draws a trace in the legend as it draws its first bar.
    assert green["marker"]["pattern"]["shape"] == ["", "", "/"]
    assert [day[:10] for day in green["x"]] == ["2020-04-01", "2020-04-02", "2020-03-01"]


def test_compared_totals_leave_out_periods_that_are_cut() -> None:
    query = build_query(CHARTS["over_time"], Filters(), "local", "week")
    days = date(2020, 4, 1), date(2020, 4, 30)  # Wednesday to Thursday
    side = Series("green", "#000000", "solid", Filters(), query, query, *days)
    weeks = [date(2020, 3, 30) + timedelta(weeks=number) for number in range(5)]
    rows = [{"period": week, "trips": 7, "fare": 70.0, "fares": 7} for week in weeks]
    table = pa.Table.from_pylist(rows)
    totals, note = draw_overlay([side], [table], METRICS["trips"], "week")
    assert totals is not None
    assert totals["data"][0]["x"] == weeks[1:4]
    assert note == "Without each week that is not charted whole."
    one_week = table.slice(0, 1)  # nothing else is there to draw
    alone, note = draw_overlay([side], [one_week], METRICS["trips"], "week")
    assert alone is not None
    assert alone["data"][0]["x"] == weeks[:1]
    assert not note


def test_days_that_are_loaded_for_all_chosen_taxis_are_not_hatched(two_colors: Settings) -> None:
    assert two_colors.warehouse_path.exists()
    assert hatched_periods(explore(taxi="green", by="day")) == []
    assert hatched_periods(explore(since="2020-04-01", until="2020-04-30", by="day")) == []


def test_map_without_shapes_has_a_bubble_for_each_zone_at_its_center() -> None:
    table = pa.table(
        {"zone": [132, 7, 265, None], "trips": [400, 100, 8, 2], "dollars": [1.5, 2.5, 3.5, 4.5]}
    )
    figure, note = draw_map(table, ChartView(selected="7"))
    assert figure is not None
    assert go.Figure(figure), "Plotly accepts it"
    assert note == "10 trips began in no zone of the map."
    empty, bubbles, boroughs = figure["data"]
    assert bubbles["customdata"] == ["132", "7"]
    assert bubbles["hovertext"][0].startswith("JFK Airport (132)<br>400 trips")
    centers = [Zones().names[number].center for number in (132, 7)]
    assert list(zip(bubbles["x"], bubbles["y"], strict=True)) == centers
    marker = bubbles["marker"]
    assert (marker["size"], marker["sizemode"]) == ([400, 100], "area")
    assert marker["opacity"][0] < marker["opacity"][1]  # the selected one
    assert len(empty["x"]) == 263 - 2
    assert len(boroughs["text"]) == 6


def test_map_has_classes_of_equally_many_zones_and_a_point_to_click_in_each() -> None:
    shapes = parse_shapes(json.dumps({**SHAPES, "features": [square(n) for n in range(1, 31)]}))
    table = pa.table({"zone": list(range(1, 21)), "trips": list(range(20)), "dollars": [1.5] * 20})
    figure, note = draw_map(table, ChartView(selected="3", zones=Zones({}, shapes)))
    assert figure is not None
    assert go.Figure(figure), "Plotly accepts it"
    assert not note
    names = [trace.get("name") for trace in figure["data"]]
    assert names == [
        "no trips",
        "0 to 2 trips",
        "3 to 5 trips",
        "6 to 9 trips",
        "10 to 12 trips",
        "13 to 15 trips",
        "16 to 19 trips",
        "zone 3",
        None,
    ]
    assert sorted(map(int, figure["data"][-1]["customdata"])) == list(range(1, 21))


def test_period_end_is_the_last_day_of_its_month_or_week() -> None:
    first = Month(2020, 2).first_day
    assert str(period_end(first, "month")) == "2020-02-29"
    assert str(period_end(first, "week")) == "2020-02-07"
    assert period_end(first, "day") == first


@pytest.mark.parametrize(
    ("first", "last", "previous"),
    [
        ("2020-04-01", "2020-04-30", ("2020-03-01", "2020-03-31")),
        ("2020-01-01", "2020-06-30", ("2019-07-01", "2019-12-31")),
        ("2020-04-08", "2020-04-14", ("2020-04-01", "2020-04-07")),
    ],
)
def test_previous_period_has_as_many_months_or_days(
    first: str, last: str, previous: tuple[str, str]
) -> None:
    days = previous_period(date.fromisoformat(first), date.fromisoformat(last))
    assert tuple(map(str, days)) == previous


def test_every_chart_of_the_page_has_a_function_that_draws_it() -> None:
    assert RENDERERS.keys() == {chart.name for chart in CHARTS.values() if chart.section}


TOTALS_SQL = """
SELECT color, SUM(trips) AS trips
FROM {trips}
GROUP BY color
ORDER BY color;
"""


def draw_totals(table: pa.Table, _view: ChartView) -> Drawn:
    rows = rows_of(table)
    bars = {"type": "bar", "x": [row["color"] for row in rows], "y": [r["trips"] for r in rows]}
    return make_figure([bars], 200, xaxis={}, yaxis={}), "A chart of three parts."


def test_chart_of_an_sql_file_a_catalog_row_and_a_function_appears_on_the_page(
    two_colors: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert two_colors.warehouse_path.exists()
    folder = shutil.copytree(SQL_FOLDER, tmp_path / "sql")
    (folder / "charts" / "totals.sql").write_text(TOTALS_SQL)
    monkeypatch.setattr("pipeline.core.sql.SQL_FOLDER", folder)
    row = Chart(
        "totals",
        "Trips by color",
        keys=("payment_type",),
        selection=CrossFilter.PAYMENT,
        section="money",
    )
    monkeypatch.setitem(CHARTS, row.name, row)
    monkeypatch.setitem(RENDERERS, row.name, renders(row.name)(draw_totals))
    app = explore(tab="Money")
    spec = json.loads(drawn(app)[-1].proto.spec)
    assert spec["data"][0]["x"] == ["green", "yellow"]
    assert spec["data"][0]["y"] == [6, 3]
    for text in ("Trips by color", "A chart of three parts."):
        assert text in texts(app)


def test_sparkline_has_few_points_and_unknown_figures_have_none() -> None:
    names = ("trips", "total_amount", "fare_amount", "fares", "trip_distance", "distances")
    more = ("timed_miles", "timed_seconds", "card_tips", "card_fares")
    more += ("absurd_miles", "absurd_distances")
    days = [Month(2020, 1).plus(n).first_day for n in range(500)]
    columns: dict[str, Any] = {name: [None] * 500 for name in (*names, *more)}
    table = pa.table({"day": days, **columns, "trips": [2] * 500})
    figures = {figure.name: figure for figure in make_figures(table, None)}
    assert figures["Trips"].value == "1,000"
    assert len(figures["Trips"].course) <= 60
    assert figures["Average speed"].value == "–"
    assert figures["Average speed"].course == []


@pytest.mark.parametrize(
    ("course", "points"),
    [([5.0, 1.0, 3.0], "0.0,2.0 100.0,22.0 200.0,12.0"), ([2.0, 2.0], "0.0,22.0 200.0,22.0")],
)
def test_sparkline_rises_with_its_values(course: list[float], points: str) -> None:
    assert f'points="{points}"' in sparkline(course)


def test_average_distance_leaves_out_absurd_distances_and_says_how_many(
    settings: Settings, folder: Path
) -> None:
    miles = ["1", "3", "100", "100.01", "-2", "60000", None]
    put_trips(folder, GREEN, [trip(GREEN, trip_distance=value) for value in miles])
    load(folder, GREEN, settings)
    query = build_query(FIGURES, Filters(), "local")
    with warehouse(settings) as opened:
        table = opened.read(query.sql, query.parameters).table
    figure = next(f for f in make_figures(table, None) if f.name == "Average distance")
    assert figure.value == "34.67 mi"
    assert "Left out as absurd: 3 trips" in figure.help


def _luminance(color: str) -> float:
    channels = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("background", ["#FFFFFF", "#171614"])
@pytest.mark.parametrize("dataset", DATASETS.values(), ids=str)
def test_tint_of_a_dataset_contrasts_with_both_backgrounds(
    dataset: Dataset, background: str
) -> None:
    lights = sorted((_luminance(dataset.tint), _luminance(background)))
    assert (lights[1] + 0.05) / (lights[0] + 0.05) >= 3  # WCAG 2.2, 1.4.11: graphical objects
