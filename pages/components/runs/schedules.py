"""The tab Schedules of the Runs page: list, add, pause, fire and remove schedules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time
from zoneinfo import available_timezones

import pandas as pd
import streamlit as st

from pages.components.common.access import change_button, change_form_button
from pages.components.common.choice import SOURCES
from pages.components.common.layout import table_height
from pages.components.common.messages import reported, show_error
from pages.components.common.runs import Activity, read_activity, scheduler
from pages.components.common.source_consent import source_options
from pages.components.common.target import target, target_label
from pages.components.common.words import dataset_label, files_in_words, plain, state_words, when
from pipeline.core.datasets import DATASETS, DEFAULT_DATASET, find_dataset
from pipeline.core.errors import UsageError
from pipeline.core.settings.settings import load_settings
from pipeline.core.trips import Month
from pipeline.files.sources import Source, open_source
from pipeline.runs.schedule import USUAL_LAG, USUAL_ZONE, CatchUp, Schedule
from pipeline.runs.schedule.scheduler import first_month, is_running
from pipeline.runs.schedule.store import Schedules, StoredSchedule
from pipeline.warehouse.registry import target_names

_TIMES = 5
_FOLLOW_SECONDS = 0.5


def show_schedules(activity: Activity) -> None:
    """Draw the tab."""
    schedules = Schedules(load_settings())
    with reported():
        stored, damaged = schedules.read()
        st.caption(_who_fires(bool(stored)))
        for error in damaged:
            show_error(error)
            if change_button(
                st, f"Remove {plain(error.name)}", key=f"schedule-remove-{error.name}"
            ):
                schedules.remove(error.name)
                st.rerun()
        if stored:
            _show_table(stored)
            _show_actions(schedules, stored, activity)
    with st.expander("Add a schedule", icon=":material/add_alarm:", expanded=False):
        _show_form(schedules)


def _who_fires(are_any: bool) -> str:
    if not are_any:
        return (
            "A schedule loads a month of the chosen taxis as soon as its source has it. It "
            "retries while a month is late."
        )
    if scheduler().is_firing:
        return f"{state_words('running')}: this app fires the schedules while it runs."
    if is_running(load_settings()):
        return f"{state_words('running')}: another process fires them; this app takes over from it."
    return f"{state_words('queued')}: this app starts to fire them within seconds."


def _show_table(schedules: Sequence[StoredSchedule]) -> None:
    st.dataframe(
        pd.DataFrame(
            {
                "schedule": [stored.schedule.name for stored in schedules],
                "state": [
                    state_words("enabled" if stored.enabled else "paused") for stored in schedules
                ],
                "loads": [_loads(stored.schedule) for stored in schedules],
                "fires": [stored.schedule.at for stored in schedules],
                "catch-up": [stored.schedule.catch_up.value for stored in schedules],
                "next": [" ".join(_next_times(stored, 1)) for stored in schedules],
                "last firing": [
                    state_words(stored.latest.state) if stored.latest else ""
                    for stored in schedules
                ],
            }
        ),
        hide_index=True,
        key="schedules",
        height=table_height(len(schedules)),
        column_config={
            "schedule": st.column_config.TextColumn(width=130),
            "state": st.column_config.TextColumn(width=100),
        },
        alt="Schedules, by name",
    )


def _next_times(stored: StoredSchedule, number: int) -> list[str]:
    times = stored.next_times(number, datetime.now(UTC))
    return [f"{time:%Y-%m-%d %H:%M %Z}" for time in times]


def _loads(schedule: Schedule) -> str:
    source = SOURCES.get(schedule.source, schedule.source)
    return f"{schedule.dataset} from {schedule.since}, {source} to {target_label(schedule.target)}"


def _show_details(name: str, activity: Activity) -> None:
    """Show when a schedule fires and how its last firing went; follow one that has not ended."""
    is_followed = activity.run is None  # a page with a run on it is drawn again every second
    firing = scheduler().is_at_work(name)

    def show() -> None:
        if is_followed and firing and not scheduler().is_at_work(name):
            st.rerun()  # the table has its state, too
        stored = Schedules(load_settings()).get(name)
        times = ", ".join(_next_times(stored, _TIMES)) or "none while it is paused"
        lines = [f"Next times: {times}"]
        if stored.retry_at is not None:
            lines.append(f"Next retry: {when(stored.retry_at)}")
        st.text("\n".join(lines))
        with st.container(border=True):
            st.markdown(_describe_firing(stored, read_activity()))

    with reported():
        st.fragment(run_every=_FOLLOW_SECONDS if is_followed and firing else None)(show)()


def _describe_firing(stored: StoredSchedule, activity: Activity) -> str:
    """Return the state of a schedule's newest firing in Markdown: its word first, then details."""
    firing, name = stored.latest, stored.schedule.name
    source = SOURCES.get(stored.schedule.source, stored.schedule.source)
    run = activity.run
    if run is not None and run.origin == f"schedule {name}":
        files = files_in_words(activity.to_load)
        return f"**{state_words('running')}**: {activity.finished:,} of {files} done"
    if scheduler().is_at_work(name) and (firing is None or firing.ended_at is not None):
        return f"**{state_words('queued')}**: starts after the firing before it"
    if firing is None:
        return "It has not fired yet."
    at = when(firing.ended_at or firing.begun_at)
    if firing.ended_at is not None:
        return f"**{state_words(firing.state)}** {at}: {plain(firing.message)}"
    if scheduler().is_at_work(name):
        return f"**{state_words('checking')}**: which months {plain(source)} has"
    return f"**{state_words('interrupted')}** or fired by another process since {at}"


