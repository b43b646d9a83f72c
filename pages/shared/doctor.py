"""The doctor's visit: started by a button, watched as it goes, with a line for each check."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field

import streamlit as st

from pages.shared.background import ask, await_answer
from pages.shared.frame import reported, show_error
from pages.shared.people import change_button
from pages.shared.target import TARGET_NAMES, target
from pages.shared.words import plain
from pipeline.doctor import GLYPHS, Finding, list_checks, run_checks
from pipeline.errors import FaregroundError
from pipeline.settings import load_settings

_VISIT = "the doctor's visit"
_COLORS = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "gray"}
_WATCH_SECONDS = 0.5


@dataclass
class Visit:
    """One examination: what is checked, and what was found so far."""

    target: str
    names: list[str]
    found: dict[str, Finding] = field(default_factory=dict)
    answer: Future[list[Finding]] = field(default_factory=Future)

    def hear(self, finding: Finding) -> None:
        """Take note of a finding; called from the doctor's thread."""
        self.found[finding.name] = finding


def begin_visit() -> Visit:
    """Begin to examine the warehouse of the pages, in the background."""
    checks = list_checks(target())
    visit = Visit(target(), [check.name for check in checks])
    visit.answer = ask(lambda: run_checks(checks, visit.hear), "doctor")
    st.session_state[_VISIT] = visit
    return visit


def show_doctor() -> None:
    """Draw the buttons, and what the doctor found or is finding."""
    st.subheader(f"Doctor · {TARGET_NAMES[target()]}")
    visit: Visit | None = st.session_state.get(_VISIT)
    if visit is not None and visit.target != target():
        visit = None
    row = st.container(horizontal=True, vertical_alignment="center")
    busy = visit is not None and not visit.answer.done()
    with reported():
        if change_button(
            row,
            "Check",
            icon=":material/stethoscope:",
            key="check",
            disabled=busy,
            help="Looks at all that a backfill needs. In Google Cloud an object and a table are "
            "made and removed again.",
        ):
            visit = begin_visit()
        if target() == "gcp" and change_button(
            row,
            "Set up",
            icon=":material/construction:",
            key="set-up",
            disabled=busy,
            help="Makes the bucket and the dataset where they are missing; changes nothing else.",
        ):
            _set_up()
            visit = begin_visit()
    if visit is None:
        st.caption(
            "Settings, disk, warehouse, sources and keys: each gets a line, and a cure where one "
            "is needed. The same as `python -m pipeline doctor` on the command line."
        )
        return
    running = not visit.answer.done()

    def watch() -> None:
        _show_visit(visit)
        if running and visit.answer.done():
            st.rerun()

    st.fragment(run_every=_WATCH_SECONDS if running else None)(watch)()


def _set_up() -> None:
    from pipeline.warehouse.google_setup import set_up

    settings = load_settings()
    said = await_answer(ask(lambda: set_up(settings), "set up"), "Making bucket and dataset …")
    st.success("  \n".join(map(plain, said)), icon=":material/check:")


def _show_visit(visit: Visit) -> None:
    done, total = len(visit.found), len(visit.names)
    failed = sum(finding.state == "failed" for finding in visit.found.values())
    ended = f": {failed} failed" if done == total else ""
    st.progress(done / total, text=f"{done} of {total} checks done{ended}")
    if visit.answer.done():
        try:
            visit.answer.result()
        except FaregroundError as error:
            show_error(error)
    with st.container(border=True, gap="small"):
        # In the order in which they came, so that none pushes another one down.
        for finding in list(visit.found.values()):
            st.markdown(_line(finding))
        if waiting := [name for name in visit.names if name not in visit.found]:
            st.markdown(f":gray[◌ checking] **{plain(', '.join(waiting))}**")


def _line(finding: Finding) -> str:
    mark = f":{_COLORS[finding.state]}[{GLYPHS[finding.state]} {finding.state}]"
    cure = f"  \n→ {plain(finding.cure)}" if finding.cure else ""
    return f"{mark} **{plain(finding.name)}** · {plain(finding.message)}{cure}"
