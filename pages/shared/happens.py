"""What happens when a planned file is loaded, shown before anything does."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

import streamlit as st

from pages.shared.choice import SOURCES
from pages.shared.frame import reported
from pages.shared.glossary import explain as words
from pages.shared.words import plain
from pipeline.explain import Explanation, as_text, explain
from pipeline.plan import Plan
from pipeline.settings import load_settings
from pipeline.sources import Missing

_STEPS = {
    "extract": "Extract: read the file, cast its cells, set aside what does not fit",
    "compare": "Compare with the rows loaded before",
    "merge": "Merge into the production table",
    "reconcile": "Reconcile, add up, and write the ledger",
    "commit": "Commit: all of it, or nothing",
}
_SCRIPT = "Merge, reconcile, add up and write the ledger: one transaction, all of it or nothing"


def show_what_happens(plan: Plan) -> None:
    """Draw inputs, variables, conditions and statements of one file of a plan, once opened."""
    published = {p.file.stem: p for p in plan.files if not isinstance(p.probe, Missing)}
    if not published:
        return
    panel = st.expander(
        "Show me what happens", icon=":material/account_tree:", on_change="rerun", key="happens"
    )
    if not panel.open:
        return
    with panel, reported():
        name = st.selectbox("File", list(published), key="explained", width=280)
        _show(explain(published[name], plan.request, load_settings()))


def _show(found: Explanation) -> None:
    inputs, variables = st.columns([2, 3], gap="medium")
    with inputs:
        st.markdown("**Inputs**: what was picked")
        _show_values(dict(found.inputs) | {"source": SOURCES.get(s := found.inputs["source"], s)})
    with variables:
        st.markdown("**Variables**: rendered from them")
        _show_values(found.variables)
    st.markdown("**Conditions**: which way it takes")
    st.markdown("\n".join(f"- **{plain(c.question)}** {plain(c.answer)}" for c in found.conditions))
    st.markdown(
        f"**Statements**: {len(found.statements)}, in this order",
        help=words("ordinal", "void", "reject", "ledger"),
    )
    for step, statements in groupby(found.statements, lambda statement: statement.step):
        those = list(statements)
        is_script = those[-1].name == "transaction"
        st.caption(_SCRIPT if is_script else _STEPS[step])
        text = "\n\n".join(map(as_text, those))
        st.code(text, language="sql", height=min(320, 60 + 22 * text.count("\n")))
    st.caption(found.note)


def _show_values(values: Mapping[str, str]) -> None:
    width = max(map(len, values))
    st.code(
        "\n".join(f"{name:{width}}  {value}" for name, value in values.items()),
        language=None,
        wrap_lines=True,
    )
