"""Keep a server's redirects away from this machine and its private network.

The address that a person named may be anywhere, also on this machine. Whoever answers there may
redirect to any other address, and would borrow our place in the network: loopback, the private and
link-local networks, the metadata service of a cloud. So all other origins must be public. The
connection is made to the very address that was checked: a name may lead elsewhere a moment later.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from urllib.request import getproxies, proxy_bypass

import httpx2

NAMED_ORIGIN = "fareground_named_origin"  # the extension of a request that says what a person named

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Special networks that the module of Python 3.11 takes for global.
_SPECIAL = (ipaddress.ip_network("64:ff9b:1::/48"), ipaddress.ip_network("192.0.0.0/24"))
_UPGRADE = (("http", 80), ("https", 443))  # a redirect from the first to the second names the same

Origin = tuple[str, str, int]


class NotPublic(Exception):
    """A redirect leads to this machine or into a private network."""


class PublicTransport(httpx2.AsyncBaseTransport):
    """Sends requests to the named origin anywhere, and to all other origins only if public.

    Where a proxy is set, the proxy resolves names; only addresses that are written out, and this
    machine's name, are checked here.
    """

    def __init__(self, verify: ssl.SSLContext) -> None:
        self._verify = verify
        # One of each proxy and pinned host: a connection is reused for its address alone, and
        # two hosts of one address have different certificates.
        self._transports: dict[tuple[str | None, str], httpx2.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; raise NotPublic if it must not be sent."""
        if request.url.scheme not in ("http", "https"):
            raise httpx2.UnsupportedProtocol(f"{request.url.scheme}: is not http or https")
        proxy = _find_proxy(request.url)
        host = request.url.host
        if is_same_origin(request.extensions.get(NAMED_ORIGIN), origin_of(request.url)):
            return await self._transport(proxy).handle_async_request(request)
        _require_public(host, _written_addresses(host))
        if proxy:
            return await self._transport(proxy).handle_async_request(request)
        addresses = await _resolve(request.url)
        _require_public(host, addresses)
        transport = self._transport(None, pinned=host)
        for address in addresses[:-1]:
            try:
                return await transport.handle_async_request(_pin(request, address))
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                continue  # as a client would that looks the name up itself
        return await transport.handle_async_request(_pin(request, addresses[-1]))

    async def aclose(self) -> None:
        """Close all connections."""
        for transport in self._transports.values():
            await transport.aclose()

    def _transport(self, proxy: str | None, pinned: str = "") -> httpx2.AsyncHTTPTransport:
        key = (proxy, pinned)
        if key not in self._transports:
            self._transports[key] = httpx2.AsyncHTTPTransport(verify=self._verify, proxy=proxy)
        return self._transports[key]


def origin_of(url: httpx2.URL) -> Origin:
    """Return scheme, host and port of a URL."""
    return url.scheme, url.host, url.port or {"https": 443}.get(url.scheme, 80)


def is_same_origin(named: Origin | None, other: Origin) -> bool:
    """Return whether an origin is the named one, or the same host by HTTPS instead of HTTP."""
    if named is None or named[1] != other[1]:
        return False
    return named == other or ((named[0], named[2]), (other[0], other[2])) == _UPGRADE


def is_public(text: str) -> bool:
    """Return whether an IP address is one of the public internet.

    Not public are loopback, private, link-local, shared (CGNAT), reserved, multicast and
    unspecified addresses, and those of IPv6 that stand for such an address of IPv4.
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    if any(address in network for network in _SPECIAL if network.version == address.version):
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.is_site_local:
            return False
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        address = inner or address
    return address.is_global and not address.is_multicast and not address.is_reserved


def _require_public(host: str, addresses: list[str]) -> None:
    """Raise NotPublic if any address is not public, or the name means this machine."""
    name = host.rstrip(".").lower()
    is_local_name = name == "localhost" or name.endswith(".localhost")
    if is_local_name or not all(map(is_public, addresses)):
        raise NotPublic(f"it redirects to {host}, which is on this machine or a private network")


async def _resolve(url: httpx2.URL) -> list[str]:
    """Return the IP addresses of a URL's host, the best first; raise ConnectError if unknown."""
    try:
        entries = await asyncio.get_running_loop().getaddrinfo(
            url.host, origin_of(url)[2], type=socket.SOCK_STREAM
        )
    except (OSError, UnicodeError) as error:
        raise httpx2.ConnectError(str(error)) from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))


def _written_addresses(host: str) -> list[str]:
    """Return the IP address that a host is, in whatever notation; [] for a name."""
    try:
        entries = socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return []
    return [str(entry[4][0]) for entry in entries]


def _pin(request: httpx2.Request, address: str) -> httpx2.Request:
    """Return a request that connects to an address, and is of its host in all else."""
    return httpx2.Request(
        request.method,
        request.url.copy_with(host=address.partition("%")[0]),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": request.url.host},
    )


def _find_proxy(url: httpx2.URL) -> str | None:
    """Return the proxy that the environment or the system sets for a URL, or None."""
    proxies = getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(f"{url.host}:{origin_of(url)[2]}"):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
