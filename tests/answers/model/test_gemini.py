"""The real Gemini client against a local server that misbehaves in every known way."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pytest

from pipeline.answers.model import ModelResponse, TokenUsage, gemini_client
from pipeline.answers.model.gemini import Gemini
from pipeline.answers.model.prompts import Message, Prompt, plain_prompt
from pipeline.answers.model.retry import PATIENCE, TRIES
from pipeline.core.cancel import Cancel
from pipeline.core.errors import (
    Cancelled,
    FaregroundError,
    KeyRefused,
    ModelError,
    ModelGone,
    QuotaSpent,
)
from pipeline.core.settings.settings import Settings
from tests.support.gemini_server import (
    KEY,
    MODEL,
    OVERLOADED,
    SUSPENDED,
    WRONG_KEY,
    GeminiServer,
    ScriptedAnswer,
    ScriptedError,
    quota_error,
    retired_model,
    vector,
    wait_until,
)
from tests.support.servers import JsonHandler, serving

QUESTION = plain_prompt("Who wrote it?")


@pytest.fixture
def server() -> Iterator[GeminiServer]:
    with GeminiServer() as running:
        yield running


@pytest.fixture
def keyed(server: GeminiServer, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings with a key that lead to the local server."""
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("GEMINI_BASE_URL", server.url)
    return Settings(home=settings.home)


def error_of(
    settings: Settings, response: ModelResponse | None = None, patience: float = PATIENCE
) -> ModelError:
    """Ask a question and return the error that this raises."""
    with pytest.raises(ModelError) as raised:
        Gemini(settings, patience).generate(QUESTION, response=response)
    return raised.value


def test_response_has_tokens_times_and_the_version_that_answered(
    server: GeminiServer, keyed: Settings
) -> None:
    server.script = [ScriptedAnswer(["One", " two", " three."], pause=0.05, thinking=7)]
    response = Gemini(keyed).generate(QUESTION)
    assert response.text == "One two three."
    assert response.usage == TokenUsage(prompt=11, output=3, thinking=7)
    assert response.usage.total == 21
    assert (response.model, response.model_version) == (MODEL, f"{MODEL}-001")
    assert response.first_token_seconds is not None
    assert response.seconds is not None
    assert 0.04 < response.first_token_seconds < response.seconds
    assert response.waited_seconds == 0


def test_request_holds_the_prompt_and_no_other_setting(
    server: GeminiServer, keyed: Settings
) -> None:
    messages = (Message("user", "One?"), Message("model", "1."), Message("user", "Two?"))
    Gemini(keyed).generate(Prompt("Be brief.", messages), name="gemini-3.8-flash")
    (request,) = server.requests
    assert request.path == "/v1/models/gemini-3.8-flash:streamGenerateContent?alt=sse"
    assert request.headers["x-goog-api-key"] == KEY
    assert request.body["systemInstruction"]["parts"] == [{"text": "Be brief."}]
    sent = [(c["role"], c["parts"][0]["text"]) for c in request.body["contents"]]
    assert sent == [(message.role, message.text) for message in messages]
    assert "tools" not in request.body
    assert "temperature" not in str(request.body)


