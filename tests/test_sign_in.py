"""Sign-in: who gets in, who may only look, and that a press that cannot be does nothing."""

from __future__ import annotations

import ast
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from playwright.sync_api import Browser, Page, expect, sync_playwright
from streamlit.testing.v1 import AppTest

from pages.shared import people
from pages.shared.people import ONLY_LOOKING
from pipeline import access
from pipeline.access import Lists, Role, find_role, is_required, read_lists
from pipeline.errors import UsageError
from pipeline.history import History
from pipeline.redact import redact
from pipeline.schedule.store import Schedules
from pipeline.settings import Settings
from tests.browser import Visitor, find_chromium, serve
from tests.files import GREEN, backfill, put_trips, request, trip
from tests.oidc_server import CLIENT_SECRET, Provider

ROOT = Path(__file__).parents[1]
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
        ({"is_logged_in": True, "email": "carla@x.org", "email_verified": True}, Role.READER),
        ({"is_logged_in": True, "email": "x.org", "email_verified": True}, Role.STRANGER),
        (
            {"is_logged_in": True, "email": "anna@example.org,", "email_verified": True},
            Role.STRANGER,
        ),
        ({"is_logged_in": True, "email": ["ben@example.org"], "email_verified": True},
         Role.STRANGER),
    ],
)  # fmt: skip
def test_only_a_verified_address_on_a_list_gets_in(
    lists: Settings, claims: dict[str, object], role: Role
) -> None:
    del lists
    assert find_role(claims, read_lists()) == role


def test_an_address_on_both_lists_may_only_look() -> None:
    both = Lists(frozenset({"a@b.c"}), frozenset({"a@b.c"}))
    claims = {"is_logged_in": True, "email": "A@b.c", "email_verified": True}
    assert find_role(claims, both) == Role.READER


def test_what_is_half_set_up_lets_nobody_in(lists: Settings) -> None:
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


def test_the_secrets_of_the_provider_are_taken_out_of_text(lists: Settings) -> None:
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


READER = {"is_logged_in": True, "email": "carla@x.org", "email_verified": True}


@pytest.mark.parametrize("page", ["backfill", "preview", "explore", "answers", "runs", "setup"])
def test_without_sign_in_no_page_shows_anything(
    lists: Settings, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_as({"is_logged_in": False}, page, monkeypatch)
    assert not app.exception
    assert [title.value for title in app.title] == ["Fareground"]
    assert [button.key for button in app.button] == ["sign in"]
    assert not app.text_input
    assert not app.selectbox
    del lists


def test_a_reader_sees_and_a_press_of_a_disabled_button_does_nothing(
    lists: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    put_trips(folder, GREEN, [trip(GREEN)])
    backfill(lists, request(folder, GREEN))
    for page in ("backfill", "runs", "setup", "answers"):
        app = open_as(READER, page, monkeypatch)
        assert not app.exception, page
        writing = [button for button in app.button if button.help == ONLY_LOOKING]
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


def test_a_reader_cannot_name_a_run(
    lists: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    put_trips(folder, GREEN, [trip(GREEN)])
    backfill(lists, request(folder, GREEN))
    (run,) = History(lists.history_path).runs()
    app = open_as(READER, "runs", monkeypatch, run=run.run_id)
    label = next(box for box in app.text_input if box.label == "Label")
    assert label.disabled
    label.proto.disabled = False  # as a browser that was tampered with
    label.set_value("mine now")
    app.run()
    assert History(lists.history_path).runs()[0].label == ""


def test_every_button_of_the_pages_is_one_that_changes_or_known_to_look() -> None:
    looks = {
        ("people.py", "sign in"), ("answers.py", "add document"), ("preview.py", "sample"),
        ("preview.py", "again"), ("people.py", "sign out"), ("settings.py", "cancel"),
        ("answers.py", "stop {} {}"), ("answers.py", "new {}"), ("picks.py", "drop-{}"),
        ("compare.py", "judge {}"), ("search_quality.py", "measure"), ("sqlbox.py", "query-run"),
        ("sqlbox.py", "{}-{}"), ("tasks.py", "{}"), ("changes.py", "{}"), ("changes.py", "compare"),
    }  # fmt: skip
    found = set()
    for path in (ROOT / "pages").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Attribute) and called.attr in _BUTTONS:
                found.add((path.name, _key(node)))
    assert found <= looks, found - looks


_BUTTONS = ("button", "form_submit_button", "menu_button", "feedback")


def _key(call: ast.AST) -> str:
    assert isinstance(call, ast.Call)
    key = next((word.value for word in call.keywords if word.arg == "key"), None)
    if isinstance(key, ast.JoinedStr):
        return "".join(str(p.value) if isinstance(p, ast.Constant) else "{}" for p in key.values)
    return str(key.value) if isinstance(key, ast.Constant) else "{}"


@pytest.fixture(autouse=True)
def _patience() -> None:
    expect.set_options(timeout=20_000)  # for a machine that does other things too


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = find_chromium()
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("there is no Chromium")
        pytest.skip("there is no Chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


def sign_in(page: Page) -> None:
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Continue").click()
    page.wait_for_url(lambda url: "/authorize" not in url and "oauth2callback" not in url)


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


@pytest.mark.browser
def test_people_sign_in_with_a_provider_and_get_what_the_lists_say(
    tmp_path: Path, browser: Browser
) -> None:
    home = tmp_path / "home"
    with Provider() as provider, serve(home, provider.auth_toml, **LISTS) as address:
        with Visitor(browser, address) as visitor:
            page = visitor.page
            visitor.open("/setup")  # a link to a page, on a cold server
            expect(page.get_by_role("button", name="Sign in")).to_be_visible()
            expect(page.get_by_text("Settings")).to_have_count(0)
            visitor.open("/")
            expect(page.get_by_role("button", name="Sign in")).to_be_visible()
            for name in ("Runs", "Setup"):
                expect(page.get_by_role("link", name=name)).to_have_count(0)
            expect(page.get_by_test_id("stSidebar")).to_have_count(0)

            provider.person = {"email": "mallory@evil.org", "email_verified": True}
            sign_in(page)
            expect(page.get_by_text("evil.org")).to_be_visible()
            expect(page.get_by_text("not on the list")).to_be_visible()
            expect(page.get_by_role("button", name="Run")).to_have_count(0)
            sign_out(page)

            provider.person = {"email": "anna@example.org", "email_verified": False}
            sign_in(page)
            expect(page.get_by_text("has not verified")).to_be_visible()
            sign_out(page)

            provider.person = {"email": "carla@x.org", "email_verified": True}
            sign_in(page)
            expect(page.get_by_text("may look, not change")).to_be_visible()
            expect(page.get_by_role("button", name="Try it with the sample")).to_be_disabled()
            page.get_by_role("link", name="Setup").click()
            expect(page.get_by_role("heading", name="Settings")).to_be_visible()
            for button in page.get_by_role("button", name="Save").all():
                expect(button).to_be_disabled()
            sign_out(page)

            provider.person = {"email": "anna@example.org", "email_verified": True}
            sign_in(page)
            visitor.settle()
            expect(page.get_by_role("button", name="Try it with the sample")).to_be_enabled()
        log = (tmp_path / "server.log").read_text()
    assert CLIENT_SECRET not in log


@pytest.mark.slow
@pytest.mark.browser
def test_a_token_signed_by_somebody_else_signs_nobody_in(tmp_path: Path, browser: Browser) -> None:
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


def test_the_app_listens_on_this_machine_only(tmp_path: Path) -> None:
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
