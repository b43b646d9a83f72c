"""Make the preview of the chosen file in the background, and say what to do if there is none."""

from __future__ import annotations

import streamlit as st

from pages.components.common.tasks import await_result, current_task, drop_task, resume_task
from pages.components.preview.file_picker import ChosenFile, look_into_sample
from pipeline.core.cancel import Cancel
from pipeline.core.settings.settings import load_settings
from pipeline.preview import Preview
from pipeline.preview.table import TablePreview


def await_preview(chosen: ChosenFile) -> Preview | TablePreview:
    """Return the preview of a file; raise whatever finding and reading the file raises.

    The preview is kept until another file is chosen, or the whole file has been fetched.
    """
    settings = load_settings()

    def preview_file(cancel: Cancel, _report: object) -> Preview | TablePreview:
        return chosen.preview(settings, cancel)

    fetch = current_task("fetch", chosen.key)
    if fetch is not None and fetch.succeeded():
        drop_task("fetch")
        drop_task("look")  # the next preview finds the whole file in staging
    task = resume_task("look", (chosen.key, settings.home), preview_file)
    try:
        return await_result(task, "Reading the file …")
    except Exception:
        drop_task("look")  # the cause may be gone at the next run of the page
        raise


def offer_others(chosen: ChosenFile | None) -> None:
    """Draw what to do when there is nothing to see: try again, or preview the sample.

    Args:
        chosen: The file that could not be read; None if no file is named.
    """
    row = st.container(horizontal=True)
    if chosen is not None and chosen.source is not None:
        row.button("Try again", icon=":material/replay:", key="again")
    row.button(
        "Preview the sample", icon=":material/science:", key="sample", on_click=look_into_sample
    )
