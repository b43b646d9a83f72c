"""A link starts nothing: an address in it is asked only after a click of an editor."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from pages.components.common import access as people
from pages.components.common.source_consent import is_address
from pipeline.core import access
from pipeline.core.settings.settings import Settings
from tests.pages.test_pages import check, fresh_server, open_app, texts, type_source
from tests.support.files import GREEN, csv_bytes, trip
from tests.support.servers import Server

__all__ = ["fresh_server"]  # a fixture that applies to every test here

PAGES = {
    "pages/backfill.py": {"color": "green", "from": "2020-04", "to": "2020-04"},
    "pages/preview.py": {"color": "green", "month": "2020-04"},
}
FILES = {f"/{GREEN.stem}.csv": csv_bytes(GREEN, [trip(GREEN)])}


def follow_link(page: str, source: str) -> AppTest:
    return open_app(page, **PAGES[page], source=source)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("http://127.0.0.1/x", True),
        ("HTTPS://example.org", True),
        ("\\\\host\\share", True),
        ("//host/share", True),
        ("\\/host/share", True),
        ("file:////host/share", True),
        ("github", False),
        ("/data/trips", False),
        ("C:\\trips", False),
        ("file:///data/trips", False),
    ],
)
def test_address_is_what_may_be_on_another_machine(source: str, expected: bool) -> None:
    assert is_address(source) == expected


@pytest.mark.parametrize("page", PAGES)
def test_address_of_a_link_is_asked_only_after_a_click(settings: Settings, page: str) -> None:
    with Server(FILES) as server:
        app = follow_link(page, server.url)
        assert "This server has sent it nothing" in texts(app)
        for _ in range(2):
            check(app.run())
        assert server.requests == []
        check(app.button(key="ask address").click().run())
        assert server.requests != []
        assert not [button for button in app.button if button.key == "ask address"]
    assert settings.home


@pytest.mark.parametrize("page", PAGES)
def test_typed_address_is_asked_without_another_click(settings: Settings, page: str) -> None:
    field = "source" if page == "pages/backfill.py" else "file_source"
    with Server(FILES) as linked, Server(FILES) as typed:
        app = follow_link(page, linked.url)
        check(type_source(app, field, typed.url).run())
        assert (linked.requests, typed.requests != []) == ([], True)
        check(type_source(app, field, linked.url).run())
        assert linked.requests != []
    assert settings.home


@pytest.mark.parametrize("page", PAGES)
def test_viewer_has_no_address_asked(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    monkeypatch.setenv("FAREGROUND_SIGN_IN_READERS", "carla@x.org")
    access.AUTH_PATH.write_text('[auth]\nclient_id = "a"\nclient_secret = "b-secret"\n')
    claims = {"is_logged_in": True, "email": "carla@x.org", "email_verified": True}
    monkeypatch.setattr(people, "_claims", lambda: claims)
    field = "source" if page == "pages/backfill.py" else "file_source"
    with Server(FILES) as server:
        app = follow_link(page, server.url)
        button = app.button(key="ask address")
        assert button.disabled
        check(type_source(app, field, f"{server.url}/x").run())
        check(type_source(app, field, server.url).run())
        assert server.requests == []
    assert settings.home


def test_click_of_one_visitor_lets_no_other_link_ask(settings: Settings) -> None:
    with Server(FILES) as server:
        first = follow_link("pages/preview.py", server.url)
        check(first.button(key="ask address").click().run())
        before = len(server.requests)
        second = follow_link("pages/preview.py", server.url)
        assert "This server has sent it nothing" in texts(second)
        assert len(server.requests) == before
    assert settings.home
