"""Exceptions that Fareground raises on purpose, all subclasses of FaregroundError.

FaregroundError
├── UsageError              invalid color, month, range, source or setting
├── SourceError             the source did not deliver the file
│   ├── NotPublished        the source does not have this month (a file's state, not a failure)
│   └── SourceUnreachable   no connection, timeout, redirect loop or access denied
├── TripFileError           the downloaded file cannot be loaded
├── DocumentError           a document cannot be read: damaged, encrypted, too long or no text
├── StorageError            the disk is full, or a folder is not writable
├── WarehouseError          the warehouse cannot be opened or used
│   └── WarehouseBusy       another process or backfill has locked the warehouse
├── ModelError              the model returned no response, or an incomplete one
│   ├── KeyRefused          the API key is missing or rejected
│   ├── ModelGone           the API does not offer this model, or no longer does
│   └── QuotaSpent          the quota is exhausted; a short wait does not help
└── Cancelled               a person cancelled the run; not a failure

`problem` says what happened and to which file; `cure` says what to do about it. Both are redacted,
so an error that quotes a response or a URL does not disclose a secret.
"""

from __future__ import annotations

from pipeline.core.redact import redact


class FaregroundError(Exception):
    """Base class of every error that Fareground raises on purpose.

    Args:
        problem: What happened and to which file, as a full sentence.
        cure: What the reader can do about it, as a full sentence; may be empty.
    """

    def __init__(self, problem: str, *, cure: str = "") -> None:
        self.problem = redact(problem)
        self.cure = redact(cure)
        super().__init__(f"{self.problem} {self.cure}".strip())


class UsageError(FaregroundError):
    """An argument or setting is invalid, whatever the data; exit code 2 of the command line."""


class SourceError(FaregroundError):
    """The source did not deliver the file."""


class NotPublished(SourceError):
    """The source does not have this month; the file gets a state, and the run goes on."""


class SourceUnreachable(SourceError):
    """The source cannot be used: no connection, timeout, redirect loop or access denied."""


class TripFileError(FaregroundError):
    """The file cannot be loaded: not a gzip file, truncated, wrong header or too many rejects."""


class DocumentError(FaregroundError):
    """A document for questions cannot be read: damaged, encrypted, too long or without text."""


class StorageError(FaregroundError):
    """The disk is full, or a file or folder is not writable."""


class WarehouseError(FaregroundError):
    """The warehouse cannot be opened or used."""


class WarehouseBusy(WarehouseError):
    """Another process or another backfill has locked the warehouse."""


class ModelError(FaregroundError):
    """The model returned no response, or an incomplete one."""


class KeyRefused(ModelError):
    """The API key is missing, or the API rejects it."""


class ModelGone(ModelError):
    """The API does not offer this model, or no longer does."""


class QuotaSpent(ModelError):
    """The quota is exhausted, and a short wait does not help."""


class Cancelled(FaregroundError):
    """The run was cancelled; the file in progress keeps its previous rows."""

    def __init__(self) -> None:
        super().__init__("Cancelled.")
