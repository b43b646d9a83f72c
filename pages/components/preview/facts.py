"""The line of facts about a previewed file, with the buttons that load it or fetch the rest."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.components.common.access import change_button
from pages.components.common.backfills import read_ledger
from pages.components.common.messages import reported, show_synthetic
from pages.components.common.runs import read_activity
from pages.components.common.tasks import current_task, show_running_task, start_task
from pages.components.common.words import count, plain, rows_in_words, size
from pages.components.preview.file_picker import ChosenFile
from pages.components.preview.load import offer_load
from pipeline.core.errors import Cancelled, FaregroundError
from pipeline.core.settings.settings import load_settings
from pipeline.files.offers import SAMPLE_SCHEME
from pipeline.preview import Preview
from pipeline.preview.subject import Subject, fetch_subject
from pipeline.preview.table import TablePreview
from pipeline.warehouse.ledger import LedgerEntry

_PLACES = {
    "staged": "in staging",
    "own": "on this machine",
    "sample": "generated here",
    "source": "at its source",
}


def show_facts(preview: Preview, chosen: ChosenFile) -> None:
    """Say which file is shown and how much of it, and offer to load it or to fetch the rest."""
    subject = preview.subject
    loaded, is_known = _read_loaded(subject)
    facts = describe_preview(preview)
    if is_known:
        facts.append(describe_loaded(subject, loaded))
    # Apart, so that no button wraps and moves what is below while its label is drawn.
    left, right = st.columns([4, 1], vertical_alignment="center")
    row = left.container(horizontal=True, vertical_alignment="center")
    row.markdown(f"**{plain(subject.file.stem)}** · {plain(' · '.join(facts))}")
    if subject.address.startswith(SAMPLE_SCHEME):
        show_synthetic(row)
    offer_load(right, preview, chosen, loaded)
    if not subject.whole and chosen.source is not None and not subject.problem:
        _offer_fetch(row, chosen, chosen.source)
    _show_fetch(chosen)
    if preview.problem or subject.problem:
        st.error(
            f"A load of this file would fail. {plain(preview.problem or subject.problem)}",
            icon=":material/error:",
        )
    for note in filter(None, (subject.note, *preview.notes)):
        st.info(plain(note))


def show_table_facts(preview: TablePreview) -> None:
    """Say what is shown of a file that is no trip file, and why it cannot be loaded."""
    facts = [f"The whole file: {rows_in_words(preview.rows)}", " in ".join(preview.packings[::-1])]
    if preview.unpacked_bytes not in (None, preview.bytes):
        facts.append(f"{size(preview.bytes)} packed, {size(preview.unpacked_bytes)} unpacked")
    else:
        facts.append(size(preview.bytes))
    if preview.skipped:
        facts.append(f"{count(preview.skipped)} lines could not be read")
    st.markdown(f"**{plain(preview.name)}** · {plain(' · '.join(facts))}")
    st.info(
        f"This is no trip file, so it cannot be loaded. {plain(preview.reason)}",
        icon=":material/table:",
    )


def describe_preview(preview: Preview) -> list[str]:
    """Return how much of the file was read, its sizes, where it is, and how many findings."""
    subject = preview.subject
    facts = [_amount(preview), _sizes(subject), _PLACES[subject.place]]
    if subject.staged is not None:
        kinds = sum(bool(finding.count) for finding in preview.findings)
        facts.append(f"{kinds} finding" if kinds == 1 else f"{kinds} findings")
    return list(filter(None, facts))


def _amount(preview: Preview) -> str:
    subject = preview.subject
    if subject.staged is None:
        return "Its columns only"
    if subject.whole:
        return f"The whole file: {rows_in_words(preview.rows)}"
    of = f" of {count(subject.rows)}" if subject.rows is not None else ""
    return f"The first {rows_in_words(preview.rows)}{of}"


def _sizes(subject: Subject) -> str:
    if subject.staged is not None and not subject.whole:
        return f"{size(subject.fetched)} read of {size(subject.bytes) or 'an unknown size'}"
    unpacked = subject.staged.unpacked_bytes if subject.staged else None
    if subject.bytes is None:
        return ""
    if unpacked in (None, subject.bytes):
        return size(subject.bytes)
    return f"{size(subject.bytes)} packed, {size(unpacked)} unpacked"


def describe_loaded(subject: Subject, loaded: LedgerEntry | None) -> str:
    """Return whether the file is loaded, and whether its bytes are those that were."""
    if loaded is None:
        return "not loaded"
    if loaded.is_synthetic and not subject.address.startswith(SAMPLE_SCHEME):
        return "synthetic trips of this month are loaded"
    source = f"loaded from {loaded.source} on {loaded.finished_at:%Y-%m-%d}"
    if subject.staged is None or not subject.whole:
        return f"{source}; fetch the whole file to compare"
    if loaded.sha256 != subject.staged.source_sha256:
        return f"differs from what is {source}"
    return "same as loaded" if loaded.is_current else f"same bytes as {source}, by older rules"


def _read_loaded(subject: Subject) -> tuple[LedgerEntry | None, bool]:
    """Return the ledger entry of the file's rows, and whether the ledger could be read."""
    try:
        records = read_ledger(read_activity())
    except FaregroundError:  # the page is about the file; the Backfill page says what is wrong
        return None, False
    if records is None:
        return None, False
    record = records.get(subject.file)
    return (record.loaded if record else None), True


def _offer_fetch(row: DeltaGenerator, chosen: ChosenFile, source: str) -> None:
    """Draw the button that brings the whole file into staging."""
    task = current_task("fetch", chosen.key)
    running = task is not None and not task.done()
    if (
        change_button(
            row,
            "Fetch the whole file into staging",
            icon=":material/download:",
            key="fetch",
            disabled=running,
            help="For a profile of all its rows. A later backfill finds the file there.",
        )
        and chosen.file is not None
    ):
        settings, file = load_settings(), chosen.file
        start_task(
            "fetch",
            chosen.key,
            lambda cancel, report: fetch_subject(file, source, settings, cancel, report),
        )
        st.rerun()


def _show_fetch(chosen: ChosenFile) -> None:
    """Draw the fetch that runs, or what became of it."""
    task = current_task("fetch", chosen.key)
    if task is None:
        return
    if not task.done():
        show_running_task(task, "Fetching the whole file", key="fetch-cancel")
        return
    with reported():
        try:
            task.result()
        except Cancelled:
            st.info("The download was cancelled. The next one resumes it.")
