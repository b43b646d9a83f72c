"""Names and shapes of the TLC's taxi zones: fetched once, on request, and kept under the home.

Both files come from outside. So they are limited in size and time, checked value by value, and
only what was checked is kept: names as one small JSON file, shapes thinned to what a map needs.
"""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from pipeline.errors import SourceError, SourceUnreachable, UsageError
from pipeline.settings import Settings, make_folder

_MOST_BYTES = {"names": 1_000_000, "shapes": 20_000_000}
_PATIENCE = 20.0  # seconds for a whole file
_LAST_ZONE = 1000  # the TLC's end at 265
_LONGEST_NAME = 80
# Degrees (about 50 m): by how much a border may be straightened, and the width of what is left out.
# 98,000 points become about 4,000.
_STRAIGHT = 0.0005
_ISLET = 0.003
_NEW_YORK = (-75.0, 40.0, -73.0, 41.5)  # west, south, east, north

Ring = list[list[float]]


@dataclass(frozen=True)
class Zone:
    """A taxi zone's name and borough."""

    name: str
    borough: str


@dataclass(frozen=True)
class Zones:
    """What is known of the zones: names by number, and shapes as GeoJSON with the number as id."""

    names: Mapping[int, Zone] = field(default_factory=dict)
    shapes: Mapping[str, Any] | None = None

    def name(self, zone: int | None) -> str:
        """Return a zone's name, or its number where the names were not fetched."""
        if zone is None:
            return "no zone"
        found = self.names.get(zone)
        return f"{found.name} ({zone})" if found else f"zone {zone}"

    @property
    def boroughs(self) -> tuple[str, ...]:
        """The boroughs, sorted."""
        return tuple(sorted({zone.borough for zone in self.names.values()}))

    def of_boroughs(self, boroughs: tuple[str, ...]) -> tuple[int, ...]:
        """Return the numbers of the zones of these boroughs."""
        return tuple(n for n, zone in sorted(self.names.items()) if zone.borough in boroughs)


def read_zones(settings: Settings) -> Zones:
    """Return what was fetched before; what was not, or cannot be read, is absent."""
    names = _read(_path(settings, "names"))
    return Zones(
        {int(number): Zone(**zone) for number, zone in names.items()} if names else {},
        _read(_path(settings, "shapes")),
    )


def fetch_zones(kind: str, settings: Settings) -> None:
    """Fetch the `names` or the `shapes` of the zones and keep them.

    Raises SourceUnreachable when they do not come in time, and SourceError when what comes is not
    what it should be.
    """
    address = settings.zone_names_url if kind == "names" else settings.zone_shapes_url
    content = _download(address, _MOST_BYTES[kind], settings)
    try:
        text = content.decode("utf-8-sig")
        kept = parse_names(text) if kind == "names" else parse_shapes(text)
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise SourceError(
            f"What {address} sent is not the zones' {kind}: {error}.",
            cure=f"Set FAREGROUND_ZONE_{kind.upper()}_URL to an address that has them.",
        ) from None
    path = _path(settings, kind)
    make_folder(path.parent)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(kept), "utf-8")
    partial.replace(path)


def parse_names(text: str) -> dict[str, dict[str, str]]:
    """Return the zones of a lookup CSV by number; raise ValueError for anything else."""
    rows = list(csv.DictReader(io.StringIO(text)))
    if not rows or not {"LocationID", "Borough", "Zone"} <= set(rows[0]):
        raise ValueError("it has no columns LocationID, Borough and Zone")
    # The literal N/A is a borough's name, not a missing one.
    return {
        str(_zone(row["LocationID"])): {
            "name": _name(row["Zone"]),
            "borough": _name(row["Borough"]),
        }
        for row in rows
    }


def parse_shapes(text: str) -> dict[str, Any]:
    """Return the zones of a GeoJSON file, thinned; raise ValueError for anything else."""
    found = json.loads(text)
    if not isinstance(found, dict) or found.get("type") != "FeatureCollection":
        raise ValueError("it is no FeatureCollection")
    polygons: dict[int, list[list[Ring]]] = {}
    for feature in found["features"]:
        properties = {str(name).lower(): value for name, value in feature["properties"].items()}
        number = properties.get("locationid", properties.get("location_id"))
        geometry = feature["geometry"]
        parts = geometry["coordinates"]
        if geometry["type"] == "Polygon":
            parts = [parts]
        elif geometry["type"] != "MultiPolygon":
            raise ValueError(f"it has a shape of another type than a polygon: {geometry['type']!r}")
        polygons.setdefault(_zone(number), []).extend(_thin(parts))
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


