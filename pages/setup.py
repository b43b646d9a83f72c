"""Look whether all is well, make what is missing, and see and change every setting."""

from __future__ import annotations

import streamlit as st

from pages.shared.doctor import show_doctor
from pages.shared.frame import reported, require_app, stand
from pages.shared.settings import show_settings
from pipeline import __version__

require_app()

stand("Setup")
show_doctor()
with reported():
    show_settings()
st.caption(f"Fareground {__version__}")
