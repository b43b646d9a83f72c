import streamlit as st
from pages.shared.frame import require_app
require_app()
st.title("Runs")
