"""The sources of trip files: two public ones, the sample, uploads, folders and web addresses.

A source answers for many trip files at once, with an Offer, Missing or Unknown for each. A source
that is down raises no error, because a plan is shown all the same.

A folder or address of a user's own may hold a trip file in several formats. The first of csv.gz,
parquet and csv is taken; each is looked for directly in the folder, then in a subfolder that has
the name of the dataset. Of a folder, a name that is nearly the published one comes last.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pydantic import SecretStr

from pipeline.core.cancel import Cancel
from pipeline.core.datasets import Dataset
from pipeline.core.errors import UsageError
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from pipeline.files.nearby import NearbyFiles, find_nearby, format_named
from pipeline.files.offers import (
    FORMATS,
    PUBLIC,
    SAMPLE_SCHEME,
    UPLOAD,
    Format,
    Missing,
    Offer,
    Probe,
    Unknown,
    local_version,
    split_login,
)
from pipeline.files.uploads import UploadSource

FIRST_MONTH = Month(2009, 1)  # of any trip file that the TLC publishes


class Source(Protocol):
    """A place that trip files come from.

    Attributes:
        name: The word, folder or URL with which `open_source` opens it, without a password.
        label: The name for people.
    """

    @property
    def name(self) -> str: ...
    @property
    def label(self) -> str: ...

    def probe(
        self, files: Iterable[TripFile], cancel: Cancel | None = None
    ) -> dict[TripFile, Probe]:
        """Return what the source says of each trip file, in the order given.

        Takes at most about twenty seconds. Raises Cancelled, and nothing else: for a source that
        does not answer, the files are Unknown.
        """
        ...

    def months(self, datasets: Iterable[Dataset]) -> tuple[Month, Month] | None:
        """Return the first and the last month that the source may have of any of some datasets.

        No other machine is asked. Returns None if the source has no month, or is not known to.
        """
        ...


def open_source(name: str, settings: Settings) -> Source:
    """Return the source of this name: `github`, `tlc`, `sample`, `upload`, a folder or a URL.

    Raises UsageError for any other word, a folder that does not exist, and a URL that is not
    http, https or file.
    """
    word = name.strip()
    if word == "sample":
        return SampleSource()
    if word == UPLOAD:
        return UploadSource(settings)
    if word == "github":
        return _web_source(settings.github_url, settings, "github", "GitHub releases")
    if word == "tlc":
        return _web_source(settings.tlc_url, settings, "tlc", "TLC parquet")
    # At least two letters, because C:\trips is a folder.
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):", word)
    if scheme is None:
        return _open_folder(_expand(word), word)
    if scheme[1].lower() == "file":
        parts = urlsplit(word)
        if parts.netloc not in ("", "localhost"):
            raise UsageError(
                "That file URL names another machine.", cure="Write file:///folder, or use https."
            )
        return _open_folder(Path(url2pathname(parts.path)), word)
    if scheme[1].lower() in ("http", "https"):
        return _web_source(word, settings)
    raise UsageError(
        f"{scheme[1]}: is not a supported protocol.", cure="Use a https, http or file URL."
    )


def _expand(word: str) -> Path:
    try:
        return Path(word).expanduser()
    except RuntimeError:  # ~name, and there is no such user
        return Path(word)


@dataclass(frozen=True)
class SampleSource:
    """The built-in sample: synthetic trips of any month, generated without a network."""

    name: str = "sample"
    label: str = "Built-in sample (synthetic)"

    def probe(
        self, files: Iterable[TripFile], cancel: Cancel | None = None
    ) -> dict[TripFile, Probe]:
        """Offer every month of the datasets that have a sample."""
        from pipeline.files.sample.sample import SAMPLE_VERSION

        if cancel:
            cancel.check()
        return {
            file: Offer(file, f"{SAMPLE_SCHEME}{file.stem}", "csv.gz", None, SAMPLE_VERSION)
            if file.dataset.sample
            else Missing(file, f"the sample has no {file.dataset} trips")
            for file in files
        }

    def months(self, datasets: Iterable[Dataset]) -> tuple[Month, Month] | None:
        """Return all months up to the last full one."""
        return (FIRST_MONTH, Month.current().plus(-1)) if any(d.sample for d in datasets) else None


@dataclass(frozen=True)
class FolderSource:
    """A folder on this machine."""

    name: str
    label: str
    folder: Path

    def probe(
        self, files: Iterable[TripFile], cancel: Cancel | None = None
    ) -> dict[TripFile, Probe]:
        """Look for each file by its names, then by those that are nearly the same."""
        probes: dict[TripFile, Probe] = {}
        absent: list[TripFile] = []
        for file in files:
            if cancel:
                cancel.check()
            probe = self._find(file)
            if probe is None:
                absent.append(file)
            probes[file] = probe or Missing(file, "")  # replaced below
        if absent:
            nearby = find_nearby(self.folder, cancel)
            probes |= {file: self._find_nearby(file, nearby) for file in absent}
        return probes

    def months(self, datasets: Iterable[Dataset]) -> tuple[Month, Month] | None:
        """Return the first and the last month of the files below the folder."""
        wanted = set(datasets)
        months = [f.month for f in find_nearby(self.folder, None).paths if f.dataset in wanted]
        return (min(months), max(months)) if months else None

    def _find(self, file: TripFile) -> Probe | None:
        candidates = [(self.folder / path, format) for path, format in _names_below(file)]
        try:
            for path, format in candidates:
                if version := local_version(path):
                    return Offer(file, str(path), format, *version)
        except OSError as error:
            offers = tuple(
                Offer(file, str(path), format, None, None) for path, format in candidates
            )
            return Unknown(file, f"{self.folder} cannot be read: {error.strerror}", offers)
        return None

    def _find_nearby(self, file: TripFile, nearby: NearbyFiles) -> Probe:
        path = nearby.find(file)
        version = local_version(self.folder / path) if path else None
        if path and version:
            note = f"found as {path}"
            address = str(self.folder / path)
            return Offer(file, address, format_named(path.name), *version, note=note)
        there = nearby.describe(file)
        reason = f"no {_names_in_words(file)} in {self.folder} or the folders in it"
        return Missing(file, f"{reason}; {there}" if there else reason)


@dataclass(frozen=True)
class WebSource:
    """A web address below which the files are."""

    name: str
    label: str
    base: str
    settings: Settings
    login: SecretStr | None

    def probe(
        self, files: Iterable[TripFile], cancel: Cancel | None = None
    ) -> dict[TripFile, Probe]:
        """Ask the server for each file, except those that are known not to be published."""
        from pipeline.files.web import probe_files  # the HTTP client takes long to import

        wanted = list(files)
        probes: dict[TripFile, Probe] = {}
        addresses: dict[TripFile, tuple[Offer, ...]] = {}
        for file in wanted:
            if reason := self._never_published(file):
                probes[file] = Missing(file, reason)
            else:
                addresses[file] = self._candidates(file)
        if addresses:
            probes |= probe_files(addresses, self.base, self.settings, cancel or Cancel())
        return {file: probes[file] for file in wanted}

    def months(self, datasets: Iterable[Dataset]) -> tuple[Month, Month] | None:
        """Return what the public sources are known to have; a month is published after its end."""
        spans = [d.published[self.name] for d in datasets if self.name in d.published]
        if not spans:
            return None
        newest = Month.current().plus(-1)
        return min(first for first, _ in spans), max(last or newest for _, last in spans)

    def _never_published(self, file: TripFile) -> str:
        """Return the reason the source cannot have the file, or "" if it might have it."""
        if self.name not in PUBLIC:
            return ""
        if self.name not in file.dataset.published:
            return f"{self.label} has no {file.dataset} trips"
        first, last = file.dataset.published[self.name]
        if last and not first <= file.month <= last:
            return f"{self.label} hold {first} to {last}"
        if file.month < first:
            return f"{self.label} of {file.dataset} trips begins at {first}"
        return ""

    def _candidates(self, file: TripFile) -> tuple[Offer, ...]:
        names: tuple[tuple[str, Format], ...]
        if self.name == "github":
            names = ((f"{file.dataset}/{file.stem}.csv.gz", "csv.gz"),)
        elif self.name == "tlc":
            names = ((f"{file.stem}.parquet", "parquet"),)
        else:
            names = _names_below(file)
        return tuple(
            Offer(file, f"{self.base}/{path}", format, None, None, self.login)
            for path, format in names
        )


def _names_below(file: TripFile) -> tuple[tuple[str, Format], ...]:
    return tuple(
        (f"{folder}{file.stem}.{format}", format)
        for format in FORMATS
        for folder in ("", f"{file.dataset}/")
    )


def _names_in_words(file: TripFile) -> str:
    *others, last = (f".{format}" for format in FORMATS)
    return f"{file.stem}{', '.join(others)} or {last}"


def _web_source(url: str, settings: Settings, name: str = "", label: str = "") -> WebSource:
    shown, login = split_login(url)
    return WebSource(name or shown, label or shown, shown.rstrip("/"), settings, login)


def _open_folder(folder: Path, given: str) -> FolderSource:
    try:
        is_folder, exists = folder.is_dir(), folder.exists()
    except OSError as error:
        raise UsageError(
            f"{given} cannot be read: {error.strerror}.", cure="Make the folder readable."
        ) from None
    if given and is_folder:
        return FolderSource(given, given, folder)
    if given and exists:
        raise UsageError(f"{given} is a file, not a folder.", cure="Name the folder it is in.")
    raise UsageError(
        f"There is no source or folder {given!r}.",
        cure="Use github, tlc, sample, upload, an existing folder, or a URL.",
    )
