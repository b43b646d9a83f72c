"""Keep the widgets of a page and the page's address in step, and keep both across pages.

Streamlit's own `bind="query-params"` cannot do this for the widgets of these pages. Measured with
Streamlit 1.67: a bound widget reads and writes the label of an option, with its color markup, where
a link has the option. Of `?color=green&source=sample&force=yes` it takes none, and a link to a zone
would have its name instead of its number. The key of a bound widget is the name of its
parameter, but `color` holds several values on one page and one on another. A click in a chart or a
table has no `bind`. And `persist_state="session"` loses a value when a second click in the
navigation cuts short the run that would have drawn its widget.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from pages.components.common.params import SHARED, rename_old
from pages.components.common.words import plain

Params = dict[str, list[str]]
"""Query parameters: the values of each, by name."""

_PAGE, _VISIT = "page of this session", "number of the visit"
_BY_BROWSER = "whether the address is what the browser sent"


def note_page(title: str) -> None:
    """Note which page is about to be drawn, before any of its widgets is."""
    state = st.session_state
    state[_BY_BROWSER] = False  # from now on Streamlit returns what the page writes
    if state.get(_PAGE) != title:
        state[_PAGE] = title
        state[_VISIT] = state.get(_VISIT, 0) + 1


def is_left(title: str) -> bool:
    """Return whether the session has opened another page than the one with this title."""
    return bool(st.session_state.get(_PAGE, title) != title)


def note_heartbeat() -> None:
    """Record that this run draws a fragment only, so `st.query_params` is what the browser sent."""
    st.session_state[_BY_BROWSER] = True


@dataclass(frozen=True)
class UrlState:
    """The query parameters and the widgets of one page, or of the control above all pages.

    Call `load` before the widgets are drawn, `save` after that, and `confirm` every few seconds.

    Attributes:
        name: Tells it from the others in the session's state.
        params: The names of all query parameters that the page's address may have.
        widgets: The keys of the widgets whose values are kept while another page is open.
        required: Those of the widgets that are never empty. A browser that is cut short while it
            draws them may send nothing for them.
    """

    name: str
    params: tuple[str, ...]
    widgets: tuple[str, ...] = ()
    required: tuple[str, ...] = ()

    def load(self, adopt: Callable[[Params], Iterable[str] | None]) -> None:
        """Put the values of a followed link, or the values kept since, into the widgets.

        Args:
            adopt: Puts the values of a link, which may be invalid or absent, into the widgets, and
                returns a sentence for each invalid one. It is called on the first visit, and
                whenever the address asks for something new.
        """
        state = st.session_state
        history, address = self._history(), self._read()
        if not history or is_new(address, history):
            state[self._problems_key] = tuple(adopt(address) or ())
            # Last, because a click may end this run of the page at any access to the state.
            history[:] = [address]
        elif state.get(self._visit_key) != state.get(_VISIT) or any(
            state.get(key) is None for key in self.required
        ):
            for key, value in self._kept_values().items():
                state[key] = value

    def show_problems(self) -> None:
        """Say which values of the followed link are invalid; nothing where all are valid."""
        _show(st.session_state.get(self._problems_key, ()))

    def check(self, find_problems: Callable[[Params], Iterable[str]]) -> None:
        """Say which values of the address are invalid, on a page that has no widgets yet.

        The address stays as it is, so that `load` takes its values when the widgets are drawn.

        Args:
            find_problems: Returns a sentence for each invalid value of a link.
        """
        _show(tuple(find_problems(self._read())))

    def save(self, params: Params | None) -> None:
        """Keep the values of the widgets, and make the page's address a link to them.

        Args:
            params: The query parameters of that link; None leaves the address as it is.
        """
        state = st.session_state
        self._kept_values().update({key: state[key] for key in self.widgets if key in state})
        state[self._visit_key] = state.get(_VISIT)
        if params is not None:
            self._write(params)

    def confirm(self, params: Params | None = None) -> None:
        """Note which address the browser has by now, and write it again if the browser lost it.

        A browser drops the query parameters at a click in the navigation. After two quick clicks,
        away and back, it shows the page without them and still sends the server the old ones.

        Args:
            params: Parameters of a new link to the page, for what changes at every letter typed.
        """
        history, address = self._history(), self._read()
        if st.session_state.get(_BY_BROWSER):
            forget_older(address, history)
        asks_more = is_new(address, history)
        if history and params is not None and not asks_more:
            self._write(params)
        elif history and history[-1] and not address:
            self._write(history[-1])

    @property
    def _problems_key(self) -> str:
        return f"invalid values of the link to {self.name}"

    @property
    def _visit_key(self) -> str:
        return f"visit in which {self.name} was drawn"

    def _history(self) -> list[Params]:
        history: list[Params] = st.session_state.setdefault(f"addresses of {self.name}", [])
        return history

    def _kept_values(self) -> dict[str, Any]:
        values: dict[str, Any] = st.session_state.setdefault(f"values of {self.name}", {})
        return values

    def _read(self) -> Params:
        """Return the parameters of the page's address as the browser sent it, by present names.

        After quick clicks from page to page the address may be that of another page; nothing in it
        counts then, unless it is the first address of all, in which anybody may mistype a name.
        """
        sent = {name: st.query_params.get_all(name) for name in st.query_params}
        link = rename_old(sent, self.params)
        if SHARED in self.params:
            return {name: values for name, values in link.items() if name in self.params}
        link.pop(SHARED, None)
        if self._history() and not link.keys() <= set(self.params):
            return {}
        return link

    def _write(self, params: Params) -> None:
        history, link = self._history(), self._read()
        if params != history[-1] or not link or not link.keys() <= set(st.query_params):
            if SHARED in self.params:
                st.query_params.update(params)
            else:
                shared = st.query_params.get_all(SHARED)
                st.query_params.from_dict(params | ({SHARED: shared} if shared else {}))
        if params != history[-1]:
            history.append(params)


def _show(problems: tuple[str, ...]) -> None:
    if problems:
        st.warning("  \n".join(map(plain, problems)), icon=":material/link_off:")


def is_new(address: Params, history: list[Params]) -> bool:
    """Return whether an address asks for something else than its page shows.

    A browser that does not have the newest address yet sends an older one with the next click,
    which must not undo what was chosen since. An address that is not in the history was gone to: by
    a link, or by going back.

    Args:
        address: The parameters that the browser sent. An empty address asks for nothing.
        history: The addresses from the newest that the browser is known to have up to the newest
            that was written.
    """
    return bool(address) and address not in history


def forget_older(address: Params, history: list[Params]) -> None:
    """Drop superseded addresses from the history once the browser has sent the newest one.

    Args:
        address: The parameters that the browser sent; not those that this run of the page wrote,
            since a click may be on its way from the page as it was before.
        history: As in `is_new`. If the newest address also is an older one, nothing is removed.
    """
    if history and address == history[-1] and address not in history[:-1]:
        del history[:-1]
