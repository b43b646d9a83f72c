"""What the server does beside serving pages, from its start to its end."""

from __future__ import annotations

import gc
import importlib
import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from pipeline.errors import FaregroundError

if TYPE_CHECKING:
    import streamlit as st

# What the pages import, and what they would import when they first ask and draw. Not in a thread
# beside the first visitor's: Plotly looks at what others have begun to import.
_NEEDED = (
    "pages.shared.frame",
    "pages.shared.tour",
    "pages.shared.cards",
    "pages.shared.charts",
    "pages.shared.charts_places",
    "pages.shared.figures",
    "pages.shared.filters",
    "pipeline.warehouse.local",
    "sqlglot.dialects.bigquery",
    "sqlglot.dialects.duckdb",
    "pandas",
    "plotly.graph_objs.bar",
    "plotly.graph_objs.layout",
    "plotly.graph_objs.scatter",
    "plotly.tools",
    "pyarrow.compute",
)


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Import what pages need, a second that the first visitor need not wait; fire schedules."""
    from pages.shared.runs import scheduler
    from pipeline.redact import guard_output

    guard_output()
    for name in _NEEDED:
        importlib.import_module(name)
    # Streamlit looks at the stack when it first draws something, and Python then finds out which
    # file each module is of, for a tenth of a second.
    inspect.stack()
    with suppress(FaregroundError):  # every page says what is wrong with the settings
        scheduler()
    # Streamlit has all of memory searched for garbage after each run of a script: what is there for
    # good need not be.
    gc.freeze()
    yield
    gc.unfreeze()
