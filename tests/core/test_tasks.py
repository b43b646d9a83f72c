"""Background tasks: results, errors, progress, cancellation, bounded pools, and daemon threads."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from pipeline.core.cancel import Cancel
from pipeline.core.errors import Cancelled, StorageError
from pipeline.core.tasks import Task, TaskPool, run_in_background

PATIENCE = 10.0


def wait_for_cancel(cancel: Cancel, _report: Callable[[None], None]) -> None:
    """Block until the task is cancelled, as a statement or a socket would."""
    cancelled = threading.Event()
    with cancel.calling(cancelled.set):
        cancelled.wait(PATIENCE)
    cancel.check()


def test_task_runs_in_thread_of_its_name_and_returns_result() -> None:
    task = run_in_background(lambda: threading.current_thread().name, "plan")
    assert task.result(PATIENCE) == "plan"
    assert task.done()
    assert task.succeeded()
    assert task.wait(0)


def test_result_arrives_once_and_can_be_read_again() -> None:
    calls: list[int] = []
    task = run_in_background(lambda: calls.append(1), "once")
    task.result(PATIENCE)
    task.result(PATIENCE)
    assert calls == [1]


@pytest.mark.parametrize("error", [StorageError("disk full"), ValueError("x"), SystemExit(3)])
def test_result_raises_what_the_work_raised(error: BaseException) -> None:
    def fail() -> None:
        raise error

    task = run_in_background(fail, "fail")
    assert task.wait(PATIENCE)
    assert task.done()
    assert not task.succeeded()
    with pytest.raises(type(error)) as raised:
        task.result()
    assert raised.value is error


def test_wait_and_result_give_up_after_their_seconds() -> None:
    task: Task[None, None] = Task(wait_for_cancel, "slow")
    began = time.monotonic()
    assert not task.wait(0.05)
    with pytest.raises(TimeoutError):
        task.result(0.05)
    assert 0.1 <= time.monotonic() - began < PATIENCE
    assert not task.done()
    assert not task.succeeded()
    assert task.seconds >= 0.1
    task.cancel.set()
    assert task.wait(PATIENCE)


def test_cancelled_task_raises_cancelled() -> None:
    task: Task[None, None] = Task(wait_for_cancel, "slow")
    task.cancel.set()
    with pytest.raises(Cancelled):
        task.result(PATIENCE)
    assert not task.succeeded()


def test_progress_is_the_newest_report() -> None:
    reported, proceed = threading.Event(), threading.Event()

    def work(_cancel: Cancel, report: Callable[[int], None]) -> str:
        proceed.wait(PATIENCE)
        report(1)
        report(2)
        reported.set()
        return "result"

    task: Task[str, int] = Task(work, "progress")
    assert task.progress is None
    proceed.set()
    assert reported.wait(PATIENCE)
    assert task.progress == 2
    assert task.result(PATIENCE) == "result"


def test_done_callback_is_called_at_the_end_and_at_once_afterwards() -> None:
    task: Task[None, None] = Task(wait_for_cancel, "slow")
    ended = threading.Event()
    task.add_done_callback(ended.set)
    assert not ended.is_set()
    task.cancel.set()
    assert ended.wait(PATIENCE)
    again = threading.Event()
    task.add_done_callback(again.set)
    assert again.is_set()


def test_pool_starts_tasks_in_order_and_never_more_than_its_limit() -> None:
    pool = TaskPool(2)
    started: queue.Queue[int] = queue.Queue()
    gates = [threading.Event() for _ in range(6)]

    def work(number: int) -> int:
        started.put(number)
        gates[number].wait(PATIENCE)
        return number

    tasks = [run_in_background(partial(work, n), f"work {n}", pool) for n in range(6)]
    assert {started.get(timeout=PATIENCE), started.get(timeout=PATIENCE)} == {0, 1}
    for ending, starting in ((1, 2), (0, 3), (3, 4), (2, 5)):
        with pytest.raises(queue.Empty):
            started.get(timeout=0.02)
        gates[ending].set()
        assert started.get(timeout=PATIENCE) == starting
    for gate in gates:
        gate.set()
    assert [task.result(PATIENCE) for task in tasks] == list(range(6))
    assert run_in_background(lambda: "later", "later", pool).result(PATIENCE) == "later"


def test_pool_of_one_runs_strictly_in_order_and_survives_errors() -> None:
    pool = TaskPool(1)
    order: list[str] = []

    def work() -> None:
        order.append(threading.current_thread().name)
        raise SystemExit

    tasks = [run_in_background(work, f"work {n}", pool) for n in range(5)]
    assert all(task.wait(PATIENCE) for task in tasks)
    assert order == [f"work {n}" for n in range(5)]


def test_task_cancelled_while_it_waits_in_a_pool_never_starts() -> None:
    pool = TaskPool(1)
    started: list[str] = []
    first: Task[None, None] = Task(wait_for_cancel, "first", pool)
    second = run_in_background(lambda: started.append("second"), "second", pool)
    third = run_in_background(lambda: started.append("third"), "third", pool)
    second.cancel.set()
    assert started == []
    first.cancel.set()
    with pytest.raises(Cancelled):
        second.result(PATIENCE)
    third.result(PATIENCE)
    assert started == ["third"]


def test_process_ends_without_waiting_for_tasks() -> None:
    script = """
import time
from pipeline.core.tasks import TaskPool, run_in_background
pool = TaskPool(1)
tasks = [
    run_in_background(lambda: time.sleep(600), str(n), place)
    for n in range(2)
    for place in (None, pool)
]
print([task.done() for task in tasks])
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout.strip() == "[False, False, False, False]"
