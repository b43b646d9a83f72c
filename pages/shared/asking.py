"""Asking a warehouse the questions of many charts at once, each only once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import streamlit as st

from pages.shared.target import target
from pipeline.charts import TRIPS, Question
from pipeline.settings import Settings, load_settings
from pipeline.warehouse import Answer, Warehouse, open_warehouse

_AT_ONCE = 4
_KEPT = 400  # answers; most have a few hundred rows


@dataclass(frozen=True)
class Costly:
    """A question that was not asked, because it would bill this many bytes."""

    bytes: int
    dollars: float


class Asker:
    """Asks questions in threads of its own, and keeps the answers.

    Answers are kept by a mark of what is loaded, so that a load is seen at once.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="charts")
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Answer] = OrderedDict()

    def ask(
        self,
        where: str,
        settings: Settings,
        mark: Hashable,
        questions: Mapping[str, Question],
        agreed: frozenset[str],
    ) -> dict[str, Future[Answer | Costly]]:
        """Return what will be the answer to each question, by its name.

        Args:
            where: The target, local or gcp.
            mark: A value that differs when something was loaded since.
            agreed: Statements that may be run whatever they bill.

        Raises WarehouseBusy when another process holds the warehouse.
        """
        found: dict[str, Future[Answer | Costly]] = {}
        asked: dict[str, tuple[Question, Hashable]] = {}
        for name, question in questions.items():
            key: Hashable = (where, mark, question.sql, tuple(question.parameters.items()))
            with self._lock:
                answer = self._kept.get(key)
                if answer is not None:
                    self._kept.move_to_end(key)
            found[name] = Future()
            if answer is None:
                asked[name] = question, key
            else:
                found[name].set_result(answer)
        if asked:
            visit = _Visit(open_warehouse(where, settings), len(asked))
            for name, (question, key) in asked.items():
                self._pool.submit(self._answer, visit, settings, question, key, agreed, found[name])
        return found

    def _answer(
        self,
        visit: _Visit,
        settings: Settings,
        question: Question,
        key: Hashable,
        agreed: frozenset[str],
        future: Future[Answer | Costly],
    ) -> None:
        try:
            answer = _read(visit.warehouse, settings, question, agreed)
            if isinstance(answer, Answer):
                with self._lock:
                    self._kept[key] = answer
                    while len(self._kept) > _KEPT:
                        self._kept.popitem(last=False)
            visit.leave()
            future.set_result(answer)
        except BaseException as error:
            visit.leave()
            future.set_exception(error)


class _Visit:
    """A warehouse that is open until the last of those who use it leaves."""

    def __init__(self, warehouse: Warehouse, users: int) -> None:
        self.warehouse = warehouse.__enter__()
        self._users = users
        self._lock = threading.Lock()

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                self.warehouse.__exit__(None, None, None)


def _read(
    warehouse: Warehouse, settings: Settings, question: Question, agreed: frozenset[str]
) -> Answer | Costly:
    if question.origin == TRIPS and question.sql not in agreed:
        scanned = warehouse.scan_bytes(question.sql, question.parameters)
        if scanned is not None and scanned > settings.gcp_ask_above_bytes:
            return Costly(scanned, scanned / 2**40 * settings.gcp_price_per_tib)
    return warehouse.read(question.sql, question.parameters)


@st.cache_resource(show_spinner=False)
def _asker() -> Asker:
    return Asker()


def ask(
    mark: Hashable, questions: Mapping[str, Question], agreed: frozenset[str] = frozenset()
) -> dict[str, Future[Answer | Costly]]:
    """Ask the warehouse of the pages; see `Asker.ask`."""
    return _asker().ask(target(), load_settings(), mark, questions, agreed)
