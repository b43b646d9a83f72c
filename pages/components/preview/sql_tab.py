"""The tab that runs SQL over the previewed file and, where it is a DuckDB file, the warehouse."""

from __future__ import annotations

import streamlit as st

from pages.components.common.sql_box import Columns, SqlBox, show_sql_box
from pages.components.common.target import backend
from pages.components.common.warehouse_tables import read_columns
from pipeline.core.settings.settings import load_settings
from pipeline.preview import Preview
from pipeline.preview.table import TABLE, TablePreview
from pipeline.warehouse.sandbox import Scope

_TRIP_EXAMPLES = (
    "SELECT payment_type, count(*) AS trips, sum(total_amount) AS dollars\n"
    "FROM trips GROUP BY payment_type ORDER BY trips DESC",
    "SELECT PULocationID AS zone, count(*) AS trips\nFROM trips GROUP BY zone ORDER BY trips DESC",
    "FROM file LIMIT 20",
    "SUMMARIZE trips",
)
_TABLE_EXAMPLES = ("FROM file LIMIT 20", "SUMMARIZE file", "SELECT count(*) AS rows FROM file")


def show_sql_tab(preview: Preview | TablePreview) -> None:
    """Draw the SQL box of a previewed file."""
    settings = load_settings()
    database = backend().database(settings)
    warehouse = (database.path, backend().tables) if database else (None, ())
    columns: dict[str, Columns] = {}
    examples: tuple[str, ...] = _TABLE_EXAMPLES
    if isinstance(preview, TablePreview):
        scope = Scope(preview.database, TABLE, None, *warehouse)
        columns[TABLE] = preview.columns
        meaning = "`file` has the rows of the file."
    else:
        staged = preview.subject.staged
        file = (staged.path, staged.format) if staged else None
        scope = Scope(preview.database, "trips", file, *warehouse)
        dataset = preview.subject.file.dataset
        columns["trips"] = [*((c.name, c.type) for c in dataset.columns), ("ordinal", "INT64")]
        columns["file"] = preview.subject.columns
        meaning = "`trips` has the rows as a load stores them, `file` the cells as they are."
        examples = tuple(filter(dataset.supports, _TRIP_EXAMPLES))
    if not scope.tables:
        st.info("There is nothing to query: no row of the file could be read.")
        return
    if database:
        columns |= read_columns()
        meaning += " All others are tables of the warehouse."
    else:
        meaning += f" The tables of {backend().storage} are not here: use its own console for them."
    about = preview.database or scope.tables
    # The main button is Load, above the tabs.
    show_sql_box(SqlBox("preview", about, scope, columns, examples, meaning, is_main=False))
