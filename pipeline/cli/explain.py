"""The command `explain`: print the inputs, conditions and SQL of a load without running it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.console import (
    DatasetOption,
    JsonOption,
    MonthOption,
    SourceOption,
    TargetOption,
    err,
    exit_on_error,
    load_settings,
    out,
    print_json,
)
from pipeline.warehouse.registry import DEFAULT_TARGET

if TYPE_CHECKING:
    from pipeline.ops.explain import Explanation


def explain(
    dataset_name: DatasetOption,
    month: MonthOption,
    source: SourceOption = "github",
    target: TargetOption = DEFAULT_TARGET,
    force: Annotated[
        bool, typer.Option("--force", help="Show the steps of a backfill with --force.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show how a month is loaded: inputs, variables, conditions and statements.

    The statements are those of the loader, in order. Nothing is loaded.

    Example: python -m pipeline explain --dataset green --month 2020-04 --source sample
    """
    from pipeline.core.datasets import find_dataset
    from pipeline.core.trips import Month, Selection
    from pipeline.ops.explain import explain as explain_file
    from pipeline.runs.backfill import prepare_plan
    from pipeline.runs.plan import Request

    with exit_on_error():
        settings = load_settings()
        file_month = Month.parse(month)
        selection = Selection((find_dataset(dataset_name),), file_month, file_month)
        request = Request(selection, source=source, force=force, target=target)
        plan = prepare_plan(request, settings, read_only=True)
        explanation = explain_file(plan.files[0], plan.request, settings)
        if as_json:
            print_json(explanation_document(explanation))
        else:
            _print(explanation)


def explanation_document(explanation: Explanation) -> dict[str, Any]:
    """Return the JSON document of `explain --json`, as docs/command-line.md documents it."""
    return {
        "file": explanation.file.filename,
        "target": explanation.target,
        "inputs": dict(explanation.inputs),
        "variables": dict(explanation.variables),
        "conditions": [
            {"question": condition.question, "answer": condition.answer}
            for condition in explanation.conditions
        ],
        "statements": [
            {
                "step": statement.step,
                "name": statement.name,
                "sql": statement.sql,
                "values": dict(statement.values),
            }
            for statement in explanation.statements
        ],
        "note": explanation.note,
    }


def _print(explanation: Explanation) -> None:
    from pipeline.ops.explain import as_text

    def print_line(text: str) -> None:
        out.print(text, markup=False)

    for title, values in (("Inputs", explanation.inputs), ("Variables", explanation.variables)):
        print_line(title)
        for name, value in values.items():
            print_line(f"  {name:10}{value}")
        print_line("")
    print_line("Conditions")
    for condition in explanation.conditions:
        print_line(f"  {condition.question} {condition.answer}")
    print_line(f"\nStatements ({len(explanation.statements)})")
    for number, statement in enumerate(explanation.statements, start=1):
        print_line(f"\n-- {number}. {statement.step}: {statement.name}\n{as_text(statement)}")
    err.print(explanation.note, markup=False)
