"""Work of one session that a page waits for, shows, or cancels."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import streamlit as st

from pages.shared.words import duration, size
from pipeline.cancel import Cancel
from pipeline.preview.task import Task
from pipeline.staging import Progress

Result = TypeVar("Result")
Work = Callable[[Cancel, Callable[[Progress], None]], Result]

_BEAT_SECONDS = 0.5


def current(name: str, key: Hashable) -> Task[Any] | None:
    """Return the session's task of this name, running or ended; one of another key is dropped."""
    kept = st.session_state.get(f"task-{name}")
    if kept is None:
        return None
    if kept[0] != key:
        forget(name)
        return None
    task: Task[Any] = kept[1]
    return task


def begin(name: str, key: Hashable, work: Work[Result]) -> Task[Result]:
    """Begin a task in place of the session's earlier one of this name, which is cancelled."""
    forget(name)
    task = Task(work, name)
    st.session_state[f"task-{name}"] = (key, task)
    return task


def resume(name: str, key: Hashable, work: Work[Result]) -> Task[Result]:
    """Return the session's task of this name and key; begin it where there is none."""
    return current(name, key) or begin(name, key, work)


def forget(name: str) -> None:
    """Cancel the session's task of this name and drop what came of it."""
    kept = st.session_state.pop(f"task-{name}", None)
    if kept:
        kept[1].cancel.set()


def await_task(task: Task[Result], sentence: str) -> Result:
    """Return what came of a task, a spinner turning meanwhile; any click is served at once."""
    if not task.done():
        with st.spinner(sentence):
            slot = st.empty()
            while not task.done(0.1):
                slot.empty()  # here Streamlit leaves this run of the page for a newer one
    return task.result()


def show_running(task: Task[Any], sentence: str, key: str) -> None:
    """Show a task that is under way, with Cancel; the page is drawn anew when it has ended."""

    def watch() -> None:
        if task.done():
            st.rerun()
        row = st.container(horizontal=True, vertical_alignment="center")
        done = task.progress
        if done is not None and done.total:
            row.progress(
                min(1.0, done.done / done.total),
                text=f"{sentence}: {size(done.done)} of {size(done.total)}",
            )
        else:
            so_far = f", {size(done.done)}" if done is not None else ""
            row.markdown(f":material/hourglass_top: {sentence}{so_far}, {duration(task.seconds)}")
        stopping = task.cancel.is_set()
        row.button(
            "Cancelling …" if stopping else "Cancel",
            icon=":material/stop:",
            disabled=stopping,
            on_click=task.cancel.set,
            key=key,
        )

    st.fragment(run_every=_BEAT_SECONDS)(watch)()
