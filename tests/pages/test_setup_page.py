"""The Setup page: settings, invalid values, secrets, and the lines of the doctor."""

from __future__ import annotations

import logging
import time

import pytest
from streamlit.testing.v1 import AppTest

from pipeline import __version__
from pipeline.core.settings import settings as settings_module
from pipeline.core.settings.files import read_json
from pipeline.core.settings.settings import Settings, load_settings, saved_path
from pipeline.ops.doctor import examine
from pipeline.ops.setting_values import read_values, save_values
from pipeline.runs.history import History
from tests.pages.test_pages import (
    SAMPLE,
    check,
    fresh_server,
    open_app,
    run_to_end,
    texts,
    unescape,
)
from tests.runs.test_notify import Hook, hook
from tests.support.command import pipeline
from tests.support.gemini_server import KEY, GeminiServer

__all__ = ["fresh_server", "hook"]  # fixtures of tests here

CANARY = "canary-5be1c0"
pytestmark = pytest.mark.usefixtures("closed_doors")


@pytest.fixture
def closed_doors(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty home, and sources that answer nothing."""
    del settings
    monkeypatch.setenv("FAREGROUND_GITHUB_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("FAREGROUND_TLC_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("GEMINI_BASE_URL", "http://127.0.0.1:9")


def open_setup() -> AppTest:
    return open_app("pages/setup.py")


def box(app: AppTest, variable: str) -> AppTest:
    fields = {settings_module.variable_name(name): name for name in Settings.model_fields}
    return next(box for box in app.text_input if box.key.split()[0] == fields[variable])


def save(app: AppTest, group: str) -> AppTest:
    return check(app.button(key=f"save {group}").click().run())


def visit(app: AppTest) -> list[str]:
    """Press Check and return the doctor's lines when all are there."""
    check(app.button(key="check").click().run())
    deadline = time.monotonic() + 20
    while not any("checks done:" in bar.proto.text for bar in app.get("progress")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
        check(app.run())
    check(app.run())  # the cards stand above the doctor: this draws them with all results
    return [unescape(line.value) for line in app.markdown if "] **" in line.value]


def everything(app: AppTest) -> str:
    """All that was sent to the browser."""
    return str([element.proto for element in app._tree if hasattr(element, "proto")])


def test_every_setting_is_shown_and_no_file_is_created(settings: Settings) -> None:
    app = open_setup()
    boxes = [*app.text_input, *app.selectbox]
    assert {box.key.split()[0] for box in boxes} >= set(Settings.model_fields)
    labels = {box.label for box in boxes}
    assert {"Project", "API key", "Mail server"} <= labels
    assert len({info.title for info in Settings.model_fields.values()}) == len(
        Settings.model_fields
    )
    for name in Settings.model_fields:  # its variable stands below
        assert f"`{settings_module.variable_name(name)}`" in texts(app)
    assert "○ not set" in texts(app)
    assert box(app, "GEMINI_BASE_URL").disabled
    assert box(app, "FAREGROUND_HOME").value == str(settings.home)
    save(app, "Google Cloud")
    assert "Nothing has changed" in app.info[-1].value
    assert not saved_path(settings.home).exists()
    assert not settings_module.SECRETS_PATH.exists()


def test_page_shows_the_version() -> None:
    assert f"Fareground {__version__}" in texts(open_setup())


def test_invalid_value_is_refused_and_a_valid_one_is_saved(
    settings: Settings,
) -> None:
    app = open_setup()
    box(app, "GCP_DATASET").set_value("my-trips")
    save(app, "Google Cloud")
    assert "try 'my_trips'" in unescape(app.error[0].value)
    assert not saved_path(settings.home).exists()
    box(app, "GCP_DATASET").set_value("my_trips")
    save(app, "Google Cloud")
    assert not app.error
    assert load_settings().gcp_dataset == "my_trips"
    assert "Saved: GCP_DATASET" in unescape(app.success[0].value)
    assert "● saved in the app" in texts(app)
    box(app, "GCP_DATASET").set_value("")
    save(app, "Google Cloud")
    assert read_values()["gcp_dataset"].origin == "default"


def test_two_people_who_save_different_settings_both_keep_theirs(settings: Settings) -> None:
    anna, ben = open_setup(), open_setup()
    box(anna, "GCP_DATASET").input("of_anna")
    box(ben, "GCP_LOCATION").input("EU")
    save(anna, "Google Cloud")
    save(ben, "Google Cloud")
    saved = read_json(saved_path(settings.home))
    assert saved == {"GCP_DATASET": "of_anna", "GCP_LOCATION": "EU"}


def test_value_of_the_environment_is_shown_and_cannot_be_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GCP_DATASET", "given")
    monkeypatch.setenv("GCP_RETRY_SECONDS", "soon")
    app = open_setup()
    assert box(app, "GCP_DATASET").disabled
    assert box(app, "GCP_DATASET").value == "given"
    assert "● environment variable · :material/lock: change it there" in texts(app)
    assert "✕ should be a valid number" in texts(app)
    assert any("settings" in line and "✕ failed" in line for line in visit(app))
    monkeypatch.delenv("GCP_RETRY_SECONDS")


def test_secret_is_written_only_after_confirmation() -> None:
    app = open_setup()
    box(app, "GEMINI_API_KEY").set_value(CANARY)
    save(app, "Gemini")
    assert "GEMINI_API_KEY** will be written to" in texts(app)
    assert app.button(key="confirm")
    assert not settings_module.SECRETS_PATH.exists()
    settings_module.SECRETS_PATH.write_text(f'GEMINI_API_KEY = "{CANARY}"\n')
    app = open_setup()
    next(b for b in app.checkbox if b.label == "Remove API key").check()
    save(app, "Gemini")
    assert "will be removed from" in texts(app)
    assert load_settings().gemini_api_key.get_secret_value() == CANARY


def test_secret_is_shown_nowhere(
    settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    save_values({"gemini_api_key": CANARY, "smtp_password": CANARY})
    with GeminiServer(key=CANARY) as gemini:
        monkeypatch.setenv("GEMINI_BASE_URL", gemini.url)
        outputs = collect_outputs(settings)
        assert gemini.requests
    assert CANARY not in "".join(outputs) + caplog.text


def collect_outputs(settings: Settings) -> list[str]:
    """All that pages, history, logs and the command line say."""
    app = open_setup()
    assert box(app, "GEMINI_API_KEY").value == ""
    assert "● set, " in texts(app)
    run_to_end(open_app(**SAMPLE))
    runs = History(settings.history_path).runs()
    outputs = [everything(app), everything(open_app("pages/runs.py", run=runs[0].run_id))]
    outputs += [str(dict(app.query_params)), str(load_settings()), *visit(app)]
    shown = pipeline(settings, "doctor", "--json", GEMINI_API_KEY=CANARY, GCP_CREDS=CANARY)
    outputs += [shown.stdout, shown.stderr]
    files = [path for path in settings.home.rglob("*") if path.is_file()]
    return outputs + [path.read_bytes().decode(errors="ignore") for path in files]


def test_damaged_secrets_file_is_named_and_never_quoted() -> None:
    settings_module.SECRETS_PATH.write_text(f"GEMINI_API_KEY = {CANARY}")
    app = open_setup()
    assert "cannot be read as TOML" in unescape(app.error[-1].value)
    assert CANARY not in everything(app)
    settings_module.SECRETS_PATH.unlink()


def test_doctor_has_a_line_for_each_check(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    with GeminiServer() as gemini:
        monkeypatch.setenv("GEMINI_BASE_URL", gemini.url)
        monkeypatch.setenv("GEMINI_API_KEY", KEY)
        settings.home.mkdir()
        settings.warehouse_path.write_bytes(b"no warehouse" * 1000)
        lines = visit(open_setup())
    assert len(lines) == len(examine("local"))
    states = [line.split()[1].rstrip("]") for line in lines]
    order = ["failed", "warning", "ok", "skipped"]
    assert states == sorted(states, key=order.index)  # the failed ones first
    named = {line.split("**")[1]: line for line in lines}
    assert named["gemini"].startswith(":green[✓ ok]")
    assert named["source tlc"].startswith(":yellow[! warning]")
    assert named["warehouse"].startswith(":red[✕ failed]")
    assert "\n→ " in named["warehouse"]
    assert KEY not in "".join(lines)


@pytest.mark.parametrize("name", ["backfill", "runs", "preview", "answers"])
def test_invalid_setting_is_reported_once_on_each_page(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GCP_RETRY_SECONDS", "soon")
    app = open_app(f"pages/{name}.py")
    monkeypatch.delenv("GCP_RETRY_SECONDS")
    assert [title.value for title in app.title] == [name.capitalize()]
    (error,) = app.error
    assert "GCP_RETRY_SECONDS is not valid" in unescape(error.value)


def test_card_says_what_is_set_up_and_its_check_runs_its_part_of_the_doctor(
    settings: Settings,
) -> None:
    app = open_setup()
    titles = [unescape(m.value) for m in app.markdown if m.value.startswith("##### ")]
    for title in ("Local warehouse", "Google Cloud warehouse", "Gemini", "OpenAI-compatible"):
        assert any(title in line for line in titles), title
    assert "not set up" in texts(app)
    cards = [unescape(m.value) for m in app.markdown]
    for title in ("Gemini", "OpenAI-compatible"):
        (position,) = (n for n, card in enumerate(cards) if card.endswith(f" {title}"))
        assert cards[position + 1] == "○ not set up"
    check(app.button(key="check Local warehouse").click().run())
    deadline = time.monotonic() + 20
    while ":green[✓ ok]" not in [line.value for line in app.markdown]:
        assert time.monotonic() < deadline, texts(app)
        time.sleep(0.1)
        check(app.run())
    names = {line.value.split("**")[1] for line in app.markdown if "] **" in line.value}
    assert names == {"settings", "folder", "disk", "warehouse"}
    assert settings.home.exists()
    visit(app)  # of everything: a card shows its own checks only
    assert [line.value for line in app.markdown].count(":green[✓ ok]") == 2  # with sign-in


def test_test_notification_reaches_the_webhook_or_says_that_nobody_is_notified(
    hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_setup()
    check(app.button(key="send test notification").click().run())
    assert "There is nobody to notify" in unescape(app.error[0].value)
    monkeypatch.setenv("FAREGROUND_NOTIFY_WEBHOOK", hook.url)
    app = open_setup()
    check(app.button(key="send test notification").click().run())
    assert "Notified by webhook." in unescape(app.success[0].value)
    (body,) = hook.bodies
    assert "test notification" in body["text"]
    monkeypatch.setenv("FAREGROUND_NOTIFY_WEBHOOK", "http://127.0.0.1:9/hook")
    app = open_setup()
    check(app.button(key="send test notification").click().run())
    assert "Could not notify by webhook" in unescape(app.warning[0].value)


def test_saved_mail_server_of_an_earlier_version_is_ignored_and_named(settings: Settings) -> None:
    settings.home.mkdir()
    saved_path(settings.home).write_text('{"FAREGROUND_SMTP_HOST": "mail.example.org"}')
    assert load_settings().smtp_host == "localhost"
    app = open_setup()
    assert box(app, "FAREGROUND_SMTP_HOST").disabled
    lines = visit(app)
    (line,) = [line for line in lines if "**settings**" in line]
    assert "! warning" in line
    assert "FAREGROUND_SMTP_HOST" in line
