"""The real openai client against a local server that misbehaves in every known way."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from pipeline.answers.model import ModelResponse, TokenUsage, openai_compatible_pieces, retry
from pipeline.answers.model.answer_text import MOST_CHARACTERS
from pipeline.answers.model.call import ModelCall
from pipeline.answers.model.openai_compatible import OpenAICompatible
from pipeline.answers.model.prompts import Message, Prompt, plain_prompt
from pipeline.answers.model.response_limits import event_bytes
from pipeline.answers.model.retry import PATIENCE, TRIES
from pipeline.core.cancel import Cancel
from pipeline.core.errors import Cancelled, KeyRefused, ModelError, ModelGone, QuotaSpent
from pipeline.core.settings.settings import Settings
from tests.support.command import document, pipeline
from tests.support.gemini_server import wait_until
from tests.support.openai_server import MODEL, OpenAIServer, ScriptedChat, ScriptedRefusal
from tests.support.servers import JsonHandler, serving

QUESTION = plain_prompt("Who wrote it?")
KEY = "canary-key-93ab51c2"
WORDS = b'{"choices": [{"delta": {"content": "Hi. "}}]}'


def events(*documents: bytes) -> ScriptedRefusal:
    """Return a stream of these events, letter by letter."""
    raw = b"".join(b"data: " + event + b"\n\n" for event in [*documents, b"[DONE]"])
    return ScriptedRefusal(200, raw=raw, content_type="text/event-stream")


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as running:
        yield running


@pytest.fixture
def local(server: OpenAIServer, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that lead to the local server, without a key and without a model."""
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    return Settings(home=settings.home)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.01)


def error_of(
    settings: Settings, response: ModelResponse | None = None, patience: float = PATIENCE
) -> ModelError:
    """Ask a question and return the error that this raises."""
    with pytest.raises(ModelError) as raised:
        OpenAICompatible(settings, patience).generate(QUESTION, response=response)
    return raised.value


def test_answer_streams_with_usage_times_and_the_model_that_answered(
    server: OpenAIServer, local: Settings
) -> None:
    usage = {
        "prompt_tokens": 11,
        "completion_tokens": 10,
        "total_tokens": 21,
        "completion_tokens_details": {"reasoning_tokens": 7},
    }
    server.script = [
        ScriptedChat(["One", " two", " three."], 0.05, model="tiny-3b-2026", usage=usage)
    ]
    response = OpenAICompatible(local).generate(QUESTION, name=MODEL)
    assert response.text == "One two three."
    assert response.usage == TokenUsage(prompt=11, output=3, thinking=7)
    assert (response.model, response.model_version) == (MODEL, "tiny-3b-2026")
    assert response.first_token_seconds is not None
    assert response.seconds is not None
    assert 0.04 < response.first_token_seconds < response.seconds


def test_request_holds_the_prompt_and_no_key_if_there_is_none(
    server: OpenAIServer, local: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "another")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Login: another")
    messages = (Message("user", "One?"), Message("model", "1."), Message("user", "Two?"))
    OpenAICompatible(local).generate(Prompt("Be brief.", messages), name="other-7b")
    (request,) = server.requests
    assert request.body["model"] == "other-7b"
    assert [(message["role"], message["content"]) for message in request.body["messages"]] == [
        ("system", "Be brief."),
        ("user", "One?"),
        ("assistant", "1."),
        ("user", "Two?"),
    ]
    assert "authorization" not in request.headers
    assert "another" not in str(request.headers)
    assert not {"tools", "temperature"} & set(request.body)


