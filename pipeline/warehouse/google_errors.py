"""What Google Cloud's refusals mean, in our words and with a cure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipeline.errors import FaregroundError, StorageError, WarehouseBusy, WarehouseError
from pipeline.warehouse.google_place import Place

if TYPE_CHECKING:
    from google.api_core.retry import Retry

_ELSE = "Run it again; if it happens twice, ask `python -m pipeline doctor --target gcp`."
# A job that ended with one of these did nothing and may be asked for again.
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
_CONFLICTS = ("aborted due to concurrent update", "Could not serialize access", "Transaction conf")
_LOST = "The answer was lost, so whether this step happened is not known; the tables are whole."


def reason_of(error: Exception) -> str:
    """Return the service's word for what went wrong, such as `quotaExceeded`, or ""."""
    errors: Any = getattr(error, "errors", None) or [{}]
    return str(errors[0].get("reason", "")) if isinstance(errors[0], dict) else ""


def is_conflict(message: str) -> bool:
    """Whether a job failed because another one was writing the same table."""
    return any(words in message for words in _CONFLICTS)


def is_passing(error: Exception) -> bool:
    """Whether a request that failed so may be repeated: 429, 5xx, a reset, no answer."""
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
    """Return how a request that met a passing fault is repeated: at most so long, while wanted.

    Without it the clients repeat some requests for ten minutes.
    """
    from google.api_core.retry import Retry

    return Retry(
        predicate=lambda error: wanted() and is_passing(error),
        initial=0.2,
        maximum=5.0,
        multiplier=1.6,
        timeout=seconds,
    )


@contextmanager
def translated(place: Place, doing: str) -> Iterator[None]:
    """Turn Google's errors into ours; `doing` says what was tried, as in "upload x.csv.gz"."""
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from requests.exceptions import RequestException

    try:
        yield
    except (GoogleAPIError, GoogleAuthError, RequestException, ConnectionError, OSError) as error:
        raise _translate(place, doing, error) from None


# A summary, or a column of one, that only this version has.
_OLDER_SUMS = re.compile(
    r"not found.*(airport|fare|distance)_summary|absurd_(miles|distances)", re.I | re.S
)


def explain(place: Place, doing: str, reason: str, message: str) -> FaregroundError:
    """Return the error for a refusal, from the service's reason and message."""
    text = first_line(message)
    if _OLDER_SUMS.search(message):
        return WarehouseError(
            f"Could not {doing}: the sums for the charts in {place.dataset} are those of an older "
            "Fareground.",
            cure="Load any file into it: the next load makes them anew from the trips.",
        )
    if "different locations" in message:
        return WarehouseError(
            f"Could not {doing}: {text}",
            cure=f"Bucket {place.bucket} and dataset {place.dataset} must be in one region; "
            f"GCP_LOCATION says {place.location}.",
        )
    if reason == "bytesBilledLimitExceeded":
        return WarehouseError(
            f"Could not {doing}: it would bill more than allowed. {text}",
            cure="Raise GCP_MAXIMUM_BYTES_BILLED if that is right.",
        )
    if reason == "billingNotEnabled" or "billing" in message.lower():
        return WarehouseError(
            f"Could not {doing}: {text}",
            cure=f"Enable billing for the project {place.project}; BigQuery's sandbox "
            "cannot change rows.",
        )
    if reason in ("quotaExceeded", "dailyLimitExceeded"):
        return WarehouseError(
            f"Could not {doing}: a quota of the project {place.project} is used up. {text}",
            cure="Wait until it is renewed (most are daily), or ask for more in the console.",
        )
    if reason in TRANSIENT_REASONS:
        return WarehouseError(
            f"Could not {doing}, in several attempts: {text}", cure="Run the backfill again later."
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
    if reason == "timeout" or "timed out" in message.lower() or "timeout" in message.lower():
        return WarehouseError(
            f"Could not {doing}: it took too long. {text}", cure="Raise GCP_JOB_TIMEOUT_SECONDS."
        )
    return WarehouseError(f"Could not {doing}: {text}", cure=_ELSE)


def first_line(message: str) -> str:
    """Return what was said, without the request's address and the job's data."""
    text = str(message).strip().split("\n")[0]
    text = re.sub(r"^\d{3} ((GET|POST|PUT|DELETE|PATCH) \S+: )?", "", text)
    text = re.sub(r"; reason: .*$", "", text)[:500]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _translate(place: Place, doing: str, error: Exception) -> FaregroundError:
    from google.api_core import exceptions
    from google.auth.exceptions import GoogleAuthError
    from requests import Response
    from requests.exceptions import RequestException

    if isinstance(error, exceptions.RetryError):
        cause = error.cause
        if isinstance(cause, Exception) and not isinstance(cause, exceptions.RetryError):
            return _translate(place, doing, cause)
    answer = getattr(error, "response", None)
    if isinstance(answer, Response) and not isinstance(error, exceptions.GoogleAPIError):
        # What an upload failed with: the storage library's own, which says only the number.
        refusal = exceptions.from_http_response(answer)  # type: ignore[no-untyped-call]
        return _translate(place, doing, refusal)
    if isinstance(error, (GoogleAuthError, exceptions.Unauthorized)):
        return WarehouseError(
            f"Could not {doing}: Google does not accept the credentials (they expired, or were "
            "revoked).",
            cure="Create a new key for GCP_CREDS, or log in again with gcloud.",
        )
    if isinstance(error, exceptions.NotFound) and not _OLDER_SUMS.search(str(error)):
        return WarehouseError(
            f"Could not {doing}: {first_line(str(error))}",
            cure=f"Create the bucket {place.bucket} and the dataset {place.dataset} in "
            f"{place.location}, and check GCP_PROJECT_ID.",
        )
    if isinstance(error, exceptions.GoogleAPICallError):
        reason = reason_of(error) or _REASONS.get(int(error.code or 0), "")
        return explain(place, doing, reason, str(error.message or error))
    if isinstance(error, (RequestException, ConnectionError, exceptions.RetryError)):
        return WarehouseError(
            f"Could not {doing}: Google Cloud cannot be reached. {_LOST}",
            cure="Check the network and run the backfill again.",
        )
    if isinstance(error, OSError):
        return StorageError(
            f"Could not {doing}: {error.strerror or error}.",
            cure="See that FAREGROUND_HOME is on a disk with room that can be written.",
        )
    return WarehouseError(f"Could not {doing}: {first_line(str(error))}", cure=_ELSE)


_REASONS = {403: "accessDenied", 429: "rateLimitExceeded", 500: "backendError", 503: "backendError"}
