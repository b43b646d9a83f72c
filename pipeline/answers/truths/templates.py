"""List questions about the loaded trips that have exact answers, and the SQL that answers them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.answers.check.dates import MONTHS
from pipeline.answers.truths.stated import NumberUnit
from pipeline.core.datasets import DEFAULT_DATASET, Dataset
from pipeline.core.sql import statement
from pipeline.core.trips import Month, TripFile
from pipeline.warehouse import Parameters


@dataclass(frozen=True)
class QuestionTemplate:
    """A question with slots: {color}, {month}, and {earlier} where two months are compared.

    Attributes:
        name: How the command line and the page refer to it.
        question: The question.
        sql: Name of the statement below sql/truths.
        column: The column of the statement's first row that holds the answer.
        unit: That of the answer.
        relative: A stated number is right within this share of the answer, 0 to 1,
        absolute: or within this much of it, in the unit.
    """

    name: str
    question: str
    sql: str
    column: str
    unit: NumberUnit
    relative: float = 0.0
    absolute: float = 0.0

    @property
    def compares(self) -> bool:
        """Whether the question is about two months."""
        return "{earlier}" in self.question

    def suits(self, dataset: Dataset) -> bool:
        """Return whether a dataset has the columns that the statement reads."""
        return dataset.supports(statement(f"truths/{self.sql}", **identifiers(dataset)))

    @property
    def tolerance(self) -> str:
        """How near a stated number must be, in words."""
        if self.relative:
            return f"within {self.relative:.0%}".replace("%", " %")
        if self.absolute:
            unit = "percentage points" if self.unit in ("percent", "change") else self.unit
            return f"within {self.absolute:g} {unit}"
        return "exactly"


TEMPLATES = {
    template.name: template
    for template in (
        QuestionTemplate(
            "trips",
            "How many {color} trips were there in New York City in {month}?",
            "count_trips",
            "trips",
            "trips",
            relative=0.05,
        ),
        QuestionTemplate(
            "average-fare",
            "What was the average fare, in dollars and without tips and surcharges, of a {color} "
            "trip in New York City in {month}?",
            "average_fare",
            "average_fare_dollars",
            "dollars",
            relative=0.05,
        ),
        QuestionTemplate(
            "average-distance",
            "What was the average distance, in miles, of a {color} trip in New York City in "
            "{month}, not counting trips without a distance?",
            "average_distance",
            "average_distance_miles",
            "miles",
            relative=0.05,
        ),
        QuestionTemplate(
            "average-duration",
            "How many minutes did an average {color} trip take in New York City in {month}, "
            "not counting trips of more than three hours?",
            "average_duration",
            "average_duration_minutes",
            "minutes",
            relative=0.05,
        ),
        QuestionTemplate(
            "revenue",
            "How many dollars did all {color} trips in New York City in {month} cost "
            "together, tips by card and surcharges included?",
            "sum_revenue",
            "total_charged_dollars",
            "dollars",
            relative=0.05,
        ),
        QuestionTemplate(
            "cash-share",
            "What percentage of the {color} trips in New York City in {month} whose way of "
            "payment is recorded was paid in cash?",
            "share_cash",
            "cash_percent",
            "percent",
            absolute=2.0,
        ),
        QuestionTemplate(
            "tip-share",
            "How many percent of the fare did passengers who paid by card tip on {color} "
            "trips in New York City in {month}?",
            "share_tip",
            "tip_percent_of_fare",
            "percent",
            absolute=2.0,
        ),
        QuestionTemplate(
            "weekend-share",
            "What percentage of the {color} trips in New York City in {month} began on a "
            "Saturday or Sunday?",
            "share_weekend",
            "weekend_percent",
            "percent",
            absolute=2.0,
        ),
        QuestionTemplate(
            "busiest-hour",
            "In which hour of the day (0 to 23) did most {color} trips in New York City in "
            "{month} begin?",
            "busiest_hour",
            "hour_of_day",
            "hour",
        ),
        QuestionTemplate(
            "busiest-day",
            "On which day of {month} did most {color} trips in New York City begin?",
            "busiest_day",
            "day_of_month",
            "day",
        ),
        QuestionTemplate(
            "busiest-zone",
            "What is the number (LocationID) of the TLC taxi zone in which most {color} trips "
            "in New York City in {month} began?",
            "busiest_zone",
            "zone",
            "zone",
        ),
        QuestionTemplate(
            "longest-distance",
            "How many miles long was the longest {color} trip in New York City in {month}, "
            "as the taximeter recorded it?",
            "longest_distance",
            "miles",
            "miles",
            relative=0.05,
        ),
        QuestionTemplate(
            "highest-total",
            "What was the highest amount, in dollars, charged for one {color} trip in New "
            "York City in {month}?",
            "highest_total",
            "dollars",
            "dollars",
            relative=0.05,
        ),
        QuestionTemplate(
            "change",
            "By how many percent did the number of {color} trips in New York City change from "
            "{earlier} to {month}?",
            "change_trips",
            "change_percent",
            "change",
            absolute=2.0,
        ),
    )
}


def fill_slots(
    template: QuestionTemplate, dataset: Dataset, month: Month, earlier: Month | None = None
) -> tuple[str, tuple[TripFile, ...]]:
    """Return the question with its slots filled, and the trip files its answer needs."""
    months = (earlier or month.plus(-1), month) if template.compares else (month,)
    question = template.question.format(
        color=dataset.vehicle, month=_month_words(month), earlier=_month_words(months[0])
    )
    return question, tuple(TripFile(dataset, file_month) for file_month in months)


def identifiers(dataset: Dataset) -> dict[str, str]:
    """Return the names that fill the slots of the statements below sql/truths."""
    return {"table": dataset.table, "pickup": dataset.pickup, "dropoff": dataset.dropoff}


def parameters(template: QuestionTemplate, files: tuple[TripFile, ...]) -> Parameters:
    """Return the parameters of the statement: only those that it names."""
    values: dict[str, str | int] = {"filename": files[-1].filename}
    if template.compares:
        values["earlier"] = files[0].filename
    if template.name == "busiest-day":
        values["year_month"] = files[0].month.number
    return values


def meaning(template: QuestionTemplate) -> str:
    """Return the comment at the head of the statement, which says what it counts."""
    text = statement(f"truths/{template.sql}", **identifiers(DEFAULT_DATASET))
    return " ".join(re.findall(r"^-- ?(.*)$", text, re.MULTILINE))


def _month_words(month: Month) -> str:
    return f"{MONTHS[month.month - 1]} {month.year}"
