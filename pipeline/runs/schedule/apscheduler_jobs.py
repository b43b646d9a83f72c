"""Read the schedules that earlier versions stored as jobs of APScheduler.

`schedules.sqlite` then had a table `apscheduler_jobs` with a pickle in each row, and a pickle can
name any function and have it called. So nothing here unpickles: `pickletools` splits a pickle into
its instructions, and only those that build text, numbers and dictionaries are followed.
"""

from __future__ import annotations

import pickletools
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from pipeline.core.errors import FaregroundError
from pipeline.runs.schedule import read_schedule, write_schedule
from pipeline.runs.schedule.firings import read_moment

# What the pickled jobs of schedules name. None of it is imported or called; a pickle that names
# anything else was not written by Fareground.
_NAMES = {
    "pipeline.schedule.MonthlyTrigger",
    "apscheduler.triggers.date.DateTrigger",
    "builtins.getattr",
    "datetime.datetime",
    "datetime.timedelta",
    "datetime.timezone",
    "zoneinfo.ZoneInfo",
}
# A schedule's retry was a job of its own; its id is the schedule's name, this, and a moment.
_RETRY = " again "
_LONGEST_PROBLEM = 200  # characters: it may quote damaged content


def read_jobs(connection: sqlite3.Connection) -> Iterator[dict[str, str | int | None]]:
    """Yield the columns of `schedules` (see store.py) for each row of `apscheduler_jobs`.

    A retry comes after its schedule, as `name` and `retry_at`; a row that cannot be read as `name`
    and `problem`. Nothing comes where there is no such table.
    """
    if not connection.execute(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'apscheduler_jobs'"
    ).fetchone():
        return
    order = "ORDER BY instr(id, ?) > 0, id"
    for row in connection.execute(f"SELECT * FROM apscheduler_jobs {order}", (_RETRY,)).fetchall():
        try:
            yield _read_job(row)
        except (FaregroundError, ValueError) as error:
            yield {"name": str(row["id"]), "problem": str(error)[:_LONGEST_PROBLEM]}
        except Exception as error:  # damaged content can break any assumption of the code below
            yield {"name": str(row["id"]), "problem": f"unexpected {type(error).__name__}"}


def _read_job(row: sqlite3.Row) -> dict[str, str | int | None]:
    state = read_pickle(row["job_state"])
    name, _, retry = row["id"].partition(_RETRY)
    if state["id"] != row["id"]:
        raise ValueError("its id and its content differ")
    seconds = row["next_run_time"]
    next_at = None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
    if retry:
        return {"name": name, "retry_at": next_at}
    values = write_schedule(read_schedule(state["trigger"]["schedule"]))
    if values["name"] != name:
        raise ValueError("its id and its content differ")
    added_at = read_moment(state["kwargs"]["added_at"]).isoformat()
    return {**values, "added_at": added_at, "next_at": next_at}


def read_pickle(content: bytes) -> Any:
    """Return the plain values in a pickle; an object becomes its state, a call becomes None.

    Raises ValueError (or IndexError and the like) when the pickle is damaged, or when it names or
    does what no job of a schedule did.
    """
    stack: list[Any] = []
    marks: list[int] = []
    memo: list[Any] = []
    for instruction, argument, _ in pickletools.genops(content):
        match instruction.name:
            case "PROTO" | "FRAME":
                pass
            case "BININT" | "BININT1" | "BININT2" | "BINUNICODE" | "SHORT_BINUNICODE":
                stack.append(argument)
            case "EMPTY_DICT":
                stack.append({})
            case "NONE" | "NEWTRUE" | "NEWFALSE" | "EMPTY_TUPLE" | "SHORT_BINBYTES":
                stack.append(None)  # nothing that a schedule needs
            case "MARK":
                marks.append(len(stack))
            case "SETITEM" | "SETITEMS":
                start = marks.pop() if instruction.name == "SETITEMS" else -2
                items = stack[start:]
                del stack[start:]
                stack[-1].update(zip(items[::2], items[1::2], strict=True))
            case "MEMOIZE":
                memo.append(stack[-1])
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[int(argument or 0)])
            case "STACK_GLOBAL":
                named = ".".join(stack[-2:])
                if named not in _NAMES:
                    raise ValueError(f"it names {named!r}, which no schedule needs")
                stack[-2:] = [None]
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                del stack[-int(instruction.name[-1]) :]
                stack.append(None)
            case "NEWOBJ" | "REDUCE":  # what is called, and its arguments
                stack[-2:] = [None]
            case "BUILD":  # an object, and its state
                del stack[-2]
            case "STOP":
                return stack.pop()
            case other:
                raise ValueError(f"it has the instruction {other}, which no schedule needs")
    raise ValueError("it has no end")
