"""Serve the Gemini API on this machine, for tests of the real client.

The server answers what a test tells it to, and misbehaves on demand. Shapes and texts of its errors
are those of the real API.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Self

from tests.support.servers import JsonHandler, serving

KEY = "canary-key-4f1c7d20b9"
MODEL = "gemini-3.5-flash-lite"


@dataclass(frozen=True)
class ScriptedAnswer:
    """An answer in pieces, and what goes wrong while it is sent."""

    pieces: Sequence[str] = ("Hello", " there.")
    pause: float = 0.0  # seconds before each piece
    finish: str | None = "STOP"  # None: the stream ends without one
    thinking: int | None = 5
    cut: bool = False  # the connection drops after the pieces
    half: bool = False  # it drops in the middle of an event
    endless: bool = False  # the last piece is repeated without end
    silent: bool = False  # the connection stays open and nothing more is sent
    block: str = ""  # the question is blocked for this reason
    answered: str = ""  # the model that answers; by default the one that is asked
    late_error: int = 0  # after the pieces an error event with this code is sent


@dataclass(frozen=True)
class ScriptedError:
    """An error instead of an answer."""

    code: int
    status: str
    message: str = "No."
    details: Sequence[Mapping[str, Any]] = ()
    raw: bytes | None = None


def retired_model() -> ScriptedError:
    """Return a 404 for a model that is no longer offered."""
    return ScriptedError(
        404,
        "NOT_FOUND",
        f"models/{MODEL} is not found for API version v1, or is not supported for generateContent. "
        "Call ListModels to see the list of available models.",
    )


def quota_error(delay: str | None = None, *, daily: bool = False) -> ScriptedError:
    """A 429, with a RetryInfo if `delay` is given, of the minute or of the day."""
    kind = "GenerateRequestsPerDayPerProjectPerModel-FreeTier" if daily else "PerMinute-FreeTier"
    violations = [{"quotaId": kind, "quotaValue": "200", "quotaDimensions": {"model": MODEL}}]
    details: list[dict[str, Any]] = [
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": violations}
    ]
    if delay:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
    message = "You exceeded your current quota, please check your plan and billing details."
    return ScriptedError(429, "RESOURCE_EXHAUSTED", message, details)


OVERLOADED = ScriptedError(503, "UNAVAILABLE", "The model is overloaded. Please try again later.")
WRONG_KEY = ScriptedError(
    400,
    "INVALID_ARGUMENT",
    "API key not valid. Please pass a valid API key.",
    [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
)
SUSPENDED = ScriptedError(
    403,
    "PERMISSION_DENIED",
    f"Permission denied: Consumer 'api_key:{KEY}' has been suspended.",
)


@dataclass
class GeminiRequest:
    """A request that arrived; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def text(self) -> str:
        """The text of all its contents."""
        contents = self.body.get("contents", [])
        return "\n".join(part.get("text", "") for c in contents for part in c.get("parts", []))


@dataclass
class GeminiServer:
    """The server; it runs within a `with` block, at the address `url`.

    Attributes:
        script: The responses to the next questions, in order.
        respond: Makes the response to every question after these.
        models: The names that it lists.
        key: The only key that it accepts.
        requests: What has arrived, in order.
    """

    script: list[ScriptedAnswer | ScriptedError] = field(default_factory=list)
    respond: Callable[[GeminiRequest], ScriptedAnswer | ScriptedError] = lambda _request: (
        ScriptedAnswer()
    )
    models: list[str] = field(default_factory=lambda: [MODEL, "gemini-3.8-flash"])
    key: str = KEY
    requests: list[GeminiRequest] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._serving = serving(_handler(self))
        self.url = self._serving.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._closing.set()
        self._serving.__exit__(*error)

    def requests_to(self, verb: str) -> list[GeminiRequest]:
        """Return the requests to a method of the API, such as streamGenerateContent."""
        return [request for request in self.requests if f":{verb}" in request.path]

    def next_response(self, request: GeminiRequest) -> ScriptedAnswer | ScriptedError:
        """Return the response to a question."""
        with self._lock:
            if self.script:
                return self.script.pop(0)
        return self.respond(request)


