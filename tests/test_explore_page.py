"""The Explore page in every state: empty, full, poor in data, filtered, clicked, and held."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
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

from pages.shared import cards
from pages.shared.charts import draw_fares, end_of
from pages.shared.charts_places import draw_map
from pages.shared.drawing import TAXI_COLORS
from pages.shared.figures import make_figures, sparkline
from pipeline.charts import CHARTS, Filters, pose
from pipeline.charts.zones import Zones, parse_shapes
from pipeline.settings import Settings
from pipeline.trips import Color, Month, TripFile
from tests.files import GREEN, YELLOW, load, put_trips, trip, warehouse
from tests.test_pages import check, drawn, open_app, run_elsewhere, texts
from tests.test_zones import SHAPES, square

MARCH = TripFile(Color.GREEN, Month(2020, 3))


@pytest.fixture(autouse=True)
def fresh_server() -> Iterator[None]:
    """Whatever a server remembers is this test's alone."""
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


def explore(**params: str | list[str]) -> AppTest:
    return open_app("pages/explore.py", **params)


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


@pytest.fixture
def two_colors(settings: Settings, folder: Path) -> Settings:
    """Two hours of two days of green, and of yellow, one stray, and a month before."""
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


def test_an_empty_warehouse_says_where_to_get_trips(settings: Settings) -> None:
    assert not settings.home.exists()
    app = explore()
    assert "Nothing is loaded yet" in texts(app)
    assert not app.button(key="sample").disabled


def test_all_charts_figures_filters_and_strays_are_there(two_colors: Settings) -> None:
    assert two_colors.warehouse_path.exists()
    app = explore()
    assert metrics(app)["Trips"] == "9"
    assert metrics(app)["Revenue"] == "$84"
    assert metrics(app)["Tip share"] == "9.4%"  # 6 of 8 x 8 dollars
    assert "colors **10** → **1** strays left out" in texts(app)
    assert "Fetch the zones' names" in [button.label for button in app.button]
    assert len(drawn(app)) == 11
    assert not app.warning
    assert not app.error
    for element in drawn(app):
        layout = json.loads(element.proto.spec)["layout"]
        axes = {name: about for name, about in layout.items() if name[1:5] == "axis"}
        assert len(axes) >= 2
        for name, about in axes.items():
            if about.get("showticklabels", True):  # not the axis that one below is shared with
                assert about["title"]["text"], (element.proto.id, name)


def test_the_address_holds_the_filters_and_they_say_what_they_leave(two_colors: Settings) -> None:
    assert two_colors.warehouse_path.exists()
    app = explore(
        taxi="green", since="2020-04-01", until="2020-04-30", payment="1", pickup="7", miles="1.0"
    )
    assert metrics(app)["Trips"] == "2"
    said = texts(app)
    for part in ("colors **7**", "days **4**", "payment **3**", "zones **2**", "distance **2**"):
        assert part in said
    assert app.multiselect(key="payment").value == [1]
    check(app.multiselect(key="pickup").set_value([]).run())
    assert metrics(app)["Trips"] == "3"


@pytest.mark.usefixtures("two_colors")
def test_what_is_behind_a_chart_is_sent_only_once_it_is_opened() -> None:
    app = explore()
    assert len(drawn(app)) > 10
    assert not app.code
    assert not app.get("download_button")


def test_a_period_is_compared_with_the_one_before_where_that_is_loaded(
    two_colors: Settings,
) -> None:
    assert two_colors.warehouse_path.exists()
    app = explore(taxi="green", since="2020-04-01", until="2020-04-30")
    assert {metric.label: metric.delta for metric in app.metric}["Trips"] == "+100.0%"
    assert "against 2020-03-01 to 2020-03-31" in texts(app)
    app = explore(taxi="yellow")
    assert {metric.delta for metric in app.metric} == {""}
    assert "the period before is not loaded" in texts(app)


def test_what_was_clicked_is_in_the_address_and_can_be_let_go_of(two_colors: Settings) -> None:
    assert two_colors.warehouse_path.exists()
    app = explore(day="2020-04-02/2020-04-02", paid="2", zone="42")
    assert metrics(app)["Trips"] == "1"
    for name, left in (("day", "1"), ("paid", "4"), ("zone", "9")):
        check(app.button(key=f"drop-{name}").click().run())
        assert name not in app.query_params
        assert metrics(app)["Trips"] == left
    for way, left in (("42/41", "4"), ("132/*", "3"), ("*/41", "9"), ("*/1", "0")):
        assert metrics(explore(way=way))["Trips"].replace("unknown", "0") == left
    app = explore(slot="2/8")  # 2020-04-01 was a Wednesday
    assert metrics(app)["Trips"] == "6"


