"""Chart what is loaded: filter it, click in it, and take the numbers, the SQL or the picture."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from datetime import date, timedelta
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.shared.asking import Costly, ask
from pages.shared.cards import Card, draw_nothing, show_card
from pages.shared.charts import (
    draw_colors,
    draw_distances,
    draw_fares,
    draw_over_time,
    draw_payments,
    draw_tips,
    draw_week_hours,
)
from pages.shared.charts_places import (
    draw_airports,
    draw_coverage,
    draw_map,
    draw_pairs,
    draw_zones,
    known_table,
    strays_table,
)
from pages.shared.figures import make_figures, sparkline
from pages.shared.filters import Chosen, choose, confirm_filters
from pages.shared.frame import Now, ledger, live, reported, require_app, show_synthetic
from pages.shared.people import change_button
from pages.shared.picks import show_picks
from pages.shared.target import target
from pages.shared.themed import follow_theme
from pages.shared.tour import offer_sample, show_arrival
from pages.shared.words import count
from pipeline.charts import Filters, pose, steps
from pipeline.charts.zones import Zones, fetch_zones, read_zones
from pipeline.settings import load_settings
from pipeline.trips import Month, TripFile
from pipeline.warehouse import Answer, FileRecord

require_app()

Futures = Mapping[str, Future[Answer | Costly]]


def show_page(now: Now) -> None:
    """Draw everything below the title."""
    records = None
    with reported():
        records = ledger(now)
        if records is None and now.run:
            st.info(
                f"The process {now.run.pid} holds the warehouse while its backfill runs. "
                "The charts come back when it is over."
            )
    if records is None:
        return
    files = {file: record for file, record in records.items() if _rows(record)}
    if not files:
        show_empty(now)
        return
    show_arrival()
    zones = read_zones(load_settings())
    chosen = choose(files, zones)
    mark = tuple(sorted((str(f), str(r.loaded and r.loaded.finished_at)) for f, r in files.items()))
    with reported():
        show_charts(chosen, zones, files, (target(), mark))


def _rows(record: FileRecord) -> int:
    return (record.loaded.rows or 0) if record.loaded else 0


def show_empty(now: Now) -> None:
    """Say what is missing when nothing is loaded, and where to get it."""
    if now.run:
        st.info("Nothing is loaded yet; the charts come with the first file of the backfill.")
        return
    with st.container(border=True):
        st.markdown(
            "**Nothing is loaded yet, so there is nothing to chart.** Charts come with the first "
            "month that a backfill loads, real or made up."
        )
        offer_sample(now)


def show_charts(
    chosen: Chosen, zones: Zones, files: Mapping[TripFile, FileRecord], mark: Hashable
) -> None:
    """Ask all questions at once, and draw each answer as it comes."""
    cards = {card.name: card for card in make_cards(chosen, zones)}
    questions = {name: card.question for name, card in cards.items()}
    everything = chosen.without()
    questions["figures"] = pose("figures", everything, target())
    before = period_before(chosen, everything, files)
    if before:
        questions["before"] = pose("figures", before, target())
    funnel = dict(steps(everything))
    for name, filters in funnel.items():
        questions[f"left by {name}"] = pose("count", filters, target())
    questions["strays"] = pose("strays", Filters(strays=True, colors=everything.colors), target())
    questions = {"coverage": cards["coverage"].question, **questions}
    agreed = frozenset(st.session_state.get("agreed", ()))
    answers = ask(mark, questions, agreed)

    show_remaining(list(funnel), answers)
    show_picks(chosen.picks, zones)
    if any(record.loaded and record.loaded.source == "sample" for record in files.values()):
        show_synthetic(st.container(horizontal=True))
    show_figures(answers, before)
    places = lay_out(zones)
    for name in sorted(places, key=lambda name: cards[name].question.rank):  # as answers come
        with places[name]:
            show_card(cards[name], answers[name], chosen.picture)
    show_known(answers)


def make_cards(chosen: Chosen, zones: Zones) -> list[Card]:
    """Return the charts; each one that can be clicked keeps showing what else could be."""
    grain, picks = chosen.grain, chosen.picks

    def card(name: str, draw: object, dimension: str = "", ask: str = "", title: str = "") -> Card:
        filters = chosen.without(dimension)
        question = pose(ask or name, filters, target(), grain)
        return Card(name, question, draw, dimension, title)  # type: ignore[arg-type]

    at = picks.get
    return [
        card("over_time", partial(draw_over_time, grain=grain, picked=at("day", "")), "day"),
        card("week_hours", partial(draw_week_hours, picked=at("slot", "")), "slot"),
        card("fares", draw_fares),
        card("distances", draw_distances),
        card("payments", partial(draw_payments, grain=grain, picked=at("paid", "")), "paid"),
        card("tips", partial(draw_tips, picked=at("slot", "")), "slot"),
        card("zones", partial(draw_zones, zones=zones, picked=at("zone", "")), "zone"),
        card(
            "map",
            partial(draw_map, zones=zones, picked=at("zone", "")),
            "zone",
            "zones",
            "Pickups by zone",
        ),
        card("pairs", partial(draw_pairs, zones=zones, picked=at("way", "")), "way"),
        card("airports", partial(draw_airports, grain=grain, picked=at("way", "")), "way"),
        card("colors", partial(draw_colors, picked=at("slot", "")), "slot"),
        Card("coverage", pose("coverage", Filters(strays=True), target()), draw_coverage),
    ]


def period_before(
    chosen: Chosen, filters: Filters, files: Mapping[TripFile, FileRecord]
) -> Filters | None:
    """Return the filters of the equally long period before, or None where it is not all loaded."""
    first, last = filters.first or chosen.first, filters.last or chosen.last
    until = first - timedelta(days=1)
    if first.day == 1 and (last + timedelta(days=1)).day == 1:
        months = (last.year - first.year) * 12 + last.month - first.month + 1
        since = Month(first.year, first.month).plus(-months).first_day
    else:
        since = first - (last - first) - timedelta(days=1)
    if not all(
        TripFile(color, month) in files
        for color in filters.colors
        for month in _months(since, until)
    ):
        return None
    return replace(filters, first=since, last=until)


def _months(first: date, last: date) -> list[Month]:
    found, month = [], Month(first.year, first.month)
    while month.first_day <= last:
        found.append(month)
        month = month.plus(1)
    return found


def show_remaining(names: list[str], answers: Futures) -> None:
    """Say how many trips each filter leaves, and how many strays are left out."""
    parts, before = [], None
    for name in names:
        answer = answers[f"left by {name}"].result()
        if isinstance(answer, Costly):
            parts.append(f"{name}: not counted, it would cost ${answer.dollars:,.4f}")
            continue
        trips = int(answer.table.column("trips")[0].as_py())
        if name == "strays left out" and before is not None:
            parts.append(f"**{before - trips:,}** strays left out")
        else:
            parts.append(f"{name} **{trips:,}**")
        before = trips
    st.caption("Trips left by each filter: " + " → ".join(parts))


def show_figures(answers: Futures, before: Filters | None) -> None:
    """Draw the figures of the period, with their change against the one before."""
    now = answers["figures"].result()
    if isinstance(now, Costly):
        st.info(
            f"The figures under these filters need {now.bytes / 1e9:,.1f} GB to be scanned, about "
            f"\\${now.dollars:,.4f}."
        )
        return
    earlier = answers["before"].result() if before else None
    grid = st.grid("auto", min_column_width=170)
    for figure in make_figures(now.table, earlier.table if isinstance(earlier, Answer) else None):
        cell = grid.container(border=True, gap="small", height="stretch")
        cell.metric(figure.name, figure.value, figure.delta, help=figure.help)
        if figure.course:
            cell.image(sparkline(figure.course), width="stretch", alt=f"Course of: {figure.name}")
    if before:
        st.caption(f"Changes are against {before.first} to {before.last}.")
    else:
        st.caption("No change is shown: the period before is not loaded for these colors.")


def lay_out(zones: Zones) -> dict[str, DeltaGenerator]:
    """Return the places of the charts: side by side, or below each other where there is no room."""
    rows: list[tuple[str, ...]] = [
        ("over_time", "week_hours"),
        ("fares", "distances"),
        ("payments", "tips"),
    ]
    if zones.shapes:
        rows += [("map", "zones"), ("pairs", "airports"), ("colors", "coverage")]
    else:
        rows += [("zones", "pairs"), ("airports", "colors"), ("coverage",)]
    places: dict[str, DeltaGenerator] = {}
    for names in rows:
        if "zones" in names:
            offer_zones(zones)
        places |= zip(names, st.columns(len(names)), strict=True)
    return places


def offer_zones(zones: Zones) -> None:
    """Offer to fetch the names and the shapes of the zones where they are missing."""
    missing = [kind for kind, has in (("names", zones.names), ("shapes", zones.shapes)) if not has]
    if not missing:
        return
    row = st.container(horizontal=True, vertical_alignment="center")
    for kind in missing:
        if change_button(
            row, f"Fetch the zones' {kind}", key=f"fetch-{kind}", icon=":material/cloud_download:"
        ):
            with reported(), st.spinner(f"Fetching the zones' {kind} …"):
                fetch_zones(kind, load_settings())
                st.rerun()
    row.caption("Once, from the address in the settings; kept under FAREGROUND_HOME.")


def show_known(answers: Futures) -> None:
    """Offer what is loaded against known counts, and the strays by file.

    Tables are drawn when they are opened: the browser reads 2 MB of code for its first one.
    """
    coverage, strays = answers["coverage"].result(), answers["strays"].result()
    if isinstance(coverage, Answer):
        known = st.expander("Against what the sources are known to have", on_change="rerun")
        if known.open:
            known.dataframe(known_table(coverage.table), hide_index=True)
    if isinstance(strays, Answer) and strays.table.num_rows:
        trips = count(sum(strays.table["trips"].to_pylist()))
        by_file = st.expander(f"Strays by file: {trips} trips", on_change="rerun", key="strays-of")
        if by_file.open:
            by_file.dataframe(strays_table(strays.table), hide_index=True)


def watch() -> None:
    """Keep the address of what is chosen, and draw the charts anew in a theme just picked."""
    confirm_filters()
    follow_theme()


page = st.container()
# Below everything, and nothing to see: the browser reads the 4.7 MB that draw charts meanwhile.
draw_nothing()
with page:
    live("Explore", show_page, beat=watch, still=True)
