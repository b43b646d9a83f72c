"""`schedule` and `scheduler`: load a color every month by itself."""

from __future__ import annotations

import signal
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.commands.console import (
    ColorOption,
    JsonOption,
    TargetOption,
    err,
    escape,
    make_table,
    out,
    print_json,
    reported,
)
from pipeline.settings import load_settings

if TYPE_CHECKING:
    from pipeline.schedule.store import Kept

schedule = typer.Typer(
    no_args_is_help=True,
    help="Load a color every month by itself: while the app runs, or with the command scheduler.",
)
NameArgument = Annotated[str, typer.Argument(help="The schedule's name, as `list` shows it.")]


@schedule.command()
def add(
    color: ColorOption,
    at: Annotated[
        str, typer.Option(help="Time of day, HH:MM; default: green 09:00, yellow 10:00.")
    ] = "",
    day: Annotated[int, typer.Option(help="Day of the month, 1 to 28.")] = 1,
    timezone: Annotated[
        str, typer.Option(help="Whose clocks, such as Europe/Berlin.")
    ] = "America/New_York",
    source: Annotated[str, typer.Option(help="tlc, github, sample, a folder, or a URL.")] = "tlc",
    target: TargetOption = "local",
    catch_up: Annotated[
        str, typer.Option(help="What to make up for after missed firings: all, last or none.")
    ] = "all",
    since: Annotated[
        str, typer.Option(help="First month to load, YYYY-MM; default: the newest expected now.")
    ] = "",
    lag: Annotated[
        int, typer.Option(help="Months until a month is published; it is waited for until then.")
    ] = 2,
    name: Annotated[str, typer.Option(help="Its name; default: COLOR-TARGET.")] = "",
) -> None:
    """Add a schedule.

    It fires once a month and loads the newest month its source really has. A month that is
    expected and not published yet is looked for again every six hours.

    Example: python -m pipeline schedule add --color green --at 09:00 --catch-up all
    """
    from pipeline.schedule import USUAL_HOUR, CatchUp, Schedule, parse_time
    from pipeline.schedule.store import Schedules
    from pipeline.sources import open_source
    from pipeline.trips import Color, Month

    with reported():
        settings = load_settings()
        kind = Color.parse(color)
        hour, minute = parse_time(at) if at else (USUAL_HOUR[kind], 0)
        asked = Schedule(
            name=name or f"{kind}-{target}",
            color=kind,
            since=Month.parse(since) if since else Month.current(),
            target=target,
            source=open_source(source, settings).name,  # without a password in a URL
            day=day,
            hour=hour,
            minute=minute,
            timezone=timezone,
            catch_up=CatchUp.parse(catch_up),
            lag=lag,
        )
        if not since:
            asked = asked.from_newest(datetime.now(UTC))
        schedules = Schedules(settings)
        schedules.add(asked)
        out.print(f"Added {asked.name}: {kind} from {asked.since} on, {asked.at}.", markup=False)
        for moment in schedules.get(asked.name).next_times(5, datetime.now(UTC)):
            out.print(f"  {moment:%Y-%m-%d %H:%M %Z}", markup=False)


@schedule.command("list")
def list_schedules(as_json: JsonOption = False) -> None:
    """List the schedules, their next five times and how each last went."""
    from pipeline.schedule.scheduler import is_running
    from pipeline.schedule.store import Schedules

    with reported():
        settings = load_settings()
        found = Schedules(settings).all()
        running = is_running(settings)
        if as_json:
            values = [_values(kept) for kept in found]
            print_json({"scheduler_running": running, "schedules": values})
            return
        if not found:
            out.print("No schedule yet. Try: python -m pipeline schedule add --color green")
            return
        table = make_table("schedule", "state", "loads", "fires", "next", "last look")
        for kept in found:
            asked = kept.schedule
            next_time = next(iter(kept.next_times(1, datetime.now(UTC))), None)
            table.add_row(
                asked.name,
                "enabled" if kept.enabled else "paused",
                escape(f"{asked.color} from {asked.since}, {asked.source} to {asked.target}"),
                escape(f"{asked.at}, catch-up {asked.catch_up}"),
                f"{next_time:%Y-%m-%d %H:%M %Z}" if next_time else "",
                escape(f"{kept.latest.state}: {kept.latest.message}" if kept.latest else "none"),
            )
        out.print(table)
        if not running:
            out.print("No scheduler runs: start the app, or run python -m pipeline scheduler.")


@schedule.command()
def pause(name: NameArgument) -> None:
    """Let a schedule fire no more until it is resumed."""
    from pipeline.schedule.store import Schedules

    with reported():
        Schedules(load_settings()).pause(name)
        out.print(f"{name} is paused.", markup=False)


@schedule.command()
def resume(name: NameArgument) -> None:
    """Let a paused schedule fire again, from its next time on."""
    from pipeline.schedule.store import Schedules

    with reported():
        Schedules(load_settings()).resume(name)
        out.print(f"{name} is enabled.", markup=False)


@schedule.command()
def remove(name: NameArgument) -> None:
    """Forget a schedule; what it loaded stays."""
    from pipeline.schedule.store import Schedules

    with reported():
        Schedules(load_settings()).remove(name)
        out.print(f"{name} is removed.", markup=False)


@schedule.command("run-now")
def run_now(name: NameArgument) -> None:
    """Do now, in this process, what the schedule does when it fires."""
    from pipeline.schedule.scheduler import Scheduler

    with reported():
        look = Scheduler(load_settings()).fire(name)
        out.print(f"{look.state}: {look.message}", markup=False)
    if look.state in ("failed", "busy"):
        raise typer.Exit(1)


def scheduler() -> None:
    """Fire the schedules until Ctrl-C or SIGTERM, without the app.

    Only one process fires them: this waits while the app does, and takes over when it ends.
    """
    from pipeline.schedule.scheduler import Scheduler

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with reported():
        work = Scheduler(load_settings())
        if not work.start():
            err.print("Another process fires the schedules; this one takes over when it ends.")
            while not ended.wait(1) and not work.start():
                pass
        err.print(f"Firing {len(work.schedules.all())} schedules. Ctrl-C ends it.")
        ended.wait()
        work.stop()


def _values(kept: Kept) -> dict[str, Any]:
    from pipeline.schedule import write_schedule

    latest = kept.latest
    times = kept.next_times(5, datetime.now(UTC))
    return write_schedule(kept.schedule) | {
        "enabled": kept.enabled,
        "next_times": [moment.isoformat() for moment in times],
        "next_look": kept.next_look.isoformat() if kept.next_look else None,
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
