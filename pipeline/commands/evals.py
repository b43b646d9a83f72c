"""`answers eval` and `answers evals`: question sets, asked with and without sources."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.commands.console import (
    JsonOption,
    err,
    escape,
    make_table,
    out,
    print_json,
    reported,
)
from pipeline.errors import StorageError, UsageError
from pipeline.settings import Settings, load_settings

if TYPE_CHECKING:
    from pipeline.answers.evaluation import Call, Estimate
    from pipeline.answers.suite_runs import Answer, SuiteRun

EVAL_HELP = """
Ask a question set of models, with and without sources, and count right, wrong and abstained.

SUITE is a YAML file (docs/answers.md says what it holds), or one that comes with Fareground:
`releases` (made-up products) or `kestra-1.1`. The number of calls and the most they may cost are
said first; the run stops when it has cost that much. Ctrl-C stops it, and --resume goes on.

Examples:

    python -m pipeline answers eval releases --repeats 3 --dry-run

    python -m pipeline answers eval kestra-1.1 --model gemini-3.5-flash-lite --html report.html
"""


def evaluate(
    suite: Annotated[str, typer.Argument(help="A YAML file, releases or kestra-1.1.")] = "",
    model: Annotated[
        list[str] | None, typer.Option(help="Model to ask; repeatable. Default: GEMINI_MODEL.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, max=100, help="Times each is asked.")] = 1,
    side: Annotated[str, typer.Option(help="plain, rag or both.")] = "both",
    top: Annotated[int, typer.Option(min=1, max=100, help="Passages a question.")] = 5,
    per_minute: Annotated[
        float, typer.Option(min=0.1, help="Most calls a minute, for the quota.")
    ] = 10.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say calls and price, stop.")] = False,
    resume: Annotated[str, typer.Option(help="Go on with this run.")] = "",
    show: Annotated[str, typer.Option(help="Show this run and ask nothing.")] = "",
    compare: Annotated[str, typer.Option(help="Compare with this earlier run.")] = "",
    csv: Annotated[Path | None, typer.Option(help="Write the answers as CSV.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a report as one HTML page.")] = None,
    as_json: JsonOption = False,
) -> None:
    from pipeline.answers import report
    from pipeline.answers.evaluation import estimate
    from pipeline.answers.gemini_client import require_key
    from pipeline.answers.prices import read_prices
    from pipeline.answers.suite_runs import SuiteRuns

    with reported():
        settings = load_settings()
        runs = SuiteRuns(settings.suites_path)
        earlier = runs.answers(runs.run(compare).run_id) if compare else None
        if show:
            run = runs.run(show)
        else:
            begin, calls = (
                _resumed(resume, settings)
                if resume
                else _planned(suite, tuple(model or ()), repeats, side, top, settings)
            )
            expected = estimate(calls, read_prices(settings), per_minute)
            sentence = escape(_estimate_sentence(expected))
            if dry_run:
                if as_json:
                    print_json({"state": "planned", **asdict(expected)})
                else:
                    out.print(sentence)
                return
            err.print(sentence)
            require_key(settings)
            run = _run_in_foreground(begin(), settings, per_minute)
        kept = runs.answers(run.run_id)
        for path, content in (
            (csv, report.write_csv(run, kept) if csv else ""),
            (html, report.write_html(run, kept, earlier) if html else ""),
        ):
            if path:
                _write(path, content)
        if as_json:
            print_json(report.document(run, kept, earlier))
        else:
            _print_run(run, kept, earlier)
    if run.state == "failed":
        raise typer.Exit(1)


def list_evals(as_json: JsonOption = False, limit: int = 20) -> None:
    """List the runs of question sets, the newest first."""
    from pipeline.answers.evaluation import is_on
    from pipeline.answers.suite_runs import SuiteRuns

    with reported():
        settings = load_settings()
        store = SuiteRuns(settings.suites_path)
        found: list[dict[str, Any]] = [
            {
                "run_id": run.run_id,
                "suite": run.suite.suite,
                "state": "interrupted"
                if run.state == "running" and not is_on(run, settings)
                else run.state,
                "answered": len(store.answers(run.run_id)),
                "calls": run.calls,
                "models": run.models,
                "started_at": run.started_at.isoformat(),
                "reason": run.reason,
            }
            for run in store.runs(limit)
        ]
        if as_json:
            print_json({"runs": found})
            return
        if not found:
            out.print("No run yet. Try: python -m pipeline answers eval releases --dry-run")
            return
        table = make_table("run", "state", "answers", "suite", "models", "why")
        for row in found:
            answered = f"{row['answered']:,} of {row['calls']:,}"
            table.add_row(
                str(row["run_id"]),
                str(row["state"]),
                answered,
                escape(str(row["suite"])),
                escape(", ".join(row["models"])),
                escape(str(row["reason"])),
            )
        out.print(table)


def _resumed(run_id: str, settings: Settings) -> tuple[Callable[[], SuiteRun], list[Call]]:
    from pipeline.answers.evaluation import remaining
    from pipeline.answers.suite_runs import SuiteRuns

    run = SuiteRuns(settings.suites_path).run(run_id)
    return lambda: run, remaining(run, settings)


def _planned(
    suite: str, models: tuple[str, ...], repeats: int, side: str, top: int, settings: Settings
) -> tuple[Callable[[], SuiteRun], list[Call]]:
    """Return what begins a new run, and its calls."""
    from pipeline.answers.evaluation import plan_calls, start_run
    from pipeline.answers.suite_runs import SIDES
    from pipeline.answers.suites import open_library, read_suite, shipped_suites

    if not suite:
        raise UsageError(
            "No question set was given.",
            cure=f"Give a YAML file, or one of: {', '.join(shipped_suites())}.",
        )
    if side not in (*SIDES, "both"):
        raise UsageError(f"There is no side {side!r}.", cure="Use plain, rag or both.")
    path = shipped_suites().get(suite, Path(suite))
    asked = read_suite(path)
    sides = tuple(one for one in SIDES if side in (one, "both"))
    models = models or (settings.gemini_model,)
    library = open_library(asked, settings, path.parent)
    calls = plan_calls(asked, library, models, sides, repeats, top)
    return lambda: start_run(asked, path.parent, settings, models, sides, repeats, top), calls


def _run_in_foreground(run: SuiteRun, settings: Settings, per_minute: float) -> SuiteRun:
    from pipeline.answers.evaluation import run_suite
    from pipeline.cancel import Cancel

    cancel = Cancel()
    before = [
        (number, signal.signal(number, lambda *_: cancel.set()))
        for number in (signal.SIGINT, signal.SIGTERM)
    ]
    err.print(f"Run {run.run_id} begins; answers eval --resume {run.run_id} goes on with it.")
    try:
        return run_suite(
            run,
            settings,
            cancel,
            calls_a_minute=per_minute,
            on_answer=lambda answer, done, total: err.print(
                escape(f"{done:,} of {total:,}  {answer.outcome:<10}{answer.side:<6}"
                       f"{answer.question_id}")
            ),
        )  # fmt: skip
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _estimate_sentence(expected: Estimate) -> str:
    price = (
        f"at most ${expected.dollars:.4f}"
        if expected.dollars is not None
        else f"no price is known of {', '.join(expected.unpriced)}"
    )
    minutes = expected.seconds / 60
    return f"{expected.calls:,} calls, {price}; about {minutes:,.0f} min at this pace."


def _print_run(run: SuiteRun, kept: list[Answer], earlier: list[Answer] | None) -> None:
    from pipeline.answers import outcomes, report

    rates = make_table(*report.RATE_HEADS)
    for row in report.rate_rows(outcomes.summarize(run, kept)):
        rates.add_row(*map(escape, row))
    out.print(rates)
    changes = outcomes.contrasts(run, kept)
    if earlier is not None:
        changes += outcomes.contrasts_with_earlier(run, kept, earlier)
    if changes:
        table = make_table(*report.CONTRAST_HEADS)
        for row in report.contrast_rows(changes):
            table.add_row(*map(escape, row))
        out.print(table)
    out.print(f"Run {run.run_id} {run.state}, {len(kept):,} of {run.calls:,} answers.")
    if run.reason:
        out.print(run.reason, markup=False)


def _write(path: Path, content: str) -> None:
    try:
        path.write_text(content, "utf-8")
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error.strerror}.", cure="Choose another place."
        ) from None
    err.print(escape(f"Written: {path}"))
