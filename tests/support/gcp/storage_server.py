"""The Cloud Storage emulator within the tests' process, with what it lacks for us.

gcp-storage-emulator 2026.7.19 ignores generation preconditions and a new bucket's location.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

from gcp_storage_emulator import server as emulator
from gcp_storage_emulator.handlers import buckets
from gcp_storage_emulator.storage import Storage

# One request at a time: checking a precondition and writing must not be torn apart.
_turn = threading.RLock()
_asked: dict[str, list[str]] = {}


class _PreconditionFailed(Exception):
    pass


def _check(storage: Storage, bucket: str, name: str) -> None:
    found = (storage.objects.get(bucket) or {}).get(name)
    generation = int(found["generation"]) if found else 0
    if "ifGenerationMatch" in _asked and int(_asked["ifGenerationMatch"][0]) != generation:
        raise _PreconditionFailed


def _checked(method: Callable[..., Any]) -> Callable[..., Any]:
    def check_first(self: Storage, bucket: str, name: str, *rest: Any, **named: Any) -> Any:
        _check(self, bucket, name)
        return method(self, bucket, name, *rest, **named)

    return check_first


def _handled(handler: Callable[..., Any]) -> Callable[..., Any]:
    def handle(request: Any, response: Any, storage: Storage, *rest: Any, **named: Any) -> Any:
        with _turn:
            _asked.clear()
            _asked.update(request.query)
            try:
                handler(request, response, storage, *rest, **named)
                if handler is buckets.insert:
                    _keep_location(request, response, storage)
            except _PreconditionFailed:
                message = "At least one of the pre-conditions you specified did not hold."
                reason = {"reason": "conditionNotMet", "message": message}
                response.status = HTTPStatus.PRECONDITION_FAILED
                response.json({"error": {"code": 412, "message": message, "errors": [reason]}})
            finally:
                _asked.clear()

    return handle


def _keep_location(request: Any, response: Any, storage: Storage) -> None:
    bucket = storage.get_bucket(request.data["name"]) if request.data else None
    if bucket and request.data.get("location"):
        bucket["location"] = request.data["location"].upper()
        storage.create_bucket(bucket["name"], bucket)
        response.json(bucket)


for _name in ("create_file", "create_resumable_upload", "delete_file"):
    setattr(Storage, _name, _checked(getattr(Storage, _name)))
emulator.HANDLERS = tuple(
    (route, {verb: _handled(handler) for verb, handler in verbs.items()})
    for route, verbs in emulator.HANDLERS
)


@contextmanager
def storage_server(folder: Path) -> Iterator[str]:
    """Serve buckets that rest in `folder`/.cloudstorage; yield the address."""
    server = emulator.create_server("127.0.0.1", 0, in_memory=False, data_dir=str(folder))
    server.start()
    try:
        host, port = server._api._httpd.server_address
        yield f"http://{host}:{port}"
    finally:
        server.stop()
