"""The Explore page over Google Cloud: charts from the sums, and leave asked for what costs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st

from pages.shared.asking import Asker, Costly
from pipeline.charts import Filters, pose
from pipeline.settings import Settings
from pipeline.warehouse import Answer
from tests.files import GREEN, TARGETS, load, put_trips, trip


@pytest.fixture
def loaded(gcp_settings: Settings, folder: Path) -> Iterator[Settings]:
    TARGETS[gcp_settings.home] = "gcp"
    put_trips(folder, GREEN, [trip(GREEN, fare_amount=str(n)) for n in range(40)])
    load(folder, GREEN, gcp_settings)
    st.cache_resource.clear()
    yield gcp_settings
    st.cache_resource.clear()


def test_a_question_that_would_bill_much_is_not_asked_without_leave(loaded: Settings) -> None:
    questions = {name: pose(name, Filters(), "gcp") for name in ("over_time", "pairs")}
    asker = Asker()
    # The emulator's dry runs say 0 bytes, so what is refused here is everything above less.
    careful = loaded.model_copy(update={"gcp_ask_above_bytes": -1})
    found = asker.ask("gcp", careful, "a mark", questions, frozenset())
    assert isinstance(found["over_time"].result(60), Answer)  # the sums are small
    costly = found["pairs"].result(60)
    assert isinstance(costly, Costly)
    agreed = frozenset({questions["pairs"].sql})
    answer = asker.ask("gcp", careful, "a mark", questions, agreed)["pairs"].result(60)
    assert isinstance(answer, Answer)
    assert sum(answer.table.column("trips").to_pylist()) == 40
    kept = asker.ask("gcp", careful, "a mark", questions, agreed)
    assert kept["pairs"].result(0) is answer
    assert kept["over_time"].result(0) is found["over_time"].result(0)
    anew = asker.ask("gcp", careful, "another mark", questions, agreed)
    assert anew["pairs"].result(60) is not answer
