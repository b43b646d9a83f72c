"""The documents to ask about: what is kept, and the ways to add more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import ceil

import pandas as pd
import streamlit as st

from pages.shared.background import ask, await_answer
from pages.shared.frame import reported
from pages.shared.neutral import inert
from pages.shared.people import change_button, change_form_button
from pages.shared.words import count, size, when
from pipeline.answers.documents import Document, Documents
from pipeline.answers.presets import PRESETS, add_preset
from pipeline.answers.reading import FORMATS
from pipeline.settings import load_settings


def documents() -> Documents:
    """Return the store of documents."""
    return Documents(load_settings().documents_path)


def show_documents(kept: Sequence[Document]) -> None:
    """Draw what is kept, and the ways to add a document."""
    show_added()
    if kept:
        show_kept(kept)
    else:
        st.info("No document yet. Fetch the release notes below, or add one of your own.")
    st.subheader("Add a document")
    preset, upload, paste = st.columns(3, gap="medium")
    with preset:
        show_presets(kept)
    with upload:
        show_upload()
    with paste:
        show_paste()


def show_kept(kept: Sequence[Document]) -> None:
    """Draw the kept documents, and Remove for those picked."""
    event = st.dataframe(
        pd.DataFrame(
            {
                "title": [document.title for document in kept],
                "date": [document.date for document in kept],
                "version": [document.version for document in kept],
                "passages": [count(document.chunks) for document in kept],
                "size": [size(document.bytes) for document in kept],
                "added": [when(document.added_at) for document in kept],
                "from": [document.address for document in kept],
                "sha256": [document.sha256 for document in kept],
            }
        ),
        hide_index=True,
        # Rows are picked by position, so another list is another table.
        key=f"documents {' '.join(document.id for document in kept)}",
        on_select="rerun",
        selection_mode="multi-row",
        column_config={
            "title": st.column_config.TextColumn(width="large"),
            "passages": st.column_config.TextColumn(alignment="right"),
            "size": st.column_config.TextColumn(alignment="right"),
        },
        alt="Documents that are kept",
    )
    picked = [kept[row] for row in event.selection.rows if row < len(kept)]
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
                documents().remove(document)
            note(f"Removed: {', '.join(document.title for document in picked)}.")
            st.rerun()


def show_presets(kept: Sequence[Document]) -> None:
    """Draw the public documents that can be fetched by a click."""
    here = {document.address for document in kept}
    for preset in PRESETS.values():
        with st.container(border=True):
            st.markdown(f"**{inert(preset.title)}**")
            st.caption(inert(preset.address))
            if change_button(
                st,
                "Fetch again" if preset.address in here else "Fetch",
                icon=":material/download:",
                key=f"fetch {preset.name}",
            ):
                keep(partial(fetch, preset.name))


def fetch(name: str) -> list[Document]:
    """Fetch a preset and return it alone; any other click is served meanwhile."""
    settings = load_settings()
    fetched = ask(lambda: add_preset(name, documents(), settings), "fetch")
    return [await_answer(fetched, "Fetching …")]


def show_upload() -> None:
    """Draw the upload of files."""
    with st.form("upload", clear_on_submit=True):
        files = st.file_uploader(
            "Markdown, text, HTML or PDF",
            type=[ending.removeprefix(".") for ending in FORMATS],
            accept_multiple_files=True,
            max_upload_size=ceil(load_settings().max_document_mb),
        )
        if change_form_button("Add files", icon=":material/upload:") and files:
            settings = load_settings()
            with st.spinner("Reading …"):
                keep(
                    lambda: [
                        documents().add(file.name, file.getvalue(), f"upload:{file.name}", settings)
                        for file in files
                    ]
                )


def show_paste() -> None:
    """Draw where text can be pasted."""
    with st.form("paste", clear_on_submit=True):
        title = st.text_input("Title", max_chars=200)
        text = st.text_area("Text or Markdown", height=120)
        if change_form_button("Add text", icon=":material/content_paste:"):
            if title.strip() and text.strip():
                keep(lambda: [documents().add_text(title.strip(), text, load_settings())])
            else:
                st.warning("Give a title and a text.")


def keep(add: Callable[[], list[Document]]) -> None:
    """Keep documents, and say so on the page as it is drawn next."""
    with reported():
        added = add()
        note(
            "Added: "
            + ", ".join(f"{document.title} ({document.chunks:,} passages)" for document in added)
            + "."
        )
        st.rerun()


def note(words: str) -> None:
    """Have something said when the page is drawn next."""
    st.session_state["documents note"] = words


def show_added() -> None:
    """Say what was added or removed just now."""
    if words := st.session_state.pop("documents note", ""):
        st.success(inert(words), icon=":material/check:")
