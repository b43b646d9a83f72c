"""Questions about the loaded trips with exact answers, worked out by our own read-only SQL.

A model without sources guesses; with the result table as its source it should be right. Both are
scored alike: by the number they state, against the question's own tolerance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.answers.numbers import Stated, Unit, read_number
from pipeline.answers.prompts import Source
from pipeline.answers.templates import Template, fill, identifiers, meaning, parameters
from pipeline.errors import UsageError
from pipeline.sql import statement
from pipeline.trips import Color, Month, TripFile
from pipeline.warehouse import FileRecord, Warehouse

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
class Truth:
    """A question filled in, with its exact answer and the table it stands in.

    `rows` are the result as plain values, `sql` the statement as the warehouse ran it, `synthetic`
    says that the trips are the built-in sample's. `color`, `month` and `earlier` fill the slots.
    """

    template: Template
    question: str
    value: float
    rows: list[dict[str, Any]]
    sql: str
    synthetic: bool
    color: Color
    month: Month
    earlier: Month | None = None

    @property
    def answer(self) -> str:
        """The exact answer with its unit, for people."""
        return in_unit(self.value, self.template.unit)

    def source(self) -> Source:
        """Return the result table as a source for a model."""
        kind = "the built-in synthetic sample" if self.synthetic else "the loaded trip records"
        text = f"{meaning(self.template)}\n\n{self.table()}"
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
    return Truth(
        template, question, float(value), rows, answer.sql, synthetic, color, month, earlier
    )


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


def in_unit(value: float, unit: Unit) -> str:
    """Return a value with its unit: `1,234 trips`, `$12.30`, `17:00 to 17:59`."""
    if unit in ("hour", "day", "zone"):
        whole = f"{value:.0f}"
        return _UNIT_WORDS[unit].format(whole, whole)
    if unit == "trips":
        return _UNIT_WORDS[unit].format(f"{value:,.0f}")
    return _UNIT_WORDS[unit].format(f"{value:+,.2f}" if unit == "change" else f"{value:,.2f}")
