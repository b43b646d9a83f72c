"""Draw the stored documents, and the ways to add more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import ceil

import pandas as pd
import streamlit as st

from pages.components.common.access import change_button, change_form_button
from pages.components.common.messages import reported
from pages.components.common.safe_markdown import inert
from pages.components.common.tasks import await_result
from pages.components.common.words import count, counted, size, when
from pipeline.answers.documents.documents import Document, DocumentStore
from pipeline.answers.documents.presets import PRESETS, add_preset
from pipeline.answers.documents.reading import FORMATS
from pipeline.core.settings.settings import load_settings
from pipeline.core.tasks import run_in_background

_NOTICE = "documents note"


def open_documents() -> DocumentStore:
    """Return the store of documents of the settings."""
    return DocumentStore(load_settings().documents_path)


def show_documents(documents: Sequence[Document]) -> None:
    """Draw the stored documents, and the ways to add one."""
    if notice := st.session_state.pop(_NOTICE, ""):
        st.success(inert(notice), icon=":material/check:")
    if documents:
        _show_table(documents)
    else:
        st.info("No document yet. Fetch the release notes below, or add one of your own.")
    st.subheader("Add a document")
    preset, upload, paste = st.columns(3, gap="medium")
    with preset:
        _show_presets(documents)
    with upload:
        _show_upload()
    with paste:
        _show_paste()


def _show_table(documents: Sequence[Document]) -> None:
    """Draw the documents in a table, and Remove for the selected ones."""
    event = st.dataframe(
        pd.DataFrame(
            {
                "title": [document.title for document in documents],
                "date": [document.date for document in documents],
                "version": [document.version for document in documents],
                "passages": [count(document.chunks) for document in documents],
                "size": [size(document.bytes) for document in documents],
                "added": [when(document.added_at) for document in documents],
                "from": [document.address for document in documents],
                "sha256": [document.sha256 for document in documents],
            }
        ),
        hide_index=True,
        # Rows are selected by position, so another list is another table.
        key=f"documents {' '.join(document.id for document in documents)}",
        on_select="rerun",
        selection_mode="multi-row",
        column_config={
            "title": st.column_config.TextColumn(width="large"),
            "passages": st.column_config.TextColumn(alignment="right"),
            "size": st.column_config.TextColumn(alignment="right"),
        },
        alt="Documents that are kept",
    )
    picked = [documents[row] for row in event.selection.rows if row < len(documents)]
    if change_button(
        st,
        f"Remove {len(picked):,} picked" if picked else "Remove",
        icon=":material/delete:",
        disabled=not picked,
        key="remove",
        help=None if picked else "Pick rows of the table first.",
    ):
        with reported():
            for document in picked:
                open_documents().remove(document)
            titles = ", ".join(document.title for document in picked)
            st.session_state[_NOTICE] = f"Removed: {titles}."
            st.rerun()


def _show_presets(documents: Sequence[Document]) -> None:
    """Draw the public documents that can be fetched."""
    stored = {document.address for document in documents}
    for preset in PRESETS.values():
        with st.container(border=True):
            st.markdown(f"**{inert(preset.title)}**")
            st.caption(inert(preset.address))
            if change_button(
                st,
                "Fetch again" if preset.address in stored else "Fetch",
                icon=":material/download:",
                key=f"fetch {preset.name}",
            ):
                _add(partial(_fetch, preset.name))


def _fetch(name: str) -> list[Document]:
    """Fetch a preset and return it; any other click is served meanwhile."""
    settings = load_settings()
    fetched = run_in_background(lambda: add_preset(name, open_documents(), settings), "fetch")
    return [await_result(fetched, "Fetching …")]


def _show_upload() -> None:
    with st.form("upload", clear_on_submit=True):
        files = st.file_uploader(
            "Markdown, text, HTML or PDF",
            type=[ending.removeprefix(".") for ending in FORMATS],
            accept_multiple_files=True,
            max_upload_size=ceil(load_settings().max_document_mb),
        )
        if change_form_button("Add files", icon=":material/upload:") and files:
            add, settings = open_documents().add, load_settings()
            with st.spinner("Reading …"):
                _add(
                    lambda: [
                        add(file.name, file.getvalue(), f"upload:{file.name}", settings)
                        for file in files
                    ]
                )


def _show_paste() -> None:
    with st.form("paste", clear_on_submit=True):
        title = st.text_input("Title", max_chars=200)
        text = st.text_area("Text or Markdown", height=120)
        if change_form_button("Add text", icon=":material/content_paste:"):
            if title.strip() and text.strip():
                _add(lambda: [open_documents().add_text(title.strip(), text, load_settings())])
            else:
                st.warning("Give a title and a text.")


def _add(add: Callable[[], list[Document]]) -> None:
    """Add documents, and say so when the page is drawn again."""
    with reported():
        added = ", ".join(
            f"{document.title} ({'; '.join(filter(None, [passages, document.gaps]))})"
            for document in add()
            for passages in [counted(document.chunks, "passage")]
        )
        st.session_state[_NOTICE] = f"Added: {added}."
        st.rerun()
