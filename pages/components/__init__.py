"""What the pages share.

A package and not a module, because Streamlit takes every `pages/*.py` for a page until `app.py` has
run once.
"""
