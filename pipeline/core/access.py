"""Authorization of app users: maps the claims of a signed-in person to a role.

Authentication is Streamlit's: it talks to the OpenID Connect provider configured in
`.streamlit/auth.toml`. This module compares the e-mail address that the provider returns with the
two lists in the settings. A missing or malformed claim denies access.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pipeline.core.errors import UsageError
from pipeline.core.redact import remember
from pipeline.core.settings.files import read_toml
from pipeline.core.settings.settings import read_secrets, variable_name

# Relative to the folder the app is started in. Separate from secrets.toml, because Streamlit copies
# the values of secrets.toml into the environment and overwrites variables that are already set.
AUTH_PATH = Path(".streamlit/auth.toml")

_SECRET_NAMES = ("client_secret", "cookie_secret")


class Role(StrEnum):
    """Permission of the person at a browser session."""

    EDITOR = "editor"  # reads and changes everything; everyone has it where sign-in is off
    VIEWER = "viewer"  # reads every page and changes nothing
    SIGNED_OUT = "signed out"
    UNVERIFIED = "unverified"  # the provider has not verified the e-mail address
    NOT_LISTED = "not listed"  # signed in, but on neither list

    @property
    def can_view(self) -> bool:
        """Whether this role may open the pages."""
        return self in (Role.EDITOR, Role.VIEWER)


@dataclass(frozen=True)
class Lists:
    """E-mail addresses of editors and viewers, case-folded.

    Attributes:
        editors: Addresses in FAREGROUND_SIGN_IN_ALLOWED.
        viewers: Addresses in FAREGROUND_SIGN_IN_READERS.
    """

    editors: frozenset[str]
    viewers: frozenset[str]


def read_lists() -> Lists:
    """Read the lists of editors and viewers from the environment, else from secrets.toml.

    Does not load `Settings`: an editor must be able to sign in to correct an invalid setting.

    Raises:
        UsageError: secrets.toml is not valid TOML.
    """
    secrets = read_secrets()

    def addresses(field: str) -> frozenset[str]:
        text = str(os.environ.get(variable_name(field), secrets.get(field, "")))
        return frozenset(item.strip().casefold() for item in text.split(",") if item.strip())

    return Lists(addresses("sign_in_allowed"), addresses("sign_in_readers"))


def is_required(lists: Lists) -> bool:
    """Return whether the app requires sign-in, which is so once auth.toml configures a provider.

    Raises:
        UsageError: auth.toml is invalid, or addresses are listed and no provider is configured.
            Opening the app to everyone would contradict the lists.
    """
    provider = _read_provider()
    if (lists.editors or lists.viewers) and not provider:
        raise UsageError(
            "Sign-in is required (FAREGROUND_SIGN_IN_ALLOWED, FAREGROUND_SIGN_IN_READERS), but "
            f"{AUTH_PATH} names no provider, so nobody can sign in.",
            cure="Fill in .streamlit/auth.toml as in auth.toml.example, and restart the app.",
        )
    return bool(provider)


def find_role(claims: Mapping[str, Any], lists: Lists) -> Role:
    """Return the role of the person that the claims describe.

    Args:
        claims: Streamlit's `is_logged_in`, and OpenID Connect's `email` and `email_verified`.
        lists: Addresses of editors and viewers. An address on both lists is a viewer's.
    """
    if claims.get("is_logged_in") is not True:
        return Role.SIGNED_OUT
    email = str(claims.get("email") or "").strip().casefold()
    # An unverified address proves nothing: some providers let people type any address into their
    # profile. https://openid.net/specs/openid-connect-core-1_0.html#StandardClaims
    if not email or claims.get("email_verified") is not True:
        return Role.UNVERIFIED
    if email in lists.viewers:
        return Role.VIEWER
    return Role.EDITOR if email in lists.editors else Role.NOT_LISTED


def _read_provider() -> Mapping[str, Any]:
    """Return the [auth] table of auth.toml, {} without one, and register its secrets for redaction.

    Raises:
        UsageError: auth.toml is invalid TOML, or `auth` is not a table.
    """
    provider = read_toml(AUTH_PATH).get("auth", {})
    if not isinstance(provider, dict):
        raise UsageError(
            f"{AUTH_PATH} does not name a sign-in provider.",
            cure="Compare it with .streamlit/auth.toml.example.",
        )
    for name in _SECRET_NAMES:
        remember(str(provider.get(name, "")))
    return provider
