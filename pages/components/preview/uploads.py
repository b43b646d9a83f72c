"""The upload of a file: keep it for the session, find out what it is, and ask what is open."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from pages.components.common.tasks import await_result, drop_task, resume_task
from pages.components.common.words import dataset_label
from pipeline.core.cancel import Cancel
from pipeline.core.datasets import DATASETS, find_dataset
from pipeline.core.scratch import ScratchFolder
from pipeline.core.settings.settings import load_settings
from pipeline.core.trips import Month, TripFile, months_between
from pipeline.files.sources import FIRST_MONTH
from pipeline.preview.identify import Identity
from pipeline.preview.own_file import identify_own_file

MOST_UPLOAD_MB = 300
ENDINGS = ["csv", "txt", "tsv", "parquet", "gz", "zip", "zst", "lz4", "bz2", "xz", "tar"]


@dataclass(frozen=True)
class Upload:
    """An uploaded file.

    Attributes:
        id: Differs for every upload.
        name: The name that its user knows.
        path: Where it is kept until the session ends.
        file: The trip file that it is taken for; None if it is no trip file.
    """

    id: str
    name: str
    path: Path
    file: TripFile | None


def choose_upload() -> Upload | None:
    """Draw the uploader, and where it is needed the color and month of the file.

    Returns None while there is no file, or its month is not chosen. Raises the errors of
    `identify_own_file`.
    """
    uploaded = st.file_uploader(
        "A csv or parquet file, packed or not",
        type=ENDINGS,
        max_upload_size=MOST_UPLOAD_MB,
        key="file_upload",
        help="It stays on this machine, in a temporary folder that is deleted with this session. "
        "Load keeps it.",
    )
    if uploaded is None:
        st.session_state.pop("upload", None)
        return None
    path = _store(uploaded)
    identity = _identify(path, uploaded)
    if identity.dataset is None:
        return Upload(uploaded.file_id, uploaded.name, path, None)
    file = _confirm(identity, uploaded.file_id)
    return Upload(uploaded.file_id, uploaded.name, path, file) if file else None


def _identify(path: Path, uploaded: UploadedFile) -> Identity:
    settings = load_settings()

    def work(cancel: Cancel, _report: object) -> Identity:
        return identify_own_file(path, uploaded.name, settings, cancel)

    try:
        return await_result(
            resume_task("identify", uploaded.file_id, work), "Reading its columns …"
        )
    except Exception:
        drop_task("identify")
        raise


def _confirm(identity: Identity, upload_id: str) -> TripFile | None:
    """Draw color and month as they were found, to be changed; return None without a month."""
    state = st.session_state
    assert identity.dataset is not None
    if state.get("own_upload") != upload_id:  # what was chosen for an earlier file is not kept
        state.own_upload = upload_id
        state.own_color = identity.dataset.name
        state.own_month = str(identity.month) if identity.month else None
    row = st.container(horizontal=True, vertical_alignment="bottom")
    dataset = row.segmented_control(
        "Taxis",
        list(DATASETS),
        format_func=dataset_label,
        required=True,
        key="own_color",
        persist_state="session",
    )
    months = [str(month) for month in months_between(FIRST_MONTH, Month.current())][::-1]
    if state.own_month not in (None, *months):  # its name says a month to come
        months.insert(0, state.own_month)
    month = row.selectbox(
        "Month",
        months,
        index=None,
        placeholder="Choose",
        key="own_month",
        width=130,
        persist_state="session",
    )
    row.caption(identity.sentence())
    return TripFile(find_dataset(str(dataset)), Month.parse(month)) if month else None


def _store(uploaded: UploadedFile) -> Path:
    """Write an upload, once, into a temporary folder of this session, under a fixed name."""
    stored: tuple[str, ScratchFolder] | None = st.session_state.get("upload")
    if stored is None or stored[0] != uploaded.file_id:
        stored = (uploaded.file_id, ScratchFolder())
        (stored[1].path / "upload").write_bytes(uploaded.getbuffer())
        st.session_state.upload = stored
    return stored[1].path / "upload"
