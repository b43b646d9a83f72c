"""Questions about the loaded trips that have exact answers, and the statements that find them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.answers.numbers import MONTHS, Unit
from pipeline.sql import statement
from pipeline.trips import COLUMNS, Color, Month, TripFile
from pipeline.warehouse import Parameters


@dataclass(frozen=True)
class Template:
    """A question with slots: {color}, {month}, and {earlier} where two months are compared.

    `sql` is the statement's name below sql/truths; `column` of its first row is the answer.
    A stated number is right within `relative` (a share) or `absolute` (in the unit) of it.
    """

    name: str
    question: str
    sql: str
    column: str
    unit: Unit
    relative: float = 0.0
    absolute: float = 0.0

    @property
    def compares(self) -> bool:
        """Whether it is about two months."""
        return "{earlier}" in self.question

    @property
    def tolerance(self) -> str:
        """How near is right, in words."""
        if self.relative:
            return f"within {self.relative:.0%}".replace("%", " %")
        if self.absolute:
            unit = "percentage points" if self.unit in ("percent", "change") else self.unit
            return f"within {self.absolute:g} {unit}"
        return "exactly"


TEMPLATES = {
    template.name: template
    for template in (
        Template(
            "trips",
            "How many {color} taxi trips were there in New York City in {month}?",
            "count_trips",
            "trips",
            "trips",
            relative=0.05,
        ),
        Template(
            "average-fare",
            "What was the average fare, in dollars and without tips and surcharges, of a {color} "
            "taxi trip in New York City in {month}?",
            "average_fare",
            "average_fare_dollars",
            "dollars",
            relative=0.05,
        ),
        Template(
            "average-distance",
            "What was the average distance, in miles, of a {color} taxi trip in New York City in "
            "{month}, not counting trips without a distance?",
            "average_distance",
            "average_distance_miles",
            "miles",
            relative=0.05,
        ),
        Template(
            "average-duration",
            "How many minutes did an average {color} taxi trip take in New York City in {month}, "
            "not counting trips of more than three hours?",
            "average_duration",
            "average_duration_minutes",
            "minutes",
            relative=0.05,
        ),
        Template(
            "revenue",
            "How many dollars did all {color} taxi trips in New York City in {month} cost "
            "together, tips by card and surcharges included?",
            "sum_revenue",
            "total_charged_dollars",
            "dollars",
            relative=0.05,
        ),
        Template(
            "cash-share",
            "What percentage of the {color} taxi trips in New York City in {month} whose way of "
            "payment is recorded was paid in cash?",
            "share_cash",
            "cash_percent",
            "percent",
            absolute=2.0,
        ),
        Template(
            "tip-share",
            "How many percent of the fare did passengers who paid by card tip on {color} taxi "
            "trips in New York City in {month}?",
            "share_tip",
            "tip_percent_of_fare",
            "percent",
            absolute=2.0,
        ),
        Template(
            "weekend-share",
            "What percentage of the {color} taxi trips in New York City in {month} began on a "
            "Saturday or Sunday?",
            "share_weekend",
            "weekend_percent",
            "percent",
            absolute=2.0,
        ),
        Template(
            "busiest-hour",
            "In which hour of the day (0 to 23) did most {color} taxi trips in New York City in "
            "{month} begin?",
            "busiest_hour",
            "hour_of_day",
            "hour",
        ),
        Template(
            "busiest-day",
            "On which day of {month} did most {color} taxi trips in New York City begin?",
            "busiest_day",
            "day_of_month",
            "day",
        ),
        Template(
            "busiest-zone",
            "What is the number (LocationID) of the TLC taxi zone in which most {color} taxi trips "
            "in New York City in {month} began?",
            "busiest_zone",
            "zone",
            "zone",
        ),
        Template(
            "longest-distance",
            "How many miles long was the longest {color} taxi trip in New York City in {month}, "
            "as the taximeter recorded it?",
            "longest_distance",
            "miles",
            "miles",
            relative=0.05,
        ),
        Template(
            "highest-total",
            "What was the highest amount, in dollars, charged for one {color} taxi trip in New "
            "York City in {month}?",
            "highest_total",
            "dollars",
            "dollars",
            relative=0.05,
        ),
        Template(
            "change",
            "By how many percent did the number of {color} taxi trips in New York City change from "
            "{earlier} to {month}?",
            "change_trips",
            "change_percent",
            "change",
            absolute=2.0,
        ),
    )
}


def fill(
    template: Template, color: Color, month: Month, earlier: Month | None = None
) -> tuple[str, tuple[TripFile, ...]]:
    """Return the question with its slots filled, and the trip files its answer needs."""
    months = (earlier or month.plus(-1), month) if template.compares else (month,)
    question = template.question.format(
        color=color.value, month=_month_words(month), earlier=_month_words(months[0])
    )
    return question, tuple(TripFile(color, needed) for needed in months)


def identifiers(color: Color) -> dict[str, str]:
    """Return what the statements below sql/truths are filled in with."""
    times = [column.name for column in COLUMNS[color] if column.type == "TIMESTAMP"]
    return {"table": color.table, "pickup": times[0], "dropoff": times[1]}


def parameters(template: Template, files: tuple[TripFile, ...]) -> Parameters:
    """Return the values to bind: only those the statement names."""
    values: dict[str, str | int] = {"filename": files[-1].filename}
    if template.compares:
        values["earlier"] = files[0].filename
    if template.name == "busiest-day":
        values["year_month"] = files[0].month.number
    return values


def meaning(template: Template) -> str:
    """Return the comment at the head of the statement: what exactly it counts."""
    text = statement(f"truths/{template.sql}", **identifiers(Color.YELLOW))
    return " ".join(re.findall(r"^-- ?(.*)$", text, re.MULTILINE))


def _month_words(month: Month) -> str:
    return f"{MONTHS[month.month - 1]} {month.year}"
