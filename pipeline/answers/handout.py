"""Write a comparison as one HTML page to hand out: it fetches nothing and runs nothing."""

from __future__ import annotations

import html
from collections.abc import Iterator

from pipeline.answers.check.grounding import GLYPHS, ClaimVerdict
from pipeline.answers.comparisons import (
    AnswerComparison,
    SideAnswer,
    nearest_text,
    outcome_words,
)
from pipeline.answers.demo import EXAMPLE_LABEL
from pipeline.answers.model.answer_text import THINKING_OMITTED
from pipeline.answers.model.names import other_model_notice
from pipeline.answers.model.prompts import Side
from pipeline.core.redact import redact

ORIGINS = {"model": "", "example": EXAMPLE_LABEL, "pasted": "Pasted from elsewhere"}

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 1000px; margin: 2rem auto; padding: 0 1rem }
.sides { display: flex; flex-wrap: wrap; gap: 2rem } .sides > section { flex: 1 1 22rem }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; background: #f4f4f2;
  padding: .6rem; border-radius: .4rem } mark { background: #ffe58a } small { color: #555 }
li { margin: .4rem 0 } .result { font-size: 1.3rem; font-weight: 600 }
@media print { section, li { break-inside: avoid } }
"""


def write_handout(comparison: AnswerComparison) -> str:
    """Return the page: both answers, the verdict on each claim, sources and exact prompts."""
    title = _text(comparison.question)
    return "\n".join(
        (
            "<!doctype html>",
            f'<html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            f"<style>{_STYLE}</style></head><body><h1>{title}</h1>",
            "<p>The same question; only one side got the source. A claim is checked by its words "
            "and values, without a model: found does not mean true.</p>",
            '<div class="sides">',
            *(line for side in Side for line in _side(comparison, side)),
            "</div>",
            *_sources(comparison),
            "<h2>Exact prompts</h2>",
            *(
                f"<h3>{side.label}</h3><pre>{_text(comparison.sides[side].prompt)}</pre>"
                for side in Side
            ),
            "</body></html>\n",
        )
    )


def describe_answer(answer: SideAnswer) -> list[str]:
    """Return what is known of an answer beside its text: who wrote it, tokens, time and price."""
    if answer.origin != "model":
        return [ORIGINS[answer.origin]]
    total = answer.usage.total
    return [
        answer.answered or answer.asked,
        other_model_notice(answer.asked, answer.answered),
        f"{total:,} tokens" if total is not None else "tokens not counted",
        f"{answer.seconds:,.2f} s" if answer.seconds is not None else "",
        f"${answer.dollars:,.6f} at list prices of {answer.price_date}"
        if answer.dollars is not None
        else "no price known",
        THINKING_OMITTED if answer.thinking_left_out else "",
    ]


def _side(comparison: AnswerComparison, side: Side) -> Iterator[str]:
    answer, verdicts = comparison.sides[side], comparison.verdicts(side)
    yield f"<section><h2>{side.label}</h2>"
    yield f'<p class="result">{_text(outcome_words(verdicts, answer))}</p>'
    yield f"<p><small>{_text(' · '.join(filter(None, describe_answer(answer))))}</small></p>"
    yield f"<pre>{_text(answer.text)}</pre>"
    if answer.problem:
        yield f"<p>{_text(answer.problem)}</p>"
    if verdicts:
        yield "<ol>"
        yield from (_claim(comparison, verdict) for verdict in verdicts)
        yield "</ol>"
    yield "</section>"


def _claim(comparison: AnswerComparison, verdict: ClaimVerdict) -> str:
    words = f"{GLYPHS[verdict.verdict]} {verdict.verdict}"
    parts = [f"<li><b>{_text(words)}</b>: {_text(verdict.claim)}"]
    if verdict.missing:
        parts.append(f"<br><small>Not in the passage: {_text(', '.join(verdict.missing))}</small>")
    if verdict.contradiction:
        parts.append(f"<br><small>{_text(verdict.contradiction)}</small>")
    if verdict.passage and (quote := nearest_text(verdict)):
        number = comparison.passages.index(verdict.passage) + 1
        parts.append(
            f"<br><small>Nearest sentence in [{number}]: <mark>{_text(quote)}</mark></small>"
        )
    return "".join((*parts, "</li>"))


def _sources(comparison: AnswerComparison) -> Iterator[str]:
    exact = comparison.exact
    if exact:
        yield f"<h2>Exact answer: {_text(exact.answer)}</h2>"
        yield f"<p>Right is {_text(exact.right)}. {_text(exact.notice)}</p>"
        yield f"<pre>{_text(exact.table)}</pre><pre>{_text(exact.sql)}</pre>"
    for number, passage in enumerate(comparison.passages, 1):
        heading = "<h2>Sources</h2>" if number == 1 else ""
        context, text = _text(passage.context), _text(passage.text)
        yield f"{heading}<h3>[{number}] {context}</h3><pre>{text}</pre>"


def _text(text: str) -> str:
    return html.escape(redact(text))
