"""Bringing a verified trip file into the bucket, unless its very bytes are there already."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from pipeline.download import StagedFile
from pipeline.errors import WarehouseError
from pipeline.warehouse import Watch
from pipeline.warehouse.google_errors import translated
from pipeline.warehouse.google_place import Place

if TYPE_CHECKING:
    from google.cloud.storage import Blob, Client

CHUNK = 8 * 2**20  # bytes held in memory and sent at once; progress and Cancel go by it
_PATIENCE = 60.0  # seconds for the answer to one request
_TYPES = {"csv": "text/csv", "csv.gz": "application/gzip", "parquet": "application/octet-stream"}


def object_name(staged: StagedFile) -> str:
    """Return where a staged file goes within the bucket."""
    return f"{staged.file.color.value}/{staged.file.stem}.{staged.format}"


def object_address(place: Place, staged: StagedFile) -> str:
    """Return the gs:// address of a staged file."""
    return f"gs://{place.bucket}/{object_name(staged)}"


def upload(
    client: Client, place: Place, staged: StagedFile, watch: Watch, retry_seconds: float
) -> bool:
    """Make the bucket hold the staged file; return whether anything had to be sent.

    The upload resumes where it was cut off and is checked by crc32c. It replaces only the version
    that was looked at before: somebody else's newer one makes it fail. The watch is told of the
    step `upload` when something is sent. Raises WarehouseError, StorageError, Cancelled.
    """
    from google.api_core.exceptions import PreconditionFailed
    from google.cloud.storage.retry import DEFAULT_RETRY

    name = object_name(staged)
    retry = DEFAULT_RETRY.with_timeout(retry_seconds)
    with translated(place, f"stage {staged.file} as gs://{place.bucket}/{name}"):
        bucket = client.bucket(place.bucket)
        found: Blob | None = bucket.get_blob(name, timeout=_PATIENCE, retry=retry)
        if found is not None and _holds(found, staged):
            return False
        blob = bucket.blob(name, chunk_size=CHUNK)
        blob.metadata = {"sha256": staged.sha256, "source": staged.address}
        try:
            with staged.path.open("rb") as file:
                blob.upload_from_file(
                    _Watched(file, staged.bytes, watch),
                    size=staged.bytes,
                    content_type=_TYPES[staged.format],
                    if_generation_match=found.generation if found is not None else 0,
                    checksum="crc32c",
                    timeout=_PATIENCE,
                    retry=retry,
                )
        except PreconditionFailed:
            # After a lost answer it may be our own upload that is found there.
            found = bucket.get_blob(name, timeout=_PATIENCE, retry=retry)
            if found is None or not _holds(found, staged):
                raise WarehouseError(
                    f"gs://{place.bucket}/{name} was changed by somebody else meanwhile.",
                    cure="See that only one backfill uses this bucket, and run it again.",
                ) from None
    return True


def _holds(blob: Blob, staged: StagedFile) -> bool:
    return blob.size == staged.bytes and (blob.metadata or {}).get("sha256") == staged.sha256


class _Watched:
    """A file that tells how much of it was sent, and is read no further once that is cancelled."""

    def __init__(self, file: BinaryIO, size: int, watch: Watch) -> None:
        self._file = file
        self._cancel = watch.cancel
        self._sent = 0
        watch.on_step("upload", lambda: self._sent / size if size else None)

    def read(self, size: int = -1) -> bytes:
        self._cancel.check()
        self._sent = self._file.tell()
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()
