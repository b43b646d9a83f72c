"""Streamlit app: page config and navigation. Start it with `streamlit run app.py`.

Streamlit imports this module once to create the server, and then runs it as a script
(`__main__`) each time a page is drawn.
"""

import streamlit as st

if __name__ == "__main__":
    from pages.components.common.navigation import navigate_app
    from pages.components.common.tour import keep_tour

    # With menu_items, Streamlit shows its own Stop button beside ours while a page runs.
    st.set_page_config(page_title="Fareground", page_icon="🚕", layout="wide")
    page = navigate_app()
    keep_tour(page.title)
    page.run()
else:
    from starlette.middleware import Middleware

    from pages.components.gate import Gate
    from pages.components.server import lifespan

    app = st.App(__file__, lifespan=lifespan, middleware=[Middleware(Gate)])