@pytest.mark.parametrize(
    "nonsense",
    [
        {"day": "2020-06-31/2020-07-01"},
        {"slot": "9/25", "paid": "' OR 1=1", "zone": "<b>"},
        {"since": "tomorrow", "payment": "gold", "pickup": "-1", "miles": "far", "by": "aeon"},
    ],
)
def test_nonsense_in_the_address_filters_nothing(
    two_colors: Settings, nonsense: dict[str, str]
) -> None:
    assert two_colors.warehouse_path.exists()
    assert metrics(explore(**nonsense))["Trips"] == "9"


def test_days_that_run_backwards_or_hold_no_trips_are_said(two_colors: Settings) -> None:
    assert two_colors.warehouse_path.exists()
    app = explore(since="2020-04-30", until="2020-04-01")
    assert "run backwards" in texts(app)
    assert metrics(app)["Trips"] == "9"
    app = explore(since="2021-01-01", until="2021-01-31")
    assert metrics(app)["Trips"] == "unknown"
    assert texts(app).count("No trips are left by these filters.") >= 5


def test_strays_are_charted_when_asked_for(two_colors: Settings) -> None:
    assert two_colors.warehouse_path.exists()
    app = explore(strays="yes", since="2008-12-01", until="2008-12-31", taxi="green")
    assert metrics(app)["Trips"] == "1"
    assert "Strays by file: 1 trips" in [expander.label for expander in app.expander]