def _show_actions(
    schedules: Schedules, listed: Sequence[StoredSchedule], activity: Activity
) -> None:
    row = st.container(horizontal=True, vertical_alignment="bottom")
    by_name = {stored.schedule.name: stored for stored in listed}
    name = row.selectbox("Schedule", list(by_name), key="schedule", width=220)
    stored = by_name[name]
    if change_button(
        row,
        "Run now",
        icon=":material/play_arrow:",
        disabled=activity.run is not None or scheduler().is_at_work(name),
        key="schedule-run",
        help="Fire the schedule now: load the months that its source has and the warehouse lacks.",
    ):
        scheduler().fire_in_background(name)
    if stored.enabled and change_button(
        row, "Pause", icon=":material/pause:", key="schedule-pause"
    ):
        schedules.pause(name)
        st.rerun()
    if not stored.enabled and change_button(
        row, "Resume", icon=":material/resume:", key="schedule-resume"
    ):
        schedules.resume(name)
        st.rerun()
    with row.popover("Remove", icon=":material/delete:"):
        st.write(f"Remove **{plain(name)}**? The trips that it loaded stay.")
        if change_button(st, "Remove it", key="schedule-remove"):
            schedules.remove(name)
            st.rerun()
    _show_details(name, activity)


def _show_form(schedules: Schedules) -> None:
    dataset = find_dataset(
        st.segmented_control(
            "Taxis",
            list(DATASETS),
            format_func=dataset_label,
            default=DEFAULT_DATASET.name,
            required=True,
            key="s-color",
        )
        or DEFAULT_DATASET.name
    )
    with st.form("schedule", border=False):
        grid = st.grid("auto", min_column_width=170)
        source = grid.selectbox(
            "Source, or type a folder or URL",
            source_options("s-source"),
            index=1,
            format_func=lambda source: SOURCES.get(source, source),
            accept_new_options=True,
            filter_mode="contains",
            key="s-source",
        )
        to = grid.selectbox(
            "Warehouse",
            target_names(),
            index=target_names().index(target()),
            format_func=target_label,
            key="s-target",
        )
        day = grid.number_input("Day of the month", 1, 28, 1, key="s-day")
        at = grid.time_input("Time", time(dataset.schedule_hour), key=f"s-time-{dataset}")
        zone = grid.selectbox("Time zone", _zones(), key="s-zone")
        catch_up = grid.selectbox(
            "Catch-up", [rule.value for rule in CatchUp], key="s-catch-up", help=_catch_up_help()
        )
        since = grid.text_input(
            "First month",
            key="s-since",
            placeholder="automatic",
            help="YYYY-MM. Without one: the first month of a folder, or the newest month expected "
            "of any other source.",
        )
        lag = grid.number_input(
            "Publication lag (months)", 1, 24, USUAL_LAG, key="s-lag",
            help="A firing in November with a lag of 2 waits for September.",
        )  # fmt: skip
        pressed = change_form_button("Add schedule", icon=":material/add:", type="secondary")
    if pressed:
        with reported():
            moment = at or time(dataset.schedule_hour)
            opened = _open(source or "")
            new = Schedule(
                name=f"{dataset}-{to}",
                dataset=dataset,
                since=Month.parse(since) if since else Month.current(),
                target=to,
                source=opened.name,  # without a password in a URL
                day=int(day),
                hour=moment.hour,
                minute=moment.minute,
                timezone=zone,
                catch_up=CatchUp.parse(catch_up),
                lag=int(lag),
            )
            if not since:
                new = replace(new, since=first_month(new, opened, datetime.now(UTC)))
            schedules.add(new)
            st.rerun()


def _open(text: str) -> Source:
    if not text.strip():
        raise UsageError("No source is chosen.", cure="Pick one, or type a folder or URL.")
    return open_source(text, load_settings())


def _catch_up_help() -> str:
    return "  \n".join(f"**{rule}**: {rule.meaning}" for rule in CatchUp)


@st.cache_data(show_spinner=False)
def _zones() -> list[str]:
    others = sorted(zone for zone in available_timezones() if "/" in zone or zone == "UTC")
    return [USUAL_ZONE, *(zone for zone in others if zone != USUAL_ZONE)]
