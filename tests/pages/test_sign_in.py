"""Sign-in: who gets in, who has read-only access, and that a viewer's click changes nothing."""

from __future__ import annotations

import ast
import socket
from pathlib import Path

import pytest
import streamlit as st
from playwright.sync_api import Browser, Page, expect
from streamlit.testing.v1 import AppTest

from pages.components.common import access as people
from pages.components.common.access import READ_ONLY
from pipeline.core import access
from pipeline.core.access import Lists, Role, find_role, is_required, read_lists
from pipeline.core.errors import UsageError
from pipeline.core.redact import redact
from pipeline.core.settings.settings import Settings
from pipeline.runs.history import History
from pipeline.runs.schedule.store import Schedules
from tests.pages.test_pages import open_tab
from tests.support.browser import Visitor, serve
from tests.support.files import GREEN, backfill, put_trips, request, trip
from tests.support.oidc_server import CLIENT_SECRET, Provider

ROOT = Path(__file__).parents[2]
LISTS = {"SIGN_IN_ALLOWED": "Anna@Example.org , ben@example.org", "SIGN_IN_READERS": "carla@x.org"}


@pytest.fixture
def lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings with the lists, an empty home and a provider."""
    monkeypatch.setenv("FAREGROUND_HOME", str(tmp_path / "home"))
    for name, value in LISTS.items():
        monkeypatch.setenv(f"FAREGROUND_{name}", value)
    monkeypatch.setattr(access, "AUTH_PATH", tmp_path / "auth.toml")
    access.AUTH_PATH.write_text(f'[auth]\nclient_id = "a"\nclient_secret = "{CLIENT_SECRET}"\n')
    return Settings()


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({}, Role.SIGNED_OUT),
        ({"email": "anna@example.org", "email_verified": True}, Role.SIGNED_OUT),
        ({"is_logged_in": "yes", "email": "anna@example.org"}, Role.SIGNED_OUT),
        ({"is_logged_in": True}, Role.UNVERIFIED),
        ({"is_logged_in": True, "email": "", "email_verified": True}, Role.UNVERIFIED),
        ({"is_logged_in": True, "email": "anna@example.org"}, Role.UNVERIFIED),
        (
            {"is_logged_in": True, "email": "anna@example.org", "email_verified": False},
            Role.UNVERIFIED,
        ),
        (
            {"is_logged_in": True, "email": "anna@example.org", "email_verified": "false"},
            Role.UNVERIFIED,
        ),
        ({"is_logged_in": True, "email": "ANNA@example.org", "email_verified": True}, Role.EDITOR),
        ({"is_logged_in": True, "email": "carla@x.org", "email_verified": True}, Role.VIEWER),
        ({"is_logged_in": True, "email": "x.org", "email_verified": True}, Role.NOT_LISTED),
        (
            {"is_logged_in": True, "email": "anna@example.org,", "email_verified": True},
            Role.NOT_LISTED,
        ),
        ({"is_logged_in": True, "email": ["ben@example.org"], "email_verified": True},
         Role.NOT_LISTED),
    ],
)  # fmt: skip
def test_only_verified_addresses_on_a_list_get_in(
    lists: Settings, claims: dict[str, object], role: Role
) -> None:
    del lists
    assert find_role(claims, read_lists()) == role


def test_address_on_both_lists_is_read_only() -> None:
    both = Lists(frozenset({"a@b.c"}), frozenset({"a@b.c"}))
    claims = {"is_logged_in": True, "email": "A@b.c", "email_verified": True}
    assert find_role(claims, both) == Role.VIEWER


def test_incomplete_sign_in_settings_let_nobody_in(lists: Settings) -> None:
    del lists
    listed, nobody = read_lists(), Lists(frozenset(), frozenset())
    assert is_required(listed)
    assert is_required(nobody)  # a provider, and nobody on a list
    access.AUTH_PATH.unlink()
    assert not is_required(nobody)
    with pytest.raises(UsageError, match="names no provider"):
        is_required(listed)
    for damaged in ("[auth", 'auth = "x"'):
        access.AUTH_PATH.write_text(damaged)
        with pytest.raises(UsageError, match=r"auth\.toml"):
            is_required(nobody)


def test_secrets_of_the_provider_are_redacted(lists: Settings) -> None:
    del lists
    is_required(read_lists())
    assert CLIENT_SECRET not in redact(f"it said {CLIENT_SECRET}")


def open_as(
    claims: dict[str, object], page: str, monkeypatch: pytest.MonkeyPatch, **params: str
) -> AppTest:
    """Open a page as somebody of whom the provider says this."""
    st.cache_resource.clear()
    monkeypatch.setattr(people, "_claims", lambda: claims)
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    for name, value in params.items():
        app.query_params[name] = value
    if page != "backfill":
        app.switch_page(f"pages/{page}.py")
    return app.run()


VIEWER = {"is_logged_in": True, "email": "carla@x.org", "email_verified": True}


@pytest.mark.parametrize("page", ["backfill", "preview", "explore", "answers", "runs", "setup"])
def test_page_shows_nothing_before_sign_in(
    lists: Settings, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_as({"is_logged_in": False}, page, monkeypatch)
    assert not app.exception
    assert [title.value for title in app.title] == ["Fareground"]
    assert [button.key for button in app.button] == ["sign in"]
    assert not app.text_input
    assert not app.selectbox
    del lists


def test_viewer_sees_the_page_and_a_forged_press_does_nothing(
    lists: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    put_trips(folder, GREEN, [trip(GREEN)])
    backfill(lists, request(folder, GREEN))
    for page in ("backfill", "runs", "setup", "answers"):
        links = {"backfill": {"source": "sample"}, "answers": {"mode": "library"}}
        app = open_as(VIEWER, page, monkeypatch, **links.get(page, {}))
        if page == "runs":
            open_tab(app, "runs tab", "Schedules")
        assert not app.exception, page
        writing = [button for button in app.button if button.help == READ_ONLY]
        assert writing, page
        assert all(button.disabled for button in writing)
        for key in [button.key for button in writing]:
            app.button(key).proto.disabled = False  # as a browser that was tampered with
            app.button(key).click()
            app.run()
            assert not app.exception, (page, key)
    history = History(lists.history_path)
    assert len(history.runs()) == 1
    assert Schedules(lists).all() == []
    assert not (lists.home / "settings.json").exists()


def test_viewer_cannot_label_a_run(
    lists: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    put_trips(folder, GREEN, [trip(GREEN)])
    backfill(lists, request(folder, GREEN))
    (run,) = History(lists.history_path).runs()
    app = open_as(VIEWER, "runs", monkeypatch, run=run.run_id)
    label = next(box for box in app.text_input if box.label == "Label")
    assert label.disabled
    label.proto.disabled = False  # as a browser that was tampered with
    label.set_value("mine now")
    app.run()
    assert History(lists.history_path).runs()[0].label == ""


def test_every_button_is_a_change_button_or_known_to_be_harmless() -> None:
    harmless = {
        ("access.py", "sign in"), ("ask_view.py", "add document"), ("look.py", "sample"),
        ("look.py", "again"), ("access.py", "sign out"), ("settings.py", "cancel"),
        ("conversation_view.py", "stop {} {}"), ("conversation_view.py", "new {}"),
        ("comparison_view.py", "judge {}"), ("search_quality_view.py", "measure"),
        ("selections.py", "clear-{}"), ("sql_box.py", "{}-run"), ("sql_box.py", "{}-{}-{}"),
        ("tasks.py", "{}"), ("changes.py", "{}"), ("load.py", "replace-cancel"),
        ("sample_dialogs.py", "cancel removal"), ("sample_dialogs.py", "cancel replacing"),
        ("chips.py", "clear-{}"), ("filter_bar.py", "reset"),
        # What a viewer checks or pastes is kept in the visit only.
        ("demo_view.py", "check {}"), ("demo_view.py", "show example"),
        ("demo_view.py", "stop demo"), ("guesses.py", "{}"), ("guesses.py", "{} {} {}"),
        ("passage_view.py", "{}"),
    }  # fmt: skip
    buttons = set()
    for path in (ROOT / "pages").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Attribute) and called.attr in _BUTTONS:
                buttons.add((path.name, _key(node)))
    assert buttons <= harmless, buttons - harmless


_BUTTONS = ("button", "form_submit_button", "menu_button", "feedback")


def _key(call: ast.AST) -> str:
    assert isinstance(call, ast.Call)
    key = next((word.value for word in call.keywords if word.arg == "key"), None)
    if isinstance(key, ast.JoinedStr):
        return "".join(str(p.value) if isinstance(p, ast.Constant) else "{}" for p in key.values)
    return str(key.value) if isinstance(key, ast.Constant) else "{}"


def sign_in(page: Page) -> None:
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Continue").click()
    page.wait_for_url(lambda url: "/authorize" not in url and "oauth2callback" not in url)


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_signed_in_person_gets_the_role_of_the_lists(tmp_path: Path, browser: Browser) -> None:
    home = tmp_path / "home"
    with Provider() as provider, serve(home, provider.auth_toml, **LISTS) as address:
        with Visitor(browser, address) as visitor:
            page = visitor.page
            visitor.open("/setup")  # a link to a page, on a cold server
            expect(page.get_by_role("button", name="Sign in")).to_be_visible()
            expect(page.get_by_text("settings")).to_have_count(0)
            visitor.open("/")
            expect(page.get_by_role("button", name="Sign in")).to_be_visible()
            for name in ("Runs", "Setup"):
                expect(page.get_by_role("link", name=name)).to_have_count(0)
            expect(page.get_by_test_id("stSidebar")).to_have_count(0)

            provider.person = {"email": "mallory@evil.org", "email_verified": True}
            sign_in(page)
            expect(page.get_by_text("evil.org")).to_be_visible()
            expect(page.get_by_text("not on the list")).to_be_visible()
            expect(page.get_by_role("button", name="Load")).to_have_count(0)
            sign_out(page)

            provider.person = {"email": "anna@example.org", "email_verified": False}
            sign_in(page)
            expect(page.get_by_text("has not verified")).to_be_visible()
            sign_out(page)

            provider.person = {"email": "carla@x.org", "email_verified": True}
            sign_in(page)
            expect(page.get_by_text("· read-only")).to_be_visible()
            expect(page.get_by_role("button", name="Try it with the sample")).to_be_disabled()
            page.get_by_role("link", name="Setup").click()
            test = page.get_by_role("button", name="Send a test notification")
            expect(test).to_be_disabled()
            page.get_by_role("button", name="Edit").first.click()
            expect(page.get_by_role("button", name="Save", exact=True).first).to_be_disabled()
            sign_out(page)

            provider.person = {"email": "anna@example.org", "email_verified": True}
            sign_in(page)
            visitor.settle()
            expect(page.get_by_role("button", name="Try it with the sample")).to_be_enabled()
        log = (tmp_path / "server.log").read_text()
    assert CLIENT_SECRET not in log


@pytest.mark.slow
def test_token_with_a_foreign_signature_signs_nobody_in(tmp_path: Path, browser: Browser) -> None:
    with Provider(forged=True) as provider:
        provider.person = {"email": "anna@example.org", "email_verified": True}
        with serve(tmp_path / "home", provider.auth_toml, **LISTS) as address:
            context = browser.new_context()
            page = context.new_page()
            page.goto(address)
            sign_in(page)
            page.goto(address)
            expect(page.get_by_role("button", name="Sign in")).to_be_visible(timeout=20_000)
            context.close()


def test_app_listens_on_this_machine_only(tmp_path: Path) -> None:
    with serve(tmp_path / "home") as address:
        port = int(address.rpartition(":")[2])
        listening = [
            bytes.fromhex(line.split()[1].split(":")[0])[::-1]
            for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
            if line.split()[3] == "0A" and int(line.split()[1].split(":")[1], 16) == port
        ]
        assert [socket.inet_ntoa(host) for host in listening] == ["127.0.0.1"]
        wide = Path("/proc/net/tcp6").read_text() if Path("/proc/net/tcp6").exists() else ""
        assert f":{port:04X} " not in wide
