"""The app: page config and navigation. Start it with `streamlit run app.py`."""

import streamlit as st

from pages.shared.frame import navigate_app
from pages.shared.tour import keep_tour
from pipeline import __version__

st.set_page_config(
    page_title="Fareground",
    page_icon="🚕",
    layout="wide",
    menu_items={"About": f"**Fareground {__version__}**. Every taxi trip lands exactly once."},
)
page = navigate_app()
keep_tour(page.title)
page.run()
