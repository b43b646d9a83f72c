"""Draw the results of a run of a question set: rates, differences, answers, and the exports."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.components.common.access import change_button
from pages.components.common.drawing import styled
from pages.components.common.safe_markdown import inert
from pages.components.common.themed import show_figure
from pages.components.common.words import when
from pipeline.answers.model.providers import open_model
from pipeline.answers.suites import report
from pipeline.answers.suites.evaluation import CALLS_A_MINUTE, is_running
from pipeline.answers.suites.outcomes import contrasts, summarize, swap_notices
from pipeline.answers.suites.scoring import OUTCOME_GLYPHS, Outcome
from pipeline.answers.suites.suite_jobs import SuiteJobs
from pipeline.answers.suites.suite_runs import ScoredAnswer, SuiteRun, SuiteRunStore
from pipeline.core.settings.settings import load_settings

_RATES_HEIGHT = 380  # pixels


@st.cache_resource(show_spinner=False)
def suite_jobs() -> SuiteJobs:
    """Return the suite jobs of the server, the same for every session."""
    return SuiteJobs()


def state_of(run: SuiteRun) -> str:
    """Return the state of a run; "interrupted" if its process died while it was running."""
    interrupted = run.state == "running" and not is_running(run, load_settings())
    return "interrupted" if interrupted else run.state


def show_run(run: SuiteRun, runs: Sequence[SuiteRun]) -> None:
    """Draw the results of a run, beside those of another of `runs` if one is picked."""
    store = SuiteRunStore(load_settings().suites_path)
    answers = store.answers(run.run_id)
    others = {other.run_id: other for other in runs if other.run_id != run.run_id}
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
    if state_of(run) in ("stopped", "failed", "interrupted") and len(answers) < run.calls:
        _offer_to_resume(row, run)
    if not answers:
        st.caption("No answer is kept of it.")
        return
    for notice in swap_notices(answers):
        st.warning(inert(notice), icon=":material/swap_horiz:")
    _show_exports(run, earlier_id)
    _show_rates(run, answers)
    _show_differences(run, answers, store.answers(earlier_id) if earlier_id else None)
    _show_answers(run, answers)


def show_interim(run: SuiteRun, answers: Sequence[ScoredAnswer]) -> None:
    """Draw the rates of a run in progress; few answers have wide intervals."""
    rates = [row for row in summarize(run, answers) if row.group == "all"]
    st.caption("Interim results: rates so far, with 95 % Wilson intervals")
    st.dataframe(
        pd.DataFrame(report.rate_rows(rates), columns=list(report.RATE_HEADS)),
        hide_index=True,
        key=f"interim {run.run_id}",
        alt="Rates of right, wrong and abstained answers so far",
    )


def _offer_to_resume(row: DeltaGenerator, run: SuiteRun) -> None:
    settings = load_settings()
    if change_button(
        row,
        "Resume",
        icon=":material/resume:",
        key=f"resume {run.run_id}",
        disabled=not open_model(settings).is_ready or suite_jobs().running() is not None,
        help="Ask only what has no answer yet.",
    ):
        pace = float(st.session_state.get("suite Calls a minute") or CALLS_A_MINUTE)
        suite_jobs().start(run, settings, pace)
        st.rerun()


def _show_rates(run: SuiteRun, answers: Sequence[ScoredAnswer]) -> None:
    rates = summarize(run, answers)
    show_figure(
        styled(report.draw_rates(rates), _RATES_HEIGHT),
        key=f"rates {run.run_id}",
        config={"displaylogo": False},
    )
    st.caption("Rates, with 95 % Wilson intervals")
    st.dataframe(
        pd.DataFrame(report.rate_rows(rates), columns=list(report.RATE_HEADS)),
        hide_index=True,
        key=f"rate table {run.run_id}",
        alt="Rates of right, wrong and abstained answers",
    )


def _show_differences(
    run: SuiteRun, answers: Sequence[ScoredAnswer], earlier: Sequence[ScoredAnswer] | None
) -> None:
    differences = contrasts(run, answers, earlier)
    if differences:
        st.caption("Paired differences, with 95 % bootstrap intervals over questions")
        st.dataframe(
            pd.DataFrame(report.contrast_rows(differences), columns=list(report.CONTRAST_HEADS)),
            hide_index=True,
            key=f"contrasts {run.run_id}",
            alt="Differences between both sides, question by question",
        )


def _show_answers(run: SuiteRun, answers: Sequence[ScoredAnswer]) -> None:
    questions = {question.id: question.question for question in run.suite.questions}
    table = {
        "question": [questions.get(answer.question_id, "") for answer in answers],
        "side": [answer.side.value for answer in answers],
        "model": [answer.model for answer in answers],
        "outcome": [
            f"{OUTCOME_GLYPHS[Outcome(answer.outcome)]} {answer.outcome}" for answer in answers
        ],
        "why": [answer.why for answer in answers],
        "answer": [answer.answer for answer in answers],
    }
    with st.expander(f"All answers ({len(answers):,})"):
        st.dataframe(
            pd.DataFrame(table),
            hide_index=True,
            key=f"answers {run.run_id}",
            alt="Every answer of the run",
        )


def _show_exports(run: SuiteRun, earlier_id: str | None) -> None:
    """Draw the downloads; each is made when somebody clicks it."""
    store = SuiteRunStore(load_settings().suites_path)

    def export(format: str) -> str:
        answers = store.answers(run.run_id)
        earlier = store.answers(earlier_id) if earlier_id else None
        if format == "csv":
            return report.write_csv(run, answers)
        if format == "html":
            return report.write_html(run, answers, earlier)
        return json.dumps(report.to_document(run, answers, earlier), indent=2, default=str)

    row = st.container(horizontal=True)
    for format, mime in (("html", "text/html"), ("csv", "text/csv"), ("json", "application/json")):
        row.download_button(
            f"Download {format.upper()}",
            data=partial(export, format),
            file_name=f"{run.run_id}.{format}",
            mime=mime,
            on_click="ignore",
            icon=":material/download:",
            key=f"download {format} {run.run_id}",
        )
