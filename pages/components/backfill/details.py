"""The details of one trip file: its state, what the ledger says of it, and its actions."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from pages.components.backfill.grid import Cell
from pages.components.common.access import change_button
from pages.components.common.backfills import await_plan
from pages.components.common.glossary import explain
from pages.components.common.messages import reported, show_synthetic
from pages.components.common.run_log import as_text
from pages.components.common.runs import Activity, history
from pages.components.common.sample_dialogs import start_or_confirm
from pages.components.common.target import target
from pages.components.common.words import count, plain, size, state_words, when
from pipeline.core.trips import Selection, TripFile
from pipeline.runs.plan import FileState, PlannedFile, Request
from pipeline.runs.policy import Policy
from pipeline.warehouse.ledger import FileRecord, LedgerEntry

_HELP = {"rejected": explain("reject")}
_COUNTS = ("rows", "inserted", "updated", "deleted", "unchanged", "rejected", "rounded")


def show_details(
    file: TripFile,
    cell: Cell,
    record: FileRecord | None,
    planned: PlannedFile | None,
    request: Request | None,
    activity: Activity,
) -> None:
    """Show one file's state, reason, counts, origin and log, and the buttons that load it.

    Args:
        file: The file.
        cell: The file's cell of the grid.
        record: What the ledger has of the file, if anything.
        planned: The file in the plan that is shown, if it is in one.
        request: What is chosen; it names the source of a file that was never loaded.
        activity: What runs now; while anything does, the buttons are disabled.
    """
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
            st.text(f"{'To load' if planned.runs else 'Not to load'}: {planned.reason}.")
        if loaded:
            if latest is not None and latest.state == "failed":
                st.markdown("The table still has the rows of an earlier load:")
            _show_entry(loaded)
        _show_actions(file, cell, latest, request, activity)
        if run := history().latest_run(file, target()):
            lines = history().log_lines(run.run_id, file)
            with st.expander(f"Log of run {run.run_id}", icon=":material/notes:"):
                st.code(as_text(lines) if lines else "No line yet.", language=None, wrap_lines=True)


def _show_entry(entry: LedgerEntry) -> None:
    grid = st.grid("auto", min_column_width=110)
    for name in _COUNTS:
        grid.metric(name, count(getattr(entry, name)), help=_HELP.get(name))
    amount = entry.total_amount
    facts = {} if amount is None else {"amount": f"${amount:,.2f} in all"}
    facts |= {
        "loaded": when(entry.finished_at),
        "from": entry.address or entry.source,
        "size": f"{_size(entry.bytes)}, {entry.format or 'unknown format'}",
        "unpacked": _size(entry.unpacked_bytes),
        "sha256": entry.sha256 or "unknown",
        "run": entry.run_id,
    }
    st.code(
        "\n".join(f"{name:9}{fact}" for name, fact in facts.items()),
        language=None,
        wrap_lines=True,
    )


def _size(number: int | None) -> str:
    """Return a size both exactly and in words: `134,481,400 bytes (128.3 MiB)`."""
    if number is None:
        return "unknown size"
    words = size(number)
    return words if words.endswith(" bytes") else f"{number:,} bytes ({words})"


def _show_actions(
    file: TripFile,
    cell: Cell,
    latest: LedgerEntry | None,
    request: Request | None,
    activity: Activity,
) -> None:
    """Draw the button that loads this file; draw nothing if its source is unknown."""
    if latest and latest.state != "unavailable":
        source = latest.source
    elif request:
        source = request.source
    else:
        return
    this_file = Request(
        Selection((file.dataset,), file.month, file.month),
        source=source,
        policy=Policy.ALL,
        target=target(),
    )
    failed = cell.state == FileState.FAILED
    label = "Retry" if failed else "Load again" if cell.rows else "Load"
    row = st.container(horizontal=True, vertical_alignment="center")
    pressed = change_button(
        row,
        label,
        icon=":material/replay:" if failed else ":material/sync:",
        disabled=activity.run is not None,
        key="load-file",
        help=f"{label} {plain(file.stem)} from {plain(source)}"
        + ("." if failed else ", even if it is unchanged (--force)."),
    )
    link = {"color": file.dataset.name, "month": str(file.month), "source": source}
    row.page_link("pages/preview.py", label="Preview", icon=":material/search:", query_params=link)
    if pressed:
        with reported():
            start_or_confirm(await_plan(replace(this_file, force=not failed), activity))
