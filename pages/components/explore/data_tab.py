"""The tab Data: the loaded months beside the published counts, strays, and downloads of trips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import streamlit as st

from pages.components.common.drawing import rows_of
from pages.components.common.export_panel import offer_export
from pages.components.common.layout import table_height
from pages.components.common.target import target
from pages.components.common.words import counted
from pages.components.explore.download import offer_download
from pages.components.explore.loaded import Loaded
from pages.components.explore.page_filters import PageFilters
from pages.components.explore.query_runner import Outcomes
from pipeline.charts import CHARTS, STRAYS, ChartQuery, Filters, build_query
from pipeline.core.datasets import DATASETS
from pipeline.core.trips import Month, TripFile, months_between
from pipeline.warehouse.results import QueryResult


@dataclass(frozen=True)
class DataTab:
    """The tables of the tab, and the queries behind them."""

    coverage: ChartQuery
    strays: ChartQuery
    loaded: Loaded
    filters: Filters
    files: frozenset[TripFile]

    @property
    def queries(self) -> tuple[ChartQuery, ...]:
        """All queries of the tables."""
        return self.coverage, self.strays

    def show(self, outcomes: Outcomes) -> None:
        """Draw the downloads, and the tables below them."""
        coverage, strays = outcomes.wait(self.coverage), outcomes.wait(self.strays)
        left, right = st.columns([3, 2])
        with left:
            offer_download(self.filters, self.files)
            offer_export("explore-export")
        if isinstance(coverage, QueryResult):
            with left:
                st.markdown("**Loaded months**")
                months = months_table(coverage.table, self.loaded)
                st.dataframe(
                    months,
                    hide_index=True,
                    height=table_height(months.num_rows),
                    column_config={
                        name: st.column_config.NumberColumn(format="localized")
                        for name in ("trips", "strays", "rejects", "revenue, $")
                    },
                )
            with right:
                st.markdown("**Beside the published counts**")
                published = published_table(coverage.table)
                st.dataframe(
                    published,
                    hide_index=True,
                    height=table_height(published.num_rows),
                    # As narrow as their texts, so that the share is seen without scrolling.
                    column_config={
                        name: st.column_config.TextColumn(width=width, alignment="right")
                        for name, width in (("files", 70), ("loaded", 72), ("published", 84))
                    }
                    | {"share": st.column_config.TextColumn(width=56, alignment="right")},
                )
        if isinstance(strays, QueryResult) and strays.table.num_rows:
            trips = sum(strays.table["trips"].to_pylist())
            with right:
                st.markdown(f"**Strays by file: {counted(trips, 'trip')}**")
                table = strays_table(strays.table)
                st.dataframe(table, hide_index=True, height=table_height(table.num_rows))


def make_data_tab(page_filters: PageFilters, loaded: Loaded) -> DataTab:
    """Return the tab; of the filters, only the datasets matter for its tables."""
    filters = page_filters.combine()
    everything = Filters(strays=True, datasets=filters.datasets, left_out=filters.left_out)
    return DataTab(
        build_query(CHARTS["coverage"], everything, target()),
        build_query(STRAYS, everything, target()),
        loaded,
        filters,
        page_filters.files,
    )


def months_table(coverage: pa.Table, loaded: Loaded) -> pa.Table:
    """Return the loaded months with their trips, strays and rejects.

    Args:
        coverage: The rows of the query `coverage`.
        loaded: The ledger entries of the files.
    """
    rows = []
    for row in rows_of(coverage):
        file = TripFile.parse(row["filename"])
        entry = loaded.get(file)
        rows.append(
            {
                "month": str(file.month),
                "taxis": file.dataset.word,
                "trips": row["trips"],
                "strays": row["strays"],
                "rejects": entry.rejected if entry else None,
                "revenue, $": row["dollars"],
                "source": entry.source if entry else "",
            }
        )
    rows.sort(key=lambda row: (row["month"], row["taxis"]), reverse=True)
    return pa.Table.from_pylist(rows)


def published_table(coverage: pa.Table) -> pa.Table:
    """Return the loaded trips beside those that the sources publish, as text.

    Args:
        coverage: The rows of the query `coverage`.
    """
    loaded: Mapping[TripFile, int] = {
        TripFile.parse(row["filename"]): row["trips"] for row in rows_of(coverage)
    }
    rows: list[dict[str, Any]] = []
    counts = [(dataset, *count) for dataset in DATASETS.values() for count in dataset.known_counts]
    for dataset, first, last, published in sorted(counts, key=lambda count: count[1]):
        files = [TripFile(dataset, month) for month in months_between(first, last)]
        loaded_trips = [loaded[file] for file in files if file in loaded]
        year = first.year
        is_year = (first, last) == (Month(year, 1), Month(year, 12))
        months = f"{year}" if is_year else f"{first}" if first == last else f"{first} to {last}"
        rows.append(
            {
                "trips of": f"{dataset.word} {months}",
                "files": f"{len(loaded_trips):,} of {len(files):,}",
                "loaded": f"{sum(loaded_trips):,}",
                "published": f"{published:,}",
                "share": f"{sum(loaded_trips) / published:.1%}",
            }
        )
    return pa.Table.from_pylist(rows)


def strays_table(strays: pa.Table) -> pa.Table:
    """Return the strays by file and month of pickup, as text.

    Args:
        strays: The rows of the query STRAYS.
    """
    rows = rows_of(strays)
    return pa.table(
        {
            "file": [row["filename"].removesuffix(".csv") for row in rows],
            "month of pickup": [
                f"{row['pickup_month']:%Y-%m}" if row["pickup_month"] else "none" for row in rows
            ],
            "trips": [f"{row['trips']:,}" for row in rows],
        }
    )
