"""Serve the OpenAI API on this machine, for tests of the real client.

The server answers what a test tells it to, and misbehaves on demand. Shapes and texts of its errors
are those of Ollama, llama.cpp, vLLM, LiteLLM and OpenAI.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Self

from tests.support.servers import JsonHandler, serving

MODEL = "tiny-3b:q4"


@dataclass(frozen=True)
class ScriptedChat:
    """An answer in pieces, and what goes wrong while it is sent."""

    pieces: Sequence[str] = ("Hello", " there.")
    pause: float = 0.0  # seconds before each piece
    finish: str | None = "stop"  # None: the stream ends without one
    model: str = ""  # what the server says has answered; by default what was asked
    usage: Mapping[str, Any] | None = field(
        default_factory=lambda: {"prompt_tokens": 21, "completion_tokens": 9, "total_tokens": 30}
    )
    refusal: str = ""
    reasoning: str = ""  # sent before the answer, as vLLM and llama.cpp do
    cut: bool = False  # the connection drops after the pieces
    half: bool = False  # it drops in the middle of an event
    silent: bool = False  # the connection stays open and nothing more is sent
    late_error: str = ""  # after the pieces, an error event with this message


@dataclass(frozen=True)
class ScriptedRefusal:
    """An error instead of an answer."""

    code: int
    message: str = "No."
    kind: str = "invalid_request_error"
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None  # sent instead of the error
    content_type: str = "application/json"


@dataclass
class ChatRequest:
    """A request that arrived; header names are in lower case."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def text(self) -> str:
        """The text of all its messages."""
        return "\n".join(message["content"] for message in self.body.get("messages", []))


@dataclass
class OpenAIServer:
    """The server; it runs within a `with` block, at the address `url`.

    Attributes:
        script: The responses to the next questions, in order.
        respond: Makes the response to every question after these.
        models: The names that it lists.
        key: The only key that it accepts; it asks for none if empty.
        listing: Sent instead of the list of models.
        requests: What has arrived, in order.
    """

    script: list[ScriptedChat | ScriptedRefusal] = field(default_factory=list)
    respond: Callable[[ChatRequest], ScriptedChat | ScriptedRefusal] = lambda _request: (
        ScriptedChat()
    )
    models: list[str] = field(default_factory=lambda: [MODEL, "other-7b"])
    key: str = ""
    listing: ScriptedRefusal | None = None
    requests: list[ChatRequest] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._serving = serving(_handler(self))
        self.url = f"{self._serving.__enter__()}/v1"
        return self

    def __exit__(self, *error: Any) -> None:
        self._closing.set()
        self._serving.__exit__(*error)

    @property
    def questions(self) -> list[ChatRequest]:
        """The requests for an answer."""
        return [request for request in self.requests if request.path.endswith("/completions")]

    def next_response(self, request: ChatRequest) -> ScriptedChat | ScriptedRefusal:
        """Return the response to a question."""
        with self._lock:
            if self.script:
                return self.script.pop(0)
        return self.respond(request)


def _handler(server: OpenAIServer) -> type[BaseHTTPRequestHandler]:
    class Handler(JsonHandler):
        def do_GET(self) -> None:
            if self.take() is None:
                return
            if server.listing:
                self.refuse(server.listing)
            elif self.path == "/v1/models":
                listed = [{"id": name, "object": "model"} for name in server.models]
                self.answer(200, {"object": "list", "data": listed})
            else:
                self.refuse(ScriptedRefusal(404, raw=b"404 page not found"))

        def do_POST(self) -> None:
            request = self.take()
            if request is None:
                return
            if self.path != "/v1/chat/completions":
                self.refuse(ScriptedRefusal(404, raw=b"404 page not found"))
                return
            response = server.next_response(request)
            if isinstance(response, ScriptedRefusal):
                self.refuse(response)
            else:
                with suppress(ConnectionError):
                    self.stream(response, request)

        def take(self) -> ChatRequest | None:
            """Read and store the request; answer it here if its key is wrong."""
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = ChatRequest(self.path, headers, body)
            server.requests.append(request)
            if server.key and headers.get("authorization") != f"Bearer {server.key}":
                self.refuse(ScriptedRefusal(401, f"Incorrect API key: {server.key}"))
                return None
            return request

        def stream(self, scripted: ScriptedChat, request: ChatRequest) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            model = scripted.model or request.body["model"]

            def send(delta: Mapping[str, Any], finish: str | None = None) -> None:
                choice = {"index": 0, "delta": dict(delta), "finish_reason": finish}
                self.send({"id": "c-1", "model": model, "choices": [choice]})

            send({"role": "assistant", "content": ""})
            if scripted.reasoning:
                send({"reasoning_content": scripted.reasoning})
            if scripted.refusal:
                send({"refusal": scripted.refusal})
            for piece in scripted.pieces:
                if scripted.pause and server._closing.wait(scripted.pause):
                    return
                send({"content": piece})
            if scripted.silent:
                server._closing.wait(60)
            if scripted.late_error:
                self.send({"error": {"message": scripted.late_error, "type": "server_error"}})
            if scripted.half:
                self.write(b'data: {"id": "c-1", "choices": [{"del')
            if scripted.cut or scripted.half:
                self.close_connection = True
                return
            if scripted.finish:
                send({}, scripted.finish)
            if scripted.usage:
                self.send({"id": "c-1", "model": model, "choices": [], "usage": scripted.usage})
            self.write(b"data: [DONE]\n\n")
            self.wfile.write(b"0\r\n\r\n")

        def send(self, document: Mapping[str, Any]) -> None:
            self.write(b"data: " + json.dumps(document).encode() + b"\n\n")

        def write(self, data: bytes) -> None:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
            self.wfile.flush()

        def refuse(self, error: ScriptedRefusal) -> None:
            inner = {"message": error.message, "type": error.kind, "code": error.kind}
            content = error.raw
            if content is None:
                content = json.dumps({"error": inner}).encode()
            self.send_response(error.code)
            self.send_header("Content-Type", error.content_type)
            self.send_header("Content-Length", str(len(content)))
            for name, value in error.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

    return Handler
