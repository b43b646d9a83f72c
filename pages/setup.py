"""See and change every setting; look whether all is well, and make what is missing."""

from __future__ import annotations

import streamlit as st

from pages.shared.doctor import show_doctor
from pages.shared.frame import reported, require_app, stand
from pages.shared.settings import show_settings
from pipeline import __version__

require_app()

stand("Setup")
# Below each is nothing that could move: what the doctor finds takes more room line by line.
settings, doctor = st.tabs([":yellow[Settings]", ":yellow[Doctor]"])
with doctor:
    show_doctor()
with settings:
    with reported():
        show_settings()
    st.caption(f"Fareground {__version__}")
