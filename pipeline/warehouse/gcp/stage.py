"""Upload a verified trip file to the bucket, unless its bytes are there already."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, BinaryIO

from pipeline.core.errors import WarehouseError
from pipeline.files.staging import StagedFile
from pipeline.warehouse import LoadMonitor
from pipeline.warehouse.gcp.errors import translated
from pipeline.warehouse.gcp.location import CloudLocation

if TYPE_CHECKING:
    from google.cloud.storage import Blob, Client

CHUNK = 8 * 2**20  # bytes that are sent at once; progress and cancelling have this granularity
_PATIENCE = 60.0  # seconds for the response to one request
_TYPES = {"csv": "text/csv", "csv.gz": "application/gzip", "parquet": "application/octet-stream"}


def object_name(staged: StagedFile) -> str:
    """Return the name of a staged file's object in the bucket."""
    return f"{staged.file.dataset.name}/{staged.path.name}"


def object_address(location: CloudLocation, staged: StagedFile) -> str:
    """Return the gs:// address of a staged file."""
    return f"gs://{location.bucket}/{object_name(staged)}"


def upload(
    client: Client,
    location: CloudLocation,
    staged: StagedFile,
    monitor: LoadMonitor,
    retry_seconds: float,
) -> bool:
    """Upload a staged file unless the bucket has its bytes; return whether anything was sent.

    The upload resumes where it was cut off and is checked by crc32c. It replaces only the version
    of the object that was there when it began, and fails if another process has replaced that.
    `monitor` gets the step `upload` when something is sent. Raises WarehouseError, StorageError
    and Cancelled.
    """
    from google.api_core.exceptions import PreconditionFailed
    from google.cloud.storage.retry import DEFAULT_RETRY

    name = object_name(staged)
    retry = DEFAULT_RETRY.with_timeout(retry_seconds)
    with translated(location, f"stage {staged.file} as gs://{location.bucket}/{name}"):
        bucket = client.bucket(location.bucket)
        existing: Blob | None = bucket.get_blob(name, timeout=_PATIENCE, retry=retry)
        if existing is not None and _has_bytes_of(existing, staged):
            return False
        blob = bucket.blob(name, chunk_size=CHUNK)
        blob.metadata = {"sha256": staged.sha256, "source": staged.address}
        try:
            with staged.path.open("rb") as file:
                blob.upload_from_file(
                    _MonitoredFile(file, staged.bytes, monitor),
                    size=staged.bytes,
                    content_type=_TYPES[staged.format],
                    if_generation_match=existing.generation if existing is not None else 0,
                    checksum="crc32c",
                    timeout=_PATIENCE,
                    retry=retry,
                )
        except PreconditionFailed:
            # If a response was lost, the newer version may be this very upload.
            newer = bucket.get_blob(name, timeout=_PATIENCE, retry=retry)
            if newer is None or not _has_bytes_of(newer, staged):
                raise WarehouseError(
                    f"gs://{location.bucket}/{name} was changed by another process during the "
                    "load.",
                    cure="Make sure that only one backfill uses this bucket, and run it again.",
                ) from None
    return True


def delete_object(client: Client, location: CloudLocation, staged: StagedFile) -> None:
    """Delete a staged file's object, if that is possible."""
    from google.api_core.exceptions import GoogleAPIError

    with contextlib.suppress(GoogleAPIError, OSError):
        blob = client.bucket(location.bucket).blob(object_name(staged))
        blob.delete(timeout=_PATIENCE, retry=None)


def _has_bytes_of(blob: Blob, staged: StagedFile) -> bool:
    return blob.size == staged.bytes and (blob.metadata or {}).get("sha256") == staged.sha256


class _MonitoredFile:
    """A file that reports how much of it was sent, and raises Cancelled when that is cancelled."""

    def __init__(self, file: BinaryIO, size: int, monitor: LoadMonitor) -> None:
        self._file = file
        self._cancel = monitor.cancel
        self._sent = 0
        monitor.on_step("upload", lambda: self._sent / size if size else None)

    def read(self, size: int = -1) -> bytes:
        self._cancel.check()
        self._sent = self._file.tell()
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()
