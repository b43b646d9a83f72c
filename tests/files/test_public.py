"""A redirect from elsewhere never leads to this machine or its private network."""

from __future__ import annotations

import re
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pipeline.answers.documents.presets import fetch
from pipeline.charts.zones import fetch_shapes
from pipeline.core.cancel import Cancel
from pipeline.core.errors import SourceUnreachable, UsageError
from pipeline.core.settings.settings import Settings
from pipeline.files import web
from pipeline.files.offers import Offer, Unknown
from pipeline.files.public import is_public
from pipeline.files.sources import open_source
from pipeline.preview.subject import find_subject
from tests.support.files import GREEN, csv_bytes, trip
from tests.support.servers import Server

PATH = f"/{GREEN.stem}.csv"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:4700::6810:85e5", True),
        ("64:ff9b::5db8:d822", True),  # NAT64 of the first
        ("127.0.0.1", False),
        ("127.255.255.254", False),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("172.31.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("198.18.0.1", False),
        ("192.0.0.8", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("::127.0.0.1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:169.254.169.254", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b:1::1", False),
        ("2002:7f00:1::", False),
        ("2001:0:4136:e378:8000:63bf:80ff:fffe", False),
        ("fe80::1%eth0", False),
        ("fec0::1", False),
        ("fd00:ec2::254", False),
        ("ff02::1", False),
    ],
)
def test_only_addresses_of_the_public_internet_are_public(address: str, public: bool) -> None:
    assert is_public(address) == public


def aliases(port: int) -> list[str]:
    """Other ways to write the address of a port of this machine."""
    return [
        f"http://127.0.0.1:{port}",
        f"http://127.1:{port}",
        f"http://2130706433:{port}",
        f"http://0x7f000001:{port}",
        f"http://0177.0.0.1:{port}",
        f"http://0.0.0.0:{port}",
        f"http://localhost:{port}",
        f"http://LOCALHOST.:{port}",
        f"http://app.localhost:{port}",
        f"http://[::1]:{port}",
        f"http://[::ffff:127.0.0.1]:{port}",
        f"http://[::ffff:7f00:1]:{port}",
        f"http://user:pass@127.0.0.1:{port}",
    ]


@pytest.mark.parametrize("number", range(len(aliases(1))))
@pytest.mark.parametrize("proxied", [False, True])
def test_redirect_to_this_machine_is_not_followed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, number: int, proxied: bool
) -> None:
    with Server() as outside, Server({PATH: b"secret"}) as inside, Server() as proxy:
        if proxied:
            monkeypatch.setenv("http_proxy", proxy.url)
            monkeypatch.setenv("no_proxy", outside.url.removeprefix("http://"))
        outside.behave(redirect=aliases(int(inside.url.rpartition(":")[2]))[number] + PATH)
        probed = open_source(outside.url, settings).probe([GREEN])[GREEN]
        assert isinstance(probed, Unknown)
        refused = r"is on this machine or a private network|Invalid IPv4 address"
        assert re.search(refused, probed.reason)
        with pytest.raises(SourceUnreachable, match=refused):
            find_subject(GREEN, outside.url, settings, Cancel())
        assert (inside.requests, proxy.requests) == ([], [])


def test_chain_of_redirects_is_checked_at_each_step(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = {"one.example": "127.0.0.1", "two.example": "127.0.0.1"}
    pretend(monkeypatch, hosts, public={"127.0.0.1"})
    with Server({PATH: b"secret"}) as server:
        port = server.url.rpartition(":")[2]
        server.behave(redirect=f"http://one.example:{port}/1")
        server.behave("/1", redirect=f"http://two.example:{port}/2")
        server.behave("/2", redirect=f"http://127.0.0.2:{port}{PATH}")
        probed = open_source(server.url, settings).probe([GREEN])[GREEN]
        assert isinstance(probed, Unknown)
        assert "redirects to 127.0.0.2" in probed.reason
        hosts_asked = {request.headers["host"].split(":")[0] for request in server.requests}
        assert hosts_asked == {"127.0.0.1", "one.example", "two.example"}


def test_name_that_leads_into_the_private_network_is_not_followed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, {"inside.example": "127.0.0.1", "mixed.example": "93.184.216.34 10.0.0.1"})
    with Server() as outside, Server({PATH: b"secret"}) as inside:
        port = inside.url.rpartition(":")[2]
        for host in ("inside.example", "mixed.example"):
            outside.behave(redirect=f"http://{host}:{port}{PATH}")
            probed = open_source(outside.url, settings).probe([GREEN])[GREEN]
            assert isinstance(probed, Unknown)
            assert host in probed.reason
        assert inside.requests == []


