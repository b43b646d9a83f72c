"""The app: page config and navigation. Start it with `streamlit run app.py`.

Streamlit imports this file once, as the server, and runs it anew as a script for each view.
"""

import streamlit as st

if __name__ == "__main__":
    from pages.shared.frame import navigate_app
    from pages.shared.tour import keep_tour

    # No menu_items: with them Streamlit shows a Stop button of its own beside ours while a page
    # runs.
    st.set_page_config(page_title="Fareground", page_icon="🚕", layout="wide")
    page = navigate_app()
    keep_tour(page.title)
    page.run()
else:
    from pages.shared.server import lifespan

    app = st.App(__file__, lifespan=lifespan)
