"""What to look inside: a published month, or a file of one's own."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from pages.shared.choice import (
    FIRST_MONTH,
    SOURCES,
    USUAL_MONTH,
    Params,
    has_login,
    is_news,
    read_params,
)
from pages.shared.frame import reported, show_synthetic
from pages.shared.kept import keep, restore
from pages.shared.people import change_button
from pages.shared.picker import PLACE, keep_address, read_address, write_address
from pages.shared.tasks import begin, current, show_running
from pages.shared.words import count, plain, rows_in_words, size
from pipeline.cancel import Cancel
from pipeline.errors import Cancelled, UsageError
from pipeline.preview import Preview
from pipeline.preview.subject import Subject, fetch_subject, find_subject, make_temporary, read_own
from pipeline.settings import Settings, load_settings
from pipeline.sources import SAMPLE_SCHEME, format_of
from pipeline.trips import Color, Month, TripFile, months_between

WAYS = {"month": "A published month", "own": "A file of your own"}
MOST_UPLOAD_MB = 300

_PARAMS = ("color", "month", "source")  # of the page's address
_WIDGETS = ("file_way", "file_color", "file_month", "file_source", "file_place")


@dataclass(frozen=True)
class Pick:
    """What is picked: `key` tells one pick from another, `find` brings its Subject.

    `source` is the one of a published month, and None for a file of one's own.
    """

    key: Hashable
    file: TripFile
    source: str | None
    find: Callable[[Settings, Cancel], Subject]


def pick_file() -> Pick | None:
    """Draw the choice and return it; None while there is nothing to look into.

    Raises UsageError for a choice that cannot be.
    """
    _adopt_address()
    with st.container(border=True):
        way = st.segmented_control(
            "Look inside",
            list(WAYS),
            format_func=lambda name: f":yellow[{WAYS[name]}]",
            required=True,
            key="file_way",
            persist_state="session",
        )
        pick = _pick_own() if way == "own" else _pick_month()
    keep(_WIDGETS)
    return pick


def _adopt_address() -> None:
    """Put what the page's address names into the widgets, where it is news."""
    state = st.session_state
    known: list[Params] = state.setdefault("preview_addresses", [])
    address = read_address(_PARAMS if known else ())
    if not known or is_news(address, known):
        _adopt(address)
        known[:] = [address]
    else:
        restore(_WIDGETS, emptied=None in (state.get("file_way"), state.get("file_color")))


def _adopt(address: Params) -> None:
    """Put what an address names, or what is usual, into the widgets."""
    state = st.session_state
    linked = read_params(address)[0]
    named = [color for color in linked.colors if color in address.get("color", [])]
    state.file_way = "month"
    state.file_color = (named or [Color.GREEN])[0].value
    state.file_month = address["month"][0] if _has_month(address) else str(USUAL_MONTH)
    state.file_source = linked.source if linked.source in SOURCES else PLACE
    state.file_place = "" if linked.source in SOURCES else linked.source


def _has_month(address: Params) -> bool:
    try:
        return FIRST_MONTH <= Month.parse(address.get("month", [""])[0]) <= Month.current()
    except UsageError:
        return False


def _write_address(file: TripFile, source: str) -> None:
    """Make the page's address a link to this choice."""
    params = {"color": [file.color.value], "month": [str(file.month)], "source": [source]}
    write_address(params, st.session_state.preview_addresses, read_address(_PARAMS))


def confirm_pick() -> None:
    """Keep the address of what is picked; to be called every few seconds."""
    keep_address(st.session_state.get("preview_addresses", []), _PARAMS)


def _pick_month() -> Pick | None:
    row = st.container(horizontal=True)
    file = _pick_trip_file(row)
    source = row.selectbox(
        "Source",
        [*SOURCES, PLACE],
        format_func=lambda word: SOURCES.get(word, "A folder or URL"),
        key="file_source",
        width=260,
        persist_state="session",
    )
    if source == PLACE:
        source = row.text_input(
            "Folder or URL",
            key="file_place",
            placeholder="/data/trips or https://host/trips",
            width=340,
            persist_state="session",
        ).strip()
        if not source:
            return None
        if has_login(source):
            raise UsageError(
                "The URL holds a user name or password.",
                cure="Look into files of such a source on the command line.",
            )
    place = str(source)
    _write_address(file, place)

    def find(settings: Settings, cancel: Cancel) -> Subject:
        return find_subject(file, place, settings, cancel)

    return Pick(("month", file, place), file, place, find)


