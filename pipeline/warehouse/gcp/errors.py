"""Translate the errors of Google Cloud into ours, each with a cure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import FaregroundError, StorageError, WarehouseBusy, WarehouseError
from pipeline.warehouse.gcp.location import CloudLocation
from pipeline.warehouse.rollups import ROLLUPS

if TYPE_CHECKING:
    from google.api_core.retry import Retry

_OTHER_CURE = "Try again; if it happens twice, run `python -m pipeline doctor --target gcp`."
# A job that failed for one of these reasons changed nothing and may be run again.
TRANSIENT_REASONS = frozenset(
    {
        "backendError",
        "internalError",
        "jobBackendError",
        "jobInternalError",
        "jobRateLimitExceeded",
        "rateLimitExceeded",
        "tableUnavailable",
    }
)
# BigQuery gives conflicts no reason of their own ("invalidQuery"), only these words.
_CONFLICTS = ("aborted due to concurrent update", "Could not serialize access", "Transaction conf")
_UNKNOWN_OUTCOME = (
    "The response was lost, so it is unknown whether this step ran; the tables are consistent."
)


def reason_of(error: Exception) -> str:
    """Return the service's reason for an error, such as `quotaExceeded`, or ""."""
    errors: Any = getattr(error, "errors", None) or [{}]
    return str(errors[0].get("reason", "")) if isinstance(errors[0], dict) else ""


def is_conflict(message: str) -> bool:
    """Return whether a job failed because another one was writing the same table."""
    return any(words in message for words in _CONFLICTS)


def is_transient(error: Exception) -> bool:
    """Return whether a failed request may be repeated: HTTP 429 or 5xx, a reset, no response."""
    from google.api_core.exceptions import ServerError, TooManyRequests
    from google.auth.exceptions import TransportError
    from requests.exceptions import ChunkedEncodingError, SSLError, Timeout
    from requests.exceptions import ConnectionError as Unreachable

    if isinstance(error, SSLError):
        return False
    unreachable = (ConnectionError, Unreachable, ChunkedEncodingError, Timeout, TransportError)
    overloaded = isinstance(error, (TooManyRequests, ServerError))
    return overloaded or reason_of(error) in TRANSIENT_REASONS or isinstance(error, unreachable)


def make_retry(seconds: float, wanted: Callable[[], bool] = lambda: True) -> Retry:
    """Return a policy that repeats requests after transient errors.

    Without one the clients repeat some requests for ten minutes.

    Args:
        seconds: How long to repeat.
        wanted: Asked before each attempt; False ends the attempts.
    """
    from google.api_core.retry import Retry

    return Retry(
        predicate=lambda error: wanted() and is_transient(error),
        initial=0.2,
        maximum=5.0,
        multiplier=1.6,
        timeout=seconds,
    )


@contextmanager
def translated(location: CloudLocation, doing: str) -> Iterator[None]:
    """Turn Google's errors within the block into ours.

    Args:
        doing: What the block does, to follow "Could not", such as "upload x.csv.gz".
    """
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from requests.exceptions import RequestException

    try:
        yield
    except (GoogleAPIError, GoogleAuthError, RequestException, ConnectionError, OSError) as error:
        raise _translate(location, doing, error) from None


# A rollup, or a column of one, that earlier versions lack; nothing but the text names it.
_EARLIER_ROLLUPS = re.compile(
    rf"not found.*({'|'.join(ROLLUPS)})|absurd_(miles|distances)", re.I | re.S
)


