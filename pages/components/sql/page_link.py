"""Read and write the query parameter of the SQL page: the text of the query."""

from __future__ import annotations

import streamlit as st

from pages.components.common.params import describe_invalid
from pages.components.common.url_state import Params, UrlState
from pipeline.warehouse.sandbox.vetting import MOST_LETTERS

_TEXT = "sql-warehouse"  # the key of the box's text
_MOST_LINKED = 2000  # letters of a query in the page's address; some servers refuse longer ones
URL = UrlState("the query", params=("q",), widgets=(_TEXT,))


def adopt_link(link: Params) -> list[str]:
    """Copy the query of a link into the SQL box, without running it.

    Returns a sentence if the query is too long.
    """
    query = link.get("q", [""])[-1].strip()
    if not query:
        return []
    if len(query) > MOST_LETTERS:
        rule = f"it has more than {MOST_LETTERS:,} letters"
        return [describe_invalid("q", query, rule, "It is left out.")]
    st.session_state[_TEXT] = query
    return []


def current_link() -> Params:
    """Return the query parameters of what is in the box; none if it is empty or too long."""
    query = str(st.session_state.get(_TEXT) or "")
    return {"q": [query]} if query and len(query) <= _MOST_LINKED else {}
