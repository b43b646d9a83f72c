"""Documents that can be fetched by name, once and on request, from hosts the settings allow."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

from pipeline.answers.documents import Document, Documents
from pipeline.cancel import Cancel
from pipeline.errors import NotPublished, SourceUnreachable, UsageError
from pipeline.settings import Settings

FETCH_SECONDS = 60.0
REDIRECTS = 5


@dataclass(frozen=True)
class Preset:
    """A public document: its name on the command line, what it is, and its address."""

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
    name: str, documents: Documents, settings: Settings, cancel: Cancel | None = None
) -> Document:
    """Fetch a preset and keep it.

    Raises UsageError when there is no such preset or its host is not allowed, SourceError when it
    cannot be had, DocumentError when it is too large or cannot be read.
    """
    preset = PRESETS.get(name)
    if preset is None:
        raise UsageError(
            f"There is no preset {name!r}.", cure=f"There are: {', '.join(sorted(PRESETS))}."
        )
    content = fetch(preset.address, settings, cancel or Cancel())
    file = urlsplit(preset.address).path.rsplit("/", 1)[-1]
    return documents.add(file, content, preset.address, settings)


def allowed(address: str, settings: Settings) -> bool:
    """Whether an address is http(s), has no login, and is on a host that the settings allow."""
    try:
        parts = urlsplit(address)
        host = parts.netloc.lower()
    except ValueError:
        return False
    hosts = {name.strip().lower() for name in settings.document_hosts.split(",") if name.strip()}
    return parts.scheme in ("http", "https") and host in hosts


def fetch(address: str, settings: Settings, cancel: Cancel) -> bytes:
    """Return what an address serves; each redirect must lead to an allowed host too.

    Raises SourceUnreachable when it does not come whole within time, or from elsewhere.
    """
    from pipeline.web import Refused, Transient, run

    async def within_time() -> bytes:
        async with asyncio.timeout(FETCH_SECONDS):
            return await _follow(address, settings)

    try:
        return run(within_time, cancel)
    except TimeoutError:
        raise SourceUnreachable(
            f"{address} did not arrive within {FETCH_SECONDS:g} s.", cure="Try again later."
        ) from None
    except (Transient, Refused) as error:
        raise SourceUnreachable(
            f"{address} cannot be fetched: {error}.",
            cure="Try again later, or save the page and add the file.",
        ) from None


async def _follow(address: str, settings: Settings) -> bytes:
    from pipeline.web import Refused, answer, client, judge

    limit = int(settings.max_document_mb * 1e6)
    async with client(settings, None, REDIRECTS) as http:
        http.follow_redirects = False
        for _ in range(REDIRECTS + 1):
            if not allowed(address, settings):
                raise UsageError(
                    f"{urlsplit(address).netloc or address} is not a host that documents may come "
                    "from.",
                    cure="Add it to FAREGROUND_DOCUMENT_HOSTS if you trust it.",
                )
            async with answer(http, "GET", address, {}) as response:
                if response.has_redirect_location:
                    address = str(response.url.join(response.headers["Location"]))
                    continue
                if response.status_code in (404, 410):
                    raise NotPublished(
                        f"There is nothing at {address}.", cure="Look for its new address."
                    )
                judge(response)
                body = bytearray()
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > limit:
                        raise Refused(f"it is larger than {settings.max_document_mb:g} MB")
                return bytes(body)
        raise Refused("it redirects too often")
