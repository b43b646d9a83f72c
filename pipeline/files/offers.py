"""What a source answers about a trip file: that it has it, lacks it, or could not be reached."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit, urlunsplit

from pipeline.core.errors import UsageError
from pipeline.core.redact import remember
from pipeline.core.trips import TripFile

if TYPE_CHECKING:
    from pydantic import SecretStr

    from pipeline.core.settings.settings import Settings

Format = Literal["csv", "csv.gz", "parquet"]

FORMATS: tuple[Format, ...] = ("csv.gz", "parquet", "csv")
PUBLIC = ("github", "tlc")  # the names of the sources of files that the TLC published
SAMPLE = "sample"  # the name of the source of synthetic trips
SAMPLE_SCHEME = "sample:"
UPLOAD = "upload"  # the name of the source of uploaded files

ABSENT_STATUSES = frozenset({404, 410})
# CloudFront answers 403 for a key that its bucket does not have.
TLC_ABSENT_STATUSES = ABSENT_STATUSES | {403}


@dataclass(frozen=True)
class Offer:
    """A trip file that a source has.

    Attributes:
        address: An http(s) URL, a path, or `sample:STEM`; never with a user name or password in it.
        bytes: Published size, or None where the source does not say.
        etag: Identifies the version of the file: the HTTP ETag, or Last-Modified and Content-Length
            where there is none; modification time and size of a local file; the version of the
            sample. None where the source does not say.
        login: User name and password for the address, as `user:password`.
        note: Under which name it was found, where that is not the published one.
    """

    file: TripFile
    address: str
    format: Format
    bytes: int | None
    etag: str | None
    login: SecretStr | None = field(default=None, repr=False, compare=False)
    note: str = ""


@dataclass(frozen=True)
class Missing:
    """The source does not have the trip file.

    Attributes:
        reason: How that is known, for people.
    """

    file: TripFile
    reason: str


@dataclass(frozen=True)
class Unknown:
    """The source did not answer, so the trip file may or may not be there.

    Attributes:
        reason: Why it did not answer, for people.
        offers: The addresses at which to try, the likeliest first.
    """

    file: TripFile
    reason: str
    offers: tuple[Offer, ...]


Probe = Offer | Missing | Unknown


def local_version(path: Path) -> tuple[int, str] | None:
    """Return the size and the `etag` of a local file, or None if there is no such regular file.

    Raises OSError if the folder cannot be read.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return status.st_size, f"{status.st_mtime_ns}-{status.st_size}"


def absent_statuses(address: str, settings: Settings) -> frozenset[int]:
    """Return the HTTP statuses by which the server at an address says that it has no such file."""
    tlc, _ = split_login(settings.tlc_url)
    is_tlc = address.startswith(tlc.rstrip("/") + "/")
    return TLC_ABSENT_STATUSES if is_tlc else ABSENT_STATUSES


def split_login(url: str) -> tuple[str, SecretStr | None]:
    """Split a URL into the part that may be shown, and its login as `user:password`.

    The login is registered as a secret, so that logs and errors leave it out.

    Raises UsageError for a URL without a host, and for one with a query or fragment: a file name
    cannot be appended to that, and signed links carry their secret there.
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
            f"{shown} contains a ? or #, so no file name can follow it.",
            cure="Give the address of the folder that the files are in.",
        )
    if not userinfo:
        return shown, None
    login = unquote(userinfo)
    from pydantic import SecretStr

    user, _, password = login.partition(":")
    remember(login)
    remember(password or user)  # some servers take a token in place of the user name
    return shown, SecretStr(login)
