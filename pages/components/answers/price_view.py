"""Draw the table of model prices, which can be changed."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

import pandas as pd
import streamlit as st
from pydantic import ValidationError

from pages.components.common.access import change_button
from pages.components.common.messages import reported
from pages.components.common.safe_markdown import inert
from pipeline.answers.model.prices import (
    MOST_DOLLARS,
    ModelPrice,
    prices_path,
    read_prices,
    write_prices,
)
from pipeline.core.errors import UsageError
from pipeline.core.settings.settings import load_settings


def show_prices() -> None:
    """Draw the current model prices in an editable table.

    Raises UsageError if `prices.json` in FAREGROUND_HOME cannot be read.
    """
    settings = load_settings()
    prices = read_prices(settings)
    prices.require()
    with st.expander("Prices"):
        st.caption(
            "Dollars per million tokens; thinking is billed as output. List prices of the paid "
            f"tier from {inert(prices.source)}. What you change or add is kept as yours, with "
            "today's date. A model that is not in the table has no known price."
        )
        if prices.out_of_date:
            st.warning(inert(prices.out_of_date), icon=":material/event_busy:")
        names = sorted(prices.models)
        dollars = partial(
            st.column_config.NumberColumn,
            format="$%.4f",
            min_value=0,
            max_value=MOST_DOLLARS,
            required=True,
        )
        edited = st.data_editor(
            pd.DataFrame(
                {
                    "model": names,
                    "input": [prices.models[name].input for name in names],
                    "output": [prices.models[name].output for name in names],
                    "holds until": [prices.models[name].last_day for name in names],
                    "looked up": [prices.date_of(name) for name in names],
                }
            ),
            hide_index=True,
            num_rows="add",
            disabled=["holds until", "looked up"],
            # Another table once something is saved, so that edits are not applied to it again.
            key=f"prices {sorted(prices.dates.items())} {prices.models}",
            column_config={
                "model": st.column_config.TextColumn(required=True, max_chars=100),
                "input": dollars(),
                "output": dollars(),
            },
            alt="Prices by model",
        )
        if change_button(st, "Save prices", icon=":material/save:", key="save prices"):
            with reported():
                save_prices(edited)
                st.rerun()


def save_prices(edited: pd.DataFrame) -> None:
    """Save the rows that differ from the prices in force, beside those saved before."""
    settings = load_settings()
    prices = read_prices(settings)
    prices.require()
    own = {name: price for name, price in prices.models.items() if name in prices.own}
    for row in edited.to_dict("records"):
        name = str(row["model"] or "").strip()
        if not name or pd.isna(row["input"]) or pd.isna(row["output"]):
            raise UsageError(
                "A row of the prices is not complete.", cure="Give a model and both prices."
            )
        try:
            price = ModelPrice(input=float(row["input"]), output=float(row["output"]))
        except ValidationError:
            raise UsageError(
                f"The price of {name} is not between 0 and {MOST_DOLLARS:,.0f} dollars.",
                cure="Give dollars per million tokens.",
            ) from None
        known = prices.models.get(name)
        if known is None or (known.input, known.output) != (price.input, price.output):
            own[name] = price
    if own:
        write_prices(own, f"{datetime.now(UTC):%Y-%m-%d}", settings)
        st.toast(f"Saved in {inert(str(prices_path(settings)))}")
