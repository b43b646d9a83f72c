"""The widgets that choose the file to look into: a published month, or an uploaded file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.components.common.choice import USUAL_MONTH, has_login
from pages.components.common.params import describe_invalid
from pages.components.common.source_consent import pick_source
from pages.components.common.url_state import Params, UrlState
from pages.components.common.words import dataset_label
from pages.components.preview.uploads import Upload, choose_upload
from pipeline.core.cancel import Cancel
from pipeline.core.datasets import DATASETS, DEFAULT_DATASET, either_of, find_dataset
from pipeline.core.errors import UsageError
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile, months_between
from pipeline.files.sources import FIRST_MONTH
from pipeline.preview import Preview, make_preview
from pipeline.preview.own_file import read_own_file
from pipeline.preview.subject import find_subject
from pipeline.preview.table import TablePreview, make_table_preview

MODES = {"published": "A published month", "upload": "A file of your own"}
# Streamlit writes the open tab in the primary color, which is too light; this color is not.
TABS = {
    name: f":yellow[{title}]"
    for name, title in {
        "rows": "Rows",
        "columns": "Columns",
        "profile": "Profile",
        "findings": "Findings",
        "changes": "Changes",
        "sql": "SQL",
    }.items()
}
TABLE_TABS = {name: TABS[name] for name in ("rows", "columns", "profile", "sql")}

_URL = UrlState(
    "the previewed file",
    params=("mode", "color", "month", "source", "tab"),
    widgets=("file_mode", "file_color", "file_month", "file_source", "file_tab"),
    required=("file_mode", "file_color"),
)


@dataclass(frozen=True)
class ChosenFile:
    """The file to look into.

    Attributes:
        key: Differs for every other choice.
        file: Its dataset and month; None for an upload that is no trip file.
        source: Where it is published; None for an upload.
        upload: The uploaded file.
        preview: Makes the preview.
    """

    key: Hashable
    file: TripFile | None
    source: str | None
    preview: Callable[[Settings, Cancel], Preview | TablePreview]
    upload: Upload | None = None


def choose_file() -> ChosenFile | None:
    """Draw the widgets and return the chosen file, or None while no file is named.

    Raises UsageError for a source that must not get into the page's address.
    """
    _URL.load(_adopt)
    _URL.show_problems()
    with st.container(border=True):
        row = st.container(horizontal=True)
        mode = _slot(row, 284).segmented_control(
            "File",
            list(MODES),
            format_func=lambda name: f":yellow[{MODES[name]}]",
            required=True,
            key="file_mode",
            persist_state="session",
        )
        chosen = _choose_upload() if mode == "upload" else _choose_published(row)
    if mode == "upload":
        _URL.save({"mode": ["upload"], **_tab_link()})
    else:
        _URL.save(_link_to(chosen) if chosen else None)
    return chosen


def confirm_file() -> None:
    """Keep the chosen file in the page's address; to be called every few seconds."""
    _URL.confirm()


def look_into_sample() -> None:
    """Choose the sample's month; for a button."""
    st.session_state.update(file_mode="published", file_source="sample")


def _adopt(link: Params) -> list[str]:
    """Put the file of a link into the widgets; return a sentence for each invalid value."""
    state = st.session_state
    problems = []

    def read(name: str, usual: str, valid: Callable[[str], bool], rule: str) -> str:
        text = link.get(name, [usual])[-1].strip()
        if valid(text):
            return text
        problems.append(describe_invalid(name, text, f"use {rule}", f"{usual} is shown."))
        return usual

    def read_word(name: str, usual: str, words: Collection[str]) -> str:
        return read(name, usual, lambda text: text in words, either_of(words))

    state.file_mode = read_word("mode", "published", MODES)
    state.file_color = read_word("color", DEFAULT_DATASET.name, DATASETS)
    months = f"{FIRST_MONTH} to {Month.current()}"
    state.file_month = read("month", str(USUAL_MONTH), _is_month, months)
    state.file_source = link.get("source", ["github"])[-1].strip()
    state.file_tab = TABS[read_word("tab", "rows", TABS)]
    return problems


def _is_month(text: str) -> bool:
    try:
        return FIRST_MONTH <= Month.parse(text) <= Month.current()
    except UsageError:
        return False


def _link_to(chosen: ChosenFile) -> Params:
    """Return the query parameters of a link to a published file."""
    assert chosen.file is not None
    assert chosen.source is not None
    return {
        "color": [chosen.file.dataset.name],
        "month": [str(chosen.file.month)],
        "source": [chosen.source],
        **_tab_link(),
    }


def _tab_link() -> Params:
    label = st.session_state.get("file_tab")
    tab = next((name for name, shown in TABS.items() if shown == label), "rows")
    return {"tab": [tab]} if tab != "rows" else {}


def _slot(row: DeltaGenerator, width: int) -> DeltaGenerator:
    """Return a slot of a fixed size, in pixels, so that nothing moves when a widget is drawn."""
    return row.container(width=width, height=72, border=False)


def _choose_published(row: DeltaGenerator) -> ChosenFile | None:
    dataset = _slot(row, 80 * len(DATASETS)).segmented_control(
        "Taxis",
        list(DATASETS),
        format_func=dataset_label,
        required=True,
        key="file_color",
        persist_state="session",
    )
    months = [str(month) for month in months_between(FIRST_MONTH, Month.current())][::-1]
    month = row.selectbox("Month", months, key="file_month", width=130, persist_state="session")
    file = TripFile(find_dataset(str(dataset)), Month.parse(month))
    place = _choose_place(row)
    if not place:
        return None

    def preview(settings: Settings, cancel: Cancel) -> Preview:
        return make_preview(find_subject(file, place, settings, cancel), settings, cancel)

    return ChosenFile(("published", file, place), file, place, preview)


def _choose_place(row: DeltaGenerator) -> str:
    place = pick_source(row, "file_source", 300)
    if has_login(place):
        raise UsageError(
            "The URL holds a user name or password.",
            cure="Look into files of such a source on the command line.",
        )
    return place


def _choose_upload() -> ChosenFile | None:
    upload = choose_upload()
    if upload is None:
        return None
    file, path, name = upload.file, upload.path, upload.name

    def preview(settings: Settings, cancel: Cancel) -> Preview | TablePreview:
        if file is None:
            return make_table_preview(path, name, settings, cancel)
        return make_preview(read_own_file(path, name, file, settings, cancel), settings, cancel)

    return ChosenFile(("upload", upload.id, file), file, None, preview, upload)
