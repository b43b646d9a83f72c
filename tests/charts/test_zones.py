"""The table of zones, and their shapes from a server that may send anything."""

from __future__ import annotations

import csv
import json
import os
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from pipeline.charts import zones as zones_module
from pipeline.charts.zones import Zones, fetch_shapes, parse_shapes, read_zones, zone_table
from pipeline.core.errors import FaregroundError, SourceError, SourceUnreachable
from pipeline.core.settings.settings import Settings
from tests.support.servers import Server
from tests.warehouse.test_real_files import DATA

SHAPES: dict[str, Any] = {"type": "FeatureCollection", "features": []}


def square(number: int, west: float = -74.0, south: float = 40.7) -> dict[str, Any]:
    """Return a zone of about a kilometre, counterclockwise, with needless points."""
    ring = [[west, south], [west + 0.005, south], [west + 0.01, south]]
    ring += [[west + 0.01, south + 0.01], [west, south + 0.01], [west, south]]
    return {
        "type": "Feature",
        "properties": {"LocationID": number, "zone": "x"},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


@pytest.fixture
def server(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serve the shapes of two zones at the address in the settings."""
    assert not settings.home.exists()
    shapes = json.dumps({**SHAPES, "features": [square(1), square(2)]}).encode()
    with Server({"/shapes.json": shapes}) as running:
        monkeypatch.setenv("FAREGROUND_ZONE_SHAPES_URL", f"{running.url}/shapes.json")
        yield running


def test_every_zone_has_its_name_borough_and_center_without_a_download() -> None:
    zones = Zones()
    assert zones.names.keys() == set(range(1, 266))
    assert zones.name(1) == "Newark Airport (1)"
    assert zones.name(265) == "Outside of NYC (265)"
    assert zones.name(264) == "Unknown (264)"
    assert zones.name(266) == "zone 266"
    assert zones.name(None) == "no zone"
    assert zones.names[265].borough == "N/A"  # a text, not a missing value
    assert zones.of_boroughs(("EWR",)) == (1,)
    assert {"Bronx", "Brooklyn", "Manhattan", "Queens", "Staten Island"} < set(zones.boroughs)
    assert [number for number, zone in zones.names.items() if not zone.center] == [264, 265]


def test_shapes_are_kept_and_not_requested_again(server: Server) -> None:
    settings = Settings()
    assert read_zones(settings).shapes is None
    fetch_shapes(settings)
    requests = len(server.requests)
    zones = read_zones(settings)
    assert zones.shapes is not None
    assert [feature["id"] for feature in zones.shapes["features"]] == [1, 2]
    assert len(server.requests) == requests


def test_download_follows_a_redirect_and_reports_a_failure(server: Server) -> None:
    server.files["/other.json"] = server.files["/shapes.json"]
    server.behave("/shapes.json", redirect="/other.json")
    fetch_shapes(Settings())
    server.behave("/shapes.json", redirect="", fail_status=503)
    with pytest.raises(SourceUnreachable, match="answered 503"):
        fetch_shapes(Settings())
    assert read_zones(Settings()).shapes is not None  # those of before


def test_download_gives_up_on_a_silent_server_and_cuts_off_a_large_file(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAREGROUND_READ_TIMEOUT_SECONDS", "0.3")
    server.behave("/shapes.json", silent=True)
    started = time.monotonic()
    with pytest.raises(SourceUnreachable, match="cannot be reached"):
        fetch_shapes(Settings())
    assert time.monotonic() - started < 5
    server.behave("/shapes.json", silent=False)
    monkeypatch.setattr(zones_module, "_MAX_BYTES", 100)
    with pytest.raises(SourceError, match="sends more than"):
        fetch_shapes(Settings())


def test_download_gives_up_on_a_slow_server(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zones_module, "_TIMEOUT_SECONDS", 0.3)
    server.behave("/shapes.json", drip=(5, 0.05))
    with pytest.raises(SourceUnreachable, match="too slow"):
        fetch_shapes(Settings())


@pytest.mark.parametrize("address", ["file:///etc/passwd", "nonsense", "ftp://127.0.0.1/x"])
def test_download_accepts_addresses_of_the_web_only(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("FAREGROUND_ZONE_SHAPES_URL", address)
    with pytest.raises(FaregroundError):
        fetch_shapes(Settings())
    assert not (settings.home / "zones").exists()


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
def test_file_without_zone_shapes_is_refused_and_not_stored(server: Server, change: Any) -> None:
    feature = square(1)
    change(feature)
    server.files["/shapes.json"] = json.dumps({**SHAPES, "features": [feature]}).encode()
    with pytest.raises(SourceError, match="is not the zones' shapes"):
        fetch_shapes(Settings())
    assert read_zones(Settings()).shapes is None


def test_damaged_zone_file_counts_as_none(settings: Settings) -> None:
    (settings.home / "zones").mkdir(parents=True)
    path = settings.home / "zones" / "shapes.json"
    whole = json.dumps(parse_shapes(json.dumps({**SHAPES, "features": [square(7)]})))
    path.write_text(whole)
    assert read_zones(settings).shapes is not None
    for damaged in (
        "{broken",
        "[]",
        "7",
        '{"type": "FeatureCollection", "features": 5}',
        '{"type": "FeatureCollection", "features": [{"id": 7, "geometry": null}]}',
        whole.replace('"id": ', '"id": 999'),
        whole.replace("[[[[", "[[[[[", 1) + "]",
        whole.replace('"coordinates": ', '"coordinates": 5, "others": '),
        "[" * 100_000 + "]" * 100_000,
    ):
        path.write_text(damaged)
        assert read_zones(settings).shapes is None, damaged[:80]
    path.unlink()
    os.mkfifo(path)
    assert read_zones(settings).shapes is None


def test_simplified_border_has_its_corners_and_no_points_between() -> None:
    (feature,) = parse_shapes(json.dumps({**SHAPES, "features": [square(7)]}))["features"]
    ((ring,),) = feature["geometry"]["coordinates"]
    assert ring[0] == ring[-1]
    assert sorted(map(tuple, ring[1:])) == [
        (-74.0, 40.7),
        (-74.0, 40.71),
        (-73.99, 40.7),
        (-73.99, 40.71),
    ]


needs_files = pytest.mark.skipif(not (DATA / "misc").exists(), reason="no files of the TLC here")


@needs_files
def test_table_has_the_names_and_boroughs_of_the_tlc() -> None:
    with (DATA / "misc" / "taxi_zone_lookup.csv").open(encoding="utf-8") as file:
        rows = {int(row["LocationID"]): row for row in csv.DictReader(file)}
    table = {number: (zone.name, zone.borough) for number, zone in zone_table().items()}
    assert table == {number: (row["Zone"], row["Borough"]) for number, row in rows.items()}


@needs_files
def test_each_center_lies_within_its_zone() -> None:
    collection = json.loads((DATA / "misc" / "taxi_zones.geojson").read_text())
    assert len(collection["features"]) == 263
    for feature in collection["features"]:
        center = zone_table()[feature["properties"]["LocationID"]].center
        assert center is not None
        parts = feature["geometry"]["coordinates"]
        polygons = [parts] if feature["geometry"]["type"] == "Polygon" else parts
        assert any(is_within(center, polygon) for polygon in polygons), feature["properties"]


def is_within(point: tuple[float, float], polygon: list[Any]) -> bool:
    """Return whether a line from the point to the east crosses the polygon's rings oddly often."""
    x, y = point
    crossings = 0
    for ring in polygon:
        for (x1, y1), (x2, y2) in pairwise(ring):
            if (y1 > y) != (y2 > y) and x < x1 + (x2 - x1) * (y - y1) / (y2 - y1):
                crossings += 1
    return crossings % 2 == 1


@needs_files
def test_real_shapes_become_a_map_of_a_few_thousand_points() -> None:
    shapes = parse_shapes((DATA / "misc" / "taxi_zones.geojson").read_text())
    points = [
        len(polygon[0])
        for feature in shapes["features"]
        for polygon in feature["geometry"]["coordinates"]
    ]
    assert len(shapes["features"]) == 263
    assert sum(points) < 7_000
