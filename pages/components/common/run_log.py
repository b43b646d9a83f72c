"""Show the log of a run, with filters and a download."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.components.common.layout import below_label
from pages.components.common.runs import history
from pages.components.common.words import count
from pipeline.core.redact import redact
from pipeline.runs.run_records import LogLine, Run, RunFile

_ALL_FILES = "all files"
_MOST_LINES = 500
_UNSCROLLED_LINES = 6  # so few are shown whole, however often a narrow window breaks them


def show_log(run: Run, files: Sequence[RunFile], key: str) -> None:
    """Show the log of a run, the newest line first.

    Args:
        run: The run.
        files: The files of the run, to filter by.
        key: The first part of the keys of all widgets.
    """
    row = st.container(horizontal=True)
    files_by_stem = {file.file.stem: file.file for file in files}
    stem = row.selectbox("File", [_ALL_FILES, *files_by_stem], key=f"{key}-file", width=280)
    levels = row.pills(
        "Levels",
        ["info", "warning", "error"],
        selection_mode="multi",
        format_func=lambda level: f":yellow[{level}]",
        key=f"{key}-levels",
    )
    words = row.text_input("Lines with", key=f"{key}-words", placeholder="any words", width=220)
    file = files_by_stem.get(stem)
    lines = narrow(history().log_lines(run.run_id, file), levels, words or "")
    below_label(row).download_button(
        "Download as text",
        data=lambda: as_text(history().log_lines(run.run_id, file)),
        file_name=f"{run.run_id}{f'-{stem}' if file else ''}.log",
        mime="text/plain",
        on_click="ignore",
        icon=":material/download:",
        key=f"{key}-download",
    )
    if not lines:
        st.caption("No such line.")
        return
    st.code(
        as_text(lines[: -_MOST_LINES - 1 : -1]),
        language=None,
        wrap_lines=True,
        height=360 if len(lines) > _UNSCROLLED_LINES else "content",
    )
    if len(lines) > _MOST_LINES:
        st.caption(
            f"The newest {count(_MOST_LINES)} of {count(len(lines))} lines; the download has all."
        )


def narrow(lines: Sequence[LogLine], levels: Sequence[str], words: str) -> list[LogLine]:
    """Return the lines of some levels (of all, if there are none) that contain all of the words."""
    wanted = words.lower().split()
    return [
        line
        for line in lines
        if (not levels or line.level in levels)
        and all(word in str(line).lower() for word in wanted)
    ]


def as_text(lines: Sequence[LogLine]) -> str:
    """Return log lines as text, one a line, without the secrets that are known now."""
    return redact("\n".join(str(line) for line in lines) + "\n")
