"""Asking a warehouse the questions of many charts at once, each only once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import streamlit as st

from pages.shared.target import target
from pipeline.charts import TRIPS, Question, Shared, ask_shared, gather
from pipeline.charts.questions import Asked
from pipeline.settings import Settings, load_settings
from pipeline.warehouse import Answer, Warehouse, open_warehouse
from pipeline.warehouse.results import Answers

_AT_ONCE = 4
_KEPT = 400  # answers; most have a few hundred rows


@dataclass(frozen=True)
class Costly:
    """A question that was not asked, because it would bill this many bytes."""

    bytes: int
    dollars: float


Reply = Answer | Costly


@dataclass(frozen=True)
class _Task:
    """What is to be found out in a warehouse, and where the answer is awaited."""

    run: Callable[[Warehouse], Reply]
    future: Future[Reply]


class Asker:
    """Asks questions in threads of its own, and keeps the answers.

    Answers are kept by a mark of what is loaded, so that a load is seen at once.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="charts")
        self._kept = Answers(_KEPT)

    def ask(
        self,
        where: str,
        settings: Settings,
        mark: Hashable,
        questions: Mapping[str, Question],
        agreed: frozenset[str],
    ) -> dict[str, Future[Reply]]:
        """Return what will be the answer to each question, by its name.

        Args:
            where: The target, local or gcp.
            mark: A value that differs when something was loaded since.
            agreed: Statements that may be run whatever they bill.

        Raises WarehouseBusy when another process holds the warehouse.
        """
        tasks: dict[Hashable, _Task] = {}

        def find(asked: Question | Asked, run: Callable[[Warehouse], Reply]) -> Future[Reply]:
            key = where, _id(asked)
            answer = self._kept.find(key, mark)
            if answer is None:
                return tasks.setdefault(key, _Task(run, Future())).future
            known: Future[Reply] = Future()
            known.set_result(answer)
            return known

        def ask_alone(question: Question) -> Future[Reply]:
            read = partial(_read, settings=settings, question=question, agreed=agreed)
            return find(question, read)

        def ask_together(question: Question, shared: Shared) -> Future[Reply]:
            gathered = find(shared.trips, partial(gather, shared))
            return find(question, partial(_answer_from, question=question, gathered=gathered))

        shares = Counter(_id(q.shared.trips) for q in questions.values() if q.shared)
        found: dict[str, Future[Reply]] = {}
        # What takes long comes last, and those that wait for what is gathered: they hold a thread.
        for name, question in sorted(questions.items(), key=lambda item: item[1].rank):
            if question.shared and shares[_id(question.shared.trips)] > 1:
                found[name] = ask_together(question, question.shared)
            else:
                found[name] = ask_alone(question)
        if tasks:
            visit = _Visit(open_warehouse(where, settings), len(tasks))
            for key, task in tasks.items():
                self._pool.submit(self._answer, visit, mark, key, task)
        return found

    def _answer(self, visit: _Visit, mark: Hashable, key: Hashable, task: _Task) -> None:
        try:
            answer = task.run(visit.warehouse)
            if isinstance(answer, Answer):
                self._kept.keep(key, mark, answer)
            visit.leave()
            task.future.set_result(answer)
        except BaseException as error:
            visit.leave()
            task.future.set_exception(error)


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


def _id(asked: Question | Asked) -> Hashable:
    return asked.sql, tuple(asked.parameters.items())


def _read(
    warehouse: Warehouse, *, settings: Settings, question: Question, agreed: frozenset[str]
) -> Reply:
    if question.origin == TRIPS and question.sql not in agreed:
        scanned = warehouse.scan_bytes(question.sql, question.parameters)
        if scanned is not None and scanned > settings.gcp_ask_above_bytes:
            return Costly(scanned, scanned / 2**40 * settings.gcp_price_per_tib)
    return warehouse.read(question.sql, question.parameters)


def _answer_from(warehouse: Warehouse, *, question: Question, gathered: Future[Reply]) -> Answer:
    answer = gathered.result()
    assert isinstance(answer, Answer)  # only local trips are gathered, and reading these is free
    return ask_shared(question, answer, warehouse)


@st.cache_resource(show_spinner=False)
def _asker() -> Asker:
    return Asker()


def ask(
    mark: Hashable, questions: Mapping[str, Question], agreed: frozenset[str] = frozenset()
) -> dict[str, Future[Reply]]:
    """Ask the warehouse of the pages; see `Asker.ask`."""
    return _asker().ask(target(), load_settings(), mark, questions, agreed)
