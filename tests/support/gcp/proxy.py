"""A server between the client and an emulator, that writes down what passes and breaks what it is
told to."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.support.servers import JsonHandler, serving


@dataclass
class Fault:
    """What happens to the next `times` requests of this method whose address has `part` in it, and
    whose JSON has `said` in it.

    `status` is answered instead of passing the request on; `reset` passes it on and then closes
    the connection, so that the answer is lost. With `once`, what is asked for again gets through.
    `hold` lets it wait so many seconds before anything else happens.
    `job_error` takes the job, does not run it, and answers that it failed for this reason.
    """

    method: str
    part: str
    status: int | None = None
    reason: str = "backendError"
    message: str = "it broke"
    reset: bool = False
    job_error: bool = False
    times: int = 1
    once: bool = False
    hold: float = 0.0
    said: str = ""


@dataclass
class Proxy:
    """The running proxy: `url` to talk to, `faults` to come, what was `seen` so far, and the whole
    `addresses` of it, with the method before each, and the beginnings of the `uploads`."""

    url: str = ""
    faults: list[Fault] = field(default_factory=list)
    seen: list[tuple[str, str, Any]] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    uploads: list[bytes] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def jobs(self) -> list[dict[str, Any]]:
        """The bodies of all jobs asked for, in order."""
        return [
            body for method, path, body in self.seen if method == "POST" and path.endswith("/jobs")
        ]

    def take_fault(self, method: str, path: str, said: Any) -> Fault | None:
        """The fault that is due for a request, if any."""
        again = sum(body == said for _, _, body in self.seen) > 1
        with self.lock:
            for fault in self.faults:
                if fault.once and again:
                    continue
                asked = fault.method == method and fault.part in path
                if fault.times > 0 and asked and fault.said in json.dumps(said):
                    fault.times -= 1
                    return fault
        return None


def failed_job(said: dict[str, Any], fault: Fault) -> dict[str, Any]:
    """The job that was asked for, as one that ended with this error."""
    error = {"reason": fault.reason, "message": fault.message}
    statistics = {"creationTime": "1", "startTime": "1", "endTime": "1", "query": {}}
    return said | {
        "status": {"state": "DONE", "errorResult": error, "errors": [error]},
        "statistics": statistics,
    }


@contextmanager
def proxy_before(upstream: str) -> Iterator[Proxy]:
    """Run a proxy before the service at this address."""
    proxy = Proxy()
    host = urlsplit(upstream).netloc

    class Handler(JsonHandler):
        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kind = self.headers.get("Content-Type") or ""
            said = json.loads(body) if body and kind.startswith("application/json") else None
            path = urlsplit(self.path).path
            proxy.addresses.append(f"{self.command} {self.path}")
            if "/upload/" in self.path:
                proxy.uploads.append(body[:1000])
            proxy.seen.append((self.command, path if said is not None else self.path, said))
            fault = proxy.take_fault(self.command, self.path, said)
            if fault:
                time.sleep(fault.hold)
            if fault and fault.job_error and said:
                self.answer(200, failed_job(said, fault))
                return
            if fault and fault.status:
                self.refuse(fault)
                return
            upstream_connection = http.client.HTTPConnection(host, timeout=60)
            headers = {k: v for k, v in self.headers.items() if k.lower() != "accept-encoding"}
            upstream_connection.request(self.command, self.path, body, headers | {"Host": host})
            answer = upstream_connection.getresponse()
            content = answer.read()
            if fault and fault.reset:
                self.close_connection = True
                self.connection.close()
                return
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() in ("transfer-encoding", "content-length", "connection"):
                    continue
                self.send_header(name, value.replace(host, self.headers["Host"]))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def refuse(self, fault: Fault) -> None:
            error = {"reason": fault.reason, "message": fault.message}
            wrapped = {"code": fault.status, "message": fault.message, "errors": [error]}
            self.answer(fault.status or 500, {"error": wrapped})

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = handle_any

    with serving(Handler) as proxy.url:
        yield proxy
