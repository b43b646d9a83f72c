"""What the built-in sample of a dataset looks like: how busy, where, how paid. Pure: no I/O."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SampleShape:
    """What the built-in sample of a dataset looks like.

    Shares run from 0 to 1 and are of all trips unless stated otherwise.

    Attributes:
        rows: Trips in an average month before 2020.
        base: Popularity of the zones that `popular` does not list: those of Manhattan below 96th
            Street, and all others.
        popular: Popular pickup zones, as `zone:popularity`.
    """

    rows: int
    base: tuple[float, float]
    popular: str


@dataclass(frozen=True)
class TaxiShape(SampleShape):
    """The sample of a dataset of taxis, with meters, fares and payments.

    Attributes:
        without_vendor: Share of the trips without VendorID.
        second_vendor: Share of VendorID 2 among the trips with a vendor.
        without_distance: Share of the trips with a distance of 0.
        voided: Share of the trips that have a void.
        card: Share of the trips paid by card.
        without_tip: Share of the card trips without a tip.
        negotiated: Share of the trips with a negotiated fare (RatecodeID 5).
        congestion: Congestion surcharge in cents.
        congestion_without_vendor: Whether trips without a vendor are charged it, too.
    """

    without_vendor: float
    second_vendor: float
    without_distance: float
    voided: float
    card: float
    without_tip: float
    negotiated: float
    congestion: int
    congestion_without_vendor: bool


@dataclass(frozen=True)
class DispatchedShape(SampleShape):
    """The sample of a dataset of trips that a base dispatched, without fares.

    Attributes:
        bases: The numbers of the bases, without their letter.
        without_pickup_zone, without_dropoff_zone: Shares of the trips without such a zone.
        shared: Share of the shared trips.
        repeated: Share of the rows that occur twice.
    """

    bases: tuple[int, ...]
    without_pickup_zone: float
    without_dropoff_zone: float
    shared: float
    repeated: float


YELLOW_SAMPLE = TaxiShape(
    rows=84_000,
    without_vendor=0.05,
    second_vendor=0.62,
    without_distance=0.015,
    voided=0.004,
    card=0.67,
    without_tip=0.08,
    negotiated=0.004,
    congestion=250,
    congestion_without_vendor=True,
    base=(6, 0.6),
    popular="236:40 237:40 161:36 162:30 186:35 132:30 138:28 230:28 170:29 48:31 234:26 "
    "142:30 239:29 163:22 141:30 79:25 68:24 107:23 140:28 238:26 263:28 100:20 "
    "164:18 249:20 229:22 246:15 231:15 90:18 113:15 137:22 143:15 233:15 262:16 "
    "75:20 151:15 74:12 41:10 166:10",
)

GREEN_SAMPLE = TaxiShape(
    rows=27_000,
    without_vendor=0.37,
    second_vendor=0.82,
    without_distance=0.04,
    voided=0.002,
    card=0.53,
    without_tip=0.22,
    negotiated=0.03,
    congestion=275,
    congestion_without_vendor=False,
    base=(0.4, 4),
    popular="74:94 75:87 41:61 42:56 244:33 97:26 166:30 95:25 65:20 116:20 61:18 82:24 188:14 "
    "159:12 130:16 43:12 25:16 7:22 152:12 33:12 181:14 129:14 247:8 243:10 49:10 66:10 17:10",
)

FOR_HIRE_SAMPLE = DispatchedShape(
    rows=60_000,
    base=(2, 2),
    popular="132:30 138:24 161:18 230:18 79:16 48:16 61:22 76:20 37:20 17:20 225:18 89:16 7:16 "
    "181:15 42:15 159:14 168:14 213:14 254:14 82:14 129:14 36:13 97:13 255:12 188:12 39:12 72:12",
    bases=(9, 13, 21, 53, 112, 254, 310, 477, 647, 856, 900, 1061, 1312, 1539, 2133, 2292, 2550),
    without_pickup_zone=0.3,
    without_dropoff_zone=0.12,
    shared=0.02,
    repeated=0.003,
)
