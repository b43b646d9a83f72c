"""Where trip files come from, and which months each place has.

A source is asked once for many trip files. What it says is an Offer, Missing or Unknown; a source
that is down is no error here, because the plan must show all the same.

Below a folder or address of one's own, a trip file is looked for under its published name in this
order, and the first one found wins: csv.gz, parquet, csv; of each first directly in the folder,
then in a folder of the color's name.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import url2pathname

from pydantic import SecretStr

from pipeline.cancel import Cancel
from pipeline.errors import UsageError
from pipeline.redact import remember
from pipeline.settings import Settings
from pipeline.trips import Color, Month, TripFile

Format = Literal["csv", "csv.gz", "parquet"]

FORMATS: tuple[Format, ...] = ("csv.gz", "parquet", "csv")
SAMPLE_SCHEME = "sample:"

GITHUB_FIRST, GITHUB_LAST = Month(2019, 1), Month(2021, 7)
TLC_FIRST = {Color.YELLOW: Month(2009, 1), Color.GREEN: Month(2013, 8)}

GONE = frozenset({404, 410})
# CloudFront answers 403 for a key that its bucket does not have.
TLC_GONE = GONE | {403}


@dataclass(frozen=True)
class Offer:
    """What a source says it has for a trip file.

    `address` is https://..., a file's path, or sample:STEM, never with a user name or password in
    it; those are in `login` as "user:password". `bytes` is the published size. `etag` tells one
    version of the file from another: the HTTP ETag, or else Last-Modified and Content-Length;
    "mtime_ns-size" of a local file; the sample's version. Both are None where unknown.
    """

    file: TripFile
    address: str
    format: Format
    bytes: int | None
    etag: str | None
    login: SecretStr | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Missing:
    """The source has no such month; `reason` says how that is known."""

    file: TripFile
    reason: str


@dataclass(frozen=True)
class Unknown:
    """The source could not be asked; `offers` are the addresses to try, most likely first."""

    file: TripFile
    reason: str
    offers: tuple[Offer, ...]


Probe = Offer | Missing | Unknown


class Source(Protocol):
    """A place that trip files come from.

    `name` is what it is opened by again (the word, folder or URL given, without a password);
    `label` is for people.
    """

    @property
    def name(self) -> str: ...
    @property
    def label(self) -> str: ...

    def probe(
        self, files: Iterable[TripFile], cancel: Cancel | None = None
    ) -> dict[TripFile, Probe]:
        """Say for each trip file whether the source has it, in the order given.

        Takes at most about twenty seconds. Raises Cancelled, and nothing else: a source that
        cannot be asked is Unknown.
        """
        ...


def open_source(name: str, settings: Settings) -> Source:
    """Return the source called github, tlc or sample, or the one at a folder or URL.

    Raises UsageError for any other word, a folder that does not exist, and a URL that is not
    http, https or file.
    """
    word = name.strip()
    if word == "sample":
        return SampleSource()
    if word == "github":
        return _web_source(settings.github_url, settings, "github", "GitHub releases")
    if word == "tlc":
        return _web_source(settings.tlc_url, settings, "tlc", "TLC parquet")
    # Two letters at least: C:\trips is a folder.
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
        f"There are no sources of the kind {scheme[1]}:.", cure="Use a https, http or file URL."
    )


def _expand(word: str) -> Path:
    try:
        return Path(word).expanduser()
    except RuntimeError:  # there is nobody of the name behind the ~
        return Path(word)


def absent_statuses(address: str, settings: Settings) -> frozenset[int]:
    """Return the HTTP statuses that mean, at this address, that there is no such file."""
    tlc, _ = split_login(settings.tlc_url)
    return TLC_GONE if address.startswith(tlc.rstrip("/") + "/") else GONE


def split_login(url: str) -> tuple[str, SecretStr | None]:
    """Take user:password@ out of a URL: return the URL that may be shown, and the login.

    Raises UsageError when it has no host, or a query or fragment, behind which no file name fits
    (and where signed links carry their secret).
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise UsageError("That is not a web address.", cure="Write it as https://host/folder.")
    userinfo, _, host = parts.netloc.rpartition("@")
    shown = urlunsplit((parts.scheme, host, parts.path, "", ""))
    if parts.query or parts.fragment:
        raise UsageError(
            f"{shown} is followed by a ? or #, so no file name can be put behind it.",
            cure="Give the address of the folder that the files are in.",
        )
    if not userinfo:
        return shown, None
    login = unquote(userinfo)
    user, _, password = login.partition(":")
    remember(login)
    remember(password or user)  # a token may stand alone
    return shown, SecretStr(login)


