"""Offer all trips that the filters leave as a file."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from pathlib import Path

import streamlit as st

from pages.components.common.target import backend, target
from pages.components.common.words import count
from pipeline.charts import Filters
from pipeline.charts.download import FORMATS, MOST_ROWS, write_trips
from pipeline.core.scratch import ScratchFolder
from pipeline.core.settings.settings import load_settings
from pipeline.core.trips import TripFile
from pipeline.warehouse.registry import open_warehouse


def offer_download(filters: Filters, files: Collection[TripFile]) -> None:
    """Draw a button for each format; the file is made when one is clicked."""
    row = st.container(horizontal=True, vertical_alignment="center")
    row.markdown(
        "**All filtered trips**", width="content", help="With the columns of the trip tables."
    )
    if backend().is_billed:
        row.caption(
            f"Downloads are offered for the local warehouse only. Export from {backend().storage} "
            f"with `python -m pipeline export --target {target()}`."
        )
        return
    for format in FORMATS:
        row.download_button(
            format,
            data=partial(make_file, target(), filters, tuple(files), format),
            file_name=f"fareground-trips.{format.lower()}",
            on_click="ignore",
            icon=":material/download:",
            key=f"trips-{format}",
        )
    row.caption(f"Up to {count(MOST_ROWS)} trips per file.")


def make_file(
    target_name: str, filters: Filters, files: Collection[TripFile], format: str
) -> bytes:
    """Return the filtered trips as the content of a file.

    Streamlit calls it in a thread without a session, where `target` is not known.

    Raises what `write_trips` raises.
    """
    settings = load_settings()
    with ScratchFolder() as folder, open_warehouse(target_name, settings) as warehouse:
        path = Path(folder) / f"trips.{format.lower()}"
        write_trips(warehouse, filters, files, path, format, settings)
        return path.read_bytes()
