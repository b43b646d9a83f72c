"""Turn the bytes that came from a source into a verified csv, csv.gz or parquet.

What the bytes are is told by themselves. A csv, csv.gz and parquet stay as they are; whatever else
can be read with certainty is rewritten once, so that all later readers need to know three formats.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.cancel import Cancel
from pipeline.core.column_names import unknown_columns
from pipeline.core.datasets import Dataset
from pipeline.core.errors import TripFileError
from pipeline.core.storage_errors import reading_errors
from pipeline.core.trips import TripFile
from pipeline.files.content import (
    PLAIN_TEXT,
    Packing,
    TextForm,
    tell_kind,
    tell_text,
)
from pipeline.files.header import InvalidFile
from pipeline.files.offers import Format
from pipeline.files.rewrite import rewrite_text
from pipeline.files.staging import Original
from pipeline.files.unpack import CHUNK, UnpackedStream, copy_limited, open_packed, read_head
from pipeline.files.verify import VerifiedContent, verify

MOST_PACKINGS = 4  # one in the other; more than two were never seen
PACKED_TOO_OFTEN = (
    f"is compressed more than {MOST_PACKINGS} times",
    "Unpack it, and give the csv or parquet file that is inside.",
)


@dataclass(frozen=True)
class PreparedFile:
    """A trip file that passed verification, in a format that staging stores.

    Attributes:
        path: The file that was given, or the rewritten one.
        original: The bytes that were given, if they were rewritten.
        remark: What they were and what was done with them; "" where nothing was.
    """

    path: Path
    format: Format
    content: VerifiedContent
    original: Original | None = None
    remark: str = ""


def prepare(
    path: Path,
    file: TripFile,
    address: str,
    folder: Path,
    limit: int,
    cancel: Cancel,
    copy: UnpackedCopy | None = None,
) -> PreparedFile:
    """Verify a file whatever its format is, and rewrite it if it is not one that is staged.

    Args:
        path: The file; it stays as it is.
        file: The trip file that it should be.
        address: Where it came from, for error messages.
        folder: Receives the rewritten file, and what is needed on the way there; may be missing.
        limit: Largest size when unpacked, in bytes, however often it is packed.
        copy: Receives the unpacked bytes of a csv.gz; finished on return.

    Raises:
        TripFileError: The file is damaged, too large, of a kind that cannot be read, or not that
            trip file.
        Cancelled: `cancel` was set.
        StorageError: The file cannot be read.
        OSError: The folder cannot be written.
    """
    preparation = _Preparation(path, file, address, folder, limit, cancel, copy)
    with as_trip_file_errors(file, address):
        return preparation.run()


@contextmanager
def as_trip_file_errors(file: TripFile, address: str) -> Iterator[None]:
    """Raise an InvalidFile of the block as a TripFileError that names the file and its address."""
    try:
        yield
    except InvalidFile as error:
        raise TripFileError(f"{file} from {address} {error.problem}.", cure=error.cure) from None


@dataclass(frozen=True)
class ToldContent:
    """What a file is by its bytes.

    Attributes:
        format: csv, csv.gz or parquet; None for what must be unpacked first.
        packing: What it must be unpacked from; None where there is a format.
        form: How to read the text of a csv or csv.gz.
    """

    format: Format | None
    packing: Packing | None = None
    form: TextForm = PLAIN_TEXT


def tell_content(path: Path, dataset: Dataset, cancel: Cancel) -> ToldContent:
    """Return what a file is by its bytes.

    Raises InvalidFile for kinds of files that cannot be read, Cancelled and OSError.
    """
    head = read_head(path, cancel)
    kind = tell_kind(head)
    if kind == "text":
        return ToldContent("csv", form=tell_text(head, dataset))
    if kind == "parquet":
        return ToldContent("parquet")
    if kind == "gzip":
        inner = read_head(path, cancel, "gzip")
        if not inner:  # empty or damaged, which verifying it tells apart
            return ToldContent("csv.gz")
        if tell_kind(inner) == "text":
            return ToldContent("csv.gz", form=tell_text(inner, dataset))
    return ToldContent(None, kind)


class UnpackedCopy:
    """Writes the unpacked copy of a csv.gz while `verify` reads the file.

    The copy only makes loading faster: if it cannot be written, there is none and no error.
    """

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(target.name + ".unpacked")
        self._out: io.FileIO | None = None
        with suppress(OSError):  # a process that was killed before it loaded the file may leave one
            self.path.unlink()

    def open(self) -> None:
        """Create the copy, if possible."""
        with suppress(OSError):
            self._out = io.FileIO(self.path, "w")

    def write(self, chunk: bytes) -> None:
        """Append bytes, or discard the copy if that fails."""
        if self._out is not None:
            try:
                rest = memoryview(chunk)
                while rest:
                    rest = rest[self._out.write(rest) :]
            except OSError:
                self.discard()

    def finish(self, verified: bool) -> Path | None:
        """Close the copy and return its path, or None if there is none.

        Args:
            verified: Whether the file is what it should be; otherwise the copy is discarded.
        """
        if self._out is None or not verified:
            self.discard()
            return None
        self._out.close()
        return self.path

    def discard(self) -> None:
        """Close and delete the copy."""
        if self._out is not None:
            self._out.close()
            self._out = None
        self.path.unlink(missing_ok=True)


@dataclass
class _Preparation:
    """The arguments of `prepare`, for the steps of its work."""

    given: Path
    file: TripFile
    address: str
    folder: Path
    limit: int
    cancel: Cancel
    copy: UnpackedCopy | None

    def run(self) -> PreparedFile:
        path, layers = self.given, list[str]()
        content_kind = self._tell_content(path)
        while content_kind.packing is not None:
            self.cancel.check()
            if len(layers) == MOST_PACKINGS:
                raise InvalidFile(*PACKED_TOO_OFTEN)
            path, layer = self._unpack(path, content_kind.packing, len(layers))
            layers.append(layer)
            content_kind = self._tell_content(path)
        format, form = content_kind.format, content_kind.form
        assert format is not None  # because there is no packing
        if format == "parquet":
            content = self._verify(path, format)
            return self._rewritten(path, format, content, " within ".join([format, *layers[::-1]]))
        if form.is_plain and not layers:
            content = self._verify(path, format)
            reason = self._reason_to_rewrite(content)
            if not reason:
                return PreparedFile(path, format, content)
        else:
            packings = [*layers, "gzip"] if format == "csv.gz" and layers else layers
            reason = " within ".join([form.description, *packings[::-1]])
        rewritten = self._rewrite_text(path, format, form)
        content = self._verify(rewritten, "csv.gz")
        return self._rewritten(rewritten, "csv.gz", content, reason, form.lines_before)

    def _tell_content(self, path: Path) -> ToldContent:
        with reading_errors(path):
            return tell_content(path, self.file.dataset, self.cancel)

    def _unpack(self, path: Path, packing: Packing, depth: int) -> tuple[Path, str]:
        """Unpack a file into the folder; return the result, and what the packing was."""
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self.folder / f"layer-{depth}"
        with ExitStack() as opened:
            with reading_errors(path):
                packed = open_packed(path, packing, self.file, self.cancel)
                chunks, member = opened.enter_context(packed)
            copy_limited(_read(chunks, path), target, self.limit)
        if path != self.given:
            path.unlink()
        return target, f"{packing} ({member})" if member else packing

    def _rewrite_text(self, path: Path, format: Format, form: TextForm) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self.folder / "rewritten.csv.gz"
        with closing(self._read_text(path, format)) as chunks:
            rewrite_text(chunks, form, self.file.dataset, target, self.limit, self.cancel)
        if path != self.given:
            path.unlink()
        return target

    def _read_text(self, path: Path, format: Format) -> Generator[bytes, None, None]:
        with reading_errors(path), path.open("rb") as raw:
            if format == "csv.gz":
                yield from UnpackedStream(raw, "gzip", self.cancel)
            else:
                yield from iter(lambda: raw.read(CHUNK), b"")

    def _verify(self, path: Path, format: Format) -> VerifiedContent:
        copy = self.copy
        with reading_errors(path):  # a copy that cannot be written raises nothing
            if copy is None or format != "csv.gz":
                return verify(path, self.file, format, self.address, self.limit, self.cancel)
            copy.open()
            try:
                return verify(
                    path, self.file, format, self.address, self.limit, self.cancel, copy.write
                )
            except BaseException:
                copy.discard()
                raise

    def _reason_to_rewrite(self, content: VerifiedContent) -> str:
        """Return what of a csv not every reader would read, or ""."""
        if content.padding:
            zeros = "zero byte" if content.padding == 1 else "zero bytes"
            return f"csv.gz with {content.padding:,} {zeros} after its end"
        if not content.utf8 and unknown_columns(self.file.dataset, content.header):
            return "csv with text that is not UTF-8 in columns that are not loaded"
        return ""

    def _rewritten(
        self,
        path: Path,
        format: Format,
        content: VerifiedContent,
        was: str,
        lines_before: int = 0,
    ) -> PreparedFile:
        if path == self.given:
            return PreparedFile(path, format, content)
        with reading_errors(self.given), self.given.open("rb", buffering=0) as raw:
            digest, size = hashlib.sha256(), 0
            while chunk := raw.read(CHUNK):
                self.cancel.check()
                digest.update(chunk)
                size += len(chunk)
        original = Original(size, digest.hexdigest(), lines_before)
        done = "unpacked" if format == "parquet" else "unpacked and rewritten as csv.gz"
        done = done if " within " in was else "rewritten as csv.gz"
        return PreparedFile(path, format, content, original, f"{was}: {done}")


def _read(chunks: Iterator[bytes], path: Path) -> Iterator[bytes]:
    """Yield the chunks of a file, with its errors told apart from those of who writes them."""
    with reading_errors(path):
        yield from chunks
