"""`answers ask` and `answers truths`: ask a model a question; compute exact answers about trips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.answers_output import truth_values, verdict_values
from pipeline.cli.console import (
    DatasetOption,
    JsonOption,
    TargetOption,
    err,
    escape,
    exit_on_error,
    load_settings,
    make_table,
    out,
    print_json,
)
from pipeline.core.errors import UsageError
from pipeline.warehouse.registry import DEFAULT_TARGET

if TYPE_CHECKING:
    from pipeline.answers.documents.retrieval import Passage
    from pipeline.answers.model.call import ModelCall
    from pipeline.answers.model.prompts import Prompt, Side
    from pipeline.answers.truths.templates import QuestionTemplate
    from pipeline.answers.truths.truths import GroundTruth
    from pipeline.core.settings.settings import Settings

_POLL_SECONDS = 0.2


class Mode(StrEnum):
    """Which sides are asked."""

    PLAIN = "plain"
    RAG = "rag"
    BOTH = "both"


def ask(
    question: Annotated[str, typer.Argument(help="What to ask.")],
    mode: Annotated[
        Mode, typer.Option(help="plain (without sources), rag (with sources) or both.")
    ] = Mode.BOTH,
    model: Annotated[
        str,
        typer.Option(
            help="Model, also as PROVIDER:NAME, such as openai-compatible:llama3.2. "
            "Default: the one in the settings."
        ),
    ] = "",
    rag_model: Annotated[str, typer.Option(help="Another model for the side with sources.")] = "",
    top: Annotated[
        int, typer.Option(min=1, max=100, help="Maximum number of passages as sources.")
    ] = 5,
    document: Annotated[
        list[str] | None,
        typer.Option(
            "--document", help="Search only this document: id, path or title; repeatable."
        ),
    ] = None,
    prompts: Annotated[
        bool, typer.Option("--prompts", help="Print the exact prompts without asking a model.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Ask a model with and without passages of your documents, and check its claims.

    Both answers are checked against the same passages. Needs a model: Gemini with a key, or a
    server that speaks the OpenAI API, such as Ollama; --prompts needs none.

    Example: python -m pipeline answers ask "When was it released?" --prompts
    """
    from pipeline.answers.documents.documents import DocumentStore
    from pipeline.answers.documents.retrieval import search

    with exit_on_error():
        settings = load_settings()
        documents = DocumentStore(settings.documents_path)
        only = [documents.find(name).id for name in document or ()]
        passages = search(documents, question, top, only)
        prompt_of = _prompts(question, passages, mode)
        if prompts:
            _print_prompts(prompt_of, as_json=as_json)
            return
        calls = _call_all(prompt_of, settings, model, rag_model or model)
        sides = [
            _side_values(side, call, question, passages, settings) for side, call in calls.items()
        ]
        for problem in {values["price_problem"] for values in sides} - {""}:
            err.print(f"! {problem}", markup=False)
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
        if any(call.error for call in calls.values()):
            raise typer.Exit(1)


def _prompts(question: str, passages: list[Passage], mode: Mode) -> dict[Side, Prompt]:
    from pipeline.answers.model.prompts import PromptSource, Side, plain_prompt, rag_prompt

    if not question.strip():
        raise UsageError("The question is empty.", cure="Put it in quotes.")
    sources = [PromptSource(passage.context, passage.text) for passage in passages]
    both = {Side.PLAIN: plain_prompt(question), Side.RAG: rag_prompt(question, sources)}
    return {side: prompt for side, prompt in both.items() if mode in (Mode.BOTH, side)}


def _print_prompts(prompts: dict[Side, Prompt], *, as_json: bool) -> None:
    if as_json:
        print_json({"prompts": {side.value: prompt.text() for side, prompt in prompts.items()}})
        return
    for side, prompt in prompts.items():
        out.print(f"[bold]{side.value}[/bold]")
        out.print(prompt.text(), markup=False)
        out.print()


def _call_all(
    prompts: dict[Side, Prompt], settings: Settings, plain_model: str, rag_model: str
) -> dict[Side, ModelCall]:
    """Ask all sides at the same time and wait until each has ended; Ctrl-C stops them."""
    from pipeline.answers.model.call import ModelCall
    from pipeline.answers.model.prompts import Side
    from pipeline.answers.model.providers import choose_model

    references = {Side.PLAIN: plain_model, Side.RAG: rag_model}
    if plain_model != rag_model and len(prompts) > 1:
        err.print("The sides use different models: more than the sources differs.")
    calls = {
        side: ModelCall(prompt, *choose_model(settings, references[side]))
        for side, prompt in prompts.items()
    }
    printed = ""
    try:
        for call in calls.values():
            while not call.wait(_POLL_SECONDS):
                waiting = " ".join(sorted({other.waiting for other in calls.values()}))
                # The countdown at the end of the sentence is no news.
                if waiting.split(" Asking")[0] != printed.split(" Asking")[0] and waiting.strip():
                    err.print(waiting, markup=False)
                printed = waiting
    except KeyboardInterrupt:
        for call in calls.values():
            call.stop()
        err.print("Cancelled.")
        raise typer.Exit(130) from None
    return calls


