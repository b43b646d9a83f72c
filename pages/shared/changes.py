"""What loading the previewed file would change, and the button that loads it."""

from __future__ import annotations

import streamlit as st

from pages.shared.frame import await_plan, look, reported, start
from pages.shared.glossary import explain
from pages.shared.inside_views import cells_table, changes_table, difference_sentence
from pages.shared.look import Pick
from pages.shared.people import change_button
from pages.shared.target import target
from pages.shared.tasks import Work, begin, current, forget, show_running
from pages.shared.words import count, when
from pipeline.cancel import Cancel
from pipeline.errors import Cancelled, UsageError
from pipeline.plan import Policy, Request
from pipeline.preview import Preview
from pipeline.preview.difference import Difference, find_difference
from pipeline.preview.subject import Subject
from pipeline.settings import Settings, load_settings
from pipeline.trips import Selection
from pipeline.warehouse import open_warehouse


def show_changes(preview: Preview, pick: Pick) -> None:
    """Compare the file with the warehouse when asked to, and offer to load it."""
    subject = preview.subject
    if preview.problem or subject.problem:
        st.info("A file that cannot be loaded changes nothing.")
        return
    if not subject.whole:
        st.info("The comparison needs the whole file: fetch it into staging first.")
        return
    key = (subject, target())
    task = current("difference", key)
    if task is not None and not task.done():
        show_running(task, "Comparing with the warehouse", key="difference-cancel")
        return
    row = st.container(horizontal=True, vertical_alignment="center")
    if change_button(
        row, "Compare with what is loaded", icon=":material/difference:", key="compare"
    ):
        begin("difference", key, _comparison(subject, load_settings(), target()))
        st.rerun()
    if pick.source is not None:
        _offer_load(row, pick, pick.source)
    if task is None:
        billed = " BigQuery bills for reading them." if target() == "gcp" else ""
        st.caption(
            "The rows that are loaded are read and compared with those of the file. Nothing is "
            f"changed until a load.{billed}"
        )
        return
    with reported():
        try:
            _show_difference(task.result())
        except Cancelled:
            forget("difference")
            st.info("The comparison was cancelled.")


def _comparison(subject: Subject, settings: Settings, chosen: str) -> Work[Difference]:
    def compare(cancel: Cancel, _: object) -> Difference:
        with open_warehouse(chosen, settings) as warehouse:
            return find_difference(subject, warehouse, settings, cancel)

    return compare


def _offer_load(row: st.delta_generator.DeltaGenerator, pick: Pick, source: str) -> None:
    now = look()
    if change_button(
        row,
        "Load this file",
        icon=":material/play_arrow:",
        disabled=now.run is not None,
        key="load",
        help="Starts a backfill of this one file.",
    ):
        asked = Request(
            Selection((pick.file.color,), pick.file.month, pick.file.month),
            source=source,
            policy=Policy.ALL,
            target=target(),
        )
        with reported():
            plan = await_plan(asked, now)
            if not plan.to_run:
                raise UsageError(
                    f"Nothing would change: {plan.files[0].reason}.",
                    cure="The Backfill page can force a load.",
                )
            start(plan)
            forget("difference")
            st.switch_page("pages/backfill.py")


def _show_difference(difference: Difference) -> None:
    st.markdown(f"**{difference_sentence(difference)}**")
    loaded = difference.loaded
    if loaded is None:
        st.caption("Nothing of this file is loaded yet.")
    else:
        st.caption(f"{count(loaded.rows)} rows are loaded, since {when(loaded.finished_at)}.")
    figures = {
        "Inserted": count(difference.inserted),
        "Updated": count(difference.updated),
        "Deleted": count(difference.deleted),
        "Unchanged": count(difference.unchanged),
        "Rejected": count(difference.rejected),
        "Total now": f"${difference.amount_before:,.2f}",
        "Total after": f"${difference.amount_after:,.2f}",
    }
    grid = st.grid("auto", min_column_width=120)
    for name, figure in figures.items():
        grid.metric(name, figure, help=explain("reject") if name == "Rejected" else None)
    if difference.examples:
        st.dataframe(
            changes_table(difference.examples),
            hide_index=True,
            key="changes",
            column_config={"change": st.column_config.TextColumn(pinned=True)},
            alt="Rows that a load would change, changed cells as old → new",
        )
        st.caption("The first rows of each kind; a changed cell shows the old and the new value.")
    if difference.cells:
        st.dataframe(
            cells_table(difference),
            hide_index=True,
            key="cells",
            width="content",
            alt="In how many updated rows each column would change",
        )
