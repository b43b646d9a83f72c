"""The tab Doctor: run the doctor's checks in the background and show their results."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import streamlit as st

from pages.components.common.access import change_button
from pages.components.common.messages import reported, show_error
from pages.components.common.target import target, target_label
from pages.components.common.words import plain, size
from pipeline.core.cancel import Cancel
from pipeline.core.errors import FaregroundError
from pipeline.core.settings.settings import load_settings
from pipeline.core.tasks import Task
from pipeline.ops.doctor import list_checks, pick_checks
from pipeline.ops.doctor.runner import GLYPHS, CheckResult, run_checks
from pipeline.ops.leftovers import remove_leftovers

_EXAMINATION = "the doctor's examination"  # in the session's state
_COLORS = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "gray"}
_ORDER = ("failed", "warning", "ok", "skipped")
_REDRAW_SECONDS = 0.5

GLYPH_MARKS = {
    state: f":{color}[{GLYPHS[state]} {state}]"  # type: ignore[index]
    for state, color in _COLORS.items()
}
"""The state of a check in Markdown: sign, word and color."""


@dataclass(frozen=True)
class Examination:
    """One run of the checks of a target; the task's progress is the results so far.

    Attributes:
        names: The checks that were asked for, without those that they need; empty for all.
    """

    target: str
    names: tuple[str, ...]
    check_names: list[str]
    task: Task[list[CheckResult], tuple[CheckResult, ...]]

    def results(self) -> tuple[CheckResult, ...]:
        """Return the results so far, in the order in which they came."""
        return self.task.progress or ()


def start_examination(name: str, names: tuple[str, ...] = ()) -> Examination:
    """Start the named checks of a target, or all of them, in the background."""
    checks = pick_checks(name, names) if names else list_checks(name)

    def examine(
        _cancel: Cancel, report: Callable[[tuple[CheckResult, ...]], None]
    ) -> list[CheckResult]:
        results: list[CheckResult] = []

        def add(result: CheckResult) -> None:
            results.append(result)
            report(tuple(results))

        return run_checks(checks, add)

    task: Task[list[CheckResult], tuple[CheckResult, ...]] = Task(examine, "doctor")
    examination = Examination(name, names, [check.name for check in checks], task)
    st.session_state[_EXAMINATION] = examination
    return examination


def current_examination() -> Examination | None:
    """Return the session's newest examination, which may be running; None before the first."""
    examination: Examination | None = st.session_state.get(_EXAMINATION)
    return examination


def worst_result(results: Iterable[CheckResult]) -> CheckResult | None:
    """Return the result that matters most; None if there are no results."""
    return next(iter(_sorted(results)), None)


def is_examining() -> bool:
    """Return whether the session's newest examination still runs."""
    examination = current_examination()
    return examination is not None and not examination.task.done()


def show_doctor(*, was_running: bool) -> None:
    """Draw the tab: its buttons, and the results of the newest examination.

    Args:
        was_running: Whether checks still ran when the cards above were drawn. If they have ended
            since, the page is drawn again, or the cards would say "checking" for ever.
    """
    examination = current_examination()
    row = st.container(horizontal=True, vertical_alignment="center")
    busy = is_examining()
    with reported():
        if change_button(
            row,
            "Check everything",
            icon=":material/stethoscope:",
            key="check",
            disabled=busy,
            help="Check what a backfill needs. In Google Cloud an object and a table are created "
            "and deleted.",
        ):
            start_examination(target())
            st.rerun()
        leftovers = examination and any(
            result.name == "leftovers" and result.state == "warning"
            for result in examination.results()
        )
        if leftovers and change_button(
            row,
            "Delete temporary files",
            icon=":material/mop:",
            key="remove-leftovers",
            disabled=busy,
            help="Those of killed processes; files in use stay.",
        ):
            removed = remove_leftovers(load_settings())
            st.success(f"Deleted temporary files ({size(removed)}).", icon=":material/check:")
            examination = start_examination(target())
    if examination is None:
        st.caption(
            "Checks settings, disk, warehouse, sources and keys, and says what to do about each "
            "problem. The command is `python -m pipeline doctor`."
        )
        return
    _show_live(examination, running=was_running or is_examining())


def _show_live(examination: Examination, *, running: bool) -> None:
    """Draw an examination, again and again until it ends."""

    def watch() -> None:
        _show_results(examination)
        if running and examination.task.done():
            st.rerun()

    st.fragment(run_every=_REDRAW_SECONDS if running else None)(watch)()


def _show_results(examination: Examination) -> None:
    results = examination.results()
    done, total = len(results), len(examination.check_names)
    failed = sum(result.state == "failed" for result in results)
    ended = examination.task.done()
    finished = {result.name for result in results}
    waiting = ", ".join(name for name in examination.check_names if name not in finished)
    rest = f": {failed} failed" if ended else f"; checking {waiting}" if waiting else ""
    what = target_label(examination.target)
    st.progress(done / total, text=f"{what}: {done} of {total} checks done{rest}")
    if ended:
        try:
            examination.task.result()
        except FaregroundError as error:
            show_error(error)
    # While checks run only failures are shown: a later line then never moves an earlier one.
    shown = _sorted(results) if ended else [r for r in results if r.state == "failed"]
    if shown:
        with st.container(border=True, gap="small"):
            for result in shown:
                st.markdown(_line(result))


def _sorted(results: Iterable[CheckResult]) -> list[CheckResult]:
    """Return results with the failed ones first; those of one state in the order they came."""
    return sorted(results, key=lambda result: _ORDER.index(result.state))


def _line(result: CheckResult) -> str:
    cure = f"  \n→ {plain(result.cure)}" if result.cure else ""
    mark = GLYPH_MARKS[result.state]
    return f"{mark} **{plain(result.name)}** · {plain(result.message)}{cure}"
