"""Draw ranked passages: numbered, with their scores, matching words marked."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.components.common.safe_markdown import inert
from pipeline.answers.documents.retrieval import Passage


def show_passages(passages: Sequence[Passage], comparison_number: int) -> None:
    """Draw passages, best first, each with the anchor to which citations of its comparison link."""
    for number, passage in enumerate(passages, 1):
        with st.container(border=True):
            st.subheader(
                f"\\[{number}\\] {inert(passage.context)}",
                anchor=f"source-{comparison_number}-{number}",
            )
            score = f"score {passage.score:.3g} · " if passage.score else ""
            st.caption(f"{score}{inert(passage.address)}")
            st.markdown(marked_text(passage.text, passage.highlights))


def marked_text(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """Return Markdown that shows text letter by letter, line by line, with spans marked."""
    lines, position = [], 0
    for line in text.split("\n"):
        end = position + len(line)
        parts, done = [], position
        for start, stop in spans:
            if start >= position and stop <= end:
                parts.append(_letters(text[done:start]))
                parts.append(f":yellow-background[{_letters(text[start:stop])}]")
                done = stop
        parts.append(_letters(text[done:end]))
        lines.append("".join(parts).strip())
        position = end + 1
    return "  \n".join(lines)


def _letters(text: str) -> str:
    """Return Markdown that shows a part of a line letter by letter, with the spaces around it."""
    bare = text.strip()
    if not bare:
        return " " if text else ""
    before = " " if text[0].isspace() else ""
    return f"{before}{inert(bare)}{' ' if text[-1].isspace() else ''}"
