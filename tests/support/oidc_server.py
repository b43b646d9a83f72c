"""An OpenID Connect provider on this machine: discovery, keys, sign-in page and signed tokens.

It follows OpenID Connect Core 1.0 as far as the authorization code flow with PKCE needs it, and
refuses what a client gets wrong, so that a test over it holds for a provider in the world.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import secrets
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.support.servers import serving

CLIENT_ID, CLIENT_SECRET = "fareground", "the-secret-of-the-client"
COOKIE_SECRET = "the-secret-that-cookies-are-signed-with"


@dataclass
class _Grant:
    """What a code is good for, once."""

    claims: dict[str, Any]
    nonce: str
    redirect_uri: str
    challenge: str


@dataclass
class Provider:
    """A running provider; whoever presses Continue there is the person in `person`.

    Attributes:
        person: Claims about the person, such as email and email_verified.
        forged: Whether tokens are signed with a key that the provider does not publish.
    """

    person: dict[str, Any] = field(default_factory=dict)
    forged: bool = False

    def __enter__(self) -> Self:
        self._key = RSAKey.generate_key(2048, {"kid": "1", "use": "sig"}, private=True)
        self._other = RSAKey.generate_key(2048, {"kid": "1"}, private=True)
        self._grants: dict[str, _Grant] = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
                self._answer(*provider._get(parts.path, query))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = {name: values[-1] for name, values in parse_qs(body).items()}
                self._answer(*provider._token(form, self.headers.get("Authorization", "")))

            def _answer(self, status: int, content: object, location: str = "") -> None:
                text = isinstance(content, str)
                body = (content if isinstance(content, str) else json.dumps(content)).encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/html" if text else "application/json")
                self.send_header("Content-Length", str(len(body)))
                if location:
                    self.send_header("Location", location)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._serving = serving(Handler)
        self.url = self._serving.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._serving.__exit__(*error)

    def auth_toml(self, app: str) -> str:
        """Return the auth.toml of an app at this address."""
        return (
            f'[auth]\nredirect_uri = "{app}/oauth2callback"\ncookie_secret = "{COOKIE_SECRET}"\n'
            f'client_id = "{CLIENT_ID}"\nclient_secret = "{CLIENT_SECRET}"\n'
            f'server_metadata_url = "{self.url}/.well-known/openid-configuration"\n'
        )

    def _get(self, path: str, query: dict[str, str]) -> tuple[Any, ...]:
        if path == "/.well-known/openid-configuration":
            return 200, {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
                "code_challenge_methods_supported": ["S256"],
            }
        if path == "/keys":
            return 200, {"keys": [self._key.as_dict(private=False)]}
        if path == "/authorize":
            return self._ask(query)
        if path == "/favicon.ico":
            return 200, ""
        return 404, "<h1>There is nothing here</h1>"

    def _ask(self, query: dict[str, str]) -> tuple[Any, ...]:
        """Return the page on which the person agrees."""
        fit = (
            query.get("client_id") == CLIENT_ID
            and query.get("response_type") == "code"
            and query.get("code_challenge_method") == "S256"
            and "openid" in query.get("scope", "").split()
            and query.get("state")
            and query.get("nonce")
        )
        if not fit:
            return 400, "<h1>The client asks for what it cannot have</h1>"
        code = secrets.token_urlsafe(24)
        self._grants[code] = _Grant(
            dict(self.person), query["nonce"], query["redirect_uri"], query["code_challenge"]
        )
        back = f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"
        return 200, f'<h1>Provider</h1><a href="{html.escape(back)}">Continue</a>'

    def _token(self, form: dict[str, str], authorization: str) -> tuple[Any, ...]:
        given = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        grant = self._grants.pop(form.get("code", ""), None)
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).decode().rstrip("=")
        if unquote(given) != f"{CLIENT_ID}:{CLIENT_SECRET}":
            return 401, {"error": "invalid_client"}
        if (
            grant is None
            or form.get("grant_type") != "authorization_code"
            or form.get("redirect_uri") != grant.redirect_uri
            or challenge != grant.challenge
        ):
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT_ID,
            "sub": str(grant.claims.get("email")),
            "iat": now,
            "exp": now + 300,
            "nonce": grant.nonce,
            **grant.claims,
        }
        key = self._other if self.forged else self._key
        token = jwt.encode({"alg": "RS256", "kid": "1"}, claims, key)
        return 200, {
            "access_token": secrets.token_urlsafe(24),
            "token_type": "Bearer",
            "expires_in": 300,
            "id_token": token,
        }
