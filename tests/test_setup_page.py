"""The Setup page in every state: nothing set, bad values, secrets kept, and the doctor's lines."""

from __future__ import annotations

import logging
import time

import pytest
from streamlit.testing.v1 import AppTest

from pipeline import __version__
from pipeline import settings as settings_module
from pipeline.history import History
from pipeline.setting_values import save_values
from pipeline.settings import Settings, load_settings, saved_path
from tests.gemini_server import KEY, GeminiServer
from tests.test_cli import pipeline
from tests.test_pages import SAMPLE, check, fresh_server, open_app, run_to_end, texts, unescape

__all__ = ["fresh_server"]  # a fixture that every test here uses

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
    return next(field for field in app.text_input if field.label == variable)


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
    return [unescape(line.value) for line in app.markdown if line.value.startswith(":")]


def everything(app: AppTest) -> str:
    """All that was sent to the browser."""
    return str([element.proto for element in app._tree if hasattr(element, "proto")])


def test_with_nothing_set_every_setting_is_there_and_no_file_is_made(settings: Settings) -> None:
    app = open_setup()
    shown = {field.label for field in app.text_input} | {s.label for s in app.selectbox}
    variables = {settings_module.variable_name(name) for name in Settings.model_fields}
    assert variables <= shown
    assert "○ not set" in texts(app)
    assert box(app, "GEMINI_BASE_URL").disabled
    assert box(app, "FAREGROUND_HOME").value == str(settings.home)
    save(app, "Google Cloud")
    assert "Nothing was changed" in app.info[-1].value
    assert not saved_path(settings.home).exists()
    assert not settings_module.SECRETS_PATH.exists()


def test_the_page_says_which_version_this_is() -> None:
    assert f"Fareground {__version__}" in texts(open_setup())


def test_a_bad_value_is_refused_with_a_suggestion_and_a_good_one_is_kept(
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
    assert load_settings().origin("gcp_dataset") == "default"


def test_what_the_environment_sets_is_shown_with_its_origin_and_cannot_be_changed_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GCP_DATASET", "given")
    monkeypatch.setenv("GCP_RETRY_SECONDS", "soon")
    app = open_setup()
    assert box(app, "GCP_DATASET").disabled
    assert box(app, "GCP_DATASET").value == "given"
    assert "● environment variable · :material/lock: to be changed there" in texts(app)
    assert "✕ should be a valid number" in texts(app)
    assert any("settings" in line and "✕ failed" in line for line in visit(app))
    monkeypatch.delenv("GCP_RETRY_SECONDS")


def test_a_secret_is_written_only_once_that_was_confirmed() -> None:
    app = open_setup()
    box(app, "GEMINI_API_KEY").set_value(CANARY)
    save(app, "Gemini")
    assert "GEMINI_API_KEY** will be written to" in texts(app)
    assert app.button(key="confirm")
    assert not settings_module.SECRETS_PATH.exists()
    settings_module.SECRETS_PATH.write_text(f'GEMINI_API_KEY = "{CANARY}"\n')
    app = open_setup()
    next(b for b in app.checkbox if b.label == "Remove GEMINI_API_KEY").check()
    save(app, "Gemini")
    assert "will be removed from" in texts(app)
    assert load_settings().gemini_api_key.get_secret_value() == CANARY


def test_a_secret_that_is_set_is_nowhere_to_be_seen(
    settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    save_values({"gemini_api_key": CANARY, "smtp_password": CANARY})
    with GeminiServer(key=CANARY) as gemini:
        monkeypatch.setenv("GEMINI_BASE_URL", gemini.url)
        told = tell_all(settings)
        assert gemini.requests
    assert CANARY not in "".join(told) + caplog.text


def tell_all(settings: Settings) -> list[str]:
    """All that pages, history, logs and the command line say."""
    app = open_setup()
    assert box(app, "GEMINI_API_KEY").value == ""
    assert "● set, " in texts(app)
    run_to_end(open_app(**SAMPLE))
    runs = History(settings.history_path).runs()
    told = [everything(app), everything(open_app("pages/runs.py", run=runs[0].run_id))]
    told += [str(dict(app.query_params)), str(load_settings()), *visit(app)]
    shown = pipeline(settings, "doctor", "--json", GEMINI_API_KEY=CANARY, GCP_CREDS=CANARY)
    told += [shown.stdout, shown.stderr]
    files = [path for path in settings.home.rglob("*") if path.is_file()]
    return told + [path.read_bytes().decode(errors="ignore") for path in files]


def test_a_damaged_secrets_file_is_named_and_never_quoted() -> None:
    settings_module.SECRETS_PATH.write_text(f"GEMINI_API_KEY = {CANARY}")
    app = open_setup()
    assert "cannot be read as TOML" in unescape(app.error[-1].value)
    assert CANARY not in everything(app)
    settings_module.SECRETS_PATH.unlink()


def test_the_doctor_has_a_line_for_each_check_with_glyph_word_and_cure(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    with GeminiServer() as gemini:
        monkeypatch.setenv("GEMINI_BASE_URL", gemini.url)
        monkeypatch.setenv("GEMINI_API_KEY", KEY)
        settings.home.mkdir()
        settings.warehouse_path.write_bytes(b"no warehouse" * 1000)
        lines = visit(open_setup())
    assert len(lines) == 7
    named = {line.split("**")[1]: line for line in lines}
    assert named["gemini"].startswith(":green[✓ ok]")
    assert named["source tlc"].startswith(":yellow[! warning]")
    assert named["warehouse"].startswith(":red[✕ failed]")
    assert "\n→ " in named["warehouse"]
    assert KEY not in "".join(lines)


@pytest.mark.parametrize("name", ["backfill", "runs", "preview", "answers"])
def test_a_setting_that_cannot_be_used_is_said_once_below_the_title_of_each_page(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GCP_RETRY_SECONDS", "soon")
    app = open_app(f"pages/{name}.py")
    monkeypatch.delenv("GCP_RETRY_SECONDS")
    assert [title.value for title in app.title] == [name.capitalize()]
    (error,) = app.error
    assert "GCP_RETRY_SECONDS is not usable" in unescape(error.value)
