"""Check which texts are selections, and what they filter."""

from __future__ import annotations

from datetime import date

import pytest

from pipeline.charts import CrossFilter, Filters, apply_selection, is_selection


@pytest.mark.parametrize(
    ("cross_filter", "selection", "expected"),
    [
        (
            CrossFilter.DAYS,
            "2020-04-01/2020-04-07",
            Filters(first=date(2020, 4, 1), last=date(2020, 4, 7)),
        ),
        (CrossFilter.HOUR, "2/8", Filters(weekdays=(2,), hours=(8,))),
        (CrossFilter.HOUR, "*/23", Filters(hours=(23,))),
        (CrossFilter.PAYMENT, "-1", Filters(payments=(-1,))),
        (CrossFilter.ZONE, "132", Filters(zones=(132,))),
        (CrossFilter.ROUTE, "42/41", Filters(zones=(42,), dropoffs=(41,))),
        (CrossFilter.ROUTE, "132/*", Filters(zones=(132,))),
        (CrossFilter.ROUTE, "*/132", Filters(dropoffs=(132,))),
    ],
)
def test_selection_sets_its_filters(
    cross_filter: CrossFilter, selection: str, expected: Filters
) -> None:
    assert is_selection(cross_filter, selection)
    assert apply_selection(Filters(), cross_filter, selection) == expected


def test_selected_days_never_widen_those_of_the_filters() -> None:
    filters = Filters(first=date(2020, 4, 3), last=date(2020, 4, 30))
    narrowed = apply_selection(filters, CrossFilter.DAYS, "2020-04-01/2020-04-07")
    assert (narrowed.first, narrowed.last) == (date(2020, 4, 3), date(2020, 4, 7))


def test_route_from_anywhere_keeps_the_zones_of_the_filters() -> None:
    filters = Filters(zones=(7, 8))
    assert apply_selection(filters, CrossFilter.ROUTE, "*/41").zones == (7, 8)


@pytest.mark.parametrize(
    ("cross_filter", "text"),
    [
        (CrossFilter.DAYS, "2020-06-31/2020-07-01"),
        (CrossFilter.DAYS, "2020-06-01"),
        (CrossFilter.HOUR, "9/25"),
        (CrossFilter.PAYMENT, "' OR 1=1"),
        (CrossFilter.ZONE, "<b>"),
        (CrossFilter.ROUTE, "*/*"),
        (CrossFilter.ROUTE, ""),
    ],
)
def test_text_of_another_form_is_no_selection(cross_filter: CrossFilter, text: str) -> None:
    assert not is_selection(cross_filter, text)
