"""A local server that speaks the Gemini API, for the real client to be tested against.

A test double and nothing else: it answers what a test told it to, and misbehaves on demand. Shapes
and texts of errors follow the real API's.
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

from tests.servers import JsonHandler, serving

KEY = "canary-key-4f1c7d20b9"
MODEL = "gemini-3.5-flash-lite"


@dataclass(frozen=True)
class Say:
    """An answer: its pieces, and what is wrong with how it comes."""

    pieces: Sequence[str] = ("Hello", " there.")
    pause: float = 0.0  # seconds before each piece
    finish: str | None = "STOP"  # None: the stream ends without one
    thinking: int | None = 5
    cut: bool = False  # the connection drops after the pieces
    half: bool = False  # it drops in the middle of an event
    endless: bool = False  # the last piece comes again and again
    silent: bool = False  # the connection stays open and nothing comes any more
    block: str = ""  # the question is blocked for this reason
    late_error: int = 0  # after the pieces comes an error event with this code


@dataclass(frozen=True)
class Refuse:
    """An error instead of an answer."""

    code: int
    status: str
    message: str = "No."
    details: Sequence[Mapping[str, Any]] = ()
    raw: bytes | None = None


def retired() -> Refuse:
    return Refuse(
        404,
        "NOT_FOUND",
        f"models/{MODEL} is not found for API version v1, or is not supported for generateContent. "
        "Call ListModels to see the list of available models.",
    )


def quota(delay: str | None = None, *, daily: bool = False) -> Refuse:
    """A 429, with a RetryInfo if `delay` is given, of the minute or of the day."""
    kind = "GenerateRequestsPerDayPerProjectPerModel-FreeTier" if daily else "PerMinute-FreeTier"
    violations = [{"quotaId": kind, "quotaValue": "200", "quotaDimensions": {"model": MODEL}}]
    details: list[dict[str, Any]] = [
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": violations}
    ]
    if delay:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
    message = "You exceeded your current quota, please check your plan and billing details."
    return Refuse(429, "RESOURCE_EXHAUSTED", message, details)


OVERLOADED = Refuse(503, "UNAVAILABLE", "The model is overloaded. Please try again later.")
WRONG_KEY = Refuse(
    400,
    "INVALID_ARGUMENT",
    "API key not valid. Please pass a valid API key.",
    [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
)
SUSPENDED = Refuse(
    403,
    "PERMISSION_DENIED",
    f"Permission denied: Consumer 'api_key:{KEY}' has been suspended.",
)


@dataclass
class Asked:
    """A request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def text(self) -> str:
        """All the text of its contents."""
        contents = self.body.get("contents", [])
        return "\n".join(part.get("text", "") for c in contents for part in c.get("parts", []))


@dataclass
class GeminiServer:
    """The server; its address is `url` within a `with` block.

    `script` is what the next questions get, in turn; after that, `reply` decides by the request.
    """

    script: list[Say | Refuse] = field(default_factory=list)
    reply: Callable[[Asked], Say | Refuse] = lambda _asked: Say()
    models: list[str] = field(default_factory=lambda: [MODEL, "gemini-3.8-flash"])
    key: str = KEY
    requests: list[Asked] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._serving = serving(_handler(self))
        self.url = self._serving.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._closing.set()
        self._serving.__exit__(*error)

    def asked(self, verb: str) -> list[Asked]:
        """The requests to one method of the API, such as streamGenerateContent."""
        return [request for request in self.requests if f":{verb}" in request.path]

    def decide(self, asked: Asked) -> Say | Refuse:
        with self._lock:
            if self.script:
                return self.script.pop(0)
        return self.reply(asked)


def event(
    text: str | None, *, finish: str | None = None, thinking: int | None = None, count: int = 0
) -> dict[str, Any]:
    """One GenerateContentResponse."""
    candidate: dict[str, Any] = {"index": 0}
    if text is not None:
        candidate["content"] = {"role": "model", "parts": [{"text": text}]}
    if finish:
        candidate["finishReason"] = finish
    usage: dict[str, Any] = {"promptTokenCount": 11, "candidatesTokenCount": count}
    if thinking is not None:
        usage["thoughtsTokenCount"] = thinking
    usage["totalTokenCount"] = 11 + count + (thinking or 0)
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": f"{MODEL}-001"}


def vector(text: str) -> list[float]:
    """Eight numbers that stand for a text: the same for the same text."""
    return [byte / 255 for byte in hashlib.sha256(text.encode()).digest()[:8]]


def _handler(server: GeminiServer) -> type[BaseHTTPRequestHandler]:
    class Handler(JsonHandler):
        def do_GET(self) -> None:
            if asked := self.take():
                assert asked.path.split("?")[0].endswith("/models"), asked.path
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
            asked = self.take()
            if asked is None:
                return
            verb = asked.path.split("?")[0].rsplit(":", 1)[-1]
            if verb == "countTokens":
                self.answer(200, {"totalTokens": len(asked.text.split())})
            elif verb == "batchEmbedContents":
                texts = [r["content"]["parts"][0]["text"] for r in asked.body["requests"]]
                self.answer(200, {"embeddings": [{"values": vector(text)} for text in texts]})
            elif verb in ("streamGenerateContent", "generateContent"):
                decision = server.decide(asked)
                if isinstance(decision, Refuse):
                    self.refuse(decision)
                elif verb == "generateContent":
                    whole = "".join(decision.pieces)
                    self.answer(200, event(whole, finish=decision.finish, count=3))
                else:
                    with suppress(ConnectionError):
                        self.stream(decision)
            else:
                self.refuse(Refuse(404, "NOT_FOUND", f"no method {verb}"))

        def take(self) -> Asked | None:
            """Read and note the request; refuse it here if its key is wrong."""
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, self.path, headers, body)
            server.requests.append(asked)
            if headers.get("x-goog-api-key") != server.key:
                self.refuse(WRONG_KEY)
                return None
            return asked

        def stream(self, say: Say) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            if say.block:
                self.send({"promptFeedback": {"blockReason": say.block}})
                self.end_stream()
                return
            for number, piece in enumerate(say.pieces, 1):
                if say.pause and server._closing.wait(say.pause):
                    return
                last = number == len(say.pieces) and not say.endless
                finish = (
                    say.finish if last and not (say.cut or say.half or say.late_error) else None
                )
                self.send(event(piece, finish=finish, thinking=say.thinking, count=number))
            if not say.pieces:
                self.send(event(None, finish=say.finish, thinking=say.thinking))
            while say.endless and not server._closing.wait(0.02):
                self.send(event(say.pieces[-1]))
            if say.silent:
                server._closing.wait(60)
            if say.late_error:
                self.send({"error": {"code": say.late_error, "status": "INTERNAL", "message": "-"}})
            if say.half:
                self.write(b'data: {"candidates": [{"content": {"parts": [{"te')
            if say.cut or say.half:
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

        def refuse(self, error: Refuse) -> None:
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


def wait_until(happened: Callable[[], bool], seconds: float = 5.0) -> None:
    """Return once something has happened; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
