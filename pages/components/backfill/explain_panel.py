"""Explain plan: the inputs, branches and SQL of a load, without running it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

import streamlit as st

from pages.components.common.choice import SOURCES
from pages.components.common.glossary import explain as explain_words
from pages.components.common.messages import reported
from pages.components.common.words import plain
from pipeline.core.settings.settings import load_settings
from pipeline.files.offers import Missing
from pipeline.ops.explain import Explanation, as_text, explain
from pipeline.runs.plan import Plan

_STEPS = {
    "extract": "Extract: read the file, cast its cells, set rejects aside",
    "compare": "Compare with the rows loaded before",
    "merge": "Merge into the production table",
    "reconcile": "Reconcile the counts, update the rollups, write the ledger",
    "commit": "Commit the transaction",
}
_SCRIPT = "Merge, reconcile and write the ledger in one transaction"


def show_explain_plan(plan: Plan) -> None:
    """Draw the choice of a file of the plan, and explain its load."""
    published = {p.file.stem: p for p in plan.files if not isinstance(p.probe, Missing)}
    if not published:
        st.caption("The source has none of the chosen files, so there is no load to explain.")
        return
    with reported():
        name = st.selectbox("File", list(published), key="explained", width=280)
        _show(explain(published[name], plan.request, load_settings()))


def _show(explanation: Explanation) -> None:
    inputs, variables = st.columns([2, 3], gap="medium")
    source = explanation.inputs["source"]
    with inputs:
        st.markdown("**Inputs**: the choice")
        _show_values(dict(explanation.inputs) | {"source": SOURCES.get(source, source)})
    with variables:
        st.markdown("**Variables**: derived from the inputs")
        _show_values(explanation.variables)
    st.markdown("**Branches**: what the load does in this case")
    st.markdown(
        "\n".join(f"- **{plain(c.question)}** {plain(c.answer)}" for c in explanation.conditions)
    )
    st.markdown(
        f"**SQL**: {len(explanation.statements)} statements, in this order",
        help=explain_words("ordinal", "void", "reject", "ledger"),
    )
    for step, group in groupby(explanation.statements, lambda statement: statement.step):
        statements = list(group)
        is_script = statements[-1].name == "transaction"
        st.caption(_SCRIPT if is_script else _STEPS[step])
        text = "\n\n".join(map(as_text, statements))
        st.code(text, language="sql", height=min(320, 60 + 22 * text.count("\n")))
    st.caption(explanation.note)


def _show_values(values: Mapping[str, str]) -> None:
    width = max(map(len, values))
    st.code(
        "\n".join(f"{name:{width}}  {value}" for name, value in values.items()),
        language=None,
        wrap_lines=True,
    )