def _pick_trip_file(row: st.delta_generator.DeltaGenerator) -> TripFile:
    color = row.segmented_control(
        "Color",
        [color.value for color in Color],
        format_func=lambda name: f":yellow[{name}]",
        required=True,
        key="file_color",
        persist_state="session",
    )
    months = [str(month) for month in months_between(FIRST_MONTH, Month.current())]
    month = row.selectbox(
        "Month",
        months,
        key="file_month",
        width=130,
        persist_state="session",
    )
    return TripFile(Color(str(color)), Month.parse(month))


def _pick_own() -> Pick | None:
    upload = st.file_uploader(
        "A trip file: csv, csv.gz or parquet",
        type=["csv", "gz", "parquet"],
        max_upload_size=MOST_UPLOAD_MB,
        key="file_upload",
        help="It stays on this machine, in a temporary folder that goes when this tab is closed.",
    )
    if upload is None:
        st.session_state.pop("upload", None)
        return None
    format = format_of(upload.name)
    try:
        file = TripFile.parse(upload.name)
    except UsageError:
        st.caption("Its name does not say which color and month it is of. Take it for:")
        file = _pick_trip_file(st.container(horizontal=True))
    path = _keep(upload, format)

    def find(settings: Settings, cancel: Cancel) -> Subject:
        return read_own(path, file, settings, cancel, address=upload.name)

    return Pick(("own", upload.file_id, file), file, None, find)


def _keep(upload: UploadedFile, format: str) -> Path:
    """Write an upload, once, into a temporary folder of this session, under a name of our own."""
    kept: tuple[str, TemporaryDirectory[str]] | None = st.session_state.get("upload")
    if kept is None or kept[0] != upload.file_id:
        kept = (upload.file_id, make_temporary())
        (Path(kept[1].name) / f"upload.{format}").write_bytes(upload.getbuffer())
        st.session_state.upload = kept
    return Path(kept[1].name) / f"upload.{format}"


def show_subject(preview: Preview, pick: Pick) -> None:
    """Say what is looked at, how much of it, and offer to fetch the rest."""
    subject = preview.subject
    row = st.container(horizontal=True, vertical_alignment="center")
    row.markdown(f"#### {plain(subject.file.stem)}")
    if subject.address.startswith(SAMPLE_SCHEME):
        show_synthetic(row)
    row.text(subject_sentence(preview))
    if preview.problem or subject.problem:
        st.error(
            f"A load of this file would fail. {plain(preview.problem or subject.problem)}",
            icon=":material/error:",
        )
    if subject.note:
        st.info(plain(subject.note))
    if not subject.whole and pick.source is not None and not subject.problem:
        offer_fetch(pick)


def subject_sentence(preview: Preview) -> str:
    """Return in one sentence what was read of the file, and from where."""
    subject = preview.subject
    where = {
        "staged": "in staging",
        "own": "as it is here",
        "sample": "made up here",
        "source": "at its source",
    }[subject.place]
    total = f", {size(subject.bytes)}" if subject.bytes else ""
    if subject.staged is None:
        return f"Its columns only{total}, {where}"
    if subject.whole:
        return f"The whole file: {rows_in_words(preview.rows)}{total}, {where}"
    of = f" of {count(subject.rows)}" if subject.rows is not None else ""
    return (
        f"The first {count(preview.rows)} rows{of}, from {size(subject.fetched)} of"
        f" {size(subject.bytes) or 'a file of unknown size'} {where}"
    )


def offer_fetch(pick: Pick) -> None:
    """Offer to bring the whole file into staging, and show how far that is."""
    task = current("fetch", pick.key)
    if task is not None and not task.done():
        show_running(task, "Fetching the whole file", key="fetch-cancel")
        return
    if task is not None:
        with reported():
            try:
                task.result()
            except Cancelled:
                st.info("The fetch was cancelled; what came of it is kept and continued.")
    source = pick.source
    assert source is not None
    if change_button(
        st,
        "Fetch the whole file into staging",
        icon=":material/download:",
        key="fetch",
        help="For a profile of all its rows; a later backfill finds it there.",
    ):
        settings = load_settings()
        begin(
            "fetch",
            pick.key,
            lambda cancel, tell: fetch_subject(pick.file, source, settings, cancel, tell),
        )
        st.rerun()
