"""The tabs of a preview: rows, columns, profile, findings, changes and SQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import streamlit as st

from pages.components.common.layout import table_height
from pages.components.common.words import count, rows_in_words
from pages.components.preview.changes import show_changes
from pages.components.preview.file_picker import TABLE_TABS, TABS
from pages.components.preview.sql_tab import show_sql_tab
from pages.components.preview.tables import (
    findings_in_words,
    findings_table,
    profile_table,
    rows_table,
    schema_notes,
    schema_table,
    sort_findings,
)
from pipeline.preview import Preview
from pipeline.preview.profile import ColumnProfile
from pipeline.preview.table import TablePreview

_DRAWN = "tabs of the preview"  # the names of those that were drawn last


def show_tabs(preview: Preview) -> None:
    """Draw the tabs of a trip file, and the contents of the open tab."""
    contents = {
        "rows": lambda: _show_rows(
            preview.sample,
            "as a load stores them: amounts in dollars, distances in miles, times as published "
            "(New York)",
        ),
        "columns": lambda: _show_schema(preview),
        "profile": lambda: _show_profile(
            preview.profile,
            f"Over {rows_in_words(preview.rows)}{'' if preview.subject.whole else ', not all'}.",
        ),
        "findings": lambda: _show_findings(preview),
        "changes": lambda: show_changes(preview),
        "sql": lambda: show_sql_tab(preview),
    }
    _draw(TABS, contents)


def show_table_tabs(preview: TablePreview) -> None:
    """Draw the tabs of a file that is no trip file, and the contents of the open tab."""
    contents = {
        "rows": lambda: _show_rows(preview.sample, "as the file has them"),
        "columns": lambda: _show_columns(preview),
        "profile": lambda: _show_profile(
            preview.profile, f"Over {rows_in_words(preview.rows)}. {preview.profile_note}".rstrip()
        ),
        "sql": lambda: show_sql_tab(preview),
    }
    _draw(TABLE_TABS, contents)


def _draw(tabs: Mapping[str, str], contents: Mapping[str, Callable[[], None]]) -> None:
    state = st.session_state
    if state.get(_DRAWN) != tuple(tabs):
        # Streamlit opens the first tab where others are drawn, and tells nobody.
        label = state.get("file_tab")
        state.file_tab = label if label in tabs.values() else next(iter(tabs.values()))
        state[_DRAWN] = tuple(tabs)
    drawn = st.tabs(list(tabs.values()), key="file_tab", on_change="rerun")
    for tab, name in zip(drawn, tabs, strict=True):
        if tab.open:
            with tab:
                contents[name]()


def _show_rows(rows: Sequence[Mapping[str, object]], how: str) -> None:
    if not rows:
        st.info("The file has no row that can be read.")
        return
    # Above the table, as in the other tabs: the toolbar of a table would cover tabs of a phone.
    st.caption(f"The first {rows_in_words(len(rows))}, {how}.")
    _show_table(rows, "rows", "The first rows of the file")


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


def _show_columns(preview: TablePreview) -> None:
    st.dataframe(
        pd.DataFrame(preview.columns, columns=["column", "type"]),
        hide_index=True,
        key="columns",
        height=table_height(len(preview.columns)),
        width="content",
        alt="The columns of the file",
    )


def _show_schema(preview: Preview) -> None:
    st.caption("Each column of the table, and the column of the file that is loaded into it.")
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


def _show_profile(profile: Sequence[ColumnProfile], over: str) -> None:
    if not profile:
        st.info("Without rows there is no profile.")
        return
    st.caption(
        f"{over} All figures are exact. A histogram covers the middle 98 % of the values; its "
        "first and last bar include what lies outside."
    )
    st.dataframe(
        profile_table(profile),
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


def _show_findings(preview: Preview) -> None:
    if preview.subject.staged is None:
        st.info("Without rows there are no findings.")
        return
    findings = sort_findings(preview.findings)
    part = "" if preview.subject.whole else f" Only the first {count(preview.rows)} rows were read."
    if not findings:
        st.success(f"No findings.{part}", icon=":material/check:")
        st.caption(findings_in_words(preview))
        return
    st.caption(f"{findings_in_words(preview)}{part} Select a finding to see its rows.")
    event = st.dataframe(
        findings_table(findings, preview.rows + preview.rejected),
        hide_index=True,
        # Rows are selected by position, so another file's table is another table.
        key=f"findings-{preview.subject.file.stem}-{preview.rows}",
        on_select="rerun",
        selection_mode="single-row-required",
        selection_default={"selection": {"rows": [0]}},
        height=table_height(len(findings)),
        placeholder="",
        column_config={
            "finding": st.column_config.TextColumn(width=210),
            "count": st.column_config.NumberColumn(format="localized", width=90),
            "of": st.column_config.TextColumn(width=60),
            "share of rows": st.column_config.NumberColumn(
                # Three digits: one row of many is not 0 %.
                format="%.3g%%",
                width=100,
            ),
            "what it means": st.column_config.TextColumn(width="large"),
        },
        alt="The findings: rejects first, then by their number",
    )
    finding = findings[event.selection.rows[0] if event.selection.rows else 0]
    st.markdown(f"**{finding.title}.** {finding.meaning}")
    if finding.examples:
        _show_table(finding.examples, f"finding-{finding.name}", f"Examples: {finding.title}")
