"""What is known of an answer: the verdict on each claim, a number's score, tokens and price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import pandas as pd
import streamlit as st

from pages.shared.conversation import Round, Side, counts
from pages.shared.neutral import inert
from pages.shared.words import count
from pipeline.answers.asking import Asking
from pipeline.answers.claims import is_abstention
from pipeline.answers.gemini import Reply
from pipeline.answers.grounding import GLYPHS, ClaimVerdict, Verdict
from pipeline.answers.judge import GLYPHS as JUDGE_GLYPHS
from pipeline.answers.judge import Judged, Judgement
from pipeline.answers.prices import Prices
from pipeline.answers.truths import Score, Truth, in_unit

Tint = Literal["green", "yellow", "red", "blue", "gray"]

_COLORS: dict[Verdict, Tint] = {
    Verdict.FOUND: "green",
    Verdict.VALUE: "yellow",
    Verdict.NOT_FOUND: "gray",
    Verdict.ABSTAINED: "blue",
}
_JUDGE_COLORS: dict[Judged, Tint] = {
    Judged.SUPPORTED: "green",
    Judged.CONTRADICTED: "red",
    Judged.NOT_IN_SOURCE: "gray",
    Judged.UNVERIFIED: "yellow",
}
_OUTCOMES: dict[str, tuple[str, Tint]] = {
    "right": ("✓", "green"),
    "wrong": ("✕", "red"),
    "abstained": ("–", "blue"),
    "no number": ("○", "gray"),
}


def verdict_words(verdict: Verdict) -> str:
    """Return a verdict with its glyph, as it is written everywhere."""
    return f"{GLYPHS[verdict]} {verdict}"


def show_claims(
    verdicts: Sequence[ClaimVerdict], judged: Sequence[Judgement] | None, numbers: Mapping[str, int]
) -> None:
    """Draw the verdict on each claim, with the passage that comes nearest.

    `numbers` are those of the passages by their text, `judged` is the model's word if it was asked.
    """
    for position, verdict in enumerate(verdicts):
        with st.container(border=True, gap="xsmall"):
            row = st.container(horizontal=True, gap="small")
            row.badge(verdict_words(verdict.verdict), color=_COLORS[verdict.verdict])
            judgement = judged[position] if judged and position < len(judged) else None
            if judgement:
                row.badge(
                    f"{JUDGE_GLYPHS[judgement.verdict]} judge: {judgement.verdict}",
                    color=_JUDGE_COLORS[judgement.verdict],
                )
            st.markdown(inert(verdict.claim))
            if verdict.missing:
                st.caption(f"Not in the passage: {inert(', '.join(verdict.missing))}")
            if verdict.contradiction:
                st.caption(inert(verdict.contradiction))
            if verdict.passage and verdict.quote:
                start, end = verdict.quote
                number = numbers.get(verdict.passage.text)
                where = f"\\[{number}\\]" if number else inert(verdict.passage.context)
                st.caption(f"Nearest, in {where}: {inert(verdict.passage.text[start:end])}")
            if judgement and judgement.note:
                st.caption(inert(judgement.note))
            elif judgement and judgement.quote:
                st.caption(f"The judge quotes: {inert(judgement.quote)}")


def show_score(truth: Truth, found: Score) -> None:
    """Draw how a stated number compares with the truth."""
    glyph, color = _OUTCOMES[found.outcome]
    with st.container(border=True, gap="xsmall"):
        st.badge(f"{glyph} {found.outcome}", color=color)
        if found.stated:
            read = in_unit(found.stated.value, truth.template.unit)
            st.markdown(f"Read as **{inert(read)}**, from: {inert(found.stated.text)}")
        st.caption(
            f"The exact answer is {inert(truth.answer)}; right is {truth.template.tolerance}."
        )


def show_figures(asking: Asking, prices: Prices) -> None:
    """Draw an answer's times, tokens, price and model."""
    reply = asking.reply
    figures = {
        "First token": seconds(reply.first_token_seconds),
        "Total": seconds(reply.seconds),
        "Tokens": count(reply.usage.total) or "unknown",
        "Price": dollars(prices.cost(reply.model, reply.usage)),
    }
    grid = st.grid("auto", min_column_width=110)
    for name, figure in figures.items():
        grid.metric(name, figure)
    st.caption(" · ".join(_details(reply, prices)))


def _details(reply: Reply, prices: Prices) -> list[str]:
    usage = reply.usage
    parts = [f"{inert(reply.model_version or reply.model)}"]
    if usage.total is not None:
        parts.append(
            f"tokens: {count(usage.prompt)} prompt, {count(usage.output or 0)} answer, "
            f"{count(usage.thinking or 0)} thinking"
        )
    date = prices.date_of(reply.model)
    parts.append(f"list price of {date}" if date else "no price known for this model")
    if reply.waited_seconds:
        parts.append(f"waited {seconds(reply.waited_seconds)} for the API")
    return parts


def _ending(asking: Asking | None) -> str:
    """Return how an answer ended that did not come whole, or nothing."""
    if asking is None or asking.error is None:
        return ""
    return "◼ stopped" if asking.stopped else "✕ cut off"


def seconds(value: float | None) -> str:
    """Return a time to two decimals, or that it is unknown."""
    return "unknown" if value is None else f"{value:,.2f} s"


def dollars(value: float | None) -> str:
    """Return a price in dollars with what matters of it, or that it is unknown."""
    if value is None:
        return "unknown"
    return "$0" if value == 0 else f"${value:,.6f}" if value < 0.01 else f"${value:,.4f}"


def show_comparison(current: Round, texts: Mapping[Side, str], prices: Prices) -> None:
    """Draw both sides' numbers beside each other; what follows from them is for people to say."""
    rows: list[dict[str, str]] = []
    for side, text in texts.items():
        asking = current.asked.get(side)
        own = asking if asking and asking.reply.text.strip() == text else None
        reply = own.reply if own else None
        row = {"side": side.value}
        found = current.score(text)
        if found and current.truth:
            stated = found.stated
            row["outcome"] = f"{_OUTCOMES[found.outcome][0]} {found.outcome}"
            row["stated"] = in_unit(stated.value, current.truth.template.unit) if stated else ""
            row["exact"] = current.truth.answer
        else:
            verdicts = current.claims(side, text)
            row["outcome"] = _ending(own) or ("– abstained" if is_abstention(text) else "answered")
            row["claims"] = f"{len(verdicts):,}"
            row |= {verdict_words(kind): f"{n:,}" for kind, n in counts(verdicts).items()}
        row["first token"] = seconds(reply.first_token_seconds) if reply else ""
        row["total"] = seconds(reply.seconds) if reply else ""
        row["tokens"] = count(reply.usage.total) if reply else ""
        row["price"] = dollars(prices.cost(reply.model, reply.usage)) if reply else ""
        rows.append(row)
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        key=f"comparison {current.number}",
        column_config={
            name: st.column_config.TextColumn(alignment="right")
            for name in rows[0]
            if name not in ("side", "outcome")
        },
        alt="Both sides' numbers beside each other",
    )
