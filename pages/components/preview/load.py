"""The button that loads the previewed file, by a backfill of this one file."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.components.common.access import change_button, require_editor
from pages.components.common.backfills import await_plan, start_backfill
from pages.components.common.choice import choice_of, write_params
from pages.components.common.messages import reported
from pages.components.common.runs import read_activity
from pages.components.common.target import target
from pages.components.common.tasks import drop_task
from pages.components.common.words import plain, rows_in_words
from pages.components.preview.file_picker import ChosenFile
from pipeline.core.errors import UsageError
from pipeline.core.settings.settings import load_settings
from pipeline.core.trips import Selection, TripFile
from pipeline.files.offers import SAMPLE, UPLOAD
from pipeline.files.uploads import save_upload
from pipeline.preview import Preview
from pipeline.runs.plan import Request
from pipeline.runs.policy import Policy
from pipeline.warehouse.ledger import LedgerEntry


def offer_load(
    row: DeltaGenerator, preview: Preview, chosen: ChosenFile, loaded: LedgerEntry | None
) -> None:
    """Draw the button that loads the file; it asks first where other real trips are loaded.

    Args:
        loaded: The ledger entry of the month's rows; None if there are none.
    """
    if chosen.file is None:
        return
    subject = preview.subject
    reason = ""
    if read_activity().run is not None:
        reason = "A backfill runs. Load this file when it has ended."
    elif preview.problem or subject.problem:
        reason = "A load of this file would fail."
    elif loaded and _is_same(preview, chosen, loaded):
        reason = "The same bytes are loaded from the same source."
    if change_button(
        row,
        f":orange[:material/play_arrow: **Load {chosen.file.dataset} {chosen.file.month}**]"
        if not reason
        else f"Load {chosen.file.dataset} {chosen.file.month}",
        type="primary",
        disabled=bool(reason),
        help=reason or "Starts a backfill of this one file.",
        key="load",
    ):
        if loaded and _replaces(chosen, loaded):
            _confirm(chosen, loaded)
        else:
            with reported():
                _load(chosen)


def _replaces(chosen: ChosenFile, loaded: LedgerEntry) -> bool:
    """Return whether a load replaces real trips that are not an earlier version of this file."""
    is_other = chosen.upload is not None or loaded.source != chosen.source
    return is_other and not loaded.is_synthetic and chosen.source != SAMPLE


def _is_same(preview: Preview, chosen: ChosenFile, loaded: LedgerEntry) -> bool:
    staged = preview.subject.staged
    return (
        staged is not None
        and preview.subject.whole
        and loaded.is_current
        and loaded.sha256 == staged.source_sha256
        and loaded.source == _source(chosen)
    )


def _source(chosen: ChosenFile) -> str:
    return UPLOAD if chosen.upload else str(chosen.source)


@st.dialog("Replace the loaded trips?")
def _confirm(chosen: ChosenFile, loaded: LedgerEntry) -> None:
    file, upload = _file(chosen), chosen.upload
    back = (
        "upload the earlier file again"
        if loaded.source == UPLOAD
        else "load the month from its source again"
    )
    by = f"your file **{plain(upload.name)}**" if upload else f"those of {plain(_source(chosen))}"
    st.markdown(
        f"{rows_in_words(loaded.rows or 0)} of **{file.dataset.word} {file.month}** are loaded, "
        f"from {plain(loaded.source)}. They are replaced by {by}. To get them back, {back}."
    )
    row = st.container(horizontal=True)
    with reported():
        if change_button(
            row,
            f":orange[**Replace {rows_in_words(loaded.rows or 0)}**]",
            type="primary",
            key="replace",
        ):
            _load(chosen)
    if row.button("Cancel", key="replace-cancel"):
        st.rerun()


def _file(chosen: ChosenFile) -> TripFile:
    assert chosen.file is not None  # nothing is offered for another table
    return chosen.file


def _load(chosen: ChosenFile) -> None:
    """Start the backfill, and show it on the Backfill page; raise UsageError if nothing runs."""
    require_editor()
    file, upload = _file(chosen), chosen.upload
    if upload is not None:
        save_upload(upload.path, upload.name, file, load_settings())
    request = Request(
        Selection((file.dataset,), file.month, file.month),
        source=_source(chosen),
        policy=Policy.ALL,
        target=target(),
    )
    plan = await_plan(request, read_activity(), fresh=upload is not None)
    if not plan.to_run:
        raise UsageError(
            f"Nothing would change: {plan.files[0].reason}.",
            cure="The Backfill page can force a load.",
        )
    start_backfill(plan)
    drop_task("difference")
    st.switch_page("pages/backfill.py", query_params=write_params(choice_of(request)))