def explain(location: CloudLocation, doing: str, reason: str, message: str) -> FaregroundError:
    """Return our error for one of the service, by its reason or, if it has none, by its words."""
    text = first_line(message)
    if _EARLIER_ROLLUPS.search(message):
        return WarehouseError(
            f"Could not {doing}: the rollups in {location.dataset} are those of an older version "
            "of Fareground.",
            cure="Load any file into it: the load rebuilds them from the trips.",
        )
    if "different locations" in message:
        return WarehouseError(
            f"Could not {doing}: {text}",
            cure=f"Bucket {location.bucket} and dataset {location.dataset} must be in one region; "
            f"GCP_LOCATION says {location.region}.",
        )
    if reason == "bytesBilledLimitExceeded":
        return WarehouseError(
            f"Could not {doing}: it would bill more than allowed. {text}",
            cure="Raise GCP_MAXIMUM_BYTES_BILLED if that is right.",
        )
    if reason == "billingNotEnabled":
        return WarehouseError(
            f"Could not {doing}: {text}",
            cure=f"Enable billing for the project {location.project}; BigQuery's sandbox "
            "cannot change rows.",
        )
    if reason in ("quotaExceeded", "dailyLimitExceeded"):
        return WarehouseError(
            f"Could not {doing}: a quota of the project {location.project} is used up. {text}",
            cure="Wait until it is renewed (most are daily), or ask for more in the console.",
        )
    if reason in TRANSIENT_REASONS:
        return WarehouseError(
            f"Could not {doing} in several attempts: {text}", cure="Run the backfill again later."
        )
    if reason in ("accessDenied", "forbidden"):
        return WarehouseError(
            f"Could not {doing}: access is denied. {text}",
            cure="Give the account the roles BigQuery Data Editor, BigQuery Job User, "
            "Storage Object Admin and Storage Legacy Bucket Reader.",
        )
    if is_conflict(message):
        return WarehouseBusy(
            f"Could not {doing}: another load kept writing the same tables.",
            cure="Wait for it to end, then run the backfill again.",
        )
    if reason == "timeout" or "timed out" in message.lower():  # a job that timed out is "stopped"
        return WarehouseError(
            f"Could not {doing}: it took too long. {text}", cure="Raise GCP_JOB_TIMEOUT_SECONDS."
        )
    return WarehouseError(f"Could not {doing}: {text}", cure=_OTHER_CURE)


def first_line(message: str) -> str:
    """Return the first line of a message, without the address of the request and the job's data."""
    text = str(message).strip().split("\n")[0]
    text = re.sub(r"^\d{3} ((GET|POST|PUT|DELETE|PATCH) \S+: )?", "", text)
    text = re.sub(r"; reason: .*$", "", text)[:500]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _translate(location: CloudLocation, doing: str, error: Exception) -> FaregroundError:
    from google.api_core import exceptions
    from google.auth.exceptions import GoogleAuthError
    from requests import Response
    from requests.exceptions import RequestException

    if isinstance(error, exceptions.RetryError):
        cause = error.cause
        if isinstance(cause, Exception) and not isinstance(cause, exceptions.RetryError):
            return _translate(location, doing, cause)
    response = getattr(error, "response", None)
    if isinstance(response, Response) and not isinstance(error, exceptions.GoogleAPIError):
        # An upload fails with an error of the storage library that has only the HTTP status.
        api_error = exceptions.from_http_response(response)  # type: ignore[no-untyped-call]
        return _translate(location, doing, api_error)
    if isinstance(error, (GoogleAuthError, exceptions.Unauthorized)):
        return WarehouseError(
            f"Could not {doing}: Google does not accept the credentials (they expired, or were "
            "revoked).",
            cure="Create a new key for GCP_CREDS, or log in again with gcloud.",
        )
    if isinstance(error, exceptions.NotFound) and not _EARLIER_ROLLUPS.search(str(error)):
        return WarehouseError(
            f"Could not {doing}: {first_line(str(error))}",
            cure=f"Create the bucket {location.bucket} and the dataset {location.dataset} in "
            f"{location.region}, and check GCP_PROJECT_ID.",
        )
    if isinstance(error, exceptions.GoogleAPICallError):
        reason = reason_of(error) or _REASONS.get(int(error.code or 0), "")
        return explain(location, doing, reason, str(error.message or error))
    if isinstance(error, (RequestException, ConnectionError, exceptions.RetryError)):
        return WarehouseError(
            f"Could not {doing}: Google Cloud cannot be reached. {_UNKNOWN_OUTCOME}",
            cure="Check the network and run the backfill again.",
        )
    if isinstance(error, OSError):
        return StorageError(
            f"Could not {doing}: {error.strerror or error}.",
            cure="Check that FAREGROUND_HOME is on a writable disk with free space.",
        )
    return WarehouseError(f"Could not {doing}: {first_line(str(error))}", cure=_OTHER_CURE)


_REASONS = {403: "accessDenied", 429: "rateLimitExceeded", 500: "backendError", 503: "backendError"}