def test_one_row_of_one_color_on_one_day_is_charted(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    app = explore(since="2020-04-01", until="2020-04-01")
    assert metrics(app)["Average fare"] == "$8.00"
    assert metrics(app)["Average speed"] == "8.1 mph"
    assert "There are no yellow trips to compare with" in texts(app)
    assert "None of these trips began or ended at an airport." in texts(app)


def test_columns_that_are_all_missing_are_named(settings: Settings, folder: Path) -> None:
    nothing = ("payment_type", "fare_amount", "total_amount", "tip_amount", "trip_distance")
    empty = dict.fromkeys((*nothing, "PULocationID", "DOLocationID"))
    put_trips(folder, GREEN, [trip(GREEN, **empty)] * 3)
    load(folder, GREEN, settings)
    app = explore()
    said = texts(app)
    assert metrics(app)["Trips"] == "3"
    assert metrics(app)["Revenue"] == "unknown"
    assert "payment_type is missing in all" in said
    assert "total_amount is missing in all these trips" in said
    assert "3 without a fare" in said
    assert "3 without a distance" in said
    assert "No zone of pickup is known" in said
    assert "No tips: they are recorded only for trips paid by card." in said


def test_a_warehouse_that_another_process_holds_is_said(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAREGROUND_BUSY_WAIT_SECONDS", "0.2")
    from tests.servers import Server

    with Server() as server:
        server.files["/yellow_tripdata_2020-04.csv.gz"] = b"x" * 200_000
        server.behave(drip=(10, 0.05))
        with run_elsewhere(settings, server.url) as process:
            assert f"The process {process.pid} holds the warehouse" in texts(explore())


def test_a_warehouse_that_cannot_be_read_is_said_with_a_cure_and_the_filters_stay(
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


def test_plotly_accepts_every_chart_as_it_is_sent_to_the_browser(two_colors: Settings) -> None:
    assert two_colors.warehouse_path.exists()
    specs = [json.loads(chart.proto.spec) for chart in explore().get("plotly_chart")]
    assert len(specs) == 12, "eleven charts, and one that cannot be seen"
    for spec in specs:
        checked = go.Figure(spec).to_dict()  # raises what Plotly says of a wrong name or value
        assert len(checked["data"]) == len(spec["data"]) > 0
    with pytest.raises(ValueError, match="colour"):
        go.Figure({"data": [{"type": "bar", "marker": {"colour": "red"}}]})


def test_downloads_hold_the_chart_and_open_again(two_colors: Settings) -> None:
    question = pose("zones", Filters(), "local")
    with warehouse(two_colors) as opened:
        answer = opened.read(question.sql, question.parameters)
    told = pyarrow.csv.read_csv(io.BytesIO(cards.as_csv(answer.table))).to_pylist()
    assert told[0] == {"zone": 42, "trips": 4, "dollars": 37.2}
    assert pyarrow.parquet.read_table(io.BytesIO(cards.as_parquet(answer.table))) == answer.table
    filtered = pose("zones", Filters(zones=(7,)), "local")
    assert "-- zone_0 = 7" in cards.as_run(filtered, answer)


def test_absurd_values_are_counted_and_not_drawn() -> None:
    table = pa.table(
        {
            "color": ["green"] * 4,
            "dollars": pa.array([-1, 8, 100, None], pa.int64()),
            "trips": [3, 20, 1_200, 5],
        }
    )
    figure, note = draw_fares(table)
    assert figure is not None
    assert sum(sum(bar.y) for bar in figure.data) == 20
    assert note == ("Not drawn, but counted: 3 below $0, 1,200 of $100 or more, 5 without a fare.")


def test_the_map_has_a_class_for_each_share_of_the_zones_and_names_to_click() -> None:
    shapes = parse_shapes(json.dumps({**SHAPES, "features": [square(n) for n in range(1, 31)]}))
    table = pa.table({"zone": list(range(1, 21)), "trips": list(range(20)), "dollars": [1.5] * 20})
    figure, note = draw_map(table, Zones({}, shapes), "3")
    assert figure is not None
    assert go.Figure(figure.to_dict()), "Plotly accepts it"
    assert not note
    names = [trace.name for trace in figure.data]
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
    assert sorted(map(int, figure.data[-1].customdata)) == list(range(1, 21))


def test_a_period_ends_with_its_month_or_week() -> None:
    first = Month(2020, 2).first_day
    assert str(end_of(first, "month")) == "2020-02-29"
    assert str(end_of(first, "week")) == "2020-02-07"
    assert end_of(first, "day") == first


def test_sparklines_have_few_points_and_unknown_figures_say_so() -> None:
    names = ("trips", "total_amount", "fare_amount", "fares", "trip_distance", "distances")
    more = ("timed_miles", "timed_seconds", "card_tips", "card_fares")
    more += ("absurd_miles", "absurd_distances")
    days = [Month(2020, 1).plus(n).first_day for n in range(500)]
    columns: dict[str, Any] = {name: [None] * 500 for name in (*names, *more)}
    table = pa.table({"day": days, **columns, "trips": [2] * 500})
    found = {figure.name: figure for figure in make_figures(table, None)}
    assert found["Trips"].value == "1,000"
    assert len(found["Trips"].course) <= 60
    assert found["Average speed"].value == "unknown"
    assert found["Average speed"].course == []


@pytest.mark.parametrize(
    ("course", "points"),
    [([5.0, 1.0, 3.0], "0.0,2.0 100.0,30.0 200.0,16.0"), ([2.0, 2.0], "0.0,30.0 200.0,30.0")],
)
def test_a_sparkline_rises_with_its_values(course: list[float], points: str) -> None:
    assert f'points="{points}"' in sparkline(course)


def test_absurd_distances_are_left_out_of_the_average_and_their_number_is_said(
    settings: Settings, folder: Path
) -> None:
    miles = ["1", "3", "100", "100.01", "-2", "60000", None]
    put_trips(folder, GREEN, [trip(GREEN, trip_distance=value) for value in miles])
    load(folder, GREEN, settings)
    question = pose("figures", Filters(), "local")
    with warehouse(settings) as opened:
        table = opened.read(question.sql, question.parameters).table
    figure = next(f for f in make_figures(table, None) if f.name == "Average distance")
    assert figure.value == "34.67 mi"
    assert "Left out as absurd: 3 trips" in figure.help


def _luminance(color: str) -> float:
    channels = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("background", ["#FFFFFF", "#171614"])
@pytest.mark.parametrize("color", Color)
def test_the_taxi_colors_stand_out_from_both_backgrounds(color: Color, background: str) -> None:
    lights = sorted((_luminance(TAXI_COLORS[color]), _luminance(background)))
    assert (lights[1] + 0.05) / (lights[0] + 0.05) >= 3  # WCAG 2.2, 1.4.11: graphical objects


def test_every_chart_has_a_statement_and_a_title() -> None:
    for chart in CHARTS.values():
        assert chart.title
        assert "SELECT" in pose(chart.name, Filters(), "local").sql
