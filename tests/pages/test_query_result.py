"""The chart of a query's rows: its marks, its axis, and text that is shown letter by letter."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import plotly.graph_objects as go
import pyarrow as pa
import pytest

from pages.components.common.query_result import draw_result

TIMES = [datetime(2020, 4, 1), datetime(2020, 4, 2)]


@pytest.mark.parametrize(
    ("values", "lines", "axis"),
    [
        ([1, 2], False, "category"),  # codes
        ([1, 2], True, None),
        (list(range(100)), False, None),
        (TIMES, False, None),
        (["a", None], False, "category"),
        (["a", "b"], True, "category"),
    ],
)
def test_chart_has_a_mark_for_each_row_on_an_axis_that_suits_its_column(
    values: list[Any], lines: bool, axis: str | None
) -> None:
    amounts = [Decimal("1.50")] * len(values)
    spec = draw_result(pa.table({"x": values, "y": amounts}), "x", "y", lines=lines)
    go.Figure(spec)  # which Plotly checks
    (trace,) = spec["data"]
    assert trace["type"] == ("scatter" if lines else "bar")
    assert trace["y"] == [1.5] * len(values)
    assert len(trace["x"]) == len(values)
    assert spec["layout"]["xaxis"].get("type") == axis


def test_text_of_a_query_is_no_markup_in_its_chart() -> None:
    hostile = '<a href="http://evil.example">x</a>'
    spec = draw_result(pa.table({hostile: [hostile], "n": [1]}), hostile, "n", lines=False)
    assert "<a" not in str(spec)
    assert spec["data"][0]["x"] == ['&lt;a href="http://evil.example"&gt;x&lt;/a&gt;']


def test_long_result_draws_only_its_first_rows() -> None:
    rows = pa.table({"x": list(range(5000)), "y": list(range(5000))})
    assert len(draw_result(rows, "x", "y", lines=True)["data"][0]["x"]) == 2000