def test_api_version_of_the_settings_is_used(
    server: GeminiServer, keyed: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_VERSION", "v1beta")
    Gemini(Settings(home=keyed.home)).generate(QUESTION)
    assert server.requests[0].path.startswith("/v1beta/models/")


def test_variables_of_the_client_library_are_ignored(
    server: GeminiServer, keyed: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_ENTERPRISE"):
        monkeypatch.setenv(name, "true")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("GOOGLE_API_KEY", "another")
    assert Gemini(keyed).generate(QUESTION).text == "Hello there."
    assert server.requests[0].headers["x-goog-api-key"] == KEY


def test_no_request_is_made_without_a_key(
    server: GeminiServer, keyed: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GEMINI_API_KEY")
    with pytest.raises(KeyRefused, match="Gemini is not set up"):
        Gemini(Settings(home=keyed.home)).generate(QUESTION)
    assert server.requests == []


@pytest.mark.parametrize("refusal", [WRONG_KEY, SUSPENDED, ScriptedError(401, "UNAUTHENTICATED")])
def test_refused_key_is_reported_without_the_key(
    server: GeminiServer, keyed: Settings, refusal: ScriptedError
) -> None:
    server.script = [refusal]
    error = error_of(keyed)
    assert isinstance(error, KeyRefused)
    assert "key" in str(error)
    assert len(server.requests) == 1


def test_refused_request_says_why(server: GeminiServer, keyed: Settings) -> None:
    server.script = [
        ScriptedError(400, "INVALID_ARGUMENT", "The input token count exceeds 1048576.")
    ]
    error = error_of(keyed)
    assert "token count exceeds" in error.problem
    assert "Shorten" in error.cure


def test_retired_model_is_reported_and_others_are_listed(
    server: GeminiServer, keyed: Settings
) -> None:
    server.script = [retired_model()]
    error = error_of(keyed)
    assert isinstance(error, ModelGone)
    assert MODEL in str(error)
    assert Gemini(keyed).list_models() == [
        MODEL,
        "gemini-3.8-flash",
    ]  # no embedding model among them


def test_quota_of_a_minute_is_waited_for_as_long_as_the_api_says(
    server: GeminiServer, keyed: Settings
) -> None:
    server.script = [quota_error("1s"), ScriptedAnswer()]
    ticks: list[tuple[str, float]] = []
    started = time.monotonic()
    response = Gemini(keyed).generate(QUESTION, on_wait=lambda *tick: ticks.append(tick))
    took = time.monotonic() - started
    assert response.text == "Hello there."
    assert 1 < response.waited_seconds < took
    assert response.seconds is not None
    assert response.seconds < took - 1  # waiting is not counted as the model's time
    assert "quota" in ticks[0][0]
    left = [seconds for _, seconds in ticks]
    assert len(left) >= 2
    assert left == sorted(left, reverse=True)
    assert 1 < left[0] <= 1.5


def test_quota_without_retry_info_is_waited_for_longer_each_time(
    server: GeminiServer, keyed: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.answers.model.retry.FIRST_WAIT", 0.05)
    server.script = [quota_error()] * 4
    waits: list[float] = []
    with pytest.raises(ModelError, match="for the moment"):
        Gemini(keyed).generate(QUESTION, on_wait=lambda _why, left: waits.append(left))
    assert len(server.requests) == TRIES
    assert waits == sorted(waits)
    assert len(waits) == TRIES - 1


def test_key_without_quota_for_a_model_is_promised_none_tomorrow(
    server: GeminiServer, keyed: Settings
) -> None:
    message = f"Quota exceeded for metric: free_tier_requests, limit: 0, model: {MODEL}"
    daily = quota_error("25s", daily=True)
    violation = {"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}
    server.script = [
        replace(daily, message=message, details=[{"violations": [violation]}, daily.details[1]])
    ]
    error = error_of(keyed)
    assert isinstance(error, QuotaSpent)
    assert "limit is 0" in error.problem
    assert "billing" in error.cure
    assert "midnight" not in str(error)


@pytest.mark.parametrize("refusal", [quota_error("2s", daily=True), quota_error("900s")])
def test_long_quota_is_not_waited_for(
    server: GeminiServer, keyed: Settings, refusal: ScriptedError
) -> None:
    server.script = [refusal]
    waits: list[float] = []
    with pytest.raises(QuotaSpent):
        Gemini(keyed).generate(QUESTION, on_wait=lambda _why, left: waits.append(left))
    assert waits == []
    assert len(server.requests) == 1


@pytest.mark.parametrize("delay", ["100000000000000000000s", "9" * 400 + "s"])
def test_absurd_wait_is_told_without_its_number(
    server: GeminiServer, keyed: Settings, delay: str
) -> None:
    server.script = [quota_error(delay)]
    assert "is used up for longer than a day." in str(error_of(keyed))
    daily = quota_error(daily=True)
    violation = {"quotaId": "RequestsPerDay", "quotaValue": "9" * 5000}
    server.script = [replace(daily, details=[{"violations": [violation]}])]
    assert error_of(keyed).problem.endswith("is used up.")


def test_overloaded_model_is_asked_again(
    server: GeminiServer, keyed: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.answers.model.retry.FIRST_WAIT", 0.05)
    server.script = [OVERLOADED, OVERLOADED, ScriptedAnswer()]
    assert Gemini(keyed).generate(QUESTION).text == "Hello there."
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "scripted",
    [
        ScriptedAnswer(cut=True),
        ScriptedAnswer(half=True),
        ScriptedAnswer(finish=None),
        ScriptedAnswer(late_error=500),
    ],
    ids=["dropped", "half an event", "no finish", "an error event"],
)
def test_cut_stream_keeps_its_text_and_is_not_repeated(
    server: GeminiServer, keyed: Settings, scripted: ScriptedAnswer
) -> None:
    server.script = [scripted]
    response = ModelResponse()
    error_of(keyed, response)
    assert response.text == "Hello there."
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "odd",
    [
        b'{"candidates": 5}',
        b'{"candidates": [5]}',
        b'{"candidates": [{"content": [1]}]}',
        b'{"candidates": [{"content": {"parts": [{"text": 5}]}}]}',
        b'{"candidates": [{"finishReason": {"a": 1}}]}',
        b'{"modelVersion": {"a": 1}}',
        b'{"usageMetadata": 5}',
        b'{"usageMetadata": {"promptTokenCount": "many"}}',
        b'{"promptFeedback": [1]}',
        b"{oops",
        b"\xff",
        b"[" * 50_000 + b"]" * 50_000,
    ],
    ids=range(12),
)
def test_piece_in_another_form_is_an_error_and_prints_nothing(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    odd: bytes,
) -> None:
    words = b'{"candidates": [{"content": {"role": "model", "parts": [{"text": "Hi. "}]}}]}'
    raw = b"".join(b"data: " + event + b"\r\n\r\n" for event in (words, odd, *[words] * 200))

    class Handler(JsonHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            with suppress(ConnectionError):
                self.wfile.write(raw)

    with serving(Handler) as address:
        monkeypatch.setenv("GEMINI_API_KEY", KEY)
        monkeypatch.setenv("GEMINI_BASE_URL", address)
        response = ModelResponse()
        error = str(error_of(Settings(home=settings.home), response))
    assert "Cannot read the API's response" in error or "dropped before the answer ended" in error
    assert response.text.startswith("Hi. ")
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("piece", "words"),
    [
        (b"data: " + b"x" * 50_000, "one of its events is longer than 0.1 MB"),
        (b"data: {}\r\n\r\n" * 10_000, "it is longer than 0.5 MB"),
    ],
    ids=["line", "events"],
)
def test_response_without_words_and_end_is_refused_with_the_limit(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, piece: bytes, words: str
) -> None:
    class Handler(JsonHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.close_connection = True
            with suppress(ConnectionError):
                while True:
                    self.wfile.write(piece)

    monkeypatch.setattr(gemini_client, "STREAM_BYTES", 500_000)
    monkeypatch.setattr(gemini_client, "_EVENT_BYTES", 100_000)
    with serving(Handler) as address:
        monkeypatch.setenv("GEMINI_API_KEY", KEY)
        monkeypatch.setenv("GEMINI_BASE_URL", address)
        assert words in str(error_of(Settings(home=settings.home)))


def test_endless_stream_is_ended(server: GeminiServer, keyed: Settings) -> None:
    server.script = [ScriptedAnswer(endless=True)]
    response = ModelResponse()
    error = error_of(keyed, response, patience=0.5)
    assert "did not end within" in error.problem
    assert response.text.startswith("Hello there. there.")


def test_silent_stream_is_ended(
    server: GeminiServer, keyed: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gemini_client, "IDLE_PATIENCE", 0.3)
    server.script = [ScriptedAnswer(silent=True)]
    response = ModelResponse()
    assert "did not respond" in error_of(keyed, response).problem
    assert response.text == "Hello there."


@pytest.mark.parametrize(
    ("scripted", "words"),
    [
        (ScriptedAnswer(block="PROHIBITED_CONTENT"), "blocked the question (PROHIBITED_CONTENT)"),
        (ScriptedAnswer(finish="SAFETY"), "stopped the answer (SAFETY)"),
        (ScriptedAnswer(finish="SOMETHING_NEW"), "does not know: SOMETHING_NEW"),
        (ScriptedAnswer(finish="RECITATION"), "a protected text word for word (RECITATION)"),
        (ScriptedAnswer([], finish="MAX_TOKENS", thinking=2999), "2,999 tokens for thinking"),
        (ScriptedAnswer([], finish="MAX_TOKENS", thinking=None), "before the answer began"),
        (ScriptedAnswer([]), "an empty answer"),
        (ScriptedAnswer(["  "]), "an empty answer"),
    ],
)
@pytest.mark.filterwarnings("ignore:SOMETHING_NEW")
def test_blocked_or_empty_answer_is_explained(
    server: GeminiServer, keyed: Settings, scripted: ScriptedAnswer, words: str
) -> None:
    server.script = [scripted]
    assert words in error_of(keyed).problem


def test_answer_of_the_longest_length_is_noted(server: GeminiServer, keyed: Settings) -> None:
    server.script = [ScriptedAnswer(finish="MAX_TOKENS")]
    assert "maximum length" in Gemini(keyed).generate(QUESTION).note


def test_response_of_another_service_is_reported(server: GeminiServer, keyed: Settings) -> None:
    server.script = [ScriptedError(200, "", raw=b"<html>hello</html>")]
    assert "Cannot read" in error_of(keyed).problem
    server.script = [ScriptedError(302, "", raw=b"moved")]
    assert "(302)" in error_of(keyed).problem


def test_refused_and_slow_connections_are_reported(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("GEMINI_BASE_URL", "http://127.0.0.1:9")
    assert "http://127.0.0.1:9 cannot be reached" in error_of(Settings(home=settings.home)).problem
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("GEMINI_BASE_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(gemini_client, "IDLE_PATIENCE", 0.2)
        assert "did not respond" in error_of(Settings(home=settings.home)).problem


@pytest.mark.parametrize(
    "scripted", [ScriptedAnswer(silent=True), ScriptedAnswer(endless=True), quota_error("30s")]
)
def test_cancel_stops_a_request_at_once(
    server: GeminiServer, keyed: Settings, scripted: ScriptedAnswer | ScriptedError
) -> None:
    server.script = [scripted]
    cancel, response = Cancel(), ModelResponse()
    outcome: list[BaseException] = []

    def ask() -> None:
        try:
            Gemini(keyed).generate(QUESTION, response=response, cancel=cancel)
        except FaregroundError as error:
            outcome.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    wait_until(
        lambda: (
            bool(response.text) if isinstance(scripted, ScriptedAnswer) else bool(server.requests)
        )
    )
    time.sleep(0.05)
    pressed = time.monotonic()
    cancel.set()
    thread.join(10)
    assert time.monotonic() - pressed < 2
    assert isinstance(outcome[0], Cancelled)


def test_each_text_gets_its_own_vector(server: GeminiServer, keyed: Settings) -> None:
    texts = [f"text {number}" for number in range(150)]
    assert Gemini(keyed).embed(texts, question=False) == [vector(text) for text in texts]
    assert len(server.requests_to("batchEmbedContents")) == 2
    assert server.requests[0].body["requests"][0]["taskType"] == "RETRIEVAL_DOCUMENT"


def test_key_is_in_no_error_url_or_log(
    server: GeminiServer, keyed: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    texts = [repr(keyed), str(keyed.model_dump())]
    cases: list[ScriptedAnswer | ScriptedError] = [
        ScriptedAnswer(),
        WRONG_KEY,
        SUSPENDED,
        ScriptedError(400, "INVALID_ARGUMENT", f"a key like {KEY} is odd"),
        ScriptedError(500, f"INTERNAL {KEY}"),
        ScriptedError(200, "", raw=KEY.encode()),
        quota_error("900s"),
        ScriptedAnswer(half=True),
    ]
    for case in cases:
        server.script = [case] * TRIES
        cancel = Cancel()
        try:
            Gemini(keyed).generate(QUESTION, cancel=cancel, on_wait=lambda *_: cancel.set())  # noqa: B023
        except FaregroundError as error:
            seen: BaseException | None = error
            while seen is not None:
                texts += [repr(seen), str(seen), str(seen.args), str(vars(seen))]
                seen = seen.__cause__ or seen.__context__
    texts += [record.getMessage() for record in caplog.records]
    texts += [str(record.args) for record in caplog.records]
    texts += [request.path for request in server.requests]
    assert len(texts) > 20
    assert not [text for text in texts if KEY in text]
