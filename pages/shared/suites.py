"""Question sets: what a run would take, the run that is on, and what came of the earlier ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.shared.drawing import styled
from pages.shared.frame import reported
from pages.shared.models import pick_models
from pages.shared.neutral import inert
from pages.shared.people import change_button
from pages.shared.search_quality import show_search_quality
from pages.shared.themed import show_figure
from pages.shared.words import duration, when
from pipeline.answers import report
from pipeline.answers.evaluation import (
    CALLS_A_MINUTE,
    estimate,
    is_on,
    plan_calls,
    start_run,
)
from pipeline.answers.gemini import has_key
from pipeline.answers.outcomes import contrasts, contrasts_with_earlier, summarize
from pipeline.answers.presets import PRESETS
from pipeline.answers.prices import read_prices
from pipeline.answers.scoring import GLYPHS, Outcome
from pipeline.answers.suite_jobs import SuiteJob, SuiteJobs
from pipeline.answers.suite_runs import SIDES, SuiteRun, SuiteRuns
from pipeline.answers.suites import (
    MAX_BYTES,
    Suite,
    open_library,
    parse_suite,
    read_suite,
    shipped_suites,
)
from pipeline.settings import load_settings, make_folder

_LISTED = 50
_RATES_HEIGHT = 380  # pixels
_STATES = {
    "running": "◐ running",
    "succeeded": "● succeeded",
    "stopped": "◼ stopped",
    "failed": "✕ failed",
    "interrupted": "◼ interrupted",
}


@st.cache_resource(show_spinner=False)
def suite_jobs() -> SuiteJobs:
    """Return the server's suite jobs, the same for every session."""
    return SuiteJobs()


def show_suites() -> None:
    """Draw everything about question sets."""
    job = suite_jobs().current()
    if job and not job.done.is_set():
        watch(job)
    else:
        if job and job.error:
            with reported():
                raise job.error
        with reported():
            show_plan()
    with reported():
        show_runs()
    show_search_quality()


def watch(job: SuiteJob) -> None:
    """Draw the run that is on, anew every second, and Stop."""

    @st.fragment(run_every=1.0)
    def look() -> None:
        if job.done.is_set():
            st.rerun()
        answered = len(SuiteRuns(load_settings().suites_path).answers(job.run.run_id))
        calls = job.run.calls
        with st.container(border=True):
            st.markdown(f"**◐ running** · {inert(job.run.suite.suite)}")
            st.progress(answered / calls, f"{answered:,} of {calls:,} answers are kept")
            st.caption(inert(job.waiting) or "asking …")
            change_button(
                st,
                "Stopping …" if job.cancel.is_set() else "Stop",
                icon=":material/stop:",
                key="stop suite",
                disabled=job.cancel.is_set(),
                on_click=job.cancel.set,
            )

    look()


def show_plan() -> None:
    """Draw the choice of a question set and what running it takes, and Run."""
    settings = load_settings()
    picked = pick_suite()
    if picked is None:
        return
    suite, folder = picked
    st.caption(
        f"{inert(suite.suite)}: {len(suite.questions):,} questions over {inert(_subject(suite))}. "
        f"{inert(suite.about)}"
    )
    models = pick_models(settings)
    row = st.container(horizontal=True, vertical_alignment="bottom")
    repeats = number(row, "Times each", 20, 1)
    top = number(row, "Passages", 20, 5)
    pace = number(row, "Calls a minute", 600, CALLS_A_MINUTE)
    if not models:
        st.info("Pick a model.")
        return
    library = open_library(suite, settings, folder)
    calls = plan_calls(suite, library, tuple(models), SIDES, repeats, top)
    expected = estimate(calls, read_prices(settings), float(pace))
    price = (
        f"at most **\\${expected.dollars:,.4f}** at list prices"
        if expected.dollars is not None
        else f"no price is known of {inert(', '.join(expected.unpriced))}"
    )
    st.markdown(
        f"**{expected.calls:,} calls**, both sides of every question; {price}; about "
        f"{duration(expected.seconds)} at this pace. Every answer is kept as it lands."
    )
    ready = has_key(settings)
    if change_button(
        st,
        ":orange[:material/play_arrow: **Run**]" if ready else ":material/play_arrow: Run",
        type="primary",
        disabled=not ready,
        key="run suite",
        help=None if ready else "This needs a Gemini API key.",
    ):
        run = start_run(suite, folder, settings, tuple(models), SIDES, repeats, top)
        suite_jobs().start(run, settings, float(pace))
        st.rerun()


def _subject(suite: Suite) -> str:
    """Return what a question set is about, as people call it."""
    kind, _, name = suite.document.partition(":")
    if kind == "own":
        return "documents of our own"
    return PRESETS[name].title if kind == "preset" and name in PRESETS else suite.document


def number(place: DeltaGenerator, label: str, most: int, usual: int) -> int:
    """Draw a choice of a whole number from 1 on, which stays while a run is on."""
    return int(
        place.number_input(
            label, 1, most, usual, key=f"suite {label}", width=140, persist_state="session"
        )
    )


