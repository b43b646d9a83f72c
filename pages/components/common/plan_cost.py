"""Show what a plan will cost, as soon as its warehouse has estimated it."""

from __future__ import annotations

import streamlit as st

from pages.components.common.words import files_in_words, size
from pipeline.core.errors import FaregroundError
from pipeline.core.settings.settings import load_settings
from pipeline.core.tasks import Task, run_in_background
from pipeline.runs.plan import Plan
from pipeline.warehouse.cost import CostEstimate, FileSize
from pipeline.warehouse.registry import find_backend

_REDRAW_SECONDS = 1.0


def show_cost(plan: Plan) -> None:
    """Draw one line with the bytes to upload, the bytes to scan and their price.

    The page does not wait for the estimate; the line changes when it is there.
    """
    task = _estimate(plan.request.target, plan.sizes)

    def watch() -> None:
        st.text(_cost_sentence(plan, task))

    st.fragment(run_every=None if task.done() else _REDRAW_SECONDS)(watch)()
    if task.done() and not task.succeeded():
        _estimate.clear(plan.request.target, plan.sizes)  # the cause may be gone at the next call


def _cost_sentence(plan: Plan, task: Task[CostEstimate | None, None]) -> str:
    if task.done():
        unknown = sum(planned.bytes is None for planned in plan.to_run)
        missing = f" Not in it: {files_in_words(unknown)} of unknown size." if unknown else ""
        try:
            return f"{task.result()}{missing}"
        except FaregroundError as error:
            return f"What it will cost is not known: {error.problem}"
    upload = f"{size(plan.bytes)} to upload" if plan.bytes is not None else "size unknown"
    backend = find_backend(plan.request.target)
    return f"{backend.label}: {upload}; asking {backend.storage} what it will scan …"


@st.cache_resource(ttl=60, max_entries=20, show_spinner=False)
def _estimate(target: str, files: tuple[FileSize, ...]) -> Task[CostEstimate | None, None]:
    settings = load_settings()
    return run_in_background(lambda: find_backend(target).estimate_cost(files, settings), "cost")
