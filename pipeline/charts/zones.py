"""The TLC's taxi zones: names, boroughs and centers in a table of the package, shapes by download.

The table is `zones.csv`, whose head says where its values come from. Shapes come from outside, on
request: a download is limited in size and time, every value is checked, and only checked values are
stored in the home, simplified to what a map needs.
"""

from __future__ import annotations

import asyncio
import csv
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pipeline.core.cancel import Cancel
from pipeline.core.errors import SourceError, SourceUnreachable, UsageError
from pipeline.core.home import make_folder
from pipeline.core.regular_file import read_regular_file
from pipeline.core.settings.settings import Settings

_TABLE = Path(__file__).with_name("zones.csv")
_MAX_BYTES = 20_000_000
_TIMEOUT_SECONDS = 20.0  # for a whole file
_MAX_ZONE = 1000  # the TLC's end at 265
# In degrees: how far a simplified border may lie from the real one (about 50 m), and the width of
# islands that are left out (about 300 m). 98,000 points become about 4,000.
_TOLERANCE = 0.0005
_ISLAND_WIDTH = 0.003
_NEW_YORK = (-75.0, 40.0, -73.0, 41.5)  # west, south, east, north

Ring = list[list[float]]


@dataclass(frozen=True)
class Zone:
    """A taxi zone.

    Attributes:
        center: A point in the middle of it, as longitude and latitude in degrees; None for the two
            that are no places, 264 (unknown) and 265 (outside of the city).
    """

    name: str
    borough: str
    center: tuple[float, float] | None

    @property
    def label(self) -> str:
        """Its name for people; zone 264 has none, and is called as its borough: Unknown."""
        return self.borough if self.name == "N/A" else self.name


@cache
def zone_table() -> Mapping[int, Zone]:
    """Return the 265 taxi zones by their numbers (`LocationID`)."""
    with _TABLE.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return MappingProxyType({int(row["zone"]): _read_zone(row) for row in rows})


def _read_zone(row: Mapping[str, str]) -> Zone:
    has_center = bool(row["longitude"])
    center = (float(row["longitude"]), float(row["latitude"])) if has_center else None
    return Zone(row["name"], row["borough"], center)


@dataclass(frozen=True)
class Zones:
    """The zones, with their shapes where these were downloaded.

    Attributes:
        names: Each zone by its number.
        shapes: A GeoJSON FeatureCollection with the zones' numbers as ids; None until downloaded.
    """

    names: Mapping[int, Zone] = field(default_factory=zone_table)
    shapes: Mapping[str, Any] | None = None

    def name(self, zone: int | None) -> str:
        """Return the name and number of a zone, or its number alone if there is no such zone."""
        if zone is None:
            return "no zone"
        known = self.names.get(zone)
        return f"{known.label} ({zone})" if known else f"zone {zone}"

    @property
    def boroughs(self) -> tuple[str, ...]:
        """The names of the boroughs, sorted."""
        return tuple(sorted({zone.borough for zone in self.names.values()}))

    def of_boroughs(self, boroughs: tuple[str, ...]) -> tuple[int, ...]:
        """Return the numbers of the zones of these boroughs."""
        return tuple(
            number for number, zone in sorted(self.names.items()) if zone.borough in boroughs
        )


def read_zones(settings: Settings) -> Zones:
    """Return the zones, with their shapes if they were downloaded and can be read."""
    return Zones(shapes=_read(_shapes_path(settings)))


def fetch_shapes(settings: Settings) -> None:
    """Download the shapes of the zones and store them in the home.

    Args:
        settings: Say from which address, and where the home is.

    Raises SourceUnreachable if the download fails or takes too long, SourceError if the file is too
    large or has another content, UsageError if the address is not one of the web.
    """
    address = settings.zone_shapes_url
    content = _download(address, settings)
    try:
        checked = parse_shapes(content.decode("utf-8-sig"))
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise SourceError(
            f"What {address} sent is not the zones' shapes: {error}.",
            cure="Set FAREGROUND_ZONE_SHAPES_URL to an address that has them.",
        ) from None
    path = _shapes_path(settings)
    make_folder(path.parent)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(checked), "utf-8")
    partial.replace(path)


def parse_shapes(text: str) -> dict[str, Any]:
    """Return the shapes of a GeoJSON file, simplified; the ids are the zones' numbers.

    Raises ValueError for a text that is not a FeatureCollection of zones in New York.
    """
    collection = json.loads(text)
    if not isinstance(collection, dict) or collection.get("type") != "FeatureCollection":
        raise ValueError("it is no FeatureCollection")
    polygons: dict[int, list[list[Ring]]] = {}
    for feature in collection["features"]:
        properties = {str(name).lower(): value for name, value in feature["properties"].items()}
        number = properties.get("locationid", properties.get("location_id"))
        geometry = feature["geometry"]
        parts = geometry["coordinates"]
        if geometry["type"] == "Polygon":
            parts = [parts]
        elif geometry["type"] != "MultiPolygon":
            raise ValueError(f"it has a shape of another type than a polygon: {geometry['type']!r}")
        polygons.setdefault(_zone_number(number), []).extend(_simplify_polygons(parts))
    if not polygons:
        raise ValueError("it has no zones")
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "id": number,
                "properties": {},
                "geometry": {"type": "MultiPolygon", "coordinates": parts},
            }
            for number, parts in sorted(polygons.items())
        ],
    }


