"""Draw ranked passages: numbered, with their scores, matching words marked."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.components.common.safe_markdown import inert
from pipeline.answers.documents.documents import DocumentStore
from pipeline.answers.documents.retrieval import Passage
from pipeline.answers.suites.suites import own_documents
from pipeline.core.settings.settings import load_settings

_MOST_AROUND = 10_000  # characters of a document on either side of a sentence, when it is opened
_LEAST_SCORE = 0.01  # that is shown
_BEFORE, _BEHIND = 160, 320  # characters of the document around a sentence


def show_passages(passages: Sequence[Passage], comparison_number: int | str) -> None:
    """Draw passages, best first, each with the anchor to which citations of its comparison link."""
    for number, passage in enumerate(passages, 1):
        with st.container(border=True):
            st.subheader(
                f"\\[{number}\\] {inert(passage.context)}",
                anchor=f"source-{comparison_number}-{number}",
            )
            # Where the question's words are in most chunks, BM25 is next to nothing.
            score = f"score {passage.score:.2f} · " if passage.score >= _LEAST_SCORE else ""
            st.caption(f"{score}{inert(passage.address)}")
            st.markdown(marked_text(passage.text, passage.highlights))


def show_in_document(passage: Passage, quote: tuple[int, int], key: str) -> None:
    """Draw a sentence of a passage in its document, marked, with what stands around it.

    Args:
        passage: The passage; its headings say on which page of a PDF it is.
        quote: The span (start, end) of the sentence in the text of the passage.
        key: Of the button that opens the document.
    """
    text, at = _document_text(passage)
    start, end = at + quote[0], at + quote[1]
    first = text.rfind("\n", 0, max(0, start - _BEFORE)) + 1
    last = text.find("\n", min(len(text), end + _BEHIND))
    last = len(text) if last < 0 else last
    line = text.count("\n", 0, start) + 1
    st.caption(f"{inert(passage.context)} · line {line:,}")
    spans, position = [], start
    for part in text[start:end].split("\n"):  # a span of marked_text is within a line
        spans.append((position - first, position + len(part) - first))
        position += len(part) + 1
    with st.container(border=True):
        before, behind = "…  \n" if first else "", "  \n…" if last < len(text) else ""
        st.markdown(f"{before}{marked_text(text[first:last], spans)}{behind}")
    if st.button("Open the document", icon=":material/description:", key=key):
        _open_document(passage, text, [(first + a, first + b) for a, b in spans])


@st.dialog("Document", width="large", icon=":material/description:")
def _open_document(passage: Passage, text: str, spans: Sequence[tuple[int, int]]) -> None:
    """Draw a document with a sentence marked; of a long one, the part around it."""
    first = text.rfind("\n", 0, max(0, spans[0][0] - _MOST_AROUND)) + 1
    part = text[first : spans[-1][1] + _MOST_AROUND]
    st.subheader(inert(passage.document), anchor=False)
    st.caption(inert(passage.address))
    if len(part) < len(text):
        st.caption(f"The part around the sentence, {len(part):,} of {len(text):,} characters")
    st.markdown(marked_text(part, [(start - first, end - first) for start, end in spans]))


def _document_text(passage: Passage) -> tuple[str, int]:
    """Return the text of a passage's document and where in it the passage begins.

    Of a document that is no longer stored, or that has changed since, it is the passage itself.
    """
    settings = load_settings()
    for documents in (DocumentStore(settings.documents_path), own_documents(settings)):
        for document in documents.documents():
            if document.id == passage.document_id:
                text = documents.text(document)
                if (at := text.find(passage.text)) >= 0:
                    return text, at
    return passage.text, 0


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
