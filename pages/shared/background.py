"""Answers that may take a while: worked out in a thread of their own, awaited with patience."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

import streamlit as st

T = TypeVar("T")

_UNSEEN_SECONDS = 0.3  # an answer that comes sooner is not announced: no flicker


def ask(question: Callable[[], T], name: str) -> Future[T]:
    """Begin to work out an answer; `name` is the thread's."""
    answer: Future[T] = Future()

    def work() -> None:
        try:
            answer.set_result(question())
        except BaseException as error:
            answer.set_exception(error)

    # A daemon thread, unlike a pool's: a server that stops must not wait for a slow source.
    threading.Thread(target=work, name=name, daemon=True).start()
    return answer


def await_answer(answer: Future[T], saying: str, note: Callable[[], str] = lambda: "") -> T:
    """Return an answer as soon as it is there, or raise what it came to.

    Meanwhile a spinner turns beside what `saying` says, and any other click is served at once.
    `note` is asked all the while for what makes it take longer than usual, and shown below.
    """
    if not wait([answer], timeout=_UNSEEN_SECONDS).done:
        with st.spinner(saying):
            slot = st.empty()
            while not wait([answer], timeout=0.1).done:
                if why := note():
                    slot.caption(why)
                else:
                    slot.empty()
                # here Streamlit leaves this run of the page for a newer one
    return answer.result()