def _simplify_polygons(polygons: list[list[Ring]]) -> list[list[Ring]]:
    """Return polygons without holes, small islands and most points, clockwise as the map needs."""
    west, south, east, north = _NEW_YORK
    outlines = [
        [(float(point[0]), float(point[1])) for point in polygon[0]] for polygon in polygons
    ]
    if not all(west < x < east and south < y < north for ring in outlines for x, y in ring):
        raise ValueError("it has a shape outside New York")
    large = [ring for ring in outlines if _width(ring) > _ISLAND_WIDTH]
    large = large or [max(outlines, key=_width)]
    simplified = (_clockwise(_simplify(ring)) for ring in large)
    return [[[[round(x, 4), round(y, 4)] for x, y in ring]] for ring in simplified]


Point = tuple[float, float]


def _width(ring: list[Point]) -> float:
    """Return the longer side of a ring's bounding box, in degrees."""
    xs, ys = zip(*ring, strict=True)
    return float(max(max(xs) - min(xs), max(ys) - min(ys)))


def _simplify(ring: list[Point]) -> list[Point]:
    """Return a ring with as few points as _TOLERANCE allows (Ramer-Douglas-Peucker algorithm)."""
    farthest = max(range(len(ring)), key=lambda n: abs(complex(*ring[n]) - complex(*ring[0])))
    needed = {0, farthest, len(ring) - 1}
    spans = [(0, farthest), (farthest, len(ring) - 1)]
    while spans:
        first, last = spans.pop()
        start, direction = complex(*ring[first]), complex(*ring[last]) - complex(*ring[first])
        worst, largest = first, _TOLERANCE
        for number in range(first + 1, last):
            offset = complex(*ring[number]) - start
            if direction:
                distance = abs((direction.conjugate() * offset).imag) / abs(direction)
            else:
                distance = abs(offset)
            if distance > largest:
                worst, largest = number, distance
        if worst != first:
            needed.add(worst)
            spans += [(first, worst), (worst, last)]
    return [ring[number] for number in sorted(needed)]


def _clockwise(ring: list[Point]) -> list[Point]:
    twice_area = sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(ring))
    return ring[::-1] if twice_area > 0 else ring


def _zone_number(value: Any) -> int:
    number = int(value)
    if not 1 <= number <= _MAX_ZONE:
        raise ValueError(f"{number} is no zone")
    return number


def _shapes_path(settings: Settings) -> Path:
    return settings.home / "zones" / "shapes.json"


def _read(path: Path) -> dict[str, Any] | None:
    """Return the shapes in a file that `fetch_shapes` wrote, or None if they cannot be drawn."""
    try:
        content: dict[str, Any] = json.loads(read_regular_file(path, _MAX_BYTES))
        for feature in content["features"]:
            _zone_number(feature["id"])
            for polygon in feature["geometry"]["coordinates"]:
                for ring in polygon:
                    if not all(isinstance(x, float) and isinstance(y, float) for x, y in ring):
                        return None
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return content


def _download(address: str, settings: Settings) -> bytes:
    """Return the content at an address, after at most five redirects."""
    from pipeline.files import web

    if not re.match(r"https?://[^/?#]", address):
        raise UsageError(
            f"{address} is no address to fetch from.", cure="Use one that begins with https://."
        )

    async def receive() -> bytes:
        content = bytearray()
        async with (
            asyncio.timeout(_TIMEOUT_SECONDS),
            web.make_client(settings, None, redirects=5, timeout=5.0) as client,
            web.send_request(client, "GET", address, {}) as response,
        ):
            if response.status_code != 200:
                raise SourceUnreachable(
                    f"{address} answered {response.status_code}.",
                    cure="Try again later; until then the map shows the centers of zones.",
                )
            async for chunk in response.aiter_bytes(65_536):
                content += chunk
                if len(content) > _MAX_BYTES:
                    raise SourceError(
                        f"{address} sends more than {_MAX_BYTES / 1e6:,.0f} MB.",
                        cure="Set another address for the zones.",
                    )
        return bytes(content)

    try:
        return web.run(receive, Cancel())
    except (web.TransientFailure, web.RequestRefused, TimeoutError) as error:
        raise SourceUnreachable(
            f"{address} cannot be reached: {str(error) or 'it is too slow'}.",
            cure="Try again with a network; until then the map shows the centers of zones.",
        ) from None
