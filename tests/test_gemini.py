"""The real Gemini client against a local server that misbehaves in every known way."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from pipeline.answers import gemini_client
from pipeline.answers.gemini import Reply, count_tokens, embed, generate, list_models
from pipeline.answers.prompts import Prompt, Turn, plain_prompt
from pipeline.answers.usage import Usage
from pipeline.cancel import Cancel
from pipeline.errors import (
    Cancelled,
    FaregroundError,
    KeyRefused,
    ModelError,
    ModelGone,
    QuotaSpent,
)
from pipeline.settings import Settings
from tests.gemini_server import (
    KEY,
    MODEL,
    OVERLOADED,
    SUSPENDED,
    WRONG_KEY,
    GeminiServer,
    Refuse,
    Say,
    quota,
    retired,
    vector,
    wait_until,
)

QUESTION = plain_prompt("Who wrote it?")


@pytest.fixture
def server() -> Iterator[GeminiServer]:
    with GeminiServer() as running:
        yield running


@pytest.fixture
def asking(server: GeminiServer, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings with a key that lead to the local server."""
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("GEMINI_BASE_URL", server.url)
    return Settings(home=settings.home)


def failed(settings: Settings, reply: Reply | None = None, **options: float) -> ModelError:
    """Ask in vain, and return the error."""
    with pytest.raises(ModelError) as caught:
        generate(QUESTION, settings, reply=reply, **options)
    return caught.value


def test_an_answer_comes_with_its_tokens_times_and_the_version_that_gave_it(
    server: GeminiServer, asking: Settings
) -> None:
    server.script = [Say(["One", " two", " three."], pause=0.05, thinking=7)]
    reply = generate(QUESTION, asking)
    assert reply.text == "One two three."
    assert reply.usage == Usage(prompt=11, output=3, thinking=7)
    assert reply.usage.total == 21
    assert (reply.model, reply.model_version) == (MODEL, f"{MODEL}-001")
    assert reply.first_token_seconds is not None
    assert reply.seconds is not None
    assert 0.04 < reply.first_token_seconds < reply.seconds
    assert reply.waited_seconds == 0


def test_what_is_sent_is_the_prompt_and_no_setting_nobody_asked_for(
    server: GeminiServer, asking: Settings
) -> None:
    turns = (Turn("user", "One?"), Turn("model", "1."), Turn("user", "Two?"))
    generate(Prompt("Be brief.", turns), asking, model="gemini-3.8-flash")
    (asked,) = server.requests
    assert asked.path == "/v1/models/gemini-3.8-flash:streamGenerateContent?alt=sse"
    assert asked.headers["x-goog-api-key"] == KEY
    assert asked.body["systemInstruction"]["parts"] == [{"text": "Be brief."}]
    sent = [(c["role"], c["parts"][0]["text"]) for c in asked.body["contents"]]
    assert sent == [(turn.role, turn.text) for turn in turns]
    assert "tools" not in asked.body
    assert "temperature" not in str(asked.body)