def test_name_that_changes_between_check_and_connection_stays_pinned(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = pretend(
        monkeypatch, {"changing.example": "127.0.0.2"}, public={"127.0.0.2"}, then="127.0.0.1"
    )
    with Server() as outside, Server({PATH: csv_bytes(GREEN, [trip(GREEN)])}) as inside:
        outside.behave(redirect=f"http://changing.example:{inside.url.rpartition(':')[2]}{PATH}")
        probed = open_source(outside.url, settings).probe([GREEN])[GREEN]
        assert isinstance(probed, Unknown)  # nobody listens at the address that was checked
        assert inside.requests == []
    assert "changing.example" in asked


def test_redirect_to_a_public_host_is_followed_with_its_name(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, {"public.example": "127.0.0.9 127.0.0.1"}, {"127.0.0.9", "127.0.0.1"})
    with Server() as outside, Server({PATH: csv_bytes(GREEN, [trip(GREEN)])}) as inside:
        port = inside.url.rpartition(":")[2]
        outside.behave(redirect=f"http://public.example:{port}{PATH}")
        assert isinstance(open_source(outside.url, settings).probe([GREEN])[GREEN], Offer)
        assert {request.headers["host"] for request in inside.requests} == {
            f"public.example:{port}"
        }


def test_documents_and_zones_follow_no_redirect_into_the_private_network(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server() as outside, Server({"/x": b"secret"}) as inside:
        outside.behave(redirect=f"{inside.url}/x")
        hosts = ",".join(url.removeprefix("http://") for url in (outside.url, inside.url))
        monkeypatch.setenv("FAREGROUND_DOCUMENT_HOSTS", hosts)
        monkeypatch.setenv("FAREGROUND_ZONE_SHAPES_URL", f"{outside.url}/shapes.json")
        with pytest.raises(SourceUnreachable, match="private network"):
            fetch(f"{outside.url}/notes.md", Settings(), Cancel())
        with pytest.raises(SourceUnreachable, match="private network"):
            fetch_shapes(Settings())
        assert inside.requests == []
    assert settings.home


def test_source_on_this_machine_that_a_person_named_is_used(
    settings: Settings, folder: Path
) -> None:
    with Server({"/moved": csv_bytes(GREEN, [trip(GREEN)])}) as server:
        server.behave(PATH, redirect="/moved")
        server.behave("/", fail_status=404)
        for path in (f"/{GREEN.stem}.csv.gz", f"/green/{GREEN.stem}.csv.gz"):
            server.behave(path, fail_status=404)
        assert isinstance(open_source(server.url, settings).probe([GREEN])[GREEN], Offer)
    assert folder


def certificate_of(name: str, folder: Path) -> Path:
    """Write a self-signed certificate of a host, with its key, and return the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 1, now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    pem, text = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(
        key.private_bytes(pem, text, serialization.NoEncryption()) + certificate.public_bytes(pem)
    )
    return path


@pytest.mark.parametrize(("host", "trusted"), [("public.example", True), ("other.example", False)])
def test_pinned_connection_verifies_the_certificate_of_the_name(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, trusted: bool
) -> None:
    certificate = certificate_of("public.example", tmp_path)
    monkeypatch.setattr(web, "tls", lambda: ssl.create_default_context(cafile=str(certificate)))
    pretend(monkeypatch, {host: "127.0.0.1"}, public={"127.0.0.1"})
    names: list[str | None] = []
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    with Server({PATH: csv_bytes(GREEN, [trip(GREEN)])}) as inside, Server() as outside:
        plain = inside.listener
        plain.socket = context.wrap_socket(plain.socket, server_side=True)
        outside.behave(redirect=f"https://{host}:{plain.server_port}{PATH}")
        probed = open_source(outside.url, settings).probe([GREEN])[GREEN]
        assert isinstance(probed, Offer) == trusted
        assert set(names) == {host}


def pretend(
    monkeypatch: pytest.MonkeyPatch,
    hosts: dict[str, str],
    public: set[str] = frozenset(),  # type: ignore[assignment]
    then: str = "",
) -> list[str]:
    """Let names lead to addresses, and take some of these for public ones.

    Args:
        hosts: The addresses of each name, separated by spaces.
        public: Addresses of this machine that count as public.
        then: What each name leads to from the second time on; "" for the same as at first.

    Returns the names that were looked up so far, in order.
    """
    real = socket.getaddrinfo
    asked: list[str] = []

    def look_up(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        host = host.decode() if isinstance(host, bytes) else host
        if host not in hosts or options.get("flags") == socket.AI_NUMERICHOST:
            return real(host, port, *args, **options)
        addresses = then if then and host in asked else hosts[host]
        asked.append(host)
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, (address, port)) for address in addresses.split()]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(
        "pipeline.files.public.is_public", lambda text: text in public or is_public(text)
    )
    return asked


@pytest.mark.parametrize(
    ("proxy", "reason"),
    [
        ("socks5://127.0.0.1:9", "SOCKS"),
        ("http://127.0.0.1:99999", "port"),
        ("foo://x:1", "Unknown scheme"),
    ],
)
def test_proxy_that_cannot_be_used_is_named_as_the_cause(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, proxy: str, reason: str
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    probed = open_source("http://trips.example", settings).probe([GREEN])[GREEN]
    assert isinstance(probed, Unknown)
    assert "the proxy in HTTP_PROXY" in probed.reason
    assert reason in probed.reason


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSLKEYLOGFILE"])
def test_certificates_that_cannot_be_used_are_named_as_the_cause(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    web.tls.cache_clear()
    monkeypatch.setenv(name, str(tmp_path / "missing" / "file"))
    with pytest.raises(UsageError, match="certificates of this environment") as error:
        open_source("https://trips.example", settings).probe([GREEN])
    assert name in error.value.cure
