"""Answer questions about the loaded trips exactly, by read-only SQL, and score stated numbers.

A model without sources guesses; with the result table as its source it should be right. The
answers of both are scored alike: by the number they state, within the question's tolerance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.answers.model.prompts import PromptSource
from pipeline.answers.truths.coverage import Coverage, coverage_of, describe_parts
from pipeline.answers.truths.stated import NumberUnit, StatedNumber, read_stated_number
from pipeline.answers.truths.templates import (
    QuestionTemplate,
    fill_slots,
    identifiers,
    meaning,
    parameters,
)
from pipeline.charts.zones import zone_table
from pipeline.core.datasets import Dataset
from pipeline.core.errors import UsageError
from pipeline.core.sql import statement
from pipeline.core.trips import Month, TripFile
from pipeline.warehouse import Warehouse
from pipeline.warehouse.ledger import FileRecord

NumberOutcome = Literal["right", "wrong", "not judged", "abstained", "no number"]

_UNIT_WORDS: dict[NumberUnit, str] = {
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
class GroundTruth:
    """A question about the loaded trips and its exact answer.

    Attributes:
        template: The question with its slots; `dataset`, `month` and `earlier` fill them.
        question: The question with its slots filled.
        value: The answer, in the unit of the template.
        rows: The result of the statement as plain values; a zone has its name beside it.
        sql: The statement as the warehouse ran it.
        coverage: How much of their months the loaded rows are.
        notice: Which files have far fewer rows than were published, in words; else empty.
    """

    template: QuestionTemplate
    question: str
    value: float
    rows: list[dict[str, Any]]
    sql: str
    coverage: Coverage
    dataset: Dataset
    month: Month
    earlier: Month | None = None
    notice: str = ""

    @property
    def synthetic(self) -> bool:
        """Whether the trips are those of the built-in sample."""
        return self.coverage == Coverage.SAMPLE

    @property
    def answer(self) -> str:
        """The exact answer with its unit, for people."""
        return in_unit(self.value, self.template.unit)

    def source(self) -> PromptSource:
        """Return the result table as a source for a model."""
        kind = "the built-in synthetic sample" if self.synthetic else "the loaded trip records"
        text = f"{meaning(self.template)}\n\n{self.table()}"
        return PromptSource(f"Result of an SQL query over {kind}", text)

    def table(self) -> str:
        """Return the result as a Markdown table."""
        names = list(self.rows[0])
        lines = [names, ["---"] * len(names)]
        lines += [[str(row[name]) for name in names] for row in self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@dataclass(frozen=True)
class NumberScore:
    """How a stated number compares with the exact answer; None where none is stated."""

    outcome: NumberOutcome
    stated: StatedNumber | None


def find_truth(
    warehouse: Warehouse,
    records: Mapping[TripFile, FileRecord],
    template: QuestionTemplate,
    dataset: Dataset,
    month: Month,
    earlier: Month | None = None,
) -> GroundTruth:
    """Return the exact answer to a question, from the trips that are loaded.

    Args:
        warehouse: Where the trips are.
        records: The warehouse's ledger, from `records()`.
        template: The question.
        dataset: Which trips it is about.
        month: Which month.
        earlier: The month to compare with; by default the one before.

    Raises UsageError that names the months to load, for a dataset without the columns that the
    question is about, or where one of two months is synthetic and the other real; WarehouseError
    when the warehouse cannot be read.
    """
    if not template.suits(dataset):
        raise UsageError(
            f"{dataset.label} do not have the columns that this question needs.",
            cure="Choose another question or color.",
        )
    question, files = fill_slots(template, dataset, month, earlier)
    absent = [file for file in files if not is_loaded(records.get(file))]
    if absent:
        raise UsageError(
            f"Not loaded: {', '.join(file.stem for file in absent)}.", cure=load_cure(absent)
        )
    synthetic = [file for file in files if _is_synthetic(records[file])]
    if synthetic and len(synthetic) < len(files):
        real = next(file for file in files if file not in synthetic)
        raise UsageError(
            f"{synthetic[0].stem} is synthetic and {real.stem} is real; they cannot be compared.",
            cure=f"Compare two real months. {load_cure(synthetic)}",
        )
    entries = [record.loaded for file in files if (record := records[file]).loaded]
    coverage = coverage_of(entries)
    if not coverage.is_of_month:
        stems = " and ".join(file.stem for file in files)
        plural = "s" if len(files) > 1 else ""
        question += f" Answer for the trips of the loaded file{plural} {stems} alone."
    sql = statement(f"truths/{template.sql}", **identifiers(dataset))
    result = warehouse.read(sql, parameters(template, files))
    rows = [_named_zone(row) for row in result.table.to_pylist()]
    value = rows[0][template.column] if rows else None
    if value is None:
        raise UsageError(
            f"The loaded rows of {', '.join(file.stem for file in files)} do not answer this "
            "question.",
            cure="Choose another question or month.",
        )
    return GroundTruth(
        template,
        question,
        float(value),
        rows,
        result.sql,
        coverage,
        dataset,
        month,
        earlier,
        describe_parts(entries),
    )


def score_number(
    truth: GroundTruth, answer: str, abstained: bool, *, has_source: bool = True
) -> NumberScore:
    """Compare the number that an answer states with the exact one.

    Args:
        truth: The question and its exact answer.
        answer: Markdown, as a model writes it.
        abstained: Whether the answer declines, which is neither right nor wrong, whatever numbers
            it mentions.
        has_source: Whether the model was given the result. Without it, another number than that
            of a part of a month may be true of the whole month, so it is not judged.
    """
    if abstained:
        return NumberScore("abstained", None)
    stated = read_stated_number(answer, truth.template.unit, truth.question)
    if stated is None:
        return NumberScore("no number", None)
    ends = (stated.value, stated.value if stated.low is None else stated.low)
    right = all(is_within(truth, end) for end in ends)
    if not right and not has_source and not truth.coverage.is_of_month:
        return NumberScore("not judged", stated)
    return NumberScore("right" if right else "wrong", stated)


def is_within(truth: GroundTruth, value: float) -> bool:
    """Return whether a value is within the tolerance of the exact answer."""
    allowed = max(truth.template.relative * abs(truth.value), truth.template.absolute)
    return abs(value - truth.value) <= allowed + 1e-9


def is_loaded(record: FileRecord | None) -> bool:
    """Return whether the rows of a file are in the table."""
    return record is not None and record.loaded is not None


def _is_synthetic(record: FileRecord) -> bool:
    return record.loaded is not None and record.loaded.is_synthetic


def _named_zone(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with a column `zone_name` after its column `zone`, if it has one."""
    if "zone" not in row:
        return row
    zone = zone_table().get(row["zone"])
    return {"zone": row["zone"], "zone_name": zone.label if zone else None} | row


def load_cure(files: list[TripFile]) -> str:
    """Return how to load some files, as a sentence."""
    months = sorted(file.month for file in files)
    dataset = files[0].dataset.name
    return (
        "Load it on the Backfill page, or with: python -m pipeline backfill "
        f"--dataset {dataset} --from {months[0]} --to {months[-1]}"
    )


def in_unit(value: float, unit: NumberUnit) -> str:
    """Return a value with its unit: `1,234 trips`, `$12.30`, `17:00 to 17:59`."""
    if unit == "zone" and (zone := zone_table().get(round(value))):
        return f"zone {value:.0f}, {zone.label}"
    if unit in ("hour", "day", "zone"):
        whole = f"{value:.0f}"
        return _UNIT_WORDS[unit].format(whole, whole)
    if unit == "trips":
        return _UNIT_WORDS[unit].format(f"{value:,.0f}")
    return _UNIT_WORDS[unit].format(f"{value:+,.2f}" if unit == "change" else f"{value:,.2f}")