def test_key_of_the_settings_is_sent_and_a_wrong_one_is_named_without_showing_it(
    server: OpenAIServer, local: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.key = KEY
    missing = error_of(local)
    assert isinstance(missing, KeyRefused)
    assert "asks for a key" in str(missing)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    keyed = Settings(home=local.home)
    assert OpenAICompatible(keyed).generate(QUESTION).text == "Hello there."
    server.key = "canary-other-key"
    refused = error_of(keyed)
    assert isinstance(refused, KeyRefused)
    assert "canary" not in str(refused)


def test_first_listed_model_is_asked_unless_the_settings_name_one(
    server: OpenAIServer, local: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = OpenAICompatible(local)
    assert model.list_models() == [MODEL, "other-7b"]
    assert model.generate(QUESTION).model == MODEL
    monkeypatch.setenv("OPENAI_MODEL", "other-7b")
    assert OpenAICompatible(Settings(home=local.home)).generate(QUESTION).model == "other-7b"
    server.models = []
    assert isinstance(error_of(local), ModelGone)


def test_server_without_usage_leaves_tokens_unknown(server: OpenAIServer, local: Settings) -> None:
    server.script = [ScriptedChat(usage=None)]
    response = OpenAICompatible(local).generate(QUESTION)
    assert (response.text, response.usage.total) == ("Hello there.", None)


@pytest.mark.parametrize(
    "nulls",
    [
        b'{"choices": [{"delta": null}]}',
        b'{"choices": null, "usage": null}',
        b'{"choices": [], "usage": {}}',
        b'{"choices": [], "usage": {"prompt_tokens": null, "completion_tokens": null}}',
        b'{"choices": [], "usage": {"prompt_tokens": 4, "completion_tokens": null}}',
    ],
)
def test_nulls_in_place_of_words_or_counts_are_unknown(
    server: OpenAIServer, local: Settings, nulls: bytes
) -> None:
    events = [
        nulls,
        b'{"choices": [{"delta": {"content": "Hi."}, "finish_reason": "stop"}]}',
        nulls,
    ]
    raw = b"".join(b"data: " + event + b"\n\n" for event in [*events, b"[DONE]"])
    server.script = [ScriptedRefusal(200, raw=raw, content_type="text/event-stream")]
    response = OpenAICompatible(local).generate(QUESTION)
    assert (response.text, response.usage.total) == ("Hi.", None)


def test_reasoning_is_no_part_of_the_answer(server: OpenAIServer, local: Settings) -> None:
    server.script = [ScriptedChat(reasoning="Let me think.")]
    assert OpenAICompatible(local).generate(QUESTION).text == "Hello there."


@pytest.mark.parametrize(
    ("response", "kind", "words"),
    [
        (ScriptedRefusal(404, 'model "x" not found, try pulling it first'), ModelGone, "no model"),
        (ScriptedRefusal(400, "Invalid model name passed in model=x"), ModelGone, "no model"),
        (ScriptedRefusal(404, raw=b"404 page not found"), ModelError, "no such address"),
        (ScriptedRefusal(403, "Forbidden"), KeyRefused, "asks for a key"),
        (ScriptedRefusal(400, "exceeds the context length"), ModelError, "longer context"),
        (ScriptedRefusal(307, headers={"Location": "/v2"}), ModelError, "redirects"),
        (ScriptedRefusal(200, raw=b"<html>Hi</html>", content_type="text/html"), ModelError, "/v1"),
        (ScriptedRefusal(200, raw=b'{"choices": []}'), ModelError, "not from the OpenAI API"),
        (ScriptedRefusal(200, raw=b"data: {oops\n\n", content_type="text/event-stream"),
         ModelError, "not from the OpenAI API"),
        (ScriptedChat([], refusal="I cannot help with it."), ModelError, "refuses to answer"),
        (ScriptedChat([], finish="content_filter"), ModelError, "content filter"),
        (ScriptedChat(finish="abort"), ModelError, "does not know: abort"),
        (ScriptedChat([]), ModelError, "empty answer"),
        (ScriptedChat([], finish="length"), ModelError, "before the answer began"),
        (ScriptedChat(cut=True), ModelError, "closed the connection"),
        (ScriptedChat(half=True), ModelError, "closed the connection"),
        (ScriptedChat(finish=None), ModelError, "stream dropped"),
        (ScriptedChat(late_error="CUDA out of memory"), ModelError, "CUDA out of memory"),
        (ScriptedRefusal(429, "Rate limit", headers={"Retry-After": "3600"}), QuotaSpent, "3,600"),
        (ScriptedRefusal(429, "You exceeded your quota", "insufficient_quota"),
         QuotaSpent, "no quota"),
    ],
)  # fmt: skip
def test_failure_is_named_by_its_cause(
    server: OpenAIServer,
    local: Settings,
    response: ScriptedChat | ScriptedRefusal,
    kind: type[ModelError],
    words: str,
) -> None:
    server.script = [response]
    error = error_of(local)
    assert type(error) is kind, error
    assert words in str(error)
    assert len(server.questions) == 1


def test_received_part_of_a_cut_answer_stays_and_is_not_asked_for_again(
    server: OpenAIServer, local: Settings
) -> None:
    server.script = [ScriptedChat(["It has 12 lanes. It", " was rel"], cut=True)]
    call = ModelCall(QUESTION, OpenAICompatible(local))
    assert call.wait(20)
    assert call.error
    assert call.response.text == "It has 12 lanes. It was rel"
    assert call.checked_text == "It has 12 lanes."
    assert len(server.questions) == 1


def test_half_sentence_at_the_maximum_length_is_no_claim(
    server: OpenAIServer, local: Settings
) -> None:
    server.script = [ScriptedChat(["Version 2.4 has lanes [1]. It costs 2."], finish="length")]
    call = ModelCall(QUESTION, OpenAICompatible(local))
    assert call.wait(20)
    assert call.error is None
    assert "maximum length" in call.response.note
    assert call.checked_text == "Version 2.4 has lanes [1]."


@pytest.mark.parametrize(
    "refusal",
    [
        ScriptedRefusal(500, "model requires more system memory (5.6 GiB)"),
        ScriptedRefusal(503, "Loading model"),
        ScriptedRefusal(429, "Rate limit", headers={"Retry-After": "0.01"}),
    ],
)
def test_passing_failure_is_repeated_and_a_lasting_one_quoted(
    server: OpenAIServer, local: Settings, refusal: ScriptedRefusal
) -> None:
    server.script = [refusal]
    assert OpenAICompatible(local).generate(QUESTION).text == "Hello there."
    server.script = [refusal] * TRIES
    assert refusal.message in str(error_of(local))


def test_slow_server_ends_at_the_limit_and_stop_ends_a_request_at_once(
    server: OpenAIServer, local: Settings
) -> None:
    server.script = [ScriptedChat(["Slowly."], silent=True)]
    response = ModelResponse()
    error = error_of(local, response, patience=0.5)
    assert "did not" in str(error)
    assert response.text == "Slowly."
    server.script = [ScriptedChat(["Slowly."], silent=True)]
    call = ModelCall(QUESTION, OpenAICompatible(local))
    wait_until(lambda: call.response.text == "Slowly.")
    began = time.monotonic()
    call.stop()
    assert call.wait(5)
    assert time.monotonic() - began < 2
    assert call.stopped


def test_cancelled_request_raises_cancelled(server: OpenAIServer, local: Settings) -> None:
    server.script = [ScriptedChat(silent=True)]
    cancel = Cancel()
    cancel.set()
    with pytest.raises(Cancelled):
        OpenAICompatible(local).generate(QUESTION, cancel=cancel)


def test_unreachable_server_is_named_with_its_setting(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{port}/v1")
    error = error_of(Settings(home=settings.home))
    assert f"http://127.0.0.1:{port} cannot be reached" in str(error)
    assert "OPENAI_BASE_URL" in str(error)


@pytest.mark.parametrize(
    "listing",
    [
        ScriptedRefusal(200, raw=b"<html></html>", content_type="text/html"),
        ScriptedRefusal(200, raw=b"{}"),
        ScriptedRefusal(200, raw=b"not json"),
        ScriptedRefusal(200, raw=b'{"data": [null]}'),
        ScriptedRefusal(200, raw=b'{"data": [5]}'),
        ScriptedRefusal(200, raw=b'{"data": [{}]}'),
        ScriptedRefusal(200, raw=b'{"data": [{"id": ["a"]}]}'),
        ScriptedRefusal(200, raw=b"null"),
        ScriptedRefusal(200, raw=b"[" * 100_000 + b"]" * 100_000),
        ScriptedRefusal(200, raw=b'{"data": []}', headers={"Content-Encoding": "gzip"}),
    ],
)
def test_list_that_is_none_is_refused(
    server: OpenAIServer, local: Settings, listing: ScriptedRefusal
) -> None:
    server.listing = listing
    with pytest.raises(ModelError, match=r"not from the OpenAI API|is compressed"):
        OpenAICompatible(local).list_models()


@pytest.mark.parametrize(
    "event",
    [
        b"null",
        b"5",
        b"[[]]",
        b'"word"',
        b'{"choices": "no"}',
        b'{"choices": [null]}',
        b'{"choices": [5]}',
        b'{"choices": {"a": 1}}',
        b'{"choices": [{"delta": "Hi"}]}',
        b'{"choices": [{"delta": {"content": 5}}]}',
        b'{"choices": [{"delta": {"content": {"a": 1}}}]}',
        b'{"choices": [{"delta": {"refusal": 5}}]}',
        b'{"choices": [{"delta": {}, "finish_reason": ["stop"]}]}',
        b"[1, 2, 3]",
        b'{"choices": [{"delta": {"content": ["a"]}}]}',
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b"\xff\xfe",
    ],
    ids=range(17),
)
def test_piece_in_another_form_cannot_be_read_and_prints_nothing(
    server: OpenAIServer, local: Settings, event: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    for before, behind in (([], []), ([WORDS], []), ([WORDS], [WORDS] * 200)):
        server.script = [events(*before, event, *behind)]
        response = ModelResponse()
        assert "Cannot read the server's response" in str(error_of(local, response))
        assert response.text == ("Hi. " if before else "")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("odd", "known"),
    [
        (b'{"choices": [], "model": ["x"]}', TokenUsage()),
        (b'{"choices": [], "model": {"name": "x"}}', TokenUsage()),
        (b'{"choices": [], "usage": 5}', TokenUsage()),
        (b'{"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": "many"}}',
         TokenUsage()),
        (b'{"choices": [], "usage": {"prompt_tokens": -1, "completion_tokens": 1}}', TokenUsage()),
        (b'{"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1e400}}',
         TokenUsage()),
        (b'{"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1' + b"0" * 400
         + b"}}", TokenUsage()),
        (b'{"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1,'
         b' "completion_tokens_details": [5]}}', TokenUsage(1, 1)),
    ],
    ids=range(8),
)  # fmt: skip
def test_odd_model_or_usage_beside_a_right_answer_is_unknown(
    server: OpenAIServer, local: Settings, odd: bytes, known: TokenUsage
) -> None:
    end = b'{"choices": [{"delta": {"content": "Bye."}, "finish_reason": "stop"}]}'
    server.script = [events(WORDS, odd, end, odd)] * 2
    response = OpenAICompatible(local).generate(QUESTION)
    assert (response.text, response.model_version) == ("Hi. Bye.", "")
    assert response.usage == known
    result = pipeline(local, "answers", "ask", "Who wrote it?", "--mode", "plain", "--json")
    assert document(result)["sides"][0]["answer"] == "Hi. Bye."


@pytest.mark.parametrize("seconds", ["100000000000000000000", "9" * 400])
def test_absurd_wait_is_told_without_its_number(
    server: OpenAIServer, local: Settings, seconds: str
) -> None:
    server.script = [ScriptedRefusal(429, "Rate limit", headers={"Retry-After": seconds})]
    error = error_of(local)
    assert isinstance(error, QuotaSpent)
    assert "is used up for longer than a day." in str(error)


def test_error_that_is_nested_deeply_is_named_by_its_status(
    server: OpenAIServer, local: Settings
) -> None:
    server.script = [ScriptedRefusal(400, raw=b'{"error":' * 50_000 + b"1" + b"}" * 50_000)]
    assert "refuses the request (400)" in str(error_of(local))


@pytest.fixture
def endless(
    request: pytest.FixtureRequest, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    """Settings that lead to a server which begins a response and sends a text without end."""
    begin, then, pause = request.param
    closing = threading.Event()

    class Handler(JsonHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.close_connection = True
            with suppress(ConnectionError):
                self.wfile.write(begin)
                while not closing.wait(pause):
                    self.wfile.write(then)

        def do_POST(self) -> None:
            self.do_GET()

    with serving(Handler) as address:
        monkeypatch.setenv("OPENAI_BASE_URL", address)
        yield Settings(home=settings.home)
        closing.set()


@pytest.mark.parametrize("endless", [(b'{"data":[', b'{"id":"m"},' * 10_000, 0)], indirect=True)
def test_list_without_end_is_refused(endless: Settings) -> None:
    with pytest.raises(ModelError, match="Cannot read the server's response"):
        OpenAICompatible(endless).list_models()


@pytest.mark.parametrize("endless", [(b"", b" ", 0.05)], indirect=True)
def test_list_that_drips_ends_at_the_limit(endless: Settings) -> None:
    with pytest.raises(ModelError, match="did not respond in time"):
        OpenAICompatible(endless, patience=0.5).list_models()


@pytest.mark.parametrize(
    "endless",
    [
        (b"data: ", b"x" * 100_000, 0),
        (b"", b"data: " + b"x" * 60_000 + b"\n", 0),
        (b"", b": ping\n\n" * 10_000, 0),
        (b"", b'data: {"choices": [{"delta": {"content": ""}}]}\n\n' * 10_000, 0),
    ],
    ids=["line", "lines", "comments", "empty"],
    indirect=True,
)
def test_response_without_words_and_end_is_refused_with_the_limit(
    endless: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_compatible_pieces, "STREAM_BYTES", 2_000_000)
    with pytest.raises(ModelError, match=r"longer than [12] MB"):
        OpenAICompatible(endless).generate(QUESTION, name=MODEL)


def test_answer_longer_than_the_limit_of_an_event_arrives_in_events(
    server: OpenAIServer, local: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_compatible_pieces, "EVENT_BYTES", 50_000)
    server.script = [ScriptedChat(["x" * 40_000] * 5)]
    assert OpenAICompatible(local).generate(QUESTION).text == "x" * MOST_CHARACTERS


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("line", [b"\n", b"\r\n", b"\r"])
def test_end_of_an_event_is_seen_wherever_the_response_is_split(size: int, line: bytes) -> None:
    sent = (b"data: abc" + line * 2) * 200
    parts = [sent[start : start + size] for start in range(0, len(sent), size)]
    event, end, longest = 0, b"", 0
    for part in parts:
        event = event_bytes(event, end, part)
        end = (end + part)[-3:]
        longest = max(longest, event)
    assert longest < 40


def test_schema_is_sent_as_the_response_format(server: OpenAIServer, local: Settings) -> None:
    OpenAICompatible(local).generate(QUESTION, schema={"type": "array"})
    form = server.questions[0].body["response_format"]
    assert form["json_schema"]["schema"] == {"type": "array"}


def test_command_asks_each_side_with_a_model_of_its_own(
    server: OpenAIServer, local: Settings
) -> None:
    arguments = ("--model", "other-7b", "--rag-model", f"openai-compatible:{MODEL}", "--json")
    result = pipeline(local, "answers", "ask", "Who wrote it?", *arguments)
    plain, rag = document(result)["sides"]
    assert (plain["model"], rag["model"]) == ("other-7b", MODEL)
    assert plain["provider"] == "OpenAI-compatible"
    assert plain["tokens"]["prompt"] == 21
    assert "different models" in result.stderr
    assert {request.body["model"] for request in server.questions} == {"other-7b", MODEL}
