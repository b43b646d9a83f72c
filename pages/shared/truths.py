"""Questions about the loaded trips: the template, its slots, and the exact answer."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from pages.shared.frame import ledger, look, show_synthetic
from pages.shared.neutral import inert
from pages.shared.target import target
from pages.shared.tour import offer_sample
from pipeline.answers.templates import TEMPLATES, Template
from pipeline.answers.truths import Truth, find_truth, is_loaded
from pipeline.settings import load_settings
from pipeline.trips import Color, Month, TripFile
from pipeline.warehouse import FileRecord, open_warehouse

_SLOT = 160  # pixels


def pick_truth() -> Truth | None:
    """Draw the choice of a question about the loaded trips, and its exact answer; return that.

    Raises what `find_truth` raises, such as UsageError for a month that is not loaded.
    """
    now = look()
    records = ledger(now)
    if records is None:
        st.info("A backfill of another process holds the warehouse. Come back when it has ended.")
        return None
    loaded = sorted(file for file, record in records.items() if is_loaded(record))
    if not loaded:
        st.info("No trips are loaded yet: those that are loaded are the truth here.")
        offer_sample(now)
        return None
    template, color, month, earlier = pick_slots(loaded)
    if month is None or (template.compares and earlier is None):
        return None
    truth = find(records, template, color, month, earlier)
    show_truth(truth)
    return truth


def show_asked(truth: Truth) -> None:
    """Draw the choice that a question came of, just where it was made, to be seen alone."""
    name = truth.template.name
    st.selectbox("Question", [name], format_func=_in_words, key="asked template", disabled=True)
    row = st.container(horizontal=True)
    slots = {"Color": truth.color, "From": truth.earlier, "To": truth.month}
    if truth.earlier is None:
        slots = {"Color": truth.color, "Month": truth.month}
    for label, value in slots.items():
        row.selectbox(label, [str(value)], key=f"asked {label}", width=_SLOT, disabled=True)
    show_truth(truth)


def show_truth(truth: Truth) -> None:
    """Draw the exact answer, and the question in words."""
    row = st.container(horizontal=True, vertical_alignment="center")
    row.metric("Exact answer", truth.answer, width="content")
    row.caption(
        f"Right is {truth.template.tolerance}. The SQL and its result are below.", width="content"
    )
    if truth.synthetic:
        show_synthetic(row)
        st.caption(
            "These trips are made up, so no model can know them: only the side with sources can "
            "be right."
        )
    st.markdown(f"**{inert(truth.question)}**")


def _in_words(name: str) -> str:
    return TEMPLATES[name].question.format(color="…", month="…", earlier="…")


def pick_slots(
    loaded: list[TripFile],
) -> tuple[Template, Color, Month | None, Month | None]:
    """Draw the template and its slots; months that are loaded are offered, others can be typed."""
    name = st.selectbox(
        "Question",
        list(TEMPLATES),
        format_func=_in_words,
        key="template",
        persist_state="session",
    )
    template = TEMPLATES[name]
    row = st.container(horizontal=True)
    colors = [color for color in Color if any(file.color == color for file in loaded)]
    every = list(Color)
    color = row.selectbox(
        "Color", every, index=every.index(colors[0]), key="truth color", width=_SLOT
    )
    known = [file.month for file in loaded if file.color == color]
    months = [str(month) for month in known]
    help = "Loaded months are offered; any other can be typed."
    earlier = None
    if template.compares:
        before = sorted({*known, *(month.plus(-1) for month in known)})
        first = row.selectbox(
            "From",
            [str(month) for month in before],
            accept_new_options=True,
            key="truth from",
            width=_SLOT,
            help=help,
        )
        earlier = Month.parse(first) if first else None
    typed = row.selectbox(
        "To" if template.compares else "Month",
        months,
        index=len(months) - 1 if months else None,
        accept_new_options=True,
        key="truth month",
        width=_SLOT,
        help=help,
    )
    if not months:
        st.info(f"No month of {color} is loaded. Load one, or type one to see what it needs.")
    return template, Color(color), Month.parse(typed) if typed else None, earlier


def find(
    records: Mapping[TripFile, FileRecord],
    template: Template,
    color: Color,
    month: Month,
    earlier: Month | None,
) -> Truth:
    """Return the exact answer; it is worked out once for what is loaded now."""
    mark = tuple(
        (file.stem, record.loaded.sha256, str(record.loaded.finished_at))
        for file, record in sorted(records.items())
        if record.loaded and file.color == color
    )
    home = str(load_settings().home)
    return _find(home, target(), template.name, color, month, earlier, mark, records)


@st.cache_resource(max_entries=200, show_spinner="Working out the exact answer …")
def _find(
    home: str,  # noqa: ARG001  part of the key
    where: str,
    name: str,
    color: Color,
    month: Month,
    earlier: Month | None,
    mark: object,  # noqa: ARG001  part of the key
    _records: Mapping[TripFile, FileRecord],
) -> Truth:
    with open_warehouse(where, load_settings()) as warehouse:
        return find_truth(warehouse, _records, TEMPLATES[name], color, month, earlier)
