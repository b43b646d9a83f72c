"""Questions about the loaded trips with exact answers, worked out by our own read-only SQL.

A model without sources guesses; with the result table as its source it should be right. Both are
scored alike: by the number they state, against the tolerance stated here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.answers.numbers import MONTHS, Stated, Unit, read_number
from pipeline.answers.prompts import Source
from pipeline.errors import UsageError
from pipeline.sql import statement
from pipeline.trips import COLUMNS, Color, Month, TripFile
from pipeline.warehouse import FileRecord, Parameters, Warehouse

Outcome = Literal["right", "wrong", "abstained", "no number"]

_UNIT_WORDS: dict[Unit, str] = {
    "trips": "{} trips",
    "dollars": "${}",
    "percent": "{} %",
    "change": "{} %",
    "miles": "{} miles",
    "minutes": "{} minutes",
    "hour": "{}:00 to {}:59",
    "day": "day {} of the month",
    "zone": "zone {}",
}


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


_T = Template
TEMPLATES = {
    template.name: template
    for template in (
        _T(
            "trips",
            "How many {color} taxi trips were there in New York City in {month}?",
            "count_trips",
            "trips",
            "trips",
            relative=0.05,
        ),
        _T(
            "average-fare",
            "What was the average fare, in dollars and without tips and surcharges, of a {color} "
            "taxi trip in New York City in {month}?",
            "average_fare",
            "average_fare_dollars",
            "dollars",
            relative=0.05,
        ),
        _T(
            "average-distance",
            "What was the average distance, in miles, of a {color} taxi trip in New York City in "
            "{month}, not counting trips without a distance?",
            "average_distance",
            "average_distance_miles",
            "miles",
            relative=0.05,
        ),
        _T(
            "average-duration",
            "How many minutes did an average {color} taxi trip take in New York City in {month}, "
            "not counting trips of more than three hours?",
            "average_duration",
            "average_duration_minutes",
            "minutes",
            relative=0.05,
        ),
        _T(
            "revenue",
            "How many dollars did all {color} taxi trips in New York City in {month} cost "
            "together, tips by card and surcharges included?",
            "sum_revenue",
            "total_charged_dollars",
            "dollars",
            relative=0.05,
        ),
        _T(
            "cash-share",
            "What percentage of the {color} taxi trips in New York City in {month} whose way of "
            "payment is recorded was paid in cash?",
            "share_cash",
            "cash_percent",
            "percent",
            absolute=2.0,
        ),
        _T(
            "tip-share",
            "How many percent of the fare did passengers who paid by card tip on {color} taxi "
            "trips in New York City in {month}?",
            "share_tip",
            "tip_percent_of_fare",
            "percent",
            absolute=2.0,
        ),
        _T(
            "weekend-share",
            "What percentage of the {color} taxi trips in New York City in {month} began on a "
            "Saturday or Sunday?",
            "share_weekend",
            "weekend_percent",
            "percent",
            absolute=2.0,
        ),
        _T(
            "busiest-hour",
            "In which hour of the day (0 to 23) did most {color} taxi trips in New York City in "
            "{month} begin?",
            "busiest_hour",
            "hour_of_day",
            "hour",
        ),
        _T(
            "busiest-day",
            "On which day of {month} did most {color} taxi trips in New York City begin?",
            "busiest_day",
            "day_of_month",
            "day",
        ),
        _T(
            "busiest-zone",
            "What is the number (LocationID) of the TLC taxi zone in which most {color} taxi trips "
            "in New York City in {month} began?",
            "busiest_zone",
            "zone",
            "zone",
        ),
        _T(
            "longest-distance",
            "How many miles long was the longest {color} taxi trip in New York City in {month}, "
            "as the taximeter recorded it?",
            "longest_distance",
            "miles",
            "miles",
            relative=0.05,
        ),
        _T(
            "highest-total",
            "What was the highest amount, in dollars, charged for one {color} taxi trip in New "
            "York City in {month}?",
            "highest_total",
            "dollars",
            "dollars",
            relative=0.05,
        ),
        _T(
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


@dataclass(frozen=True)
class Truth:
    """A question filled in, with its exact answer and the table it stands in.

    `rows` are the result as plain values, `sql` the statement as the warehouse ran it, `synthetic`
    says that the trips are the built-in sample's.
    """

    template: Template
    question: str
    value: float
    rows: list[dict[str, Any]]
    sql: str
    synthetic: bool

    @property
    def answer(self) -> str:
        """The exact answer with its unit, for people."""
        return in_unit(self.value, self.template.unit)

    def source(self) -> Source:
        """Return the result table as a source for a model."""
        kind = "the built-in synthetic sample" if self.synthetic else "the loaded trip records"
        text = f"{_note(self.template)}\n\n{self.table()}"
        return Source(f"Result of an SQL query over {kind}", text)

    def table(self) -> str:
        """Return the result as a Markdown table."""
        names = list(self.rows[0])
        lines = [names, ["---"] * len(names)]
        lines += [[str(row[name]) for name in names] for row in self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@dataclass(frozen=True)
class Score:
    """How an answer compares with the truth: what it stated, if anything, and the outcome."""

    outcome: Outcome
    stated: Stated | None


def fill(
    template: Template, color: Color, month: Month, earlier: Month | None = None
) -> tuple[str, tuple[TripFile, ...]]:
    """Return the question with its slots filled, and the trip files its answer needs."""
    months = (earlier or month.plus(-1), month) if template.compares else (month,)
    question = template.question.format(
        color=color.value, month=_month_words(month), earlier=_month_words(months[0])
    )
    return question, tuple(TripFile(color, needed) for needed in months)


def find_truth(
    warehouse: Warehouse,
    records: Mapping[TripFile, FileRecord],
    template: Template,
    color: Color,
    month: Month,
    earlier: Month | None = None,
) -> Truth:
    """Work out the exact answer from what is loaded.

    Args:
        records: The warehouse's own, from `records()`.

    Raises UsageError naming the months to load where they are not, WarehouseError when the
    warehouse cannot be read.
    """
    question, files = fill(template, color, month, earlier)
    absent = [file for file in files if not is_loaded(records.get(file))]
    if absent:
        raise UsageError(
            f"Not loaded: {', '.join(file.stem for file in absent)}.", cure=load_cure(absent)
        )
    sql = statement(f"truths/{template.sql}", **identifiers(color))
    answer = warehouse.read(sql, parameters(template, files))
    rows = answer.table.to_pylist()
    value = rows[0][template.column] if rows else None
    if value is None:
        raise UsageError(
            f"The loaded rows of {', '.join(file.stem for file in files)} hold no answer to this.",
            cure="Choose another question or month.",
        )
    loaded = [record.loaded for file in files if (record := records.get(file))]
    synthetic = any(entry and entry.source == "sample" for entry in loaded)
    return Truth(template, question, float(value), rows, answer.sql, synthetic)


def score(truth: Truth, answer: str, abstained: bool) -> Score:
    """Compare an answer with the truth by the number it states.

    Args:
        abstained: Whether it says that it does not know: neither right nor wrong then, whatever
            numbers it mentions.
    """
    if abstained:
        return Score("abstained", None)
    stated = read_number(answer, truth.template.unit, truth.question)
    if stated is None:
        return Score("no number", None)
    ends = (stated.value, stated.value if stated.low is None else stated.low)
    right = all(is_within(truth, end) for end in ends)
    return Score("right" if right else "wrong", stated)


def is_within(truth: Truth, value: float) -> bool:
    """Whether a stated value is within the template's tolerance of the truth."""
    allowed = max(truth.template.relative * abs(truth.value), truth.template.absolute)
    return abs(value - truth.value) <= allowed + 1e-9


