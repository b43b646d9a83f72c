"""A local server that hands out tokens as Google's does, and services that ask for one.

with TokenServer() as server:
    settings = Settings(gcp_creds=json.dumps(server.key), ...)
    server.expire()          # what was handed out is refused with 401 from now on
    server.refusal = "..."   # no more tokens, for this reason
"""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from typing import Any, Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.servers import JsonHandler, serving

ACCOUNT = "loader@some-project.iam.gserviceaccount.com"
# The settings of a warehouse that the server knows.
PLACE = {
    "GCP_PROJECT_ID": "some-project",
    "GCP_LOCATION": "EU",
    "GCP_BUCKET_NAME": "some-trips",
    "GCP_DATASET": "trips",
}


class TokenServer:
    """The running server; `tokens` is how many were handed out, `refused` how many were late."""

    def __init__(self) -> None:
        self.tokens = 0
        self.refused = 0
        self.refusal = ""
        self.seen: list[tuple[str, str]] = []
        self._good: set[str] = set()
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._pem = private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()

    def __enter__(self) -> Self:
        self._serving = serving(_handler(self))
        self.url = self._serving.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._serving.__exit__(*error)

    @property
    def key(self) -> dict[str, str]:
        """A service account's key that leads here."""
        return {
            "type": "service_account",
            "client_email": ACCOUNT,
            "private_key": self._pem,
            "private_key_id": "1",
            "token_uri": f"{self.url}/token",
        }

    def expire(self) -> None:
        """Refuse from now on what was handed out until now."""
        self._good.clear()

    def hand_out(self) -> str:
        self.tokens += 1
        token = f"canary-token-{self.tokens}"
        self._good.add(token)
        return token

    def accepts(self, header: str) -> bool:
        good = header.removeprefix("Bearer ") in self._good
        self.refused += not good
        return good


def _handler(server: TokenServer) -> type[BaseHTTPRequestHandler]:
    class Handler(JsonHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            server.seen.append(("POST", self.path))
            if server.refusal:
                said = {"error": server.refusal, "error_description": "canary-description"}
                self.answer(400, said)
            else:
                self.answer(200, {"access_token": server.hand_out(), "expires_in": 3600})

        def do_GET(self) -> None:
            server.seen.append(("GET", self.path))
            if not server.accepts(self.headers.get("Authorization") or ""):
                self.answer(401, {"error": {"code": 401, "message": "Invalid Credentials"}})
            elif "/datasets/" in self.path:
                place = {"projectId": "some-project", "datasetId": "trips"}
                self.answer(200, {"datasetReference": place, "location": "EU"})
            else:
                self.answer(200, {"name": "some-trips", "location": "EU"})

    return Handler