def event(
    text: str | None,
    *,
    finish: str | None = None,
    thinking: int | None = None,
    count: int = 0,
    version: str = f"{MODEL}-001",
) -> dict[str, Any]:
    """Return one GenerateContentResponse."""
    candidate: dict[str, Any] = {"index": 0}
    if text is not None:
        candidate["content"] = {"role": "model", "parts": [{"text": text}]}
    if finish:
        candidate["finishReason"] = finish
    usage: dict[str, Any] = {"promptTokenCount": 11, "candidatesTokenCount": count}
    if thinking is not None:
        usage["thoughtsTokenCount"] = thinking
    usage["totalTokenCount"] = 11 + count + (thinking or 0)
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": version}


def vector(text: str) -> list[float]:
    """Return eight numbers that depend on a text alone."""
    return [byte / 255 for byte in hashlib.sha256(text.encode()).digest()[:8]]


def _handler(server: GeminiServer) -> type[BaseHTTPRequestHandler]:
    class Handler(JsonHandler):
        def do_GET(self) -> None:
            if request := self.take():
                assert request.path.split("?")[0].endswith("/models"), request.path
                listed = [
                    {"name": f"models/{name}", "supportedGenerationMethods": ["generateContent"]}
                    for name in server.models
                ]
                embedder = {
                    "name": "models/gemini-embedding-2",
                    "supportedGenerationMethods": ["embedContent"],
                }
                self.answer(200, {"models": [*listed, embedder]})

        def do_POST(self) -> None:
            request = self.take()
            if request is None:
                return
            verb = request.path.split("?")[0].rsplit(":", 1)[-1]
            if verb == "batchEmbedContents":
                texts = [r["content"]["parts"][0]["text"] for r in request.body["requests"]]
                self.answer(200, {"embeddings": [{"values": vector(text)} for text in texts]})
            elif verb in ("streamGenerateContent", "generateContent"):
                response = server.next_response(request)
                if isinstance(response, ScriptedError):
                    self.refuse(response)
                elif verb == "generateContent":
                    whole = "".join(response.pieces)
                    self.answer(200, event(whole, finish=response.finish, count=3))
                else:
                    with suppress(ConnectionError):
                        self.stream(response)
            else:
                self.refuse(ScriptedError(404, "NOT_FOUND", f"no method {verb}"))

        def take(self) -> GeminiRequest | None:
            """Read and store the request; answer it here if its key is wrong."""
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = GeminiRequest(self.command, self.path, headers, body)
            server.requests.append(request)
            if headers.get("x-goog-api-key") != server.key:
                self.refuse(WRONG_KEY)
                return None
            return request

        def stream(self, scripted: ScriptedAnswer) -> None:
            asked = self.path.split("/models/")[-1].split(":")[0]
            version = scripted.answered or f"{asked}-001"
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            if scripted.block:
                self.send({"promptFeedback": {"blockReason": scripted.block}})
                self.end_stream()
                return
            for number, piece in enumerate(scripted.pieces, 1):
                if scripted.pause and server._closing.wait(scripted.pause):
                    return
                last = number == len(scripted.pieces) and not scripted.endless
                finish = (
                    scripted.finish
                    if last and not (scripted.cut or scripted.half or scripted.late_error)
                    else None
                )
                self.send(
                    event(
                        piece,
                        finish=finish,
                        thinking=scripted.thinking,
                        count=number,
                        version=version,
                    )
                )
            if not scripted.pieces:
                self.send(event(None, finish=scripted.finish, thinking=scripted.thinking))
            while scripted.endless and not server._closing.wait(0.02):
                self.send(event(scripted.pieces[-1]))
            if scripted.silent:
                server._closing.wait(60)
            if scripted.late_error:
                self.send(
                    {"error": {"code": scripted.late_error, "status": "INTERNAL", "message": "-"}}
                )
            if scripted.half:
                self.write(b'data: {"candidates": [{"content": {"parts": [{"te')
            if scripted.cut or scripted.half:
                self.close_connection = True
            else:
                self.end_stream()

        def send(self, document: Mapping[str, Any]) -> None:
            self.write(b"data: " + json.dumps(document).encode() + b"\r\n\r\n")

        def write(self, data: bytes) -> None:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
            self.wfile.flush()

        def end_stream(self) -> None:
            self.wfile.write(b"0\r\n\r\n")

        def refuse(self, error: ScriptedError) -> None:
            document = {
                "error": {
                    "code": error.code,
                    "message": error.message,
                    "status": error.status,
                    "details": list(error.details),
                }
            }
            self.answer(error.code, document, error.raw)

    return Handler


def wait_until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until a condition is true; fail if it is not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not become true in time"
        time.sleep(0.01)