def in_unit(value: float, unit: Unit) -> str:
    """Return a value with its unit: `1,234 trips`, `$12.30`, `17:00 to 17:59`."""
    if unit in ("hour", "day", "zone"):
        whole = f"{value:.0f}"
        return _UNIT_WORDS[unit].format(whole, whole)
    if unit == "trips":
        return _UNIT_WORDS[unit].format(f"{value:,.0f}")
    return _UNIT_WORDS[unit].format(f"{value:+,.2f}" if unit == "change" else f"{value:,.2f}")


def is_loaded(record: FileRecord | None) -> bool:
    """Whether a file's rows are in the table."""
    return record is not None and record.loaded is not None


def load_cure(files: list[TripFile]) -> str:
    """Return what to do so that these files are loaded."""
    months = sorted(file.month for file in files)
    color = files[0].color.value
    return (
        "Load it on the Backfill page, or with: python -m pipeline backfill "
        f"--color {color} --from {months[0]} --to {months[-1]}"
    )


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
        values["year_month"] = files[0].month.year * 100 + files[0].month.month
    return values


def _note(template: Template) -> str:
    """Return the comment at the head of the statement: what exactly it counts."""
    lines = re.findall(r"^-- ?(.*)$", statement_text(template), re.MULTILINE)
    return " ".join(lines)


def statement_text(template: Template) -> str:
    """Return a template's statement with its identifiers left open, for the yellow table."""
    return statement(f"truths/{template.sql}", **identifiers(Color.YELLOW))


def _month_words(month: Month) -> str:
    return f"{MONTHS[month.month - 1]} {month.year}"
