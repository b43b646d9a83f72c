"""What a plan will cost in Google Cloud, asked beside the page: nothing waits for the answer."""

from __future__ import annotations

from concurrent.futures import Future

import streamlit as st

from pages.shared.background import ask
from pages.shared.words import files_in_words, size
from pipeline.errors import FaregroundError
from pipeline.plan import Plan
from pipeline.settings import load_settings
from pipeline.warehouse.google_cost import Estimate

_WATCH_SECONDS = 1.0


def show_cost(plan: Plan) -> None:
    """Draw one line: bytes to upload, bytes to scan and their price, once BigQuery has said."""
    files = tuple((planned.file.stem, planned.bytes) for planned in plan.to_run)
    answer = _ask_cost(files, plan)

    def watch() -> None:
        st.text(_say(plan, answer))

    st.fragment(run_every=None if answer.done() else _WATCH_SECONDS)(watch)()
    if answer.done() and answer.exception():
        _ask_cost.clear(files, plan)  # the next look may find it mended


def _say(plan: Plan, answer: Future[Estimate]) -> str:
    if answer.done():
        unknown = sum(planned.bytes is None for planned in plan.to_run)
        lacking = f" Not in it: {files_in_words(unknown)} of unknown size." if unknown else ""
        try:
            return f"{answer.result()}{lacking}"
        except FaregroundError as error:
            return f"What it will cost is not known: {error.problem}"
    upload = f"{size(plan.bytes)} to upload" if plan.bytes is not None else "size unknown"
    return f"Google Cloud: {upload}; asking BigQuery what it will scan …"


@st.cache_resource(ttl=60, max_entries=20, show_spinner=False)
def _ask_cost(
    files: tuple[tuple[str, int | None], ...],  # noqa: ARG001  the key
    _plan: Plan,
) -> Future[Estimate]:
    settings = load_settings()

    def estimate() -> Estimate:
        from pipeline.warehouse.google import GoogleWarehouse

        with GoogleWarehouse(settings, read_only=True) as warehouse:
            return warehouse.estimate(_plan)

    return ask(estimate, "cost")
