"""A run of a question set as a chart, as CSV and JSON, and as one HTML page."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pipeline.answers.outcomes import (
    GROUPS,
    SIDE_WORDS,
    Contrast,
    Summary,
    contrasts,
    contrasts_with_earlier,
    summarize,
)
from pipeline.answers.scoring import GLYPHS, Outcome
from pipeline.answers.statistics import Rate
from pipeline.answers.suite_runs import Answer, SuiteRun
from pipeline.redact import redact, redact_all

if TYPE_CHECKING:
    import plotly.graph_objects as go

# Right is teal and wrong is orange: told apart by people who see no red or green.
COLORS = {Outcome.RIGHT: "#0f9d8a", Outcome.WRONG: "#c96a2b", Outcome.ABSTAINED: "#858c94"}


def chart(summaries: Iterable[Summary]) -> go.Figure:
    """Return the rates as bars with their intervals: a group of bars a side, a panel a model."""
    import plotly.graph_objects as go

    shown = [summary for summary in summaries if summary.group == "all"]
    names = [f"{SIDE_WORDS[s.side]}<br>{_plain(s.model)}" for s in shown]
    figure = go.Figure()
    for outcome in Outcome:
        rates = [summary.rates[outcome] for summary in shown]
        figure.add_bar(
            name=f"{GLYPHS[outcome]} {outcome}",
            x=names,
            y=[rate.share for rate in rates],
            marker_color=COLORS[outcome],
            customdata=[(rate.count, rate.total) for rate in rates],
            hovertemplate="%{x}<br>%{y:.0%}: %{customdata[0]:,} of %{customdata[1]:,}"
            "<extra></extra>",
            error_y={
                "type": "data",
                "symmetric": False,
                "color": "#7d828a",  # to be seen on light and dark alike
                "array": [rate.high - rate.share for rate in rates],
                "arrayminus": [rate.share - rate.low for rate in rates],
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
    """Return text that Plotly shows letter by letter: it takes some HTML in its labels."""
    return text.replace("<", "‹").replace(">", "›")


ANSWER_COLUMNS = tuple(Answer.__dataclass_fields__)


def write_csv(run: SuiteRun, answers: Sequence[Answer]) -> str:
    """Return the answers as CSV, a row each, without secrets.

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


def document(
    run: SuiteRun, answers: Sequence[Answer], earlier: Sequence[Answer] | None = None
) -> dict[str, Any]:
    """Return a run as one JSON document without secrets, as docs/answers.md documents it."""
    changes = contrasts(run, answers)
    if earlier is not None:
        changes += contrasts_with_earlier(run, answers, earlier)
    found: dict[str, Any] = {
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
        "dollars": sum(answer.dollars or 0.0 for answer in answers),
        "most_dollars": run.most_dollars,
        "started_at": run.started_at.isoformat(),
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        "rates": [
            asdict(summary) | {"rates": {o.value: asdict(r) for o, r in summary.rates.items()}}
            for summary in summarize(run, answers)
        ],
        "differences": [
            {"model": c.model, "what": c.what, "group": c.group, "outcome": c.outcome.value}
            | asdict(c.difference)
            for c in changes
        ],
        "answers": [asdict(answer) for answer in answers],
    }
    cleaned: dict[str, Any] = redact_all(found)
    return cleaned


_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; font-size: 14px }
th, td { border-bottom: 1px solid #ccc; padding: .35rem .6rem; text-align: left;
  vertical-align: top }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; font: inherit }
"""
# The report runs its own script and nothing else, and fetches nothing, whatever an answer holds.
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"


def write_html(
    run: SuiteRun, answers: Sequence[Answer], earlier: Sequence[Answer] | None = None
) -> str:
    """Return a run as one HTML page that needs no network; all text is escaped, without secrets."""
    summaries = summarize(run, answers)
    changes = contrasts(run, answers)
    if earlier is not None:
        changes += contrasts_with_earlier(run, answers, earlier)
    figure = chart(summaries).to_html(
        full_html=False, include_plotlyjs=True, config={"displaylogo": False}
    )
    title = html.escape(f"{run.suite.suite}: run {run.run_id}")
    facts = (
        f"{run.state}; {len(answers):,} of {run.calls:,} answers; {len(run.suite.questions):,} "
        f"questions, {run.repeats:,} times each; {run.top:,} passages a question; "
        f"begun {run.started_at:%Y-%m-%d %H:%M} UTC. {run.reason}"
    )
    questions = {question.id: question for question in run.suite.questions}
    return "\n".join(
        (
            "<!doctype html>",
            f'<html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            f"<style>{_STYLE}</style></head><body><h1>{title}</h1>",
            f"<p>{html.escape(redact(facts))}</p>",
            figure,
            "<h2>Rates, with 95 % Wilson intervals</h2>",
            _table(RATE_HEADS, rate_rows(summaries)),
            "<h2>Paired differences, with 95 % bootstrap intervals over questions</h2>",
            _table(CONTRAST_HEADS, contrast_rows(changes)),
            "<h2>Answers</h2>",
            _table(
                ("question", "kind", "side", "model", "repeat", "outcome", "answer"),
                [
                    (
                        questions[answer.question_id].question,
                        questions[answer.question_id].kind.value,
                        SIDE_WORDS[answer.side],
                        answer.model,
                        f"{answer.repeat:,}",
                        f"{GLYPHS[Outcome(answer.outcome)]} {answer.outcome}"
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


def rate_rows(summaries: Iterable[Summary]) -> list[tuple[str, ...]]:
    """Return the rates as the texts of a table's rows, under RATE_HEADS."""
    return [
        (
            summary.model,
            SIDE_WORDS[summary.side],
            GROUPS[summary.group],
            f"{summary.rates[Outcome.RIGHT].total:,}",
            *(rate_words(summary.rates[outcome]) for outcome in Outcome),
            "" if summary.claims_found is None else f"{summary.claims_found:.0%}",
            "" if summary.seconds is None else f"{summary.seconds:.1f}",
            "unknown" if summary.dollars is None else f"{summary.dollars:.4f}",
        )
        for summary in summaries
    ]


def contrast_rows(changes: Iterable[Contrast]) -> list[tuple[str, ...]]:
    """Return the differences as the texts of a table's rows, under CONTRAST_HEADS."""
    return [
        (
            change.model,
            change.what,
            GROUPS[change.group],
            change.outcome.value,
            f"{change.difference.difference:+.0%} ({change.difference.low:+.0%} to "
            f"{change.difference.high:+.0%})",
            f"{change.difference.pairs:,}",
            f"{change.difference.only_first:,}",
            f"{change.difference.only_second:,}",
            "under 0.001" if change.difference.p < 0.001 else f"{change.difference.p:.3f}",
        )
        for change in changes
    ]


def rate_words(rate: Rate) -> str:
    """Return a rate as it is shown: `67 % (12 of 18; 44 to 84 %)`."""
    return f"{rate.share:.0%} ({rate.count:,} of {rate.total:,}; {rate.low:.0%} to {rate.high:.0%})"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(f"<{tag}><pre>{html.escape(redact(cell))}</pre></{tag}>" for cell in row)

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><thead><tr>{cells('th', heads)}</tr></thead><tbody>{body}</tbody></table>"
