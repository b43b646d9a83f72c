"""`answers eval` and `answers evals`: run question sets, with and without sources."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.console import (
    JsonOption,
    err,
    escape,
    exit_on_error,
    load_settings,
    make_table,
    out,
    print_json,
)
from pipeline.core.errors import UsageError
from pipeline.core.storage_errors import storage_errors

if TYPE_CHECKING:
    from pipeline.answers.suites.evaluation import CallEstimate, PlannedCall
    from pipeline.answers.suites.suite_runs import ScoredAnswer, SuiteRun
    from pipeline.core.settings.settings import Settings

EVAL_HELP = """
Run a question set with and without sources, and count right, wrong and abstained answers.

SUITE is a YAML file (docs/answers.md describes it) or an included set: `releases` (fictional
products) or `kestra-1.1`. The number of calls and their maximum cost are printed first; the run
stops when it has cost that much. Ctrl-C stops it, and --resume continues it.

Examples:

    python -m pipeline answers eval releases --repeats 3 --dry-run

    python -m pipeline answers eval kestra-1.1 --model gemini-3.5-flash-lite --html report.html
"""


def evaluate(
    suite: Annotated[str, typer.Argument(help="YAML file, releases or kestra-1.1.")] = "",
    model: Annotated[
        list[str] | None, typer.Option(help="Model; repeatable. Default: the one in the settings.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, max=100, help="Repeats of each question.")] = 1,
    side: Annotated[str, typer.Option(help="plain, rag or both.")] = "both",
    top: Annotated[int, typer.Option(min=1, max=100, help="Passages a question.")] = 5,
    per_minute: Annotated[float, typer.Option(min=0.1, help="Maximum calls per minute.")] = 10.0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print calls and price, then stop.")
    ] = False,
    resume: Annotated[str, typer.Option(help="Continue this run.")] = "",
    show: Annotated[str, typer.Option(help="Show this run without asking anything.")] = "",
    compare: Annotated[str, typer.Option(help="Compare with this earlier run.")] = "",
    csv: Annotated[Path | None, typer.Option(help="Write the answers as CSV.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a report as one HTML page.")] = None,
    as_json: JsonOption = False,
) -> None:
    from pipeline.answers.model import require_ready
    from pipeline.answers.model.prices import read_prices
    from pipeline.answers.model.providers import choose_model
    from pipeline.answers.suites import report
    from pipeline.answers.suites.evaluation import estimate_calls
    from pipeline.answers.suites.suite_runs import SuiteRunStore

    with exit_on_error():
        settings = load_settings()
        runs = SuiteRunStore(settings.suites_path)
        earlier = runs.answers(runs.run(compare).run_id) if compare else None
        if show:
            run = runs.run(show)
        else:
            start, calls = (
                _resume(resume, settings)
                if resume
                else _plan(suite, tuple(model or ()), repeats, side, top, settings)
            )
            prices = read_prices(settings)
            if prices.problem:
                err.print(f"! {prices.problem}", markup=False)
            estimate = estimate_calls(calls, prices, per_minute)
            sentence = escape(_estimate_sentence(estimate))
            if dry_run:
                if as_json:
                    print_json({"state": "planned", **asdict(estimate)})
                else:
                    out.print(sentence)
                return
            err.print(sentence)
            for name in {call.model for call in calls}:
                require_ready(choose_model(settings, name)[0])
            run = _run_in_foreground(start(), settings, per_minute)
        scored = runs.answers(run.run_id)
        for path, content in (
            (csv, report.write_csv(run, scored) if csv else ""),
            (html, report.write_html(run, scored, earlier) if html else ""),
        ):
            if path:
                _write(path, content)
        if as_json:
            print_json(report.to_document(run, scored, earlier))
        else:
            _print_run(run, scored, earlier)
    if run.state == "failed":
        raise typer.Exit(1)


def list_evals(as_json: JsonOption = False, limit: int = 20) -> None:
    """List the runs of question sets, the newest first."""
    from pipeline.answers.suites.evaluation import is_running
    from pipeline.answers.suites.suite_runs import SuiteRunStore

    with exit_on_error():
        settings = load_settings()
        store = SuiteRunStore(settings.suites_path)
        rows: list[dict[str, Any]] = [
            {
                "run_id": run.run_id,
                "suite": run.suite.suite,
                "state": "interrupted"
                if run.state == "running" and not is_running(run, settings)
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
            print_json({"runs": rows})
            return
        if not rows:
            out.print(
                "There are no runs yet. Try: python -m pipeline answers eval releases --dry-run"
            )
            return
        table = make_table("run", "state", "answers", "suite", "models", "why")
        for row in rows:
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


def _resume(run_id: str, settings: Settings) -> tuple[Callable[[], SuiteRun], list[PlannedCall]]:
    """Return what returns an earlier run, and its remaining calls."""
    from pipeline.answers.suites.evaluation import remaining_calls
    from pipeline.answers.suites.suite_runs import SuiteRunStore

    run = SuiteRunStore(settings.suites_path).run(run_id)
    return lambda: run, remaining_calls(run, settings)


def _plan(
    suite_name: str, models: tuple[str, ...], repeats: int, side: str, top: int, settings: Settings
) -> tuple[Callable[[], SuiteRun], list[PlannedCall]]:
    """Return what stores and returns a new run, and its calls."""
    from pipeline.answers.model import default_name
    from pipeline.answers.model.providers import open_model
    from pipeline.answers.suites.evaluation import SIDES, plan_calls, start_run
    from pipeline.answers.suites.suites import open_scope, read_suite, shipped_suites

    if not suite_name:
        raise UsageError(
            "No question set was given.",
            cure=f"Give a YAML file, or one of: {', '.join(shipped_suites())}.",
        )
    if side not in (*SIDES, "both"):
        raise UsageError(f"There is no side {side!r}.", cure="Use plain, rag or both.")
    path = shipped_suites().get(suite_name, Path(suite_name))
    suite = read_suite(path)
    sides = tuple(candidate for candidate in SIDES if side in (candidate, "both"))
    models = models or (default_name(open_model(settings)),)
    scope = open_scope(suite, settings, path.parent)
    calls = plan_calls(suite, scope, models, sides, repeats, top)
    return lambda: start_run(suite, path.parent, settings, models, sides, repeats, top), calls


def _run_in_foreground(run: SuiteRun, settings: Settings, per_minute: float) -> SuiteRun:
    from pipeline.answers.suites.evaluation import run_suite
    from pipeline.core.cancel import Cancel

    cancel = Cancel()
    handlers = [
        (number, signal.signal(number, lambda *_: cancel.set()))
        for number in (signal.SIGINT, signal.SIGTERM)
    ]
    err.print(f"Run {run.run_id} starts; `answers eval --resume {run.run_id}` continues it.")
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
        for number, handler in handlers:
            signal.signal(number, handler)


def _estimate_sentence(estimate: CallEstimate) -> str:
    price = (
        f"at most ${estimate.dollars:.4f}"
        if estimate.dollars is not None
        else f"no price is known for {', '.join(estimate.unpriced)}"
    )
    minutes = estimate.seconds / 60
    return f"{estimate.calls:,} calls, {price}; about {minutes:,.0f} min at this pace."


def _print_run(
    run: SuiteRun, scored: list[ScoredAnswer], earlier: list[ScoredAnswer] | None
) -> None:
    from pipeline.answers.suites import outcomes, report

    rates = make_table(*report.RATE_HEADS)
    for row in report.rate_rows(outcomes.summarize(run, scored)):
        rates.add_row(*map(escape, row))
    out.print(rates)
    if differences := outcomes.contrasts(run, scored, earlier):
        table = make_table(*report.CONTRAST_HEADS)
        for row in report.contrast_rows(differences):
            table.add_row(*map(escape, row))
        out.print(table)
    out.print(f"Run {run.run_id} {run.state}, {len(scored):,} of {run.calls:,} answers.")
    for sentence in (run.reason, *outcomes.swap_notices(scored)):
        if sentence:
            out.print(sentence, markup=False)


def _write(path: Path, content: str) -> None:
    with storage_errors(path, "choose another place"):
        path.write_text(content, "utf-8")
    err.print(escape(f"Written: {path}"))
