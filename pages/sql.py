"""The SQL page: query the tables of the warehouse, and see the rows as a table or a chart."""

from __future__ import annotations

import streamlit as st

from pages.components.common.backfills import read_ledger
from pages.components.common.frame import page_title
from pages.components.common.messages import reported
from pages.components.common.navigation import require_app
from pages.components.common.runs import read_activity
from pages.components.common.sql_box import SqlBox, show_sql_box
from pages.components.common.target import backend, target, target_label
from pages.components.common.themed import follow_theme
from pages.components.common.tour import offer_sample
from pages.components.common.warehouse_tables import read_columns
from pages.components.sql.examples import MEANING, example_queries
from pages.components.sql.page_link import URL, adopt_link, current_link
from pipeline.core.datasets import DATASETS
from pipeline.core.settings.settings import load_settings
from pipeline.warehouse.sandbox import Scope

require_app()


def show_page() -> None:
    """Draw everything below the title."""
    URL.load(adopt_link)
    URL.show_problems()
    settings = load_settings()
    database = backend().database(settings)
    if database is None:
        st.info(
            f"This page queries a warehouse in a DuckDB file. Query {backend().storage} in its own "
            f"console, or with `python -m pipeline query SQL --target {target()}`."
        )
        return
    activity = read_activity()
    records = read_ledger(activity)
    loaded = [file for file, record in (records or {}).items() if record.loaded]
    if records is not None and not loaded:
        with st.container(border=True):
            st.markdown(
                f"**Nothing is loaded in the warehouse {target_label(target())}, so there is "
                "nothing to query.** Load some months on the Backfill page, or try the sample."
            )
            offer_sample(activity)
        return
    datasets = {file.dataset.name for file in loaded} or set(DATASETS)
    dataset = next(candidate for candidate in DATASETS.values() if candidate.name in datasets)
    tables = dict.fromkeys((dataset.table, *backend().tables))  # what is loaded comes first
    scope = Scope(warehouse=database.path, warehouse_tables=tuple(tables))
    box = SqlBox("warehouse", target(), scope, read_columns(), example_queries(dataset), MEANING)
    show_sql_box(box)
    URL.save(current_link())


def keep_up() -> None:
    """Restore the page's query parameters, and redraw the chart when the theme changes."""
    URL.confirm()
    follow_theme()


page_title("SQL", heartbeat=keep_up)
with reported():
    show_page()