def test_a_proxys_api_version_is_used(
    server: GeminiServer, asking: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_VERSION", "v1beta")
    generate(QUESTION, Settings(home=asking.home))
    assert server.requests[0].path.startswith("/v1beta/models/")


def test_the_clients_own_variables_lead_nowhere_else(
    server: GeminiServer, asking: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_ENTERPRISE"):
        monkeypatch.setenv(name, "true")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("GOOGLE_API_KEY", "another")
    assert generate(QUESTION, asking).text == "Hello there."
    assert server.requests[0].headers["x-goog-api-key"] == KEY


def test_without_a_key_nothing_is_asked(
    server: GeminiServer, asking: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GEMINI_API_KEY")
    with pytest.raises(KeyRefused, match="no Gemini API key"):
        generate(QUESTION, Settings(home=asking.home))
    assert server.requests == []


@pytest.mark.parametrize("refusal", [WRONG_KEY, SUSPENDED, Refuse(401, "UNAUTHENTICATED")])
def test_a_key_that_is_not_accepted_is_said_and_not_shown(
    server: GeminiServer, asking: Settings, refusal: Refuse
) -> None:
    server.script = [refusal]
    error = failed(asking)
    assert isinstance(error, KeyRefused)
    assert "key" in str(error)
    assert len(server.requests) == 1


def test_a_bad_request_says_why(server: GeminiServer, asking: Settings) -> None:
    server.script = [Refuse(400, "INVALID_ARGUMENT", "The input token count exceeds 1048576.")]
    error = failed(asking)
    assert "token count exceeds" in error.problem
    assert "Shorten" in error.cure


def test_a_retired_model_is_said_and_the_api_names_the_others(
    server: GeminiServer, asking: Settings
) -> None:
    server.script = [retired()]
    error = failed(asking)
    assert isinstance(error, ModelGone)
    assert MODEL in str(error)
    assert list_models(asking) == [MODEL, "gemini-3.8-flash"]  # no embedding model among them


def test_a_full_quota_is_waited_for_as_long_as_the_api_says_with_a_countdown(
    server: GeminiServer, asking: Settings
) -> None:
    server.script = [quota("1s"), Say()]
    ticks: list[tuple[str, float]] = []
    started = time.monotonic()
    reply = generate(QUESTION, asking, on_wait=lambda *tick: ticks.append(tick))
    took = time.monotonic() - started
    assert reply.text == "Hello there."
    assert 1 < reply.waited_seconds < took
    assert reply.seconds is not None
    assert reply.seconds < took - 1  # waiting is not counted as the model's time
    assert "quota" in ticks[0][0]
    left = [seconds for _, seconds in ticks]
    assert len(left) >= 2
    assert left == sorted(left, reverse=True)
    assert 1 < left[0] <= 1.5


def test_a_quota_without_retry_info_is_waited_for_longer_each_time(
    server: GeminiServer, asking: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.answers.gemini_errors.FIRST_WAIT", 0.05)
    server.script = [quota()] * 4
    waits: list[float] = []
    with pytest.raises(ModelError, match="for the moment"):
        generate(QUESTION, asking, on_wait=lambda _why, left: waits.append(left))
    assert len(server.requests) == gemini_client.TRIES
    assert waits == sorted(waits)
    assert len(waits) == gemini_client.TRIES - 1


@pytest.mark.parametrize("refusal", [quota("2s", daily=True), quota("900s")])
def test_a_quota_that_lasts_is_final(
    server: GeminiServer, asking: Settings, refusal: Refuse
) -> None:
    server.script = [refusal]
    waits: list[float] = []
    with pytest.raises(QuotaSpent):
        generate(QUESTION, asking, on_wait=lambda _why, left: waits.append(left))
    assert waits == []
    assert len(server.requests) == 1


def test_an_overloaded_model_is_asked_again(
    server: GeminiServer, asking: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.answers.gemini_errors.FIRST_WAIT", 0.05)
    server.script = [OVERLOADED, OVERLOADED, Say()]
    assert generate(QUESTION, asking).text == "Hello there."
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "say",
    [Say(cut=True), Say(half=True), Say(finish=None), Say(late_error=500)],
    ids=["dropped", "half an event", "no finish", "an error event"],
)
def test_a_stream_that_is_cut_keeps_what_came_and_is_not_asked_again(
    server: GeminiServer, asking: Settings, say: Say
) -> None:
    server.script = [say]
    reply = Reply()
    failed(asking, reply)
    assert reply.text == "Hello there."
    assert len(server.requests) == 1


def test_a_stream_that_never_ends_is_ended(server: GeminiServer, asking: Settings) -> None:
    server.script = [Say(endless=True)]
    reply = Reply()
    error = failed(asking, reply, patience=0.5)
    assert "did not end within" in error.problem
    assert reply.text.startswith("Hello there. there.")


def test_silence_in_a_stream_is_ended(
    server: GeminiServer, asking: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gemini_client, "IDLE_PATIENCE", 0.3)
    server.script = [Say(silent=True)]
    reply = Reply()
    assert "silent" in failed(asking, reply).problem
    assert reply.text == "Hello there."


@pytest.mark.parametrize(
    ("say", "words"),
    [
        (Say(block="PROHIBITED_CONTENT"), "blocked the question (PROHIBITED_CONTENT)"),
        (Say(finish="SAFETY"), "broke the answer off (SAFETY)"),
        (Say(finish="SOMETHING_NEW"), "broke the answer off (SOMETHING_NEW)"),
        (Say([]), "nothing at all"),
        (Say(["  "]), "nothing at all"),
    ],
)
@pytest.mark.filterwarnings("ignore:SOMETHING_NEW")
def test_a_blocked_or_empty_answer_is_named(
    server: GeminiServer, asking: Settings, say: Say, words: str
) -> None:
    server.script = [say]
    assert words in failed(asking).problem


def test_an_answer_of_the_models_longest_length_is_noted(
    server: GeminiServer, asking: Settings
) -> None:
    server.script = [Say(finish="MAX_TOKENS")]
    assert "longest length" in generate(QUESTION, asking).note


def test_something_that_is_not_gemini_is_said(server: GeminiServer, asking: Settings) -> None:
    server.script = [Refuse(200, "", raw=b"<html>hello</html>")]
    assert "cannot be read" in failed(asking).problem
    server.script = [Refuse(302, "", raw=b"moved")]
    assert "(302)" in failed(asking).problem


def test_a_refused_connection_and_a_slow_one_are_said(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("GEMINI_BASE_URL", "http://127.0.0.1:9")
    assert "http://127.0.0.1:9 cannot be reached" in failed(Settings(home=settings.home)).problem
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("GEMINI_BASE_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(gemini_client, "IDLE_PATIENCE", 0.2)
        assert "silent" in failed(Settings(home=settings.home)).problem


@pytest.mark.parametrize("say", [Say(silent=True), Say(endless=True), quota("30s")])
def test_stop_works_at_once(server: GeminiServer, asking: Settings, say: Say | Refuse) -> None:
    server.script = [say]
    cancel, reply = Cancel(), Reply()
    outcome: list[BaseException] = []

    def ask() -> None:
        try:
            generate(QUESTION, asking, reply=reply, cancel=cancel)
        except FaregroundError as error:
            outcome.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    wait_until(lambda: bool(reply.text) if isinstance(say, Say) else bool(server.requests))
    time.sleep(0.05)
    pressed = time.monotonic()
    cancel.set()
    thread.join(10)
    assert time.monotonic() - pressed < 2
    assert isinstance(outcome[0], Cancelled)


def test_each_text_gets_a_vector_of_its_own(server: GeminiServer, asking: Settings) -> None:
    texts = [f"text {number}" for number in range(150)]
    assert embed(texts, asking) == [vector(text) for text in texts]
    assert len(server.asked("batchEmbedContents")) == 2
    assert server.requests[0].body["requests"][0]["taskType"] == "RETRIEVAL_DOCUMENT"


def test_tokens_are_counted_with_the_instructions(server: GeminiServer, asking: Settings) -> None:
    prompt = Prompt("one two three", (Turn("user", "four five"),))
    assert count_tokens(prompt, asking) == 5
    assert "one two three" in server.requests[0].text


def test_the_key_is_in_no_error_url_or_log(
    server: GeminiServer, asking: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told = [repr(asking), str(asking.model_dump())]
    cases: list[Say | Refuse] = [
        Say(),
        WRONG_KEY,
        SUSPENDED,
        Refuse(400, "INVALID_ARGUMENT", f"a key like {KEY} is odd"),
        Refuse(500, f"INTERNAL {KEY}"),
        Refuse(200, "", raw=KEY.encode()),
        quota("900s"),
        Say(half=True),
    ]
    for case in cases:
        server.script = [case] * gemini_client.TRIES
        cancel = Cancel()
        try:
            generate(QUESTION, asking, cancel=cancel, on_wait=lambda *_: cancel.set())  # noqa: B023
        except FaregroundError as error:
            seen: BaseException | None = error
            while seen is not None:
                told += [repr(seen), str(seen), str(seen.args), str(vars(seen))]
                seen = seen.__cause__ or seen.__context__
    told += [record.getMessage() for record in caplog.records]
    told += [str(record.args) for record in caplog.records]
    told += [request.path for request in server.requests]
    assert len(told) > 20
    assert not [text for text in told if KEY in text]
