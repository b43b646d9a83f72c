"""See every setting and where it came from."""

from __future__ import annotations

import pandas as pd
import streamlit as st
from pydantic import SecretStr

from pages.shared.frame import reported, require_app
from pipeline.settings import Settings, load_settings, variable_name

require_app()


def show_settings(settings: Settings) -> None:
    """Draw every setting with its value, unless it is a secret, and where that came from."""
    values = {name: getattr(settings, name) for name in Settings.model_fields}
    st.dataframe(
        pd.DataFrame(
            {
                "setting": [variable_name(name) for name in values],
                "value": [
                    ("set" if value.get_secret_value() else "not set")
                    if isinstance(value, SecretStr)
                    else str(value)
                    for value in values.values()
                ],
                "from": [settings.origin(name) for name in values],
                "what it is": [Settings.model_fields[name].description for name in values],
            }
        ),
        hide_index=True,
        height="content",
        alt="Settings, their values and where each comes from",
    )


st.title("Setup")
with reported():
    show_settings(load_settings())
