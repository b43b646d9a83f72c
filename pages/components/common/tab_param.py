"""The open tab of a page as the parameter `tab` of its address."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import streamlit as st

from pages.components.common.params import describe_invalid
from pages.components.common.url_state import Params
from pipeline.core.datasets import either_of

_PARAM = "tab"


@dataclass(frozen=True)
class TabParam:
    """Tabs of which the open one stands in the page's address.

    Attributes:
        key: The key of the tabs in the session state.
        titles: The title of each tab, by its value in the address; the first opens without one.
    """

    key: str
    titles: Mapping[str, str]

    def adopt(self, link: Params) -> list[str]:
        """Open the tab of a link; return a sentence if there is none of this name."""
        if _PARAM not in link:
            return []
        value = link[_PARAM][-1].strip()
        if value in self.titles:
            st.session_state[self.key] = _label(self.titles[value])
            return []
        usual = next(iter(self.titles.values()))
        rule = f"use {either_of(self.titles)}"
        return [describe_invalid(_PARAM, value, rule, f"The tab {usual} is open.")]

    def params(self) -> Params:
        """Return the parameter of a link to the open tab; none for the first tab."""
        label = st.session_state.get(self.key)
        others = list(self.titles.items())[1:]
        values = [value for value, title in others if _label(title) == label]
        return {_PARAM: values} if values else {}

    def draw(
        self, contents: Mapping[str, Callable[[], object]], always: Collection[str] = ()
    ) -> None:
        """Draw the tabs, and what is in the open one.

        Args:
            contents: Draws what is in a tab, by its value in the address, for those that have any.
            always: The tabs whose content is drawn although they are not open.
        """
        labels = [_label(self.titles[value]) for value in contents]
        if st.session_state.get(self.key) not in labels:
            st.session_state.pop(self.key, None)
        tabs = st.tabs(labels, on_change="rerun", key=self.key)
        for tab, (value, show) in zip(tabs, contents.items(), strict=True):
            if tab.open or value in always:
                with tab:
                    show()


def _label(title: str) -> str:
    """Return a tab's label; Streamlit's own color of an open tab is too light, this one is not."""
    return f":yellow[{title}]"
