"""Choose how passages are retrieved: BM25, BM25 plus embeddings, or whole documents."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.components.answers.model_picker import pill_label
from pages.components.common.access import change_button
from pages.components.common.safe_markdown import inert
from pages.components.common.tasks import await_result
from pipeline.answers.documents.documents import Document, DocumentStore
from pipeline.answers.documents.retrieval import Passage, search, whole_document
from pipeline.answers.documents.vectors import VectorStore
from pipeline.answers.model import Model
from pipeline.answers.model.prices import read_prices
from pipeline.answers.model.providers import open_model
from pipeline.core.settings.settings import load_settings
from pipeline.core.tasks import run_in_background

_LABELS = {
    "words": "Best passages (BM25)",
    "meaning": "BM25 and {provider} embeddings",
    "whole": "Whole documents",
}
_BY_EMBEDDINGS = "passages found by embeddings"  # the newest, since each search costs


def pick_retrieval(question: str, documents: Sequence[Document], *, fixed: bool) -> None:
    """Draw the choice of documents and of the retrieval; `fixed` while a conversation lasts."""
    model = open_model(load_settings())
    titles = {document.id: pill_label(document.title) for document in documents}
    if len(documents) > 1:
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
    has_embeddings = model.is_ready and bool(model.embedding_model)
    row.selectbox(
        "Sources",
        [name for name in _LABELS if name != "meaning" or has_embeddings],
        format_func=lambda name: _LABELS[name].format(provider=model.label),
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
        _offer_embeddings(question, documents, model, fixed=fixed)


def _offer_embeddings(
    question: str, documents: Sequence[Document], model: Model, *, fixed: bool
) -> None:
    """Draw the button that searches by embeddings, which costs."""
    price = read_prices(load_settings()).of(model.embedding_model)
    cost = f"\\${price.input:g} a million tokens" if price else "price unknown"
    if change_button(
        st,
        "Search by meaning too",
        icon=":material/search:",
        key="search by meaning",
        disabled=fixed,
    ):
        find_passages(question, documents, now=True)
    st.caption(
        f"{inert(model.embedding_model)} makes a vector of every passage once ({cost}) and of each "
        "question. What that gains has not been measured; until it is asked for, the passages are "
        "those of BM25 alone."
    )


def find_passages(
    question: str, documents: Sequence[Document], *, now: bool = False
) -> list[Passage]:
    """Return the sources of a question by the retrieval that is picked.

    Args:
        question: What is asked.
        documents: The stored documents.
        now: Whether to search by embeddings, if that is picked; otherwise only the newest such
            search is used again.

    Raises what `Model.embed` raises.
    """
    if not question:
        return []
    state = st.session_state
    picked_ids = state.get("asked documents") or []
    picked = [document for document in documents if document.id in picked_ids]
    store = DocumentStore(load_settings().documents_path)
    retrieval = state.get("how to find")
    if retrieval == "whole":
        return [whole_document(store, document) for document in picked or documents]
    only, top = [document.id for document in picked], int(state.get("top") or 5)
    if retrieval == "meaning":
        key = (question, tuple(only), top, tuple(document.sha256 for document in documents))
        if now:
            state[_BY_EMBEDDINGS] = (key, _search_by_embeddings(store, question, only, top))
        if state.get(_BY_EMBEDDINGS, (None,))[0] == key:
            passages: list[Passage] = state[_BY_EMBEDDINGS][1]
            return passages
    return search(store, question, top, only)


def _search_by_embeddings(
    store: DocumentStore, question: str, only: Sequence[str], top: int
) -> list[Passage]:
    settings = load_settings()
    dense = (VectorStore(settings.vectors_path), open_model(settings))
    task = run_in_background(lambda: search(store, question, top, only, dense), "meaning")
    return await_result(task, "Searching by meaning …")
