"""Names and shapes of zones: fetched once, checked, and never trusted."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.charts import zones as module
from pipeline.charts.zones import fetch_zones, parse_names, parse_shapes, read_zones
from pipeline.errors import FaregroundError, SourceError, SourceUnreachable
from pipeline.settings import Settings
from tests.servers import Server
from tests.test_real_files import DATA

NAMES = """"LocationID","Borough","Zone","service_zone"
1,"EWR","Newark Airport","EWR"
265,"N/A","Outside of NYC","N/A"
"""
SHAPES: dict[str, Any] = {"type": "FeatureCollection", "features": []}


def square(number: int, west: float = -74.0, south: float = 40.7) -> dict[str, Any]:
    """A zone of about a kilometre, counterclockwise, with points that do not matter."""
    ring = [[west, south], [west + 0.005, south], [west + 0.01, south]]
    ring += [[west + 0.01, south + 0.01], [west, south + 0.01], [west, south]]
    return {
        "type": "Feature",
        "properties": {"LocationID": number, "zone": "x"},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


@pytest.fixture
def server(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server of both files, to which the settings lead."""
    assert not settings.home.exists()
    shapes = json.dumps({**SHAPES, "features": [square(1), square(2)]}).encode()
    with Server({"/names.csv": NAMES.encode(), "/shapes.json": shapes}) as running:
        monkeypatch.setenv("FAREGROUND_ZONE_NAMES_URL", f"{running.url}/names.csv")
        monkeypatch.setenv("FAREGROUND_ZONE_SHAPES_URL", f"{running.url}/shapes.json")
        yield running


def test_zones_are_numbers_until_fetched_and_then_named_without_asking_again(
    server: Server,
) -> None:
    settings = Settings()
    assert read_zones(settings).name(1) == "zone 1"
    assert read_zones(settings).shapes is None
    fetch_zones("names", settings)
    fetch_zones("shapes", settings)
    asked = len(server.requests)
    found = read_zones(settings)
    assert found.name(1) == "Newark Airport (1)"
    assert found.name(265) == "Outside of NYC (265)"
    assert found.names[265].borough == "N/A"  # a text, not a missing value
    assert found.boroughs == ("EWR", "N/A")
    assert found.of_boroughs(("EWR",)) == (1,)
    assert found.shapes is not None
    assert [feature["id"] for feature in found.shapes["features"]] == [1, 2]
    assert len(server.requests) == asked


def test_a_redirect_is_followed_and_a_failure_is_said(server: Server) -> None:
    server.behave("/names.csv", redirect="/other.csv")
    server.files["/other.csv"] = NAMES.encode()
    fetch_zones("names", Settings())
    server.behave("/shapes.json", fail_status=503)
    with pytest.raises(SourceUnreachable, match="answered 503"):
        fetch_zones("shapes", Settings())
    assert read_zones(Settings()).shapes is None


def test_a_silent_server_is_given_up_on_and_a_large_answer_is_cut_off(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAREGROUND_READ_TIMEOUT_SECONDS", "0.3")
    server.behave("/names.csv", silent=True)
    started = time.monotonic()
    with pytest.raises(SourceUnreachable, match="cannot be reached"):
        fetch_zones("names", Settings())
    assert time.monotonic() - started < 5
    monkeypatch.setitem(module._MOST_BYTES, "shapes", 100)
    with pytest.raises(SourceError, match="sends more than"):
        fetch_zones("shapes", Settings())


def test_a_slow_server_is_given_up_on(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.3)
    server.behave("/names.csv", drip=(5, 0.05))
    with pytest.raises(SourceUnreachable, match="too slow"):
        fetch_zones("names", Settings())


@pytest.mark.parametrize("address", ["file:///etc/passwd", "nonsense", "ftp://127.0.0.1/x"])
def test_only_the_web_is_asked(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("FAREGROUND_ZONE_NAMES_URL", address)
    with pytest.raises(FaregroundError):
        fetch_zones("names", Settings())
    assert not (settings.home / "zones").exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>not found</html>",
        "a,b\n1,2\n",
        "LocationID,Borough,Zone\nx,Queens,Somewhere\n",
        "LocationID,Borough,Zone\n0,Queens,Somewhere\n",
        "LocationID,Borough,Zone\n1,Queens,<a href='https://example.org'>x</a>\n",
        f"LocationID,Borough,Zone\n1,Queens,{'long' * 50}\n",
        "LocationID,Borough,Zone\n1,Queens,tab\there\n",
        "LocationID,Borough,Zone\n1\n",
    ],
)
def test_names_that_are_none_are_refused(text: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        parse_names(text)


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f.update(geometry={"type": "Point", "coordinates": [0, 0]}),
        lambda f: f["properties"].update(LocationID="many"),
        lambda f: f["geometry"].update(coordinates=[[[200, 95], [1, 2], [3, 4]]]),
        lambda f: f["geometry"].update(coordinates=[]),
        lambda f: f["geometry"].update(coordinates="text"),
        lambda f: f.pop("geometry"),
    ],
)
def test_shapes_that_are_none_are_refused(server: Server, change: Any) -> None:
    feature = square(1)
    change(feature)
    server.files["/shapes.json"] = json.dumps({**SHAPES, "features": [feature]}).encode()
    with pytest.raises(SourceError, match="is not the zones' shapes"):
        fetch_zones("shapes", Settings())
    assert read_zones(Settings()).shapes is None


def test_what_was_kept_and_damaged_is_as_if_never_fetched(settings: Settings) -> None:
    (settings.home / "zones").mkdir(parents=True)
    (settings.home / "zones" / "names.json").write_text("{broken")
    (settings.home / "zones" / "shapes.json").write_text("[]")
    assert read_zones(settings).names == {}
    assert read_zones(settings).shapes is None


def test_borders_keep_their_corners_and_lose_what_lies_on_a_line() -> None:
    (feature,) = parse_shapes(json.dumps({**SHAPES, "features": [square(7)]}))["features"]
    ((ring,),) = feature["geometry"]["coordinates"]
    assert ring[0] == ring[-1]
    assert sorted(map(tuple, ring[1:])) == [
        (-74.0, 40.7),
        (-74.0, 40.71),
        (-73.99, 40.7),
        (-73.99, 40.71),
    ]


@pytest.mark.skipif(not (DATA / "misc").exists(), reason="no real zones here")
def test_the_real_zones_become_a_map_of_a_few_thousand_points() -> None:
    names = parse_names(Path(DATA / "misc" / "taxi_zone_lookup.csv").read_text())
    assert len(names) == 265
    assert names["264"] == {"name": "N/A", "borough": "Unknown"}
    shapes = parse_shapes(Path(DATA / "misc" / "taxi_zones.geojson").read_text())
    points = [
        len(polygon[0])
        for feature in shapes["features"]
        for polygon in feature["geometry"]["coordinates"]
    ]
    assert len(shapes["features"]) == 263
    assert sum(points) < 7_000
