"""One trip file's story: what the ledger and the newest run say of it, and what can be done."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from pages.shared.frame import Now, await_plan, reported, show_synthetic, start
from pages.shared.glossary import explain
from pages.shared.grid import Cell
from pages.shared.log import as_text
from pages.shared.people import change_button
from pages.shared.runs import history
from pages.shared.target import target
from pages.shared.words import count, plain, size, state_words, when
from pipeline.plan import FileState, PlannedFile, Policy, Request
from pipeline.trips import Selection, TripFile
from pipeline.warehouse import FileRecord, LedgerEntry

_HELP = {"rejected": explain("reject")}
_COUNTS = ("rows", "inserted", "updated", "deleted", "unchanged", "rejected", "rounded")


def show_details(
    file: TripFile,
    cell: Cell,
    record: FileRecord | None,
    planned: PlannedFile | None,
    request: Request | None,
    now: Now,
) -> None:
    """Show one file's state, reason, counts, origin and log, and what can be done about it."""
    latest = record.latest if record else None
    loaded = record.loaded if record else None
    with st.container(border=True):
        row = st.container(horizontal=True, vertical_alignment="center")
        row.markdown(f"##### {state_words(cell.state)} · {plain(file.filename)}")
        if cell.synthetic:
            show_synthetic(row)
        if latest and latest.reason:
            show = st.error if latest.state == "failed" else st.info
            show(plain(latest.reason))
        if planned and cell.state != FileState.FAILED:
            st.text(f"In the plan: {'runs' if planned.runs else 'does not run'}; {planned.reason}.")
        if loaded:
            _show_entry(loaded, kept=latest is not None and latest.state == "failed")
        _show_actions(file, cell, latest, request, now)
        run = history().latest_run_of(file, target())
        if run:
            st.caption(f"Its log in the newest run with it, {run.run_id}")
            lines = history().log_lines(run.run_id, file)
            st.code(as_text(lines) if lines else "No line yet.", language=None, wrap_lines=True)


def _show_entry(entry: LedgerEntry, *, kept: bool) -> None:
    if kept:
        st.markdown("The rows of an earlier load are still there:")
    grid = st.grid("auto", min_column_width=110)
    for name in _COUNTS:
        grid.metric(name, count(getattr(entry, name)), help=_HELP.get(name))
    amount = entry.total_amount
    facts = {
        "amount": "unknown" if amount is None else f"${amount:,.2f} in all",
        "loaded": when(entry.finished_at),
        "from": entry.address or entry.source,
        "size": f"{size(entry.bytes)}, {entry.format or 'unknown format'}",
        "sha256": entry.sha256 or "unknown",
        "run": entry.run_id,
    }
    st.code(
        "\n".join(f"{name:8}{fact}" for name, fact in facts.items()), language=None, wrap_lines=True
    )


def _show_actions(
    file: TripFile, cell: Cell, latest: LedgerEntry | None, request: Request | None, now: Now
) -> None:
    if latest and latest.state != "unavailable":
        source = latest.source
    elif request:
        source = request.source
    else:
        return
    alone = Request(
        Selection((file.color,), file.month, file.month),
        source=source,
        policy=Policy.ALL,
        target=target(),
    )
    asked: Request | None = None
    row = st.container(horizontal=True, vertical_alignment="center")
    if cell.state == FileState.FAILED and change_button(
        row,
        "Retry this file",
        icon=":material/replay:",
        disabled=now.run is not None,
        key="retry-file",
    ):
        asked = alone
    if change_button(
        row,
        "Load this file again" if cell.rows else "Load this file",
        icon=":material/sync:",
        disabled=now.run is not None,
        key="load-file",
        help=f"From {plain(source)}, even if nothing changed (--force).",
    ):
        asked = replace(alone, force=True)
    link = {"color": file.color.value, "month": str(file.month), "source": source}
    row.page_link(
        "pages/preview.py", label="Look inside", icon=":material/search:", query_params=link
    )
    if asked:
        with reported():
            start(await_plan(asked, now))
            st.rerun()
