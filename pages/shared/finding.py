"""How the sources for a question are found: by words, by meaning too, or whole documents."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.shared.background import ask, await_answer
from pages.shared.documents import documents
from pages.shared.models import pill
from pages.shared.neutral import inert
from pages.shared.people import change_button
from pipeline.answers.documents import Document
from pipeline.answers.gemini import EMBEDDING_MODEL, embed, has_key
from pipeline.answers.prices import read_prices
from pipeline.answers.retrieval import Passage, search, whole
from pipeline.answers.vectors import Embedder, Vectors
from pipeline.settings import load_settings

_WAYS = {
    "words": "Best passages (BM25)",
    "meaning": "BM25 and Gemini embeddings",
    "whole": "Whole documents",
}
_FOUND = "passages found by meaning"  # the newest, with what was asked: each search costs


def pick_way(question: str, kept: Sequence[Document], *, fixed: bool) -> None:
    """Draw how the sources for a question are found; `fixed` when it is asked already."""
    titles = {document.id: pill(document.title) for document in kept}
    if len(kept) > 1:
        st.pills(
            "Documents (all, unless some are picked)",
            list(titles),
            selection_mode="multi",
            format_func=lambda id: titles.get(id, id),
            key="asked documents",
            persist_state="session",
            disabled=fixed,
        )
    row = st.container(horizontal=True, vertical_alignment="bottom")
    ways = [way for way in _WAYS if way != "meaning" or has_key(load_settings())]
    row.selectbox(
        "Sources",
        ways,
        format_func=_WAYS.__getitem__,
        key="how to find",
        width=280,
        persist_state="session",
        disabled=fixed,
        help="Whole documents are the baseline that needs no search: longer, dearer, slower.",
    )
    row.number_input(
        "Most passages", 1, 20, 5, key="top", width=140, persist_state="session", disabled=fixed
    )
    if st.session_state.get("how to find") == "meaning" and question:
        offer_meaning(question, kept, fixed=fixed)


def offer_meaning(question: str, kept: Sequence[Document], *, fixed: bool) -> None:
    """Draw the way to a search by meaning, which is made when it is asked for."""
    price = read_prices(load_settings()).of(EMBEDDING_MODEL)
    cost = f"\\${price.input:g} a million tokens" if price else "price unknown"
    if change_button(
        st,
        "Search by meaning too",
        icon=":material/search:",
        key="search by meaning",
        disabled=fixed,
    ):
        find_passages(question, kept, now=True)
    st.caption(
        f"{inert(EMBEDDING_MODEL)} makes a vector of every passage once ({cost}) and of each "
        "question. What that gains has not been measured; until it is asked for, the passages are "
        "those of BM25 alone."
    )


def find_passages(question: str, kept: Sequence[Document], *, now: bool = False) -> list[Passage]:
    """Return the sources for a question, found as it was picked.

    With `now` a search by meaning is made, where that was picked; without, only the newest one is
    taken up again. Raises what `embed` raises.
    """
    state = st.session_state
    picked = state.get("asked documents") or []
    chosen = [one for one in kept if one.id in picked]
    if not question:
        return []
    way = state.get("how to find")
    if way == "whole":
        return [whole(documents(), one) for one in chosen or kept]
    only, top = [one.id for one in chosen], int(state.get("top") or 5)
    asked = (question, tuple(only), top, tuple(one.sha256 for one in kept))
    if way == "meaning" and now:
        state[_FOUND] = (asked, _search_by_meaning(question, only, top))
    if way == "meaning" and _FOUND in state and state[_FOUND][0] == asked:
        found: list[Passage] = state[_FOUND][1]
        return found
    return search(documents(), question, top, only)


def _search_by_meaning(question: str, only: Sequence[str], top: int) -> list[Passage]:
    settings = load_settings()
    embedder = Embedder(
        EMBEDDING_MODEL,
        lambda texts, asks: embed(texts, settings, question=asks),
    )
    dense = (Vectors(settings.vectors_path), embedder)
    found = ask(lambda: search(documents(), question, top, only, dense), "meaning")
    return await_answer(found, "Searching by meaning …")