@dataclass(frozen=True)
class SampleSource:
    """The built-in sample: made up here, any month, no network."""

    name: str = "sample"
    label: str = "Built-in sample (synthetic)"

    def probe(
        self, files: Iterable[TripFile], cancel: Cancel | None = None
    ) -> dict[TripFile, Probe]:
        """Offer every month."""
        from pipeline.sample import SAMPLE_VERSION

        if cancel:
            cancel.check()
        return {
            file: Offer(file, f"{SAMPLE_SCHEME}{file.stem}", "csv.gz", None, SAMPLE_VERSION)
            for file in files
        }


@dataclass(frozen=True)
class FolderSource:
    """A folder on this machine."""

    name: str
    label: str
    folder: Path

    def probe(
        self, files: Iterable[TripFile], cancel: Cancel | None = None
    ) -> dict[TripFile, Probe]:
        """Look for each file by name."""
        found: dict[TripFile, Probe] = {}
        for file in files:
            if cancel:
                cancel.check()
            found[file] = self._find(file)
        return found

    def _find(self, file: TripFile) -> Probe:
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
        return Missing(file, f"no file of that name in {self.folder}")


@dataclass(frozen=True)
class WebSource:
    """An address that files are asked for below, by HTTP."""

    name: str
    label: str
    base: str
    settings: Settings
    login: SecretStr | None

    def probe(
        self, files: Iterable[TripFile], cancel: Cancel | None = None
    ) -> dict[TripFile, Probe]:
        """Ask for the headers of each file that is not known to be missing."""
        from pipeline import web

        wanted = list(files)
        found: dict[TripFile, Probe] = {}
        to_ask: dict[TripFile, tuple[Offer, ...]] = {}
        for file in wanted:
            if reason := self._never_published(file):
                found[file] = Missing(file, reason)
            else:
                to_ask[file] = self._candidates(file)
        if to_ask:
            found |= web.survey(to_ask, self.base, self.settings, cancel or Cancel())
        return {file: found[file] for file in wanted}

    def _never_published(self, file: TripFile) -> str:
        if self.name == "github" and not GITHUB_FIRST <= file.month <= GITHUB_LAST:
            return f"{self.label} hold {GITHUB_FIRST} to {GITHUB_LAST}"
        if self.name == "tlc" and file.month < TLC_FIRST[file.color]:
            return f"{self.label} of {file.color} trips begins at {TLC_FIRST[file.color]}"
        return ""

    def _candidates(self, file: TripFile) -> tuple[Offer, ...]:
        names: tuple[tuple[str, Format], ...]
        if self.name == "github":
            names = ((f"{file.color}/{file.stem}.csv.gz", "csv.gz"),)
        elif self.name == "tlc":
            names = ((f"{file.stem}.parquet", "parquet"),)
        else:
            names = _names_below(file)
        return tuple(
            Offer(file, f"{self.base}/{path}", format, None, None, self.login)
            for path, format in names
        )


def format_of(name: str) -> Format:
    """Return the format that a file's name ends in; raise UsageError for any other ending."""
    for format in FORMATS:
        if name.lower().endswith(f".{format}"):
            return format
    raise UsageError(
        f"{name!r} is not a trip file by its name.", cure="Names end in .csv, .csv.gz or .parquet."
    )


def local_version(path: Path) -> tuple[int, str] | None:
    """Return a local file's size and what stands for its ETag, or None when there is no such file.

    Raises OSError when that cannot be told.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return status.st_size, f"{status.st_mtime_ns}-{status.st_size}"


def _names_below(file: TripFile) -> tuple[tuple[str, Format], ...]:
    return tuple(
        (f"{folder}{file.stem}.{format}", format)
        for format in FORMATS
        for folder in ("", f"{file.color}/")
    )


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
        cure="Use github, tlc, sample, an existing folder, or a URL.",
    )
