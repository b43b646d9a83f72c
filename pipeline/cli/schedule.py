"""The commands `schedule` (add, list, pause, resume, remove, run-now) and `scheduler`."""

from __future__ import annotations

import signal
import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.console import (
    DatasetOption,
    JsonOption,
    TargetOption,
    err,
    escape,
    exit_on_error,
    load_settings,
    make_table,
    out,
    print_json,
)
from pipeline.core.datasets import DATASETS, find_dataset
from pipeline.warehouse.registry import DEFAULT_TARGET

if TYPE_CHECKING:
    from rich.table import Table

    from pipeline.runs.schedule.store import StoredSchedule

_USUAL_TIMES = ", ".join(
    f"{name} {dataset.schedule_hour:02d}:00" for name, dataset in DATASETS.items()
)

schedule = typer.Typer(
    no_args_is_help=True,
    help="Load a dataset every month by itself: while the app runs, or with the command scheduler.",
)
NameArgument = Annotated[str, typer.Argument(help="The schedule's name, as `list` shows it.")]


@schedule.command()
def add(
    dataset_name: DatasetOption,
    at: Annotated[str, typer.Option(help=f"Time of day, HH:MM; default: {_USUAL_TIMES}.")] = "",
    day: Annotated[int, typer.Option(help="Day of the month, 1 to 28.")] = 1,
    timezone: Annotated[
        str, typer.Option(help="Whose clocks, such as Europe/Berlin.")
    ] = "America/New_York",
    source: Annotated[str, typer.Option(help="tlc, github, sample, a folder, or a URL.")] = "tlc",
    target: TargetOption = DEFAULT_TARGET,
    catch_up: Annotated[
        str, typer.Option(help="What to make up for after missed firings: all, last or none.")
    ] = "all",
    since: Annotated[
        str,
        typer.Option(
            help="First month to load, YYYY-MM; default: a folder's first, or the newest expected."
        ),
    ] = "",
    lag: Annotated[
        int, typer.Option(help="Months until a month is published; it is waited for until then.")
    ] = 2,
    name: Annotated[str, typer.Option(help="Its name; default: COLOR-TARGET.")] = "",
) -> None:
    """Add a schedule.

    It fires once a month and loads the newest month its source really has. A month that is
    expected and not published yet is looked for again every six hours.

    Example: python -m pipeline schedule add --dataset green --at 09:00 --catch-up all
    """
    from pipeline.core.trips import Month
    from pipeline.files.sources import open_source
    from pipeline.runs.schedule import CatchUp, Schedule, parse_time
    from pipeline.runs.schedule.scheduler import first_month
    from pipeline.runs.schedule.store import Schedules

    with exit_on_error():
        settings = load_settings()
        dataset = find_dataset(dataset_name)
        opened = open_source(source, settings)
        hour, minute = parse_time(at) if at else (dataset.schedule_hour, 0)
        new = Schedule(
            name=name or f"{dataset}-{target}",
            dataset=dataset,
            since=Month.parse(since) if since else Month.current(),
            target=target,
            source=opened.name,  # without a password in a URL
            day=day,
            hour=hour,
            minute=minute,
            timezone=timezone,
            catch_up=CatchUp.parse(catch_up),
            lag=lag,
        )
        if not since:
            new = replace(new, since=first_month(new, opened, datetime.now(UTC)))
        schedules = Schedules(settings)
        schedules.add(new)
        out.print(f"Added {new.name}: {new.dataset} from {new.since} on, {new.at}.", markup=False)
        for time in schedules.get(new.name).next_times(5, datetime.now(UTC)):
            out.print(f"  {time:%Y-%m-%d %H:%M %Z}", markup=False)


