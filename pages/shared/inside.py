"""What there is to see inside a file: rows, columns, profile and findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from pages.shared.inside_views import (
    findings_in_words,
    profile_table,
    rows_table,
    schema_notes,
    schema_table,
    shown_findings,
)
from pages.shared.views import table_height
from pages.shared.words import count
from pipeline.preview import Preview


def show_rows(preview: Preview) -> None:
    """Show the first rows as they would be in the table."""
    if not preview.sample:
        st.info("There is no row to show.")
        return
    _show_table(preview.sample, "rows", "The first rows of the file")
    st.caption(
        f"The first {count(len(preview.sample))} rows, typed as they would be loaded; amounts in "
        "dollars, distances in miles, times as published (New York)."
    )


def _show_table(rows: Sequence[Mapping[str, object]], key: str, alt: str) -> None:
    table = rows_table(rows)
    amounts = [name for name in table if table[name].dtype == "float64"]
    st.dataframe(
        table,
        hide_index=True,
        key=key,
        height=table_height(len(table)),
        column_config={name: st.column_config.NumberColumn(format="%.2f") for name in amounts},
        alt=alt,
    )


def show_schema(preview: Preview) -> None:
    """Show the file's columns beside the table's."""
    st.dataframe(
        schema_table(preview.schema),
        hide_index=True,
        key="schema",
        height="content",
        column_config={
            "column": st.column_config.TextColumn(width=190),
            "expected": st.column_config.TextColumn(width=100),
            "in the file": st.column_config.TextColumn(width=190),
            "its type": st.column_config.TextColumn(width=110),
            "status": st.column_config.TextColumn(width=130),
        },
        width="content",
        alt="The columns of the file beside those of the table",
    )
    st.markdown(schema_notes(preview.schema))


def show_profile(preview: Preview) -> None:
    """Show each column in figures."""
    if not preview.profile:
        st.info("Without rows there is no profile.")
        return
    st.dataframe(
        profile_table(preview.profile),
        hide_index=True,
        key="profile",
        height="content",
        column_config={
            "column": st.column_config.TextColumn(width=190, pinned=True),
            "type": st.column_config.TextColumn(width=95),
            "nulls": st.column_config.NumberColumn(format="percent", width=80),
            "distinct": st.column_config.NumberColumn(format="localized", width=90),
            "histogram": st.column_config.BarChartColumn(width=190),
            **{
                name: st.column_config.TextColumn(alignment="right", width=150)
                for name in ("minimum", "25 %", "median", "75 %", "maximum")
            },
            "most frequent": st.column_config.TextColumn(width="large"),
        },
        alt="Each column of the file in figures",
    )
    st.caption(
        f"Counted over {count(preview.rows)} rows{'' if preview.subject.whole else ', not all'}. "
        "All figures are exact. A histogram spans the middle 98 % of the values; what lies outside "
        "is in its first and last bar."
    )


def show_findings(preview: Preview) -> None:
    """Show what is odd about the rows, each kind with its count and examples."""
    if preview.subject.staged is None:
        st.info("Without rows there is nothing to find.")
        return
    if not preview.subject.whole:
        st.caption(f"Counted over the first {count(preview.rows)} rows, not all of the file.")
    found = shown_findings(preview)
    if not found:
        st.success("Nothing odd was found.", icon=":material/check:")
    for finding, title in found:
        with st.expander(title):
            st.text(finding.meaning)
            if finding.examples:
                alt = f"Examples: {finding.title}"
                _show_table(finding.examples, f"finding-{finding.name}", alt)
    st.caption(findings_in_words(preview))
