"""Background tasks of a page: wait for one behind a spinner, or show one with a Cancel button."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import streamlit as st

from pages.components.common.words import duration, size
from pipeline.core.cancel import Cancel
from pipeline.core.tasks import Task
from pipeline.files.staging import Progress

Result = TypeVar("Result")
Work = Callable[[Cancel, Callable[[Progress], None]], Result]
"""Work that can be cancelled and reports how far a download is."""

_SPINNER_AFTER_SECONDS = 0.3  # a spinner for less flickers
_POLL_SECONDS = 0.1
_REDRAW_SECONDS = 0.5


def await_result(
    task: Task[Result, Any], sentence: str, note: Callable[[], str] = lambda: ""
) -> Result:
    """Wait for a task behind a spinner and return its result; any other click is served at once.

    Args:
        task: What to wait for. It goes on when a click ends this run of the page.
        sentence: What the spinner says.
        note: Called while waiting; returns why it takes longer than usual, or nothing.

    Raises whatever the task raised.
    """
    # Taken with and without a spinner: if what follows came to stand one place further, the browser
    # would draw it anew beside what it was, and a click on that would be lost.
    place = st.empty()
    if not task.wait(_SPINNER_AFTER_SECONDS):
        with place.container(), st.spinner(sentence):
            slot = st.empty()
            while not task.wait(_POLL_SECONDS):
                # Streamlit ends this run at either call when a click has asked for a newer run.
                if text := note():
                    slot.caption(text)
                else:
                    slot.empty()
        place.empty()
    return task.result()


def current_task(name: str, key: Hashable) -> Task[Any, Progress] | None:
    """Return the session's task of this name, running or ended; drop a task of another key.

    Args:
        name: What the task does, such as "fetch". A session has one task of each name.
        key: What the task does it for. A task for anything else is of no use any more.
    """
    key_and_task = st.session_state.get(f"task-{name}")
    if key_and_task is None:
        return None
    task: Task[Any, Progress] = key_and_task[1]
    if key_and_task[0] != key:
        drop_task(name)
        return None
    return task


def start_task(name: str, key: Hashable, work: Work[Result]) -> Task[Result, Progress]:
    """Start a task and cancel the session's earlier task of this name."""
    drop_task(name)
    task: Task[Result, Progress] = Task(work, name)
    st.session_state[f"task-{name}"] = (key, task)
    return task


def resume_task(name: str, key: Hashable, work: Work[Result]) -> Task[Result, Progress]:
    """Return the session's task of this name and key, or start it."""
    return current_task(name, key) or start_task(name, key, work)


def drop_task(name: str) -> None:
    """Cancel the session's task of this name and forget its result."""
    key_and_task = st.session_state.pop(f"task-{name}", None)
    if key_and_task:
        key_and_task[1].cancel.set()


def show_running_task(
    task: Task[Any, Progress],
    sentence: str,
    key: str,
    amount: Callable[[int], str] = size,
) -> None:
    """Show a running task with its progress and a Cancel button; rerun the page when it ends.

    Args:
        task: What to show.
        sentence: What the task does.
        key: The key of the button.
        amount: Turns what is done, and what there is to do, into words; by default as bytes.
    """

    def watch() -> None:
        if task.done():
            st.rerun()
        row = st.container(horizontal=True, vertical_alignment="center")
        progress = task.progress
        if progress is not None and progress.total:
            row.progress(
                min(1.0, progress.done / progress.total),
                text=f"{sentence}: {amount(progress.done)} of {amount(progress.total)}",
            )
        else:
            so_far = f", {amount(progress.done)}" if progress is not None else ""
            row.markdown(f":material/hourglass_top: {sentence}{so_far}, {duration(task.seconds)}")
        cancelling = task.cancel.is_set()
        row.button(
            "Cancelling …" if cancelling else "Cancel",
            icon=":material/stop:",
            disabled=cancelling,
            on_click=task.cancel.set,
            key=key,
        )

    st.fragment(run_every=_REDRAW_SECONDS)(watch)()
