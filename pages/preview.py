"""Look inside a trip file, before or after it is loaded."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from pages.shared.changes import show_changes
from pages.shared.frame import reported, require_app, stand
from pages.shared.inside import show_findings, show_profile, show_rows, show_schema
from pages.shared.inside_views import VIEW_LABELS
from pages.shared.look import Pick, confirm_pick, pick_file, show_subject
from pages.shared.sqlbox import show_sql
from pages.shared.tasks import await_task, current, forget, resume
from pipeline.cancel import Cancel
from pipeline.preview import Preview, look_inside
from pipeline.settings import load_settings

require_app()


def show_page() -> None:
    """Draw everything below the title."""
    pick, preview = None, None
    with reported():
        pick = pick_file()
        if pick is None:
            st.info("Name the folder or URL, or drop a file, to look inside.")
        else:
            preview = await_preview(pick)
    if pick is None or preview is None:
        offer_others(pick)
        return
    with reported():
        show_preview(preview, pick)


def offer_others(pick: Pick | None) -> None:
    """Draw the ways on from where there is nothing to see: another try, or the sample."""
    row = st.container(horizontal=True)
    if pick is not None and pick.source is not None:
        row.button("Try again", icon=":material/replay:", key="again")
    row.button(
        "Look into the sample",
        icon=":material/science:",
        key="sample",
        on_click=lambda: st.session_state.update(file_way="month", file_source="sample"),
    )


def await_preview(pick: Pick) -> Preview:
    """Return the preview of what is picked; raises what finding and reading it raise."""
    settings = load_settings()

    def look(cancel: Cancel, _: object) -> Preview:
        return look_inside(pick.find(settings, cancel), settings, cancel)

    fetched = current("fetch", pick.key)
    if fetched is not None and fetched.succeeded():
        forget("fetch")
        forget("look")  # the next one finds it staged
    task = resume("look", (pick.key, settings.home), look)
    try:
        return await_task(task, "Looking inside …")
    except Exception:
        forget("look")  # the next look may find it mended
        raise


def show_preview(preview: Preview, pick: Pick) -> None:
    """Draw what there is to see inside the file."""
    show_subject(preview, pick)
    tabs = st.tabs(list(VIEW_LABELS.values()), key="inside", on_change="rerun")
    shows: tuple[Callable[[], None], ...] = (
        lambda: show_rows(preview),
        lambda: show_schema(preview),
        lambda: show_profile(preview),
        lambda: show_findings(preview),
        lambda: show_changes(preview, pick),
        lambda: show_sql(preview),
    )
    for tab, show in zip(tabs, shows, strict=True):
        if tab.open:
            with tab:
                show()


stand("Preview", beat=confirm_pick)
show_page()
