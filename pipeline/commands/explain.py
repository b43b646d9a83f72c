"""`explain`: what loading a month comes to, statement by statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.commands.console import (
    ColorOption,
    JsonOption,
    MonthOption,
    SourceOption,
    TargetOption,
    err,
    out,
    print_json,
    reported,
)
from pipeline.settings import load_settings

if TYPE_CHECKING:
    from pipeline.explain import Explanation


def explain(
    color: ColorOption,
    month: MonthOption,
    source: SourceOption = "github",
    target: TargetOption = "local",
    force: Annotated[bool, typer.Option("--force", help="As for a backfill with --force.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what happens when a month is loaded: inputs, variables, conditions and statements.

    The statements are those the loader itself will send, in order. Nothing is loaded.

    Example: python -m pipeline explain --color green --month 2020-04 --source sample
    """
    from pipeline.backfill import prepare_plan
    from pipeline.explain import explain as explain_file
    from pipeline.plan import Request
    from pipeline.trips import Color, Month, Selection

    with reported():
        settings = load_settings()
        when = Month.parse(month)
        selection = Selection((Color.parse(color),), when, when)
        request = Request(selection, source=source, force=force, target=target)
        plan = prepare_plan(request, settings, read_only=True)
        found = explain_file(plan.files[0], plan.request, settings)
        if as_json:
            print_json(explanation_document(found))
        else:
            _print(found)


def explanation_document(found: Explanation) -> dict[str, Any]:
    """Return the document that `explain --json` prints."""
    return {
        "file": found.file.filename,
        "target": found.target,
        "inputs": dict(found.inputs),
        "variables": dict(found.variables),
        "conditions": [
            {"question": condition.question, "answer": condition.answer}
            for condition in found.conditions
        ],
        "statements": [
            {"step": one.step, "name": one.name, "sql": one.sql, "values": dict(one.values)}
            for one in found.statements
        ],
        "note": found.note,
    }


def _print(found: Explanation) -> None:
    from pipeline.explain import as_text

    def say(text: str) -> None:
        out.print(text, markup=False)

    for title, values in (("Inputs", found.inputs), ("Variables", found.variables)):
        say(title)
        for name, value in values.items():
            say(f"  {name:10}{value}")
        say("")
    say("Conditions")
    for condition in found.conditions:
        say(f"  {condition.question} {condition.answer}")
    say(f"\nStatements ({len(found.statements)})")
    for number, one in enumerate(found.statements, start=1):
        say(f"\n-- {number}. {one.step}: {one.name}\n{as_text(one)}")
    err.print(found.note, markup=False)
