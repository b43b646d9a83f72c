"""Everything Fareground raises on purpose, as one small tree.

FaregroundError
├── UsageError              a color, month, range, source or setting that cannot be
├── SourceError             the source did not give the file
│   ├── NotPublished        it has no such month (a file's state, not a failure)
│   └── SourceUnreachable   down, too slow, redirecting in a loop, refusing
├── TripFileError           the file came, but cannot be loaded as it is
├── DocumentError           a document cannot be read: broken, encrypted, too long, no text
├── StorageError            disk full, or a folder that cannot be written
├── WarehouseError          the warehouse cannot be used
│   └── WarehouseBusy       another process or backfill holds it
├── ModelError              the model gave no answer, or only a part of one
│   ├── KeyRefused          there is no API key, or it is not accepted
│   ├── ModelGone           the API has no such model, or no more
│   └── QuotaSpent          the quota is used up, and waiting a little will not help
└── Cancelled               somebody pressed Cancel; nothing is wrong

Each message says what happened and to which file; `cure` says what to do about it. Neither holds a
secret, whatever it quotes.
"""

from __future__ import annotations

from pipeline.redact import redact


class FaregroundError(Exception):
    """Base of the tree.

    Args:
        problem: What happened, to which file, as a full sentence.
        cure: What to do about it, as a full sentence; may be empty.
    """

    def __init__(self, problem: str, *, cure: str = "") -> None:
        self.problem = redact(problem)
        self.cure = redact(cure)
        super().__init__(f"{self.problem} {self.cure}".strip())


class UsageError(FaregroundError):
    """What was asked for cannot be, whatever the data: exit code 2 on the command line."""


class SourceError(FaregroundError):
    """The source did not give the file."""


class NotPublished(SourceError):
    """The source has no such month."""


class SourceUnreachable(SourceError):
    """The source is down, too slow, redirecting in a loop, or refuses us."""


class TripFileError(FaregroundError):
    """The file's bytes cannot be loaded: not gzip, truncated, wrong header, too many rejects."""


class DocumentError(FaregroundError):
    """A document to ask about cannot be read: broken, encrypted, too long, without text."""


class StorageError(FaregroundError):
    """The disk is full, or a folder cannot be written."""


class WarehouseError(FaregroundError):
    """The warehouse cannot be opened or used."""


class WarehouseBusy(WarehouseError):
    """Another process, or another backfill, holds the warehouse."""


class ModelError(FaregroundError):
    """The model gave no answer, or only a part of one."""


class KeyRefused(ModelError):
    """There is no API key, or it is not accepted."""


class ModelGone(ModelError):
    """The API has no such model, or no more."""


class QuotaSpent(ModelError):
    """The quota is used up, and waiting a little will not help."""


class Cancelled(FaregroundError):
    """The run was cancelled; the file at hand is as it was before."""

    def __init__(self) -> None:
        super().__init__("Cancelled.")
