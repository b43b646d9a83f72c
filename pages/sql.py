"""The SQL page: query the tables of the warehouse, and see the rows as a table or a chart."""

from __future__ import annotations

import streamlit as st

from pages.components.common.backfills import read_ledger
from pages.components.common.frame import page_title
from pages.components.common.messages import reported
from pages.components.common.navigation import require_app
from pages.components.common.params import describe_invalid
from pages.components.common.runs import read_activity
from pages.components.common.sql_box import SqlBox, show_sql_box
from pages.components.common.target import backend, target, target_label
from pages.components.common.themed import follow_theme
from pages.components.common.tour import offer_sample
from pages.components.common.url_state import Params, UrlState
from pages.components.common.warehouse_tables import read_columns
from pipeline.core.datasets import DATASETS, Dataset
from pipeline.core.settings.settings import load_settings
from pipeline.warehouse.sandbox import Scope
from pipeline.warehouse.sandbox.vetting import MOST_LETTERS

_TEXT = "sql-warehouse"  # the key of the box's text
_MOST_LINKED = 2000  # letters of a query in the page's address; some servers refuse longer ones
_URL = UrlState("the query", params=("q",), widgets=(_TEXT,))

require_app()


def show_page() -> None:
    """Draw everything below the title."""
    _URL.load(_adopt)
    _URL.show_problems()
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
    dataset = next(one for one in DATASETS.values() if one.name in datasets)
    tables = dict.fromkeys((dataset.table, *backend().tables))  # what is loaded comes first
    scope = Scope(warehouse=database.path, warehouse_tables=tuple(tables))
    box = SqlBox("warehouse", target(), scope, read_columns(), _examples(dataset), _MEANING)
    show_sql_box(box)
    _URL.save(_link())


_MEANING = (
    "Trips of each color, `rejects`, `load_ledger`, and the rollups behind the charts. The page "
    "only reads."
)


def _examples(dataset: Dataset) -> tuple[str, ...]:
    trips, pickup = dataset.table, dataset.pickup
    return (
        f"SELECT date_trunc('day', {pickup}) AS day, count(*) AS trips\n"
        f"FROM {trips} GROUP BY day ORDER BY day",
        f"SELECT PULocationID AS zone, count(*) AS trips\n"
        f"FROM {trips} GROUP BY zone ORDER BY trips DESC LIMIT 20",
        "FROM load_ledger ORDER BY finished_at DESC LIMIT 20",
        "SHOW TABLES",
    )


def _adopt(link: Params) -> list[str]:
    """Put the query of a link into the box. It runs only when somebody presses the button."""
    query = link.get("q", [""])[-1].strip()
    if not query:
        return []
    if len(query) > MOST_LETTERS:
        rule = f"it has more than {MOST_LETTERS:,} letters"
        return [describe_invalid("q", query, rule, "It is left out.")]
    st.session_state[_TEXT] = query
    return []


def _link() -> Params:
    query = str(st.session_state.get(_TEXT) or "")
    return {"q": [query]} if query and len(query) <= _MOST_LINKED else {}


def keep_up() -> None:
    """Restore the page's query parameters, and redraw the chart when the theme changes."""
    _URL.confirm()
    follow_theme()


page_title("SQL", heartbeat=keep_up)
with reported():
    show_page()
