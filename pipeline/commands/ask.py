"""`answers ask` and `answers truths`: one question to a model; exact answers about the trips."""

from __future__ import annotations

import re
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.commands.console import (
    ColorOption,
    JsonOption,
    TargetOption,
    err,
    escape,
    make_table,
    out,
    print_json,
    reported,
)
from pipeline.errors import UsageError
from pipeline.settings import Settings, load_settings

if TYPE_CHECKING:
    from pipeline.answers.asking import Asking
    from pipeline.answers.prompts import Prompt
    from pipeline.answers.retrieval import Passage
    from pipeline.answers.truths import Truth

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Mode(StrEnum):
    """Which sides are asked."""

    PLAIN = "plain"
    RAG = "rag"
    BOTH = "both"


def ask(
    question: Annotated[str, typer.Argument(help="What to ask.")],
    mode: Annotated[Mode, typer.Option(help="Without sources, with them, or both.")] = Mode.BOTH,
    model: Annotated[str, typer.Option(help="Model to ask. Default: GEMINI_MODEL.")] = "",
    top: Annotated[int, typer.Option(min=1, max=100, help="Most passages as sources.")] = 5,
    document: Annotated[
        list[str] | None,
        typer.Option("--document", help="Keep to this document: id, path or title; repeatable."),
    ] = None,
    prompts: Annotated[
        bool, typer.Option("--prompts", help="Print the exact prompts and ask nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Ask a model, with and without the passages of your documents, and check what it claims.

    Both answers are checked against the same passages. Needs a Gemini API key; --prompts does not.

    Example: python -m pipeline answers ask "When was it released?" --prompts
    """
    from pipeline.answers.retrieval import search
    from pipeline.commands.answers import open_documents

    with reported():
        settings = load_settings()
        documents = open_documents()
        only = [documents.find(name).id for name in document or ()]
        passages = search(documents, question, top, only)
        wanted = _prompts(question, passages, mode)
        if prompts:
            _print_prompts(wanted, as_json=as_json)
            return
        asked = _ask_all(wanted, settings, model)
        sides = [_side_values(side, asking, passages, settings) for side, asking in asked.items()]
        if as_json:
            print_json(
                {
                    "question": question,
                    "sides": sides,
                    "passages": [asdict(passage) for passage in passages],
                }
            )
        else:
            for values in sides:
                _print_side(values)
        if any(asking.error for asking in asked.values()):
            raise typer.Exit(1)


def _prompts(question: str, passages: list[Passage], mode: Mode) -> dict[Mode, Prompt]:
    from pipeline.answers.prompts import Source, plain_prompt, rag_prompt

    if not question.strip():
        raise UsageError("The question is empty.", cure="Put it in quotes.")
    sources = [Source(passage.context, passage.text) for passage in passages]
    both = {Mode.PLAIN: plain_prompt(question), Mode.RAG: rag_prompt(question, sources)}
    return {side: prompt for side, prompt in both.items() if mode in (side, Mode.BOTH)}


def _print_prompts(wanted: dict[Mode, Prompt], *, as_json: bool) -> None:
    if as_json:
        print_json({"prompts": {side.value: prompt.text() for side, prompt in wanted.items()}})
        return
    for side, prompt in wanted.items():
        out.print(f"[bold]{side.value}[/bold]")
        out.print(printable(prompt.text()), markup=False)
        out.print()


def _ask_all(wanted: dict[Mode, Prompt], settings: Settings, model: str) -> dict[Mode, Asking]:
    """Ask all sides at once and wait until each has ended; Ctrl-C stops them."""
    from pipeline.answers.asking import Asking

    asked = {side: Asking(prompt, settings, model) for side, prompt in wanted.items()}
    told = ""
    try:
        for asking in asked.values():
            while not asking.done.wait(0.2):
                waiting = " ".join(sorted({one.waiting for one in asked.values()}))
                if waiting.split(" Asking")[0] != told.split(" Asking")[0] and waiting.strip():
                    err.print(waiting, markup=False)
                told = waiting
    except KeyboardInterrupt:
        for asking in asked.values():
            asking.stop()
        err.print("Cancelled.")
        raise typer.Exit(130) from None
    return asked


def _side_values(
    side: Mode, asking: Asking, passages: list[Passage], settings: Settings
) -> dict[str, Any]:
    from pipeline.answers.grounding import check, outcome
    from pipeline.answers.prices import read_prices
    from pipeline.commands.answers import verdict_values

    reply = asking.reply
    prices = read_prices(settings)
    verdicts = check(reply.text, passages) if reply.text.strip() else []
    return {
        "mode": side.value,
        "answer": reply.text,
        "problem": str(asking.error) if asking.error else reply.note,
        "model": reply.model,
        "model_version": reply.model_version,
        "first_token_seconds": reply.first_token_seconds,
        "seconds": reply.seconds,
        "waited_seconds": reply.waited_seconds,
        "tokens": asdict(reply.usage),
        "dollars": prices.cost(reply.model, reply.usage),
        "price_date": prices.date_of(reply.model),
        "outcome": outcome(reply.text, verdicts) if reply.text.strip() else "no answer",
        "claims": [verdict_values(verdict) for verdict in verdicts],
    }


def _print_side(values: dict[str, Any]) -> None:
    from pipeline.answers.grounding import GLYPHS, Verdict

    out.print(f"[bold]{values['mode']}[/bold]")
    if values["answer"]:
        out.print(printable(values["answer"]), markup=False)
    if values["problem"]:
        err.print(f"[red]✕[/red] {escape(printable(values['problem']))}")
    for claim in values["claims"]:
        verdict = Verdict(claim["verdict"])
        out.print(f"{GLYPHS[verdict]} {verdict}: {printable(claim['claim'])}", markup=False)
    tokens = {name: count for name, count in values["tokens"].items() if count is not None}
    cost = values["dollars"]
    parts = [
        values["outcome"],
        values["model_version"] or values["model"],
        f"{values['seconds']:.2f} s" if values["seconds"] is not None else "",
        f"tokens: {', '.join(f'{name} {count:,}' for name, count in tokens.items())}"
        if tokens
        else "",
        f"${cost:.6f} at list prices of {values['price_date']}" if cost is not None else "no price",
    ]
    out.print(" · ".join(printable(part) for part in parts if part), style="dim", markup=False)
    out.print()


def truths(
    template: Annotated[
        str, typer.Argument(help="One of the templates; without it all of them.")
    ] = "",
    color: ColorOption = "green",
    month: Annotated[str, typer.Option(help="YYYY-MM; without it the templates are listed.")] = "",
    earlier: Annotated[
        str, typer.Option("--from", help="The month to compare with. Default: the one before.")
    ] = "",
    target: TargetOption = "local",
    as_json: JsonOption = False,
) -> None:
    """Give exact answers about the loaded trips, by our own SQL; needs no key and no network.

    Example: python -m pipeline answers truths --color green --month 2020-04
    """
    from pipeline.answers.templates import TEMPLATES

    with reported():
        if template and template not in TEMPLATES:
            raise UsageError(
                f"There is no template {template!r}.", cure=f"There are: {', '.join(TEMPLATES)}."
            )
        chosen = [TEMPLATES[template]] if template else list(TEMPLATES.values())
        if not month:
            rows = [
                {"template": one.name, "question": one.question, "right": one.tolerance}
                for one in chosen
            ]
        else:
            rows = [_truth_values(truth) for truth in _find(chosen, color, month, earlier, target)]
        if as_json:
            print_json({"truths": rows})
            return
        shown = [name for name in rows[0] if name in ("template", "answer", "question", "right")]
        table = make_table(*shown)
        for row in rows:
            table.add_row(*(escape(str(row[name])) for name in shown))
        out.print(table)


def _find(chosen: list[Any], color: str, month: str, earlier: str, target: str) -> list[Truth]:
    """Return the truths of the chosen templates; of several, those whose months are loaded."""
    from pipeline.answers.truths import find_truth
    from pipeline.trips import Color, Month
    from pipeline.warehouse import open_warehouse

    wanted_color, wanted = Color.parse(color), Month.parse(month)
    before = Month.parse(earlier) if earlier else None
    found: list[Truth] = []
    problems: list[UsageError] = []
    with open_warehouse(target, load_settings(), read_only=True) as warehouse:
        records = warehouse.records()
        for template in chosen:
            try:
                found.append(find_truth(warehouse, records, template, wanted_color, wanted, before))
            except UsageError as error:
                problems.append(error)
    if not found:
        raise problems[0]
    for problem in dict.fromkeys(str(problem) for problem in problems):
        err.print(problem, markup=False)
    return found


def _truth_values(truth: Truth) -> dict[str, Any]:
    return {
        "template": truth.template.name,
        "answer": truth.answer,
        "value": truth.value,
        "unit": truth.template.unit,
        "right": truth.template.tolerance,
        "question": truth.question,
        "synthetic": truth.synthetic,
        "rows": truth.rows,
        "sql": truth.sql,
    }


def printable(text: str) -> str:
    """Return somebody's text without what would command a terminal."""
    return _CONTROLS.sub("", text)
