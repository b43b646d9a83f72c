"""The schedules, as a section of the Runs page: see, add, pause, fire and remove them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, time
from zoneinfo import available_timezones

import pandas as pd
import streamlit as st

from pages.shared.choice import SOURCES
from pages.shared.frame import Now, reported
from pages.shared.people import change_button, change_form_button
from pages.shared.picker import PLACE
from pages.shared.runs import scheduler
from pages.shared.target import TARGET_NAMES, target
from pages.shared.views import table_height
from pages.shared.words import plain, state_words, when
from pipeline.errors import UsageError
from pipeline.schedule import USUAL_HOUR, USUAL_LAG, USUAL_ZONE, CatchUp, Schedule
from pipeline.schedule.scheduler import is_running
from pipeline.schedule.store import Kept, Schedules
from pipeline.settings import load_settings
from pipeline.sources import open_source
from pipeline.trips import Color, Month
from pipeline.warehouse import TARGETS

_TIMES = 5


def show_schedules(now: Now) -> None:
    """Draw the section."""
    schedules = Schedules(load_settings())
    st.subheader("Schedules")
    with reported():
        found = schedules.all()
        st.caption(_who_fires(bool(found)))
        if found:
            _show_table(found)
            _show_actions(schedules, found, now)
    with st.expander("Add a schedule", icon=":material/add_alarm:", expanded=False):
        _show_form(schedules)


def _who_fires(any_kept: bool) -> str:
    if not any_kept:
        return (
            "A schedule loads one color every month by itself: the newest month its source really "
            "has. It waits for a month that is late."
        )
    if scheduler().is_firing:
        return f"{state_words('running')}: this app fires them while it runs."
    if is_running(load_settings()):
        return f"{state_words('running')}: another process fires them; this app takes over from it."
    return f"{state_words('queued')}: this app begins to fire them within seconds."


def _show_table(found: Sequence[Kept]) -> None:
    st.dataframe(
        pd.DataFrame(
            {
                "schedule": [kept.schedule.name for kept in found],
                "state": [state_words("enabled" if kept.enabled else "paused") for kept in found],
                "loads": [_loads(kept.schedule) for kept in found],
                "fires": [kept.schedule.at for kept in found],
                "catch-up": [kept.schedule.catch_up.value for kept in found],
                "next": [" ".join(_next_times(kept, 1)) for kept in found],
                "last look": [
                    state_words(kept.latest.state) if kept.latest else "" for kept in found
                ],
            }
        ),
        hide_index=True,
        key="schedules",
        height=table_height(len(found)),
        column_config={
            "schedule": st.column_config.TextColumn(width=130),
            "state": st.column_config.TextColumn(width=100),
        },
        alt="Schedules, by name",
    )


def _next_times(kept: Kept, number: int) -> list[str]:
    return [f"{t:%Y-%m-%d %H:%M %Z}" for t in kept.next_times(number, datetime.now(UTC))]


def _loads(schedule: Schedule) -> str:
    source = SOURCES.get(schedule.source, schedule.source)
    return f"{schedule.color} from {schedule.since}, {source} to {TARGET_NAMES[schedule.target]}"


def _show_details(kept: Kept) -> None:
    times = ", ".join(_next_times(kept, _TIMES)) or "none while it is paused"
    lines = [f"Next times: {times}"]
    look = kept.latest
    if look is not None:
        lines.append(f"Last look, {when(look.begun_at)}: {look.state}, {look.message}")
    if kept.next_look is not None:
        lines.append(f"Looks again {when(kept.next_look)}")
    st.text("\n".join(lines))


def _show_actions(schedules: Schedules, found: Sequence[Kept], now: Now) -> None:
    row = st.container(horizontal=True, vertical_alignment="bottom")
    names = [kept.schedule.name for kept in found]
    name = row.selectbox("Schedule", names, key="schedule", width=220)
    kept = next(kept for kept in found if kept.schedule.name == name)
    if change_button(
        row,
        "Run now",
        icon=":material/play_arrow:",
        disabled=now.run is not None,
        key="schedule-run",
        help="Do now what it does when it fires.",
    ):
        # In a thread: a look may take as long as the backfill it starts.
        threading.Thread(target=scheduler().fire, args=(name,), daemon=True).start()
        st.toast(f"{plain(name)} looks at its source now.", icon=":material/play_arrow:")
    if kept.enabled and change_button(row, "Pause", icon=":material/pause:", key="schedule-pause"):
        schedules.pause(name)
        st.rerun()
    if not kept.enabled and change_button(
        row, "Resume", icon=":material/resume:", key="schedule-resume"
    ):
        schedules.resume(name)
        st.rerun()
    with row.popover("Remove", icon=":material/delete:"):
        st.write(f"Remove **{plain(name)}**? What it loaded stays.")
        if change_button(st, "Remove it", key="schedule-remove"):
            schedules.remove(name)
            st.rerun()
    _show_details(kept)


def _show_form(schedules: Schedules) -> None:
    color = Color(
        st.segmented_control(
            "Color",
            list(Color),
            format_func=lambda color: f":yellow[{color}]",
            default=Color.GREEN,
            required=True,
            key="s-color",
        )
        or Color.GREEN
    )
    with st.form("schedule", border=False):
        grid = st.grid("auto", min_column_width=170)
        source = grid.selectbox(
            "Source",
            [*SOURCES, PLACE],
            index=1,
            format_func=lambda word: SOURCES.get(word, "A folder or URL"),
            key="s-source",
        )
        place = grid.text_input("Folder or URL", key="s-place", placeholder="if not one of those")
        to = grid.selectbox(
            "Warehouse",
            TARGETS,
            index=TARGETS.index(target()),
            format_func=TARGET_NAMES.__getitem__,
            key="s-target",
        )
        day = grid.number_input("Day of the month", 1, 28, 1, key="s-day")
        at = grid.time_input("Time", time(USUAL_HOUR[color]), key=f"s-time-{color}")
        zone = grid.selectbox("Time zone", _zones(), key="s-zone")
        catch_up = grid.selectbox(
            "Catch-up", [rule.value for rule in CatchUp], key="s-catch-up", help=_catch_up_help()
        )
        since = grid.text_input(
            "First month", key="s-since", placeholder="the newest expected", help="YYYY-MM"
        )
        lag = grid.number_input(
            "Publication lag (months)", 1, 24, USUAL_LAG, key="s-lag",
            help="A firing in November with a lag of 2 waits for September.",
        )  # fmt: skip
        pressed = change_form_button("Add schedule", icon=":material/add:", type="secondary")
    if pressed:
        with reported():
            moment = at or time(USUAL_HOUR[color])
            asked = Schedule(
                name=f"{color}-{to}",
                color=color,
                since=Month.parse(since) if since else Month.current(),
                target=to,
                source=_source(place if source == PLACE else source),
                day=int(day),
                hour=moment.hour,
                minute=moment.minute,
                timezone=zone,
                catch_up=CatchUp.parse(catch_up),
                lag=int(lag),
            )
            schedules.add(asked if since else asked.from_newest(datetime.now(UTC)))
            st.rerun()


def _source(text: str) -> str:
    if not text.strip():
        raise UsageError("No folder or URL was given.", cure="Type the place of the trip files.")
    return open_source(text, load_settings()).name  # without a password in a URL


def _catch_up_help() -> str:
    return "  \n".join(f"**{rule}**: {rule.meaning}" for rule in CatchUp)


@st.cache_data(show_spinner=False)
def _zones() -> list[str]:
    others = sorted(zone for zone in available_timezones() if "/" in zone or zone == "UTC")
    return [USUAL_ZONE, *(zone for zone in others if zone != USUAL_ZONE)]