def _thin(parts: list[list[Ring]]) -> list[list[Ring]]:
    """Return polygons without holes, islets and most points, clockwise as the map wants them."""
    west, south, east, north = _NEW_YORK
    outlines = [[(float(point[0]), float(point[1])) for point in part[0]] for part in parts]
    if not all(west < x < east and south < y < north for ring in outlines for x, y in ring):
        raise ValueError("it has a shape outside New York")
    large = [ring for ring in outlines if _width(ring) > _ISLET] or [max(outlines, key=_width)]
    return [[[[round(x, 4), round(y, 4)] for x, y in _clockwise(_simplify(r))]] for r in large]


Point = tuple[float, float]


def _width(ring: list[Point]) -> float:
    xs, ys = zip(*ring, strict=True)
    return float(max(max(xs) - min(xs), max(ys) - min(ys)))


def _simplify(ring: list[Point]) -> list[Point]:
    """Return a ring with only the points that matter (Douglas and Peucker's way)."""
    far = max(range(len(ring)), key=lambda n: abs(complex(*ring[n]) - complex(*ring[0])))
    kept = {0, far, len(ring) - 1}
    spans = [(0, far), (far, len(ring) - 1)]
    while spans:
        first, last = spans.pop()
        start, along = complex(*ring[first]), complex(*ring[last]) - complex(*ring[first])
        worst, distance = first, _STRAIGHT
        for number in range(first + 1, last):
            offset = complex(*ring[number]) - start
            away = abs((along.conjugate() * offset).imag) / abs(along) if along else abs(offset)
            if away > distance:
                worst, distance = number, away
        if worst != first:
            kept.add(worst)
            spans += [(first, worst), (worst, last)]
    return [ring[number] for number in sorted(kept)]


def _clockwise(ring: list[Point]) -> list[Point]:
    twice_area = sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(ring))
    return ring[::-1] if twice_area > 0 else ring


def _zone(value: Any) -> int:
    number = int(value)
    if not 1 <= number <= _LAST_ZONE:
        raise ValueError(f"{number} is no zone")
    return number


def _name(text: str) -> str:
    # Plotly would read tags in a name.
    if not text or len(text) > _LONGEST_NAME or not text.isprintable() or set(text) & set("<>"):
        raise ValueError("it has a name that is empty, long, not printable, or has tags")
    return text


def _path(settings: Settings, kind: str) -> Path:
    return settings.home / "zones" / f"{kind}.json"


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _download(address: str, most: int, settings: Settings) -> bytes:
    """Return what an address sends, at most so many bytes; follows a few redirects."""
    import httpx2

    timeout = httpx2.Timeout(
        min(settings.read_timeout_seconds, 5.0),
        connect=min(settings.connect_timeout_seconds, 5.0),
    )
    deadline = time.monotonic() + _PATIENCE
    content = bytearray()
    try:
        with (
            httpx2.Client(timeout=timeout, follow_redirects=True, max_redirects=5) as client,
            client.stream("GET", address, headers={"User-Agent": "fareground"}) as response,
        ):
            if response.status_code != 200:
                raise SourceUnreachable(
                    f"{address} answered {response.status_code}.",
                    cure="Try again later; until then zones are numbers and bars.",
                )
            for chunk in response.iter_bytes(65_536):
                content += chunk
                if len(content) > most:
                    raise SourceError(
                        f"{address} sends more than {most / 1e6:,.0f} MB.",
                        cure="Set another address for the zones.",
                    )
                if time.monotonic() > deadline:
                    raise httpx2.ReadTimeout("too slow")
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol):
        raise UsageError(
            f"{address} is no address to fetch from.", cure="Use one that begins with https://."
        ) from None
    except (httpx2.HTTPError, httpx2.StreamError) as error:
        raise SourceUnreachable(
            f"{address} cannot be reached: {str(error) or type(error).__name__}.",
            cure="Try again with a network; until then zones are numbers and bars.",
        ) from None
    return bytes(content)
