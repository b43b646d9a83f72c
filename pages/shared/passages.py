"""Ranked passages as they are shown: numbered, with scores, their matching words marked."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.shared.neutral import inert
from pipeline.answers.retrieval import Passage


def show_passages(passages: Sequence[Passage], round_number: int) -> None:
    """Draw passages, best first, each at a place that citations of its round lead to."""
    for number, passage in enumerate(passages, 1):
        with st.container(border=True):
            st.subheader(
                f"\\[{number}\\] {inert(passage.context)}",
                anchor=f"source-{round_number}-{number}",
            )
            ranked = f"score {passage.score:.3g} · " if passage.score else ""
            st.caption(f"{ranked}{inert(passage.address)}")
            st.markdown(marked_text(passage.text, passage.highlights))


def marked_text(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """Return text as Markdown that shows it letter by letter, line by line, with spans marked."""
    lines, position = [], 0
    for line in text.split("\n"):
        end = position + len(line)
        parts, at = [], position
        for start, stop in spans:
            if start >= position and stop <= end:
                parts.append(_letters(text[at:start]))
                parts.append(f":yellow-background[{_letters(text[start:stop])}]")
                at = stop
        parts.append(_letters(text[at:end]))
        lines.append("".join(parts).strip())
        position = end + 1
    return "  \n".join(lines)


def _letters(text: str) -> str:
    """Return a piece of a line letter by letter, its outer spaces kept."""
    bare = text.strip()
    if not bare:
        return " " if text else ""
    before = " " if text[0].isspace() else ""
    return f"{before}{inert(bare)}{' ' if text[-1].isspace() else ''}"