def _side_values(
    side: Side, call: ModelCall, question: str, passages: list[Passage], settings: Settings
) -> dict[str, Any]:
    """Return the fields of one side's answer in JSON."""
    from pipeline.answers.check.grounding import check, describe_outcome
    from pipeline.answers.comparisons import NO_SENTENCE
    from pipeline.answers.model.names import answered_name, other_model_notice
    from pipeline.answers.model.prices import read_prices

    response, answered = call.response, answered_name(call.response)
    prices = read_prices(settings)
    text = call.checked_text
    verdicts = check(text, passages, question=question) if text.strip() else []
    outcome = describe_outcome(text, verdicts)
    if not text.strip():
        outcome = NO_SENTENCE if response.text.strip() else "no answer"
    return {
        "mode": side.value,
        "answer": response.text,
        "problem": str(call.error) if call.error else response.note,
        "provider": response.provider,
        "model": response.model,
        "model_version": response.model_version,
        "notice": other_model_notice(response.model, response.model_version),
        "first_token_seconds": response.first_token_seconds,
        "seconds": response.seconds,
        "waited_seconds": response.waited_seconds,
        "thinking_left_out": response.thinking_left_out,
        "tokens": asdict(response.usage),
        "dollars": prices.cost(answered, response.usage),
        "price_date": prices.date_of(answered),
        "price_problem": prices.problem,
        "outcome": outcome,
        "claims": [verdict_values(verdict) for verdict in verdicts],
    }


def _print_side(values: dict[str, Any]) -> None:
    from pipeline.answers.check.grounding import GLYPHS, Verdict
    from pipeline.answers.model.answer_text import THINKING_OMITTED

    out.print(f"[bold]{values['mode']}[/bold]")
    if values["answer"]:
        out.print(values["answer"], markup=False)
    if values["notice"]:
        err.print(f"! {values['notice']}", markup=False)
    if values["problem"]:
        err.print(f"[red]✕[/red] {escape(values['problem'])}")
    for claim in values["claims"]:
        verdict = Verdict(claim["verdict"])
        out.print(f"{GLYPHS[verdict]} {verdict}: {claim['claim']}", markup=False)
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
        THINKING_OMITTED if values["thinking_left_out"] else "",
    ]
    out.print(" · ".join(filter(None, parts)), style="dim", markup=False)
    out.print()


def truths(
    template: Annotated[str, typer.Argument(help="Question template; default: all.")] = "",
    dataset_name: DatasetOption = "green",
    month: Annotated[str, typer.Option(help="YYYY-MM; without it, list the templates.")] = "",
    earlier: Annotated[
        str, typer.Option("--from", help="Month to compare with. Default: the previous one.")
    ] = "",
    target: TargetOption = DEFAULT_TARGET,
    as_json: JsonOption = False,
) -> None:
    """Print exact answers about the loaded trips, computed by SQL; needs no key and no network.

    Example: python -m pipeline answers truths --dataset green --month 2020-04
    """
    from pipeline.answers.truths.templates import TEMPLATES

    with exit_on_error():
        if template and template not in TEMPLATES:
            raise UsageError(
                f"There is no template {template!r}.", cure=f"There are: {', '.join(TEMPLATES)}."
            )
        templates = [TEMPLATES[template]] if template else list(TEMPLATES.values())
        answers: list[GroundTruth] = []
        if not month:
            rows = [
                {"template": entry.name, "question": entry.question, "right": entry.tolerance}
                for entry in templates
            ]
        else:
            answers = _find_truths(templates, dataset_name, month, earlier, target)
            rows = [truth_values(answer) for answer in answers]
        if as_json:
            print_json({"truths": rows})
            return
        columns = [name for name in rows[0] if name in ("template", "answer", "question", "right")]
        table = make_table(*columns)
        for row in rows:
            table.add_row(*(escape(str(row[name])) for name in columns))
        out.print(table)
        for notice in dict.fromkeys(answer.notice for answer in answers):
            if notice:
                err.print(notice, markup=False)


def _find_truths(
    templates: Sequence[QuestionTemplate], dataset_name: str, month: str, earlier: str, target: str
) -> list[GroundTruth]:
    """Return the exact answers whose months are loaded; raises UsageError if there are none."""
    from pipeline.answers.truths.truths import find_truth
    from pipeline.core.datasets import find_dataset
    from pipeline.core.trips import Month
    from pipeline.warehouse.registry import open_warehouse

    dataset, of_month = find_dataset(dataset_name), Month.parse(month)
    earlier_month = Month.parse(earlier) if earlier else None
    answers: list[GroundTruth] = []
    problems: list[UsageError] = []
    with open_warehouse(target, load_settings(), read_only=True) as warehouse:
        records = warehouse.records()
        for template in templates:
            try:
                answers.append(
                    find_truth(warehouse, records, template, dataset, of_month, earlier_month)
                )
            except UsageError as error:
                problems.append(error)
    if not answers:
        raise problems[0]
    for problem in dict.fromkeys(str(problem) for problem in problems):
        err.print(problem, markup=False)
    return answers
