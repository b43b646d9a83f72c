"""Export a run of a question set as a chart, as CSV and JSON, and as one HTML page."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pipeline.answers.suites.outcomes import (
    GROUPS,
    Contrast,
    OutcomeRates,
    contrasts,
    summarize,
    swap_notices,
)
from pipeline.answers.suites.scoring import OUTCOME_GLYPHS, Outcome
from pipeline.answers.suites.statistics import Rate
from pipeline.answers.suites.suite_runs import ScoredAnswer, SuiteRun
from pipeline.core.redact import redact, redact_all

if TYPE_CHECKING:
    import plotly.graph_objects as go

# Teal and orange differ also for people who cannot tell red from green.
COLORS = {Outcome.RIGHT: "#0f9d8a", Outcome.WRONG: "#c96a2b", Outcome.ABSTAINED: "#858c94"}


def draw_rates(rates: Iterable[OutcomeRates]) -> go.Figure:
    """Return a chart of the rates over all questions: a group of bars for each side and model."""
    import plotly.graph_objects as go

    shown = [row for row in rates if row.group == "all"]
    names = [f"{row.side.words}<br>{_plain(row.model)}" for row in shown]
    figure = go.Figure()
    for outcome in Outcome:
        bars = [row.rates[outcome] for row in shown]
        figure.add_bar(
            name=f"{OUTCOME_GLYPHS[outcome]} {outcome}",
            x=names,
            y=[rate.share for rate in bars],
            marker_color=COLORS[outcome],
            customdata=[(rate.count, rate.total) for rate in bars],
            hovertemplate="%{x}<br>%{y:.0%}: %{customdata[0]:,} of %{customdata[1]:,}"
            "<extra></extra>",
            error_y={
                "type": "data",
                "symmetric": False,
                "color": "#7d828a",  # visible on light and on dark
                "array": [rate.high - rate.share for rate in bars],
                "arrayminus": [rate.share - rate.low for rate in bars],
            },
        )
    figure.update_layout(
        barmode="group",
        height=380,
        margin={"l": 0, "r": 0, "t": 36, "b": 0},
        legend={"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0},
    )
    figure.update_xaxes(type="category", title="side and model")
    figure.update_yaxes(
        range=[0, 1], tickformat=".0%", title="share of answers, with 95 % interval"
    )
    return figure


def _plain(text: str) -> str:
    """Return text without the brackets of HTML, some of which Plotly obeys in its labels."""
    return text.replace("<", "‹").replace(">", "›")


ANSWER_COLUMNS = tuple(ScoredAnswer.__dataclass_fields__)


def write_csv(run: SuiteRun, answers: Sequence[ScoredAnswer]) -> str:
    """Return the answers as CSV, one row each, without secrets.

    A text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    questions = {question.id: question for question in run.suite.questions}
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["question", "kind", *ANSWER_COLUMNS])
    for answer in answers:
        question = questions[answer.question_id]
        row = [question.question, question.kind.value, *asdict(answer).values()]
        writer.writerow([_cell(value) for value in redact_all(row)])
    return file.getvalue()


def _cell(value: Any) -> Any:
    risky = isinstance(value, str) and value.lstrip()[:1] in ("=", "+", "-", "@")
    return f"'{value}" if risky else value


def to_document(
    run: SuiteRun, answers: Sequence[ScoredAnswer], earlier: Sequence[ScoredAnswer] | None = None
) -> dict[str, Any]:
    """Return a run as one JSON document without secrets; docs/answers.md describes its fields."""
    document: dict[str, Any] = {
        "run_id": run.run_id,
        "suite": run.suite.suite,
        "suite_sha256": run.suite.sha256,
        "state": run.state,
        "reason": run.reason,
        "models": run.models,
        "sides": run.sides,
        "repeats": run.repeats,
        "top": run.top,
        "calls": run.calls,
        "answered": len(answers),
        "notices": swap_notices(answers),
        "dollars": sum(answer.dollars or 0.0 for answer in answers),
        "most_dollars": run.most_dollars,
        "started_at": run.started_at.isoformat(),
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        "rates": [
            asdict(row) | {"rates": {o.value: asdict(r) for o, r in row.rates.items()}}
            for row in summarize(run, answers)
        ],
        "differences": [
            {"model": c.model, "what": c.what, "group": c.group, "outcome": c.outcome.value}
            | asdict(c.difference)
            for c in contrasts(run, answers, earlier)
        ],
        "answers": [asdict(answer) for answer in answers],
    }
    redacted: dict[str, Any] = redact_all(document)
    return redacted


