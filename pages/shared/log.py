"""A run's log, as both pages show it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.shared.rows import below_label
from pages.shared.runs import history
from pages.shared.words import count
from pipeline.redact import redact
from pipeline.run_records import LogLine, Run, RunFile

_ALL = "all files"
_SHOWN = 500
_LOW = 6  # lines that are shown whole, however often a narrow window breaks them


def show_log(run: Run, files: Sequence[RunFile], key: str) -> None:
    """Show the log of a run, to be narrowed by file, level and words, and downloaded as text."""
    row = st.container(horizontal=True)
    stems = {file.file.stem: file.file for file in files}
    name = row.selectbox("File", [_ALL, *stems], key=f"{key}-file", width=280)
    levels = row.pills(
        "Levels",
        ["info", "warning", "error"],
        selection_mode="multi",
        format_func=lambda level: f":yellow[{level}]",
        key=f"{key}-levels",
    )
    words = row.text_input("Lines with", key=f"{key}-words", placeholder="any words", width=220)
    lines = history().log_lines(run.run_id, stems.get(name))
    found = narrow(lines, levels, words or "")
    below_label(row).download_button(
        "Download as text",
        data=lambda: as_text(history().log_lines(run.run_id, stems.get(name))),
        file_name=f"{run.run_id}{f'-{name}' if name in stems else ''}.log",
        mime="text/plain",
        on_click="ignore",
        icon=":material/download:",
        key=f"{key}-download",
    )
    if not found:
        st.caption("No such line.")
        return
    st.code(
        as_text(found[: -_SHOWN - 1 : -1]),
        language=None,
        wrap_lines=True,
        height=360 if len(found) > _LOW else "content",
    )
    if len(found) > _SHOWN:
        st.caption(
            f"The newest {count(_SHOWN)} of {count(len(found))} lines; the download has all."
        )


def narrow(lines: Sequence[LogLine], levels: Sequence[str], words: str) -> list[LogLine]:
    """Return the lines of these levels (none means all) that hold all of the words."""
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
