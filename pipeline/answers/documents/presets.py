"""Fetch public documents by name, on request, from hosts that the settings allow."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

from pipeline.answers.documents.documents import Document, DocumentStore
from pipeline.core.cancel import Cancel
from pipeline.core.errors import NotPublished, SourceUnreachable, UsageError
from pipeline.core.settings.settings import Settings

FETCH_SECONDS = 60.0
REDIRECTS = 5


@dataclass(frozen=True)
class Preset:
    """A public document; `name` stands for it on the command line."""

    name: str
    title: str
    address: str


PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            "kestra-1.1",
            "Kestra 1.1 release notes",
            "https://raw.githubusercontent.com/kestra-io/docs/refs/heads/main/"
            "src/contents/blogs/release-1-1/index.md",
        ),
    )
}


def add_preset(
    name: str, documents: DocumentStore, settings: Settings, cancel: Cancel | None = None
) -> Document:
    """Fetch a preset and store it.

    Raises UsageError when there is no such preset or its host is not allowed, SourceError when it
    cannot be fetched, DocumentError when it is too large or cannot be read.
    """
    preset = PRESETS.get(name)
    if preset is None:
        raise UsageError(
            f"There is no preset {name!r}.", cure=f"There are: {', '.join(sorted(PRESETS))}."
        )
    content = fetch(preset.address, settings, cancel or Cancel())
    file_name = urlsplit(preset.address).path.rsplit("/", 1)[-1]
    return documents.add(file_name, content, preset.address, settings)


def is_allowed(address: str, settings: Settings) -> bool:
    """Return whether an address is HTTP(S), without a login, on a host that the settings allow."""
    try:
        parts = urlsplit(address)
        host = parts.netloc.lower()
    except ValueError:
        return False
    hosts = {name.strip().lower() for name in settings.document_hosts.split(",") if name.strip()}
    return parts.scheme in ("http", "https") and host in hosts


def fetch(address: str, settings: Settings, cancel: Cancel) -> bytes:
    """Return what an address serves; redirects are followed to allowed hosts only.

    Raises SourceUnreachable when it does not arrive completely within FETCH_SECONDS, NotPublished
    when there is nothing, UsageError when a host is not allowed.
    """
    from pipeline.files.web import RequestRefused, TransientFailure, run

    async def within_time() -> bytes:
        async with asyncio.timeout(FETCH_SECONDS):
            return await _follow(address, settings)

    try:
        return run(within_time, cancel)
    except TimeoutError:
        raise SourceUnreachable(
            f"{address} was not downloaded within {FETCH_SECONDS:g} s.", cure="Try again later."
        ) from None
    except (TransientFailure, RequestRefused) as error:
        raise SourceUnreachable(
            f"{address} cannot be fetched: {error}.",
            cure="Try again later, or save the page and add the file.",
        ) from None


async def _follow(named: str, settings: Settings) -> bytes:
    from pipeline.files.web import RequestRefused, check_status, make_client, send_request

    limit = int(settings.max_document_mb * 1e6)
    address = named
    async with make_client(settings, None, REDIRECTS) as http:
        http.follow_redirects = False
        for _ in range(REDIRECTS + 1):
            if not is_allowed(address, settings):
                raise UsageError(
                    f"{urlsplit(address).netloc or address} is not an allowed host for documents.",
                    cure="Add it to FAREGROUND_DOCUMENT_HOSTS if you trust it.",
                )
            async with send_request(http, "GET", address, {}, named) as response:
                if response.has_redirect_location:
                    address = str(response.url.join(response.headers["Location"]))
                    continue
                if response.status_code in (404, 410):
                    raise NotPublished(
                        f"There is nothing at {address}.", cure="Look for its new address."
                    )
                check_status(response)
                body = bytearray()
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > limit:
                        raise RequestRefused(f"it is larger than {settings.max_document_mb:g} MB")
                return bytes(body)
        raise RequestRefused("it redirects too often")
