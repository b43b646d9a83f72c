"""What the server does beside serving pages, from its start to its end."""

from __future__ import annotations

import importlib
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from pipeline.errors import FaregroundError

if TYPE_CHECKING:
    import streamlit as st

# What the pages import, and what they import later, when they ask and draw. In the order in which a
# page needs it, for a visitor may be there already.
_NEEDED = (
    "pages.shared.frame",
    "pages.shared.tour",
    "pages.shared.cards",
    "pages.shared.charts_places",
    "pages.shared.figures",
    "pages.shared.filters",
    "pipeline.warehouse.local",
    "sqlglot.dialects.bigquery",
    "sqlglot.dialects.duckdb",
    "plotly.graph_objs.bar",
    "plotly.graph_objs.layout",
    "plotly.graph_objs.scatter",
    "plotly.tools",
    "pyarrow.compute",
    "pandas",
)


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Fire schedules, and import what pages need while the first visitor's browser loads."""
    threading.Thread(target=_begin, name="begin", daemon=True).start()
    yield


def _begin() -> None:
    from pages.shared.frame import scheduler
    from pipeline.redact import guard_output

    guard_output()
    for name in _NEEDED:
        importlib.import_module(name)
    with suppress(FaregroundError):  # every page says what is wrong with the settings
        scheduler()