_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; font-size: 14px }
th, td { border-bottom: 1px solid #ccc; padding: .35rem .6rem; text-align: left;
  vertical-align: top }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; font: inherit }
"""
# Whatever an answer contains, the page runs only its own script and fetches nothing.
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"


def write_html(
    run: SuiteRun, answers: Sequence[ScoredAnswer], earlier: Sequence[ScoredAnswer] | None = None
) -> str:
    """Return a run as one HTML page that fetches nothing; all text is escaped, without secrets."""
    rates = summarize(run, answers)
    figure = draw_rates(rates).to_html(
        full_html=False, include_plotlyjs=True, config={"displaylogo": False}
    )
    title = html.escape(f"{run.suite.suite}: run {run.run_id}")
    description = (
        f"{run.state}; {len(answers):,} of {run.calls:,} answers; {len(run.suite.questions):,} "
        f"questions, {run.repeats:,} times each; {run.top:,} passages a question; started "
        f"{run.started_at:%Y-%m-%d %H:%M} UTC. {run.reason} {' '.join(swap_notices(answers))}"
    )
    questions = {question.id: question for question in run.suite.questions}
    return "\n".join(
        (
            "<!doctype html>",
            f'<html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            f"<style>{_STYLE}</style></head><body><h1>{title}</h1>",
            f"<p>{html.escape(redact(description))}</p>",
            figure,
            "<h2>Rates, with 95 % Wilson intervals</h2>",
            _table(RATE_HEADS, rate_rows(rates)),
            "<h2>Paired differences, with 95 % bootstrap intervals over questions</h2>",
            _table(CONTRAST_HEADS, contrast_rows(contrasts(run, answers, earlier))),
            "<h2>Answers</h2>",
            _table(
                ("question", "kind", "side", "model", "repeat", "outcome", "answer"),
                [
                    (
                        questions[answer.question_id].question,
                        questions[answer.question_id].kind.value,
                        answer.side.words,
                        answer.model_version or answer.model,
                        f"{answer.repeat:,}",
                        f"{OUTCOME_GLYPHS[Outcome(answer.outcome)]} {answer.outcome}"
                        + (f" ({answer.why})" if answer.why else ""),
                        answer.answer,
                    )
                    for answer in answers
                ],
            ),
            "</body></html>\n",
        )
    )


RATE_HEADS = ("model", "side", "questions", "answers", *(outcome.value for outcome in Outcome),
              "claims found", "seconds", "dollars")  # fmt: skip
CONTRAST_HEADS = ("model", "compared", "questions", "outcome", "difference", "pairs",
                  "only first", "only second", "McNemar p")  # fmt: skip


def rate_rows(rates: Iterable[OutcomeRates]) -> list[tuple[str, ...]]:
    """Return rates as rows of text for a table with RATE_HEADS."""
    return [
        (
            row.model,
            row.side.words,
            GROUPS[row.group],
            f"{row.rates[Outcome.RIGHT].total:,}",
            *(rate_words(row.rates[outcome]) for outcome in Outcome),
            "" if row.claims_found is None else f"{row.claims_found:.0%}",
            "" if row.seconds is None else f"{row.seconds:.1f}",
            "unknown" if row.dollars is None else f"{row.dollars:.4f}",
        )
        for row in rates
    ]


def contrast_rows(contrasts: Iterable[Contrast]) -> list[tuple[str, ...]]:
    """Return contrasts as rows of text for a table with CONTRAST_HEADS."""
    return [
        (
            contrast.model,
            contrast.what,
            GROUPS[contrast.group],
            contrast.outcome.value,
            f"{contrast.difference.difference:+.0%} ({contrast.difference.low:+.0%} to "
            f"{contrast.difference.high:+.0%})",
            f"{contrast.difference.pairs:,}",
            f"{contrast.difference.only_first:,}",
            f"{contrast.difference.only_second:,}",
            "under 0.001" if contrast.difference.p < 0.001 else f"{contrast.difference.p:.3f}",
        )
        for contrast in contrasts
    ]


def rate_words(rate: Rate) -> str:
    """Return a rate in words: `67% (12 of 18; 44% to 84%)`."""
    return f"{rate.share:.0%} ({rate.count:,} of {rate.total:,}; {rate.low:.0%} to {rate.high:.0%})"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(f"<{tag}><pre>{html.escape(redact(cell))}</pre></{tag}>" for cell in row)

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><thead><tr>{cells('th', heads)}</tr></thead><tbody>{body}</tbody></table>"
