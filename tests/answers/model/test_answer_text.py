"""An answer holds neither the model's thinking nor more than its longest length, while it streams.

Real clients of both providers ask local servers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress

import pytest

from pipeline.answers.model import Model, ModelResponse, TokenUsage
from pipeline.answers.model.answer_text import MOST_CHARACTERS, AnswerText
from pipeline.answers.model.call import ModelCall
from pipeline.answers.model.gemini import Gemini
from pipeline.answers.model.openai_compatible import OpenAICompatible
from pipeline.answers.model.prompts import plain_prompt
from pipeline.core.errors import ModelError
from pipeline.core.settings.settings import Settings
from tests.support.command import document, pipeline
from tests.support.gemini_server import KEY, GeminiServer, ScriptedAnswer, wait_until
from tests.support.openai_server import MODEL, OpenAIServer, ScriptedChat
from tests.support.servers import JsonHandler, serving

QUESTION = plain_prompt("Who wrote it?")

# Answers the next question with these pieces and this ending, and returns the model to ask.
Answering = Callable[[Sequence[str], bool], Model]


@pytest.fixture(params=["openai", "gemini"])
def answering(
    request: pytest.FixtureRequest, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Answering]:
    with ExitStack() as stack:
        if request.param == "openai":
            local = stack.enter_context(OpenAIServer())
            monkeypatch.setenv("OPENAI_BASE_URL", local.url)

            def answer(pieces: Sequence[str], at_limit: bool) -> Model:
                local.script = [ScriptedChat(pieces, finish="length" if at_limit else "stop")]
                return OpenAICompatible(Settings(home=settings.home))
        else:
            google = stack.enter_context(GeminiServer())
            monkeypatch.setenv("GEMINI_API_KEY", KEY)
            monkeypatch.setenv("GEMINI_BASE_URL", google.url)

            def answer(pieces: Sequence[str], at_limit: bool) -> Model:
                finish = "MAX_TOKENS" if at_limit else "STOP"
                google.script = [ScriptedAnswer(pieces, finish=finish, thinking=None)]
                return Gemini(Settings(home=settings.home))

        yield answer


def texts_while_streaming(pieces: Sequence[str]) -> tuple[list[str], ModelResponse]:
    """Return what is shown behind each piece and at the end, and the response."""
    response = ModelResponse()
    text = AnswerText(response, time.monotonic())
    shown = []
    for piece in pieces:
        text.add(piece)
        shown.append(response.text)
    text.end()
    return [*shown, response.text], response


@pytest.mark.parametrize("tag", ["think", "thinking", "THINK"])
@pytest.mark.parametrize("before", ["", "\n ", "<think>\n\n</think>\n"])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_thinking_at_the_beginning_is_never_shown(tag: str, before: str, size: int) -> None:
    answer = f"{before}<{tag}>Is 2 < 3? It has </b> 9 lanes.</{tag}>\n\nIt has 12 lanes. 3 < 4."
    pieces = [answer[start : start + size] for start in range(0, len(answer), size)]
    shown, response = texts_while_streaming(pieces)
    assert shown[-1] == "It has 12 lanes. 3 < 4."
    assert all(shown[-1].startswith(text) for text in shown)
    assert response.thinking_left_out


@pytest.mark.parametrize(
    "answer",
    [
        "<b>Bold.",
        "<",
        "<thin air>",
        "The mark <think> begins it and </think> ends it.",
        "Use:\n\n```\n<think>\nHm.\n</think>\n```\n",
        "It ends with </think> in the text.",
        "  <p>Hi.</p>",
        "<think>\n</think>",
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_answer_without_thinking_stays_letter_by_letter(answer: str, size: int) -> None:
    pieces = [answer[start : start + size] for start in range(0, len(answer), size)]
    shown, response = texts_while_streaming(pieces)
    assert shown[-1] == answer.replace("<think>\n</think>", "")
    assert not response.thinking_left_out


@pytest.mark.parametrize("size", [1, 4, 1000])
@pytest.mark.parametrize("line", ["\n", "\r\n"])
def test_thinking_that_only_its_end_marks_is_left_out(size: int, line: str) -> None:
    answer = f"Hm. Nine?{line}</think>{line}{line}It has 12 lanes."
    pieces = [answer[start : start + size] for start in range(0, len(answer), size)]
    shown, response = texts_while_streaming(pieces)
    assert shown[-1] == "It has 12 lanes."
    assert response.thinking_left_out
    shown, _ = texts_while_streaming(["Hm.\n", "</think>"])
    assert shown[-1] == ""


def test_thinking_is_left_out_of_every_providers_answer(answering: Answering) -> None:
    response = answering(["<thi", "nk>It has 9 ", "lanes.</th", "ink>\n", "12 lanes."], False)
    call = ModelCall(QUESTION, response)
    assert call.wait(20)
    assert (call.error, call.response.text) == (None, "12 lanes.")
    assert call.response.thinking_left_out


@pytest.mark.parametrize("at_limit", [True, False])
def test_answer_that_never_ends_thinking_is_told_as_spent_on_thinking(
    answering: Answering, at_limit: bool
) -> None:
    call = ModelCall(QUESTION, answering(["<think>", "It has 9 lanes."], at_limit))
    assert call.wait(20)
    assert "for thinking" in str(call.error)
    assert "none was left for an answer" in str(call.error)
    assert (call.response.text, call.checked_text) == ("", "")


def test_command_says_that_thinking_is_left_out(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = ScriptedChat(["<think>It has 9 lanes.</think>It has 12 lanes."])
    with OpenAIServer(respond=lambda _request: chat) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        asked = ("answers", "ask", "How many lanes?", "--mode", "plain")
        result = pipeline(settings, *asked)
        (side,) = document(pipeline(settings, *asked, "--json"))["sides"]
    assert "thinking omitted" in result.stdout
    assert "9 lanes" not in result.stdout
    assert (side["answer"], side["thinking_left_out"]) == ("It has 12 lanes.", True)


@pytest.mark.parametrize("piece", ["It has 12 lanes. ", "x" * 450_000], ids=["sentences", "word"])
def test_answer_beyond_the_longest_length_is_not_read_to_its_end(
    answering: Answering, piece: str
) -> None:
    pieces = [piece] * (1 + 2 * MOST_CHARACTERS // len(piece))
    call = ModelCall(QUESTION, answering(["It has 12 lanes. ", *pieces], False))
    assert call.wait(60)
    assert isinstance(call.error, ModelError)
    assert "longer than 200,000 characters" in str(call.error)
    assert "the received part is shown" in str(call.error)
    assert len(call.response.text) == MOST_CHARACTERS
    assert call.checked_text.endswith("It has 12 lanes.")


@pytest.mark.parametrize("piece", [b"x", b"\\ud83d\\ude00 ", b"ab. " * 2000])
def test_flood_ends_the_request_at_the_longest_length(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, piece: bytes
) -> None:
    ended = threading.Event()
    event = b'data: {"choices": [{"delta": {"content": "' + piece + b'"}}]}\n\n'

    class Handler(JsonHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.close_connection = True
            with suppress(ConnectionError):
                while True:
                    self.wfile.write(event)
            ended.set()

    monkeypatch.setattr("pipeline.answers.model.answer_text.MOST_CHARACTERS", 20_000)
    with serving(Handler) as address:
        monkeypatch.setenv("OPENAI_BASE_URL", address)
        call = ModelCall(QUESTION, OpenAICompatible(Settings(home=settings.home)), MODEL)
        assert call.wait(60)
        assert ended.wait(10)
    assert "was not read to its end" in str(call.error)
    assert len(call.response.text) == 20_000


def test_part_without_a_whole_sentence_is_shown_and_told_as_such(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = ScriptedChat(["It has twelve lan"], cut=True)
    with OpenAIServer(respond=lambda _request: chat) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        result = pipeline(settings, "answers", "ask", "How many?", "--mode", "plain", "--json")
    (side,) = document(result)["sides"]
    assert result.returncode == 1
    assert side["answer"] == "It has twelve lan"
    assert (side["outcome"], side["claims"]) == ("no whole sentence", [])


def test_limit_of_time_says_whether_a_part_arrived(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenAIServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        model = OpenAICompatible(Settings(home=settings.home), 0.5)
        for pieces, words in ((["Slow"], "the received part is shown"), ([], "no part of it")):
            server.script = [ScriptedChat(pieces, silent=True)]
            with pytest.raises(ModelError, match=words):
                model.generate(QUESTION)


def test_unfinished_sentence_of_a_stopped_answer_is_not_checked(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenAIServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        model = OpenAICompatible(Settings(home=settings.home))
        for text, checked in (("It has 12 lanes. It was", "It has 12 lanes."), ("It has 1", "")):
            server.script = [ScriptedChat([text], silent=True)]
            call = ModelCall(QUESTION, model)
            wait_until(lambda call=call, text=text: call.response.text == text)
            call.stop()
            assert call.wait(5)
            assert call.stopped
            assert call.checked_text == checked
            assert call.response.usage == TokenUsage()
