"""Start-up and shutdown of the app's server: warm imports and the scheduler."""

from __future__ import annotations

import gc
import importlib
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from pipeline.core.errors import FaregroundError

if TYPE_CHECKING:
    import streamlit as st

# Imported before the first visitor arrives: the modules of the pages, and the libraries that the
# first query and chart need. A thread beside the first visitor's would be too late, and Plotly's
# lazy imports fail when two threads import it at once.
_NEEDED = (
    "pages.components.common.frame",
    "pages.components.common.tour",
    "pages.components.explore.cards",
    "pages.components.explore.figures",
    "pages.components.explore.filter_bar",
    "duckdb",
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
    """Import what the pages need, which saves the first visitor a second, and start the scheduler.

    Streamlit enters this context when the server starts and leaves it when the server stops.
    """
    from pages.components.common.runs import scheduler
    from pipeline.core.home import keep_private
    from pipeline.core.redact import guard_output
    from pipeline.core.scratch import find_abandoned, remove_own
    from pipeline.core.settings.settings import find_home, load_settings
    from pipeline.ops.restore import finish_restore

    guard_output()
    with suppress(FaregroundError):  # the pages show an error in the settings
        keep_private(find_home())
        finish_restore(load_settings())
    for folder in find_abandoned():  # of servers that were killed
        shutil.rmtree(folder, ignore_errors=True)
    for name in _NEEDED:
        importlib.import_module(name)
    with suppress(FaregroundError):  # the pages show an error in the settings
        scheduler()
    # Streamlit runs the garbage collector after each run of a script or fragment. Without the
    # modules imported above to look through, an open, idle Explore page takes 0.1 s of processor
    # time in 20 s instead of 0.7 s (two cores, streamlit 1.67).
    gc.freeze()
    yield
    gc.unfreeze()
    remove_own()
