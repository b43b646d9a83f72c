"""What BigQuery would bill for a query, beside its box, or in the menu of its chart."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pandas as pd
import streamlit as st

from pages.components.common.runs import read_activity
from pages.components.common.target import backend, target
from pages.components.common.words import plain
from pipeline.core.errors import FaregroundError, UsageError
from pipeline.core.settings.settings import Settings, load_settings
from pipeline.core.tasks import Task, run_in_background
from pipeline.warehouse import Parameters
from pipeline.warehouse.registry import find_backend
from pipeline.warehouse.scan import (
    BytesEstimate,
    TableSizes,
    compare_layouts,
    estimate,
    mebibytes,
)
from pipeline.warehouse.scan.references import Dialect
from pipeline.warehouse.scan.table_sizes import dialect_of, find_tables, measure_tables

_REDRAW_SECONDS = 0.5


def show_scan_estimate(sql: str, key: str) -> None:
    """Draw a line with the bytes that BigQuery would scan for a query, and their price.

    Behind it are the columns that are read, and the same for other layouts of the table. Nothing is
    drawn for SQL that is no SELECT, or names no table of the warehouse. The page does not wait
    while the tables are measured; the line changes when they are.
    """
    settings = load_settings()
    dialect = dialect_of(backend(), settings)
    now = datetime.now(UTC).replace(tzinfo=None)

    def show(sizes: dict[str, TableSizes]) -> None:
        _show_layouts(compare_layouts(sql, sizes, dialect=dialect, now=now), settings, key)

    _show_measured(sql, dialect, show)


def show_scan_caption(sql: str, parameters: Parameters) -> None:
    """Draw what BigQuery would scan for one of our own queries, in GoogleSQL, as a caption."""
    price = load_settings().gcp_price_per_tib

    def show(sizes: dict[str, TableSizes]) -> None:
        bytes_estimate = estimate(sql, sizes, parameters=parameters)
        scans = (f"{len(scan.columns)} columns of {scan.table}" for scan in bytes_estimate.scans)
        st.caption(plain(f"{bytes_estimate.sentence(price)}: {', '.join(scans)}."))

    _show_measured(sql, "bigquery", show)


def _show_measured(
    sql: str, dialect: Dialect, show: Callable[[dict[str, TableSizes]], None]
) -> None:
    """Measure the tables that a query reads in the background, then call `show` with the sizes."""
    try:
        tables = find_tables(sql, backend().tables, dialect)
    except UsageError:
        return  # the query itself says what is wrong with it
    if not tables:
        return
    question = target(), read_activity().mark, tuple(sorted(tables))
    task = _start_measuring(*question)

    def watch() -> None:
        if not task.done():
            st.caption("Measuring what BigQuery would scan …")
            return
        try:
            show(task.result())
        except FaregroundError as error:
            _start_measuring.clear(*question)  # the cause may be gone at the next call
            st.caption(f"Cannot estimate what BigQuery would scan: {plain(error.problem)}")

    st.fragment(run_every=None if task.done() else _REDRAW_SECONDS)(watch)()


@st.cache_resource(ttl=3600, max_entries=20, show_spinner=False)
def _start_measuring(
    target: str,
    mark: tuple[str, ...],  # noqa: ARG001  part of the key
    tables: tuple[str, ...],
) -> Task[dict[str, TableSizes], None]:
    settings = load_settings().model_copy(update={"busy_wait_seconds": 0.05})
    kind = find_backend(target)

    def measure() -> dict[str, TableSizes]:
        with kind.open(settings) as warehouse:
            return measure_tables(warehouse, tables, kind.rollups, is_billed=kind.is_billed)

    return run_in_background(measure, "sizes")


def _show_layouts(estimates: dict[str, BytesEstimate], settings: Settings, key: str) -> None:
    as_it_is = next(iter(estimates.values()))
    price = settings.gcp_price_per_tib
    with st.popover(
        plain(as_it_is.sentence(price)), icon=":material/cloud:", type="tertiary", key=key
    ):
        st.markdown("  \n".join(plain(str(scan)) for scan in as_it_is.scans))
        st.dataframe(
            _layout_rows(estimates, price),
            hide_index=True,
            alt="What BigQuery would scan for other layouts of the trips",
        )
        for note in as_it_is.notes:
            st.caption(plain(note))
        st.caption(
            f"{as_it_is.processed:,} bytes, by BigQuery's published rules, at \\${price:g} per TiB "
            f"({plain(settings.gcp_price_date)}); the first TiB of a month is free. For an "
            "external table the console says 0 MB before the query runs."
        )


def _layout_rows(estimates: dict[str, BytesEstimate], price: float) -> pd.DataFrame:
    return pd.DataFrame(
        [
            (label, each.figure, mebibytes(each.billed), f"${each.dollars(price):,.4f}")
            for label, each in estimates.items()
        ],
        columns=["layout of the trips", "scanned", "billed", "price"],
    )
