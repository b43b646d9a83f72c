"""Who may use the app where sign-in is on: e-mail addresses on a list, some of which may only look.

Streamlit talks to the OpenID Connect provider, whose client is in `.streamlit/auth.toml`; here is
decided what the person may do who comes back from there. Whatever is unclear is refused.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError
from pipeline.redact import remember
from pipeline.setting_files import read_toml
from pipeline.settings import read_secrets, variable_name

# A file of its own: Streamlit copies what it reads from secrets.toml into the environment, over the
# variables that are set there. From the folder the app is started in.
AUTH_PATH = Path(".streamlit/auth.toml")

_SECRETS = ("client_secret", "cookie_secret")


class Role(StrEnum):
    """What somebody may do."""

    EDITOR = "editor"  # everything; everybody where sign-in is off
    READER = "reader"  # look at every page, and change nothing
    SIGNED_OUT = "signed out"
    UNVERIFIED = "unverified"  # the provider does not vouch for the address
    STRANGER = "stranger"  # not on the list

    @property
    def may_look(self) -> bool:
        """Whether the pages are shown."""
        return self in (Role.EDITOR, Role.READER)


@dataclass(frozen=True)
class Lists:
    """E-mail addresses in lower case: who may do everything, and who may only look."""

    allowed: frozenset[str]
    readers: frozenset[str]


def read_lists() -> Lists:
    """Return who may use the app, as the environment or secrets.toml says.

    Other settings may be wrong meanwhile: it is in the app that they are put right. Raises
    UsageError when secrets.toml is damaged.
    """
    kept = read_secrets()

    def find(field: str) -> frozenset[str]:
        text = str(os.environ.get(variable_name(field), kept.get(field, "")))
        return frozenset(one.strip().casefold() for one in text.split(",") if one.strip())

    return Lists(find("sign_in_allowed"), find("sign_in_readers"))


def is_required(lists: Lists) -> bool:
    """Whether people must sign in: a provider is set up, or an address is on a list.

    Raises UsageError when auth.toml is damaged, or there are addresses and no provider.
    """
    provider = _read_provider()
    if (lists.allowed or lists.readers) and not provider:
        raise UsageError(
            "Somebody is to sign in (FAREGROUND_SIGN_IN_ALLOWED, FAREGROUND_SIGN_IN_READERS), but "
            f"{AUTH_PATH} names no provider, so nobody can.",
            cure="Fill in .streamlit/auth.toml as in auth.toml.example, and start the app again.",
        )
    return bool(provider)


def find_role(claims: Mapping[str, Any], lists: Lists) -> Role:
    """Return what the person may do of whom a provider says this.

    Args:
        claims: `is_logged_in`, and of OpenID Connect's own `email` and `email_verified`.
    """
    if claims.get("is_logged_in") is not True:
        return Role.SIGNED_OUT
    email = str(claims.get("email") or "").strip().casefold()
    # Without this, whoever may write any address into a profile could be anybody:
    # https://openid.net/specs/openid-connect-core-1_0.html#StandardClaims
    if not email or claims.get("email_verified") is not True:
        return Role.UNVERIFIED
    if email in lists.readers:  # the lesser right, where both are given
        return Role.READER
    return Role.EDITOR if email in lists.allowed else Role.STRANGER


def _read_provider() -> Mapping[str, Any]:
    found = read_toml(AUTH_PATH).get("auth", {})
    if not isinstance(found, dict):
        raise UsageError(
            f"{AUTH_PATH} does not say which provider people sign in with.",
            cure="Compare it with .streamlit/auth.toml.example.",
        )
    for name in _SECRETS:
        remember(str(found.get(name, "")))
    return found
