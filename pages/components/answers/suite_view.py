"""Draw question sets: what a run would take, the run in progress, and the earlier runs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.components.answers.model_picker import pick_models
from pages.components.answers.search_quality_view import show_search_quality
from pages.components.answers.suite_results import (
    show_interim,
    show_run,
    state_of,
    suite_jobs,
)
from pages.components.common.access import change_button
from pages.components.common.messages import reported
from pages.components.common.safe_markdown import inert
from pages.components.common.words import duration, when
from pipeline.answers.documents.presets import PRESETS
from pipeline.answers.model.prices import read_prices
from pipeline.answers.model.providers import open_model
from pipeline.answers.suites.evaluation import (
    CALLS_A_MINUTE,
    SIDES,
    CallEstimate,
    estimate_calls,
    plan_calls,
    start_run,
)
from pipeline.answers.suites.progress import seconds_left
from pipeline.answers.suites.suite_jobs import SuiteJob
from pipeline.answers.suites.suite_runs import SuiteRun, SuiteRunStore
from pipeline.answers.suites.suites import (
    MAX_BYTES,
    Suite,
    open_scope,
    parse_suite,
    read_suite,
    shipped_suites,
)
from pipeline.core.home import make_folder
from pipeline.core.settings.settings import load_settings

_MOST_RUNS = 50
_STATES = {
    "running": "◐ running",
    "succeeded": "● succeeded",
    "stopped": "◼ stopped",
    "failed": "✕ failed",
    "interrupted": "◼ interrupted",
}


def show_suites() -> None:
    """Draw everything about question sets."""
    job = suite_jobs().newest()
    if job and not job.task.done():
        _watch(job)
    else:
        with reported():
            if job:
                job.task.result()  # raises what ended the job
        with reported():
            _show_plan()
    with reported():
        _show_runs()
    show_search_quality()


def _watch(job: SuiteJob) -> None:
    """Draw the run in progress, again every second, and Stop."""

    @st.fragment(run_every=1.0)
    def draw() -> None:
        if job.task.done():
            st.rerun()
        answers = SuiteRunStore(load_settings().suites_path).answers(job.run.run_id)
        answered, calls = len(answers), job.run.calls
        left = seconds_left(answers, calls)
        stopping = job.task.cancel.is_set()
        with st.container(border=True):
            st.markdown(f"**◐ running** · {inert(job.run.suite.suite)}")
            ending = "" if left is None else f" · about {duration(left)} left"
            st.progress(answered / calls, f"{answered:,} of {calls:,} answers are kept{ending}")
            st.caption(inert(job.task.progress or "") or "asking …")
            change_button(
                st,
                "Stopping …" if stopping else "Stop",
                icon=":material/stop:",
                key="stop suite",
                disabled=stopping,
                on_click=job.task.cancel.set,
            )
            if answers:
                show_interim(job.run, answers)

    draw()


def _show_plan() -> None:
    """Draw the choice of a question set, what running it takes, and Run."""
    settings = load_settings()
    picked = _pick_suite()
    if picked is None:
        return
    suite, folder = picked
    st.caption(
        f"{inert(suite.suite)}: {len(suite.questions):,} questions over "
        f"{inert(_document_words(suite))}. {inert(suite.about)}"
    )
    models = tuple(pick_models())
    row = st.container(horizontal=True, vertical_alignment="bottom")
    repeats = _pick_number(row, "Times each", 20, 1)
    top = _pick_number(row, "Passages", 20, 5)
    pace = _pick_number(row, "Calls a minute", 600, CALLS_A_MINUTE)
    if not models:
        st.info("Pick a model.")
        return
    scope = open_scope(suite, settings, folder)
    calls = plan_calls(suite, scope, models, SIDES, repeats, top)
    prices = read_prices(settings)
    _show_estimate(estimate_calls(calls, prices, float(pace)))
    if prices.problem:
        st.caption(inert(prices.problem))
    model = open_model(settings)
    row = st.container(horizontal=True, vertical_alignment="center")
    run_button = row.container(width="content")
    if not model.is_ready:
        row.caption(f"Cannot run: {model.label} is not set up.", width="content")
        row.page_link("pages/setup.py", label="Set up a model", icon=":material/key:")
    if change_button(
        run_button,
        ":orange[:material/play_arrow: **Run**]" if model.is_ready else ":material/play_arrow: Run",
        type="primary",
        disabled=not model.is_ready,
        key="run suite",
        help=None if model.is_ready else f"{model.label} is not set up.",
    ):
        run = start_run(suite, folder, settings, models, SIDES, repeats, top)
        suite_jobs().start(run, settings, float(pace))
        st.rerun()


def _show_estimate(estimate: CallEstimate) -> None:
    price = (
        f"at most **\\${estimate.dollars:,.4f}** at list prices"
        if estimate.dollars is not None
        else f"no price is known of {inert(', '.join(estimate.unpriced))}"
    )
    st.markdown(
        f"**{estimate.calls:,} calls**, both sides of every question; {price}; at least "
        f"{duration(estimate.seconds)} at this pace, longer if the model is slower. The run itself "
        "estimates its end from the answers that have arrived. Every answer is kept as it lands."
    )


def _document_words(suite: Suite) -> str:
    """Return what people call the documents of a question set."""
    kind, _, name = suite.document.partition(":")
    if kind == "own":
        return "documents of our own"
    return PRESETS[name].title if kind == "preset" and name in PRESETS else suite.document


def _pick_number(place: DeltaGenerator, label: str, largest: int, default: int) -> int:
    """Draw the choice of a whole number from 1, which is kept while a run hides it."""
    return int(
        place.number_input(
            label, 1, largest, default, key=f"suite {label}", width=140, persist_state="session"
        )
    )


def _pick_suite() -> tuple[Suite, Path] | None:
    """Draw the choice of a question set; return it with the folder of its file."""
    shipped = shipped_suites()
    row = st.container(horizontal=True, vertical_alignment="bottom")
    name = row.selectbox(
        "Question set",
        ["releases", *(suite for suite in shipped if suite != "releases"), "your own"],
        key="suite",
        width=260,
        persist_state="session",
    )
    if name in shipped:
        return read_suite(shipped[name]), shipped[name].parent
    file = st.file_uploader(
        "A YAML file (docs/answers.md says what it holds)",
        type=["yaml", "yml"],
        max_upload_size=MAX_BYTES // 10**6,
        key="suite file",
    )
    if file is None:
        return None
    # No document lies beside an uploaded set: it names a stored one, `own` or a preset.
    folder = load_settings().home / "question-sets"
    make_folder(folder)
    return parse_suite(file.getvalue(), file.name), folder


def _show_runs() -> None:
    """Draw the earlier runs, and the results of the selected one."""
    store = SuiteRunStore(load_settings().suites_path)
    runs = store.runs(_MOST_RUNS)
    if not runs:
        st.caption("No question set has been run yet.")
        return
    st.subheader("Runs of question sets")
    event = st.dataframe(
        pd.DataFrame(
            {
                "begun": [when(run.started_at) for run in runs],
                "state": [_STATES[state_of(run)] for run in runs],
                "question set": [run.suite.suite for run in runs],
                "answers": [
                    # The answers of the run in progress are counted above, again every second.
                    f"{'…' if _is_watched(run) else f'{len(store.answers(run.run_id)):,}'}"
                    f" of {run.calls:,}"
                    for run in runs
                ],
                "models": [", ".join(run.models) for run in runs],
                "why": [run.reason for run in runs],
            }
        ),
        hide_index=True,
        key=f"suite runs since {runs[0].run_id}",
        on_select="rerun",
        selection_mode="single-row",
        selection_default={"selection": {"rows": [0]}},
        alt="Runs of question sets, the newest first",
    )
    for row in event.selection.rows[:1]:
        if _is_watched(runs[row]):
            st.caption("What comes of it is shown here as soon as it has ended.")
        else:
            show_run(runs[row], runs)


def _is_watched(run: SuiteRun) -> bool:
    job = suite_jobs().running()
    return job is not None and job.run.run_id == run.run_id
