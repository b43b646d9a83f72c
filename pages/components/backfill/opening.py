"""The months of a source, and the choice with which the Backfill page opens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import streamlit as st

from pages.components.common.choice import Choice, choice_of
from pages.components.common.runs import Activity
from pages.components.common.source_consent import may_be_asked
from pipeline.core.datasets import DATASETS
from pipeline.core.errors import FaregroundError
from pipeline.core.settings.settings import load_settings
from pipeline.core.trips import Month, TripFile, months_between
from pipeline.files.offers import SAMPLE
from pipeline.files.sources import FIRST_MONTH, open_source
from pipeline.warehouse.ledger import FileRecord

MonthSpan = tuple[Month, Month]
"""A first and a last month."""


def months_of(source: str, colors: tuple[str, ...]) -> MonthSpan:
    """Return the first and the last month to offer for a source and some colors.

    Where the source does not say, these are all months that any source could have.
    """
    span = _find_months(source, colors) if may_be_asked(source) else None
    return span or (FIRST_MONTH, Month.current())


@st.cache_data(ttl=60, max_entries=50, show_spinner=False)
def _find_months(source: str, colors: tuple[str, ...]) -> MonthSpan | None:
    datasets = [dataset for dataset in DATASETS.values() if dataset.name in colors or not colors]
    try:
        return open_source(source, load_settings()).months(datasets)
    except FaregroundError:  # the page says what is wrong with the source
        return None


def opening_choice(activity: Activity, records: Mapping[TripFile, FileRecord]) -> Choice:
    """Return the choice for an address without one.

    It is that of the newest run. If that run is done, the months move on to the next one that its
    source may have and the warehouse has not. After the sample it is the choice of a newcomer.
    """
    run = activity.run or activity.ended
    if run is None or run.request.source == SAMPLE:
        return Choice()
    choice = replace(choice_of(run.request), force=False)
    if run.state not in ("succeeded", "nothing-to-do"):
        return choice
    _, newest = months_of(choice.source, tuple(dataset.name for dataset in choice.datasets))
    for month in months_between(choice.last.plus(1), newest):
        files = [TripFile(dataset, month) for dataset in choice.datasets]
        if not all(_is_settled(records.get(file)) for file in files):
            return replace(choice, first=month, last=month)
    return choice


def _is_settled(record: FileRecord | None) -> bool:
    return record is not None and record.loaded is not None and not record.loaded.is_synthetic
