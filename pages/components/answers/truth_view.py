"""Pick a question about the loaded trips, and draw its exact answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from pages.components.common.backfills import read_ledger
from pages.components.common.messages import show_synthetic
from pages.components.common.runs import read_activity
from pages.components.common.safe_markdown import inert
from pages.components.common.target import target
from pages.components.common.tour import offer_sample
from pages.components.common.words import months_in_words
from pipeline.answers.truths.coverage import Coverage
from pipeline.answers.truths.templates import TEMPLATES, QuestionTemplate
from pipeline.answers.truths.truths import GroundTruth, find_truth
from pipeline.charts import files_left_out
from pipeline.core.datasets import DATASETS, Dataset, find_dataset
from pipeline.core.settings.settings import load_settings
from pipeline.core.trips import Month, TripFile
from pipeline.warehouse.ledger import FileRecord
from pipeline.warehouse.registry import open_warehouse

_SLOT_WIDTH = 160  # pixels


def pick_truth() -> GroundTruth | None:
    """Draw the choice of a question and its exact answer, and return the answer.

    Raises what `find_truth` raises, such as UsageError for a month that is not loaded.
    """
    activity = read_activity()
    records = read_ledger(activity)
    if records is None:
        st.info("A backfill of another process holds the warehouse. Come back when it has ended.")
        return None
    entries = {file: record.loaded for file, record in records.items() if record.loaded}
    if not entries:
        st.info("No trips are loaded yet. Answers are judged by the loaded trips.")
        offer_sample(activity)
        return None
    left_out = files_left_out(entries)
    loaded = [file for file in sorted(entries) if file not in left_out]
    template, dataset, month, earlier = _pick_slots(loaded)
    if left_out:
        months = months_in_words(len(left_out), "sample")
        st.caption(f"Not offered: {months}. Type a month to ask about it.")
    if month is None or (template.compares and earlier is None):
        return None
    truth = _find_truth(records, template, dataset, month, earlier)
    _show_truth(truth)
    return truth


def newest_truth() -> GroundTruth | None:
    """Return how many trips the newest loaded month has, or say what to load.

    Raises what `find_truth` raises.
    """
    activity = read_activity()
    records = read_ledger(activity)
    if records is None:
        st.info("A backfill of another process holds the warehouse. Come back when it has ended.")
        return None
    loaded = [file for file, record in records.items() if record.loaded]
    # Real months first: what a model may know is about these.
    loaded.sort(key=lambda file: (not _is_synthetic(records[file]), file.month))
    if not loaded:
        st.info("No trips are loaded yet. Answers are judged by the loaded trips.")
        offer_sample(activity)
        return None
    newest = loaded[-1]
    return _find_truth(records, TEMPLATES["trips"], newest.dataset, newest.month, None)


def _is_synthetic(record: FileRecord) -> bool:
    return record.loaded is not None and record.loaded.is_synthetic


def show_picked_truth(truth: GroundTruth) -> None:
    """Draw the question that a conversation is about where it was picked, but fixed."""
    name = truth.template.name
    st.selectbox("Question", [name], format_func=_in_words, key="asked template", disabled=True)
    row = st.container(horizontal=True)
    slots = {"Taxis": truth.dataset.word, "From": truth.earlier, "To": truth.month}
    if truth.earlier is None:
        slots = {"Taxis": truth.dataset.word, "Month": truth.month}
    for label, value in slots.items():
        row.selectbox(label, [str(value)], key=f"asked {label}", width=_SLOT_WIDTH, disabled=True)
    _show_truth(truth)


def _show_truth(truth: GroundTruth) -> None:
    # Text, not a metric: the browser would read the code of a metric now, and move what is below.
    st.markdown(f"Exact answer: **{inert(truth.answer)}**")
    row = st.container(horizontal=True, vertical_alignment="center")
    row.caption(
        f"Right is {truth.template.tolerance}. The SQL and its result are below.", width="content"
    )
    if truth.synthetic:
        show_synthetic(row)
        st.caption(
            "These trips are made up, so no model can know them: only the side with sources can "
            "be right."
        )
    if truth.notice:
        st.warning(
            f"{inert(truth.notice)} The question is about the loaded file, and a model that "
            "answers for the whole month is not marked wrong.",
            icon=":material/incomplete_circle:",
        )
    elif truth.coverage == Coverage.UNKNOWN:
        st.caption("How many trips were published of this month is not known here.")
    st.markdown(f"**{inert(truth.question)}**")


def _in_words(name: str) -> str:
    return TEMPLATES[name].question.format(color="…", month="…", earlier="…")


def _pick_slots(
    loaded: Sequence[TripFile],
) -> tuple[QuestionTemplate, Dataset, Month | None, Month | None]:
    """Draw the template and its slots; loaded months are offered, others can be typed."""
    name = st.selectbox(
        "Question",
        list(TEMPLATES),
        format_func=_in_words,
        key="template",
        persist_state="session",
    )
    template = TEMPLATES[name]
    row = st.container(horizontal=True)
    colors = [name for name, dataset in DATASETS.items() if template.suits(dataset)]
    default = next(
        (color for color in colors if any(file.dataset.name == color for file in loaded)), colors[0]
    )
    dataset = find_dataset(
        row.selectbox(
            "Taxis",
            colors,
            index=colors.index(default),
            format_func=lambda name: DATASETS[name].word,
            key="truth color",
            width=_SLOT_WIDTH,
        )
    )
    loaded_months = [file.month for file in loaded if file.dataset == dataset]
    months = [str(month) for month in loaded_months]
    help = "Loaded months are offered; any other can be typed."
    earlier = None
    if template.compares:
        before = sorted({*loaded_months, *(month.plus(-1) for month in loaded_months)})
        first = row.selectbox(
            "From",
            [str(month) for month in before],
            accept_new_options=True,
            key="truth from",
            width=_SLOT_WIDTH,
            help=help,
        )
        earlier = Month.parse(first) if first else None
    typed = row.selectbox(
        "To" if template.compares else "Month",
        months,
        index=len(months) - 1 if months else None,
        accept_new_options=True,
        key="truth month",
        width=_SLOT_WIDTH,
        help=help,
    )
    if not months:
        st.info(
            f"No month of {dataset.vehicle} trips is loaded. Load one, or type one to see what it "
            "needs."
        )
    return template, dataset, Month.parse(typed) if typed else None, earlier


def _find_truth(
    records: Mapping[TripFile, FileRecord],
    template: QuestionTemplate,
    dataset: Dataset,
    month: Month,
    earlier: Month | None,
) -> GroundTruth:
    """Return the exact answer; it is computed once for what is loaded now."""
    version = tuple(
        (file.stem, record.loaded.sha256, str(record.loaded.finished_at))
        for file, record in sorted(records.items())
        if record.loaded and file.dataset == dataset
    )
    home = str(load_settings().home)
    return _compute_truth(home, target(), template.name, dataset, month, earlier, version, records)


@st.cache_resource(max_entries=200, show_spinner="Working out the exact answer …")
def _compute_truth(
    home: str,  # noqa: ARG001  part of the key
    target_name: str,
    template_name: str,
    dataset: Dataset,
    month: Month,
    earlier: Month | None,
    version: object,  # noqa: ARG001  part of the key
    _records: Mapping[TripFile, FileRecord],
) -> GroundTruth:
    with open_warehouse(target_name, load_settings()) as warehouse:
        template = TEMPLATES[template_name]
        return find_truth(warehouse, _records, template, dataset, month, earlier)