@schedule.command("list")
def list_schedules(as_json: JsonOption = False) -> None:
    """List the schedules, their next times, and how each last fired.

    Exits with 1 when a schedule is damaged.
    """
    from pipeline.runs.schedule.scheduler import is_running
    from pipeline.runs.schedule.store import Schedules

    with exit_on_error():
        settings = load_settings()
        schedules, damaged = Schedules(settings).read()
        running = is_running(settings)
        if as_json:
            problems = [{"name": error.name, "problem": error.problem} for error in damaged]
            values = [_values(stored) for stored in schedules]
            print_json({"scheduler_running": running, "schedules": values, "damaged": problems})
        elif schedules:
            out.print(_table(schedules))
            if not running:
                out.print("No scheduler runs: start the app, or run python -m pipeline scheduler.")
        elif not damaged:
            out.print("No schedule yet. Try: python -m pipeline schedule add --dataset green")
    for error in damaged:
        err.print(escape(str(error)))
    if damaged:
        raise typer.Exit(1)


@schedule.command()
def pause(name: NameArgument) -> None:
    """Stop a schedule from firing until it is resumed."""
    from pipeline.runs.schedule.store import Schedules

    with exit_on_error():
        Schedules(load_settings()).pause(name)
        out.print(f"{name} is paused.", markup=False)


@schedule.command()
def resume(name: NameArgument) -> None:
    """Let a paused schedule fire again, from its next time on."""
    from pipeline.runs.schedule.store import Schedules

    with exit_on_error():
        Schedules(load_settings()).resume(name)
        out.print(f"{name} is enabled.", markup=False)


@schedule.command()
def remove(name: NameArgument) -> None:
    """Delete a schedule; what it loaded stays."""
    from pipeline.runs.schedule.store import Schedules

    with exit_on_error():
        Schedules(load_settings()).remove(name)
        out.print(f"{name} is removed.", markup=False)


@schedule.command("run-now")
def run_now(name: NameArgument) -> None:
    """Fire a schedule now, in this process."""
    from pipeline.runs.schedule.scheduler import Scheduler

    with exit_on_error():
        firing = Scheduler(load_settings()).fire(name)
        out.print(f"{firing.state}: {firing.message}", markup=False)
    if firing.state in ("failed", "busy"):
        raise typer.Exit(1)


def scheduler() -> None:
    """Fire the schedules until Ctrl-C or SIGTERM, without the app.

    Only one process fires them: this waits while the app does, and takes over when it ends.
    """
    from pipeline.runs.schedule.scheduler import Scheduler

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with exit_on_error():
        scheduler = Scheduler(load_settings())
        if not scheduler.start():
            err.print("Another process fires the schedules; this one takes over when it ends.")
            while not ended.wait(1) and not scheduler.start():
                pass
        schedules, damaged = scheduler.schedules.read()
        err.print(f"Firing {len(schedules)} schedules. Ctrl-C ends it.")
        for error in damaged:
            err.print(escape(str(error)))
        ended.wait()
        scheduler.stop()


def _table(schedules: list[StoredSchedule]) -> Table:
    table = make_table("schedule", "state", "loads", "fires", "next", "last firing")
    for stored in schedules:
        schedule, latest = stored.schedule, stored.latest
        next_time = next(iter(stored.next_times(1, datetime.now(UTC))), None)
        table.add_row(
            schedule.name,
            "enabled" if stored.enabled else "paused",
            escape(
                f"{schedule.dataset} from {schedule.since}, {schedule.source} to {schedule.target}"
            ),
            escape(f"{schedule.at}, catch-up {schedule.catch_up}"),
            f"{next_time:%Y-%m-%d %H:%M %Z}" if next_time else "",
            escape(f"{latest.state}: {latest.message}" if latest else "none"),
        )
    return table


def _values(stored: StoredSchedule) -> dict[str, Any]:
    """Return a schedule for `--json`, where a firing is still called a look."""
    from pipeline.runs.schedule import write_schedule

    latest = stored.latest
    times = stored.next_times(5, datetime.now(UTC))
    return {
        **write_schedule(stored.schedule),
        "enabled": stored.enabled,
        "next_times": [time.isoformat() for time in times],
        "next_look": stored.retry_at.isoformat() if stored.retry_at else None,
        "last_look": {
            "state": latest.state,
            "message": latest.message,
            "begun_at": latest.begun_at.isoformat(),
            "ended_at": latest.ended_at.isoformat() if latest.ended_at else None,
            "run_id": latest.run_id,
        }
        if latest
        else None,
    }