def pick_suite() -> tuple[Suite, Path] | None:
    """Draw the choice of a question set; return it with the folder of its file."""
    shipped = shipped_suites()
    row = st.container(horizontal=True, vertical_alignment="bottom")
    name = row.selectbox(
        "Question set",
        ["releases", *(one for one in shipped if one != "releases"), "your own"],
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
    # No document lies beside an uploaded set: it names one that is kept, `own` or a preset.
    folder = load_settings().home / "question-sets"
    make_folder(folder)
    return parse_suite(file.getvalue(), file.name), folder


def show_runs() -> None:
    """Draw the earlier runs, and what came of the one picked."""
    settings = load_settings()
    store = SuiteRuns(settings.suites_path)
    runs = store.runs(_LISTED)
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
                    # Above, the answers of the run that is watched are counted anew every second.
                    f"{'…' if is_watched(run) else f'{len(store.answers(run.run_id)):,}'}"
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
        if is_watched(runs[row]):
            st.caption("What comes of it is shown here as soon as it has ended.")
        else:
            show_run(runs[row], runs)


def is_watched(run: SuiteRun) -> bool:
    """Whether a run is the one that is on in this server."""
    job = suite_jobs().current()
    return job is not None and job.run.run_id == run.run_id and not job.done.is_set()


def state_of(run: SuiteRun) -> str:
    """Return a run's state; one still marked as running whose process died is interrupted."""
    return run.state if run.state != "running" or is_on(run, load_settings()) else "interrupted"


def show_run(run: SuiteRun, runs: Sequence[SuiteRun]) -> None:
    """Draw what came of a run: rates with intervals, differences, answers, and the exports."""
    settings = load_settings()
    store = SuiteRuns(settings.suites_path)
    answers = store.answers(run.run_id)
    others = {one.run_id: one for one in runs if one.run_id != run.run_id}
    row = st.container(horizontal=True, vertical_alignment="bottom")
    earlier_id = row.selectbox(
        "Compare with",
        list(others),
        index=None,
        format_func=lambda id: f"{when(others[id].started_at)} · {others[id].suite.suite}",
        placeholder="no other run",
        key=f"compare {run.run_id}",
        width=340,
    )
    job = suite_jobs().current()
    if (
        state_of(run) in ("stopped", "failed", "interrupted")
        and len(answers) < run.calls
        and change_button(
            row,
            "Resume",
            icon=":material/resume:",
            key=f"resume {run.run_id}",
            disabled=not has_key(settings) or (job is not None and not job.done.is_set()),
            help="Ask only what has no answer yet.",
        )
    ):
        pace = float(st.session_state.get("suite Calls a minute") or CALLS_A_MINUTE)
        suite_jobs().start(run, settings, pace)
        st.rerun()
    if not answers:
        st.caption("No answer is kept of it.")
        return
    earlier = store.answers(earlier_id) if earlier_id else None
    show_exports(run, earlier_id)
    summaries = summarize(run, answers)
    show_figure(
        styled(report.chart(summaries), _RATES_HEIGHT),
        key=f"rates {run.run_id}",
        config={"displaylogo": False},
    )
    st.caption("Rates, with 95 % Wilson intervals")
    st.dataframe(
        pd.DataFrame(report.rate_rows(summaries), columns=list(report.RATE_HEADS)),
        hide_index=True,
        key=f"rate table {run.run_id}",
        alt="Rates of right, wrong and abstained answers",
    )
    changes = contrasts(run, answers)
    if earlier is not None:
        changes += contrasts_with_earlier(run, answers, earlier)
    if changes:
        st.caption("Paired differences, with 95 % bootstrap intervals over questions")
        st.dataframe(
            pd.DataFrame(report.contrast_rows(changes), columns=list(report.CONTRAST_HEADS)),
            hide_index=True,
            key=f"contrasts {run.run_id}",
            alt="Differences between both sides, question by question",
        )
    questions = {question.id: question.question for question in run.suite.questions}
    with st.expander(f"All {len(answers):,} answers"):
        st.dataframe(
            pd.DataFrame(
                {
                    "question": [questions.get(one.question_id, "") for one in answers],
                    "side": [one.side for one in answers],
                    "model": [one.model for one in answers],
                    "outcome": [f"{GLYPHS[Outcome(one.outcome)]} {one.outcome}" for one in answers],
                    "why": [one.why for one in answers],
                    "answer": [one.answer for one in answers],
                }
            ),
            hide_index=True,
            key=f"answers {run.run_id}",
            alt="Every answer of the run",
        )


def show_exports(run: SuiteRun, earlier_id: str | None) -> None:
    """Draw the downloads; each is made when it is asked for."""
    import json

    store = SuiteRuns(load_settings().suites_path)

    def make(form: str) -> str:
        answers = store.answers(run.run_id)
        earlier = store.answers(earlier_id) if earlier_id else None
        if form == "csv":
            return report.write_csv(run, answers)
        if form == "html":
            return report.write_html(run, answers, earlier)
        return json.dumps(report.document(run, answers, earlier), indent=2, default=str)

    row = st.container(horizontal=True)
    for form, kind in (("html", "text/html"), ("csv", "text/csv"), ("json", "application/json")):
        row.download_button(
            f"Download {form.upper()}",
            data=partial(make, form),
            file_name=f"{run.run_id}.{form}",
            mime=kind,
            on_click="ignore",
            icon=":material/download:",
            key=f"download {form} {run.run_id}",
        )
