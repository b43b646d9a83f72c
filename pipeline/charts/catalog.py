"""The charts there are: what each is about, and which sums can answer it. Pure: no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.warehouse.summaries import AT_AIRPORTS, SUMS


@dataclass(frozen=True)
class Chart:
    """A chart: the name of its statement, its title, and what can answer it.

    Attributes:
        summaries: Those that have all its columns, the smallest first.
        keys: The columns it groups trips by, where it is asked of trips.
        sums: What it adds up of them, beside counting; of SUMS.
        only: A condition on the trips that it is about.
    """

    name: str
    title: str
    summaries: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    sums: tuple[str, ...] = ()
    only: str = ""


_DAY, _HOUR, _PAID = "pickup_day", "pickup_hour", "payment_type"
_DOLLARS = ("total_amount",)
_DAILY = ("day_summary", "trip_summary", "day_mile_summary")
_HOURLY = ("slot_summary", "trip_summary", "slot_mile_summary")
CHARTS = {
    chart.name: chart
    for chart in (
        Chart(
            "count",
            "Trips left",
            (
                "day_summary",
                "slot_summary",
                "trip_summary",
                "zone_summary",
                "day_mile_summary",
                "slot_mile_summary",
                "zone_mile_summary",
            ),
        ),
        Chart("figures", "Figures", _DAILY, (_DAY, _PAID), tuple(SUMS)[1:]),
        Chart("over_time", "Trips and revenue over time", _DAILY, (_DAY,), _DOLLARS),
        Chart("week_hours", "Trips by weekday and hour", _HOURLY, (_DAY, _HOUR), _DOLLARS),
        Chart("payments", "How trips were paid", _DAILY, (_DAY, _PAID)),
        Chart(
            "tips",
            "Card tips by hour",
            _HOURLY,
            (_HOUR, _PAID),
            ("tip_amount", "fare_amount"),
            "payment_type = 1",
        ),
        Chart("colors", "Yellow against green", _HOURLY, (_HOUR,), _DOLLARS),
        Chart("fares", "Fares", ("fare_summary", "fare_mile_summary"), ("fare_amount",)),
        Chart("distances", "Distances", ("distance_summary",), ("trip_distance",)),
        Chart(
            "zones",
            "Busiest pickup zones",
            ("zone_summary", "zone_mile_summary"),
            ("PULocationID",),
            _DOLLARS,
        ),
        Chart(
            "pairs",
            "Busiest ways from zone to zone",
            (),
            ("PULocationID", "DOLocationID"),
            _DOLLARS,
        ),
        Chart(
            "airports",
            "Airport trips",
            ("airport_summary", "airport_mile_summary"),
            ("airport", "began_there", _DAY),
            _DOLLARS,
            AT_AIRPORTS,
        ),
        Chart("coverage", "What is loaded", _DAILY),
        Chart("strays", "Strays", _DAILY),
    )
}
