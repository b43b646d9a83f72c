"""Running a question set: each question, repeat, model and side, one call at a time.

Both sides are asked the same question with the same model and settings, and both may say that they
do not know. Both answers are judged by the same checks and against the same passages.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.answers.gemini import Reply, generate
from pipeline.answers.gemini_client import OnWait
from pipeline.answers.grounding import Verdict, check
from pipeline.answers.prices import Prices, read_prices
from pipeline.answers.prompts import Prompt, Source, plain_prompt, rag_prompt
from pipeline.answers.retrieval import Passage, search
from pipeline.answers.scoring import score
from pipeline.answers.suite_runs import SIDES, Answer, Side, State, SuiteRun, SuiteRuns
from pipeline.answers.suites import Library, Question, Suite, open_library
from pipeline.cancel import Cancel
from pipeline.errors import (
    Cancelled,
    KeyRefused,
    ModelError,
    ModelGone,
    QuotaSpent,
    UsageError,
)
from pipeline.locks import is_held
from pipeline.settings import Settings, make_folder

OUTPUT_ALLOWANCE = 2_000  # tokens an answer may take, thinking included, for the price beforehand
CHARACTERS_A_TOKEN = 2  # fewer than text has (about 4 in English), so that the price is a maximum
CALLS_A_MINUTE = 10  # the least that Gemini's free tier allows for its models
FAILURES_IN_A_ROW = 5  # then something is wrong that waiting does not mend

# Asks a model: prompt, model, what to do while waiting for a quota, cancel.
Ask = Callable[[Prompt, str, OnWait, Cancel], Reply]
OnAnswer = Callable[[Answer, int, int], object]  # the answer, how many are done, of how many


def _ignore(*_: object) -> None: ...


@dataclass(frozen=True)
class Estimate:
    """What a run will take: calls left, and most dollars, None where a model has no known price.

    `unpriced` are the models without one; `seconds` is how long the pacing alone makes it last.
    """

    calls: int
    dollars: float | None
    unpriced: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Call:
    """One question to one side of one model."""

    question: Question
    side: Side
    model: str
    repeat: int
    prompt: Prompt
    passages: tuple[Passage, ...]

    @property
    def key(self) -> tuple[str, str, str, int]:
        """As `Answer.key`."""
        return self.question.id, self.side, self.model, self.repeat


def plan_calls(
    suite: Suite,
    library: Library,
    models: tuple[str, ...],
    sides: tuple[Side, ...] = SIDES,
    repeats: int = 1,
    top: int = 5,
) -> list[Call]:
    """Return the calls of a run; a run that stops early has whole pairs of sides so far.

    Raises UsageError where that would be none.
    """
    if not models or repeats < 1 or top < 1 or not sides:
        raise UsageError(
            "A run needs a model, a side, and at least one repeat and passage.",
            cure="Give --model, and --repeats and --top of 1 or more.",
        )
    asked = []
    for question in suite.questions:
        found = tuple(search(library.documents, question.question, top, library.only))
        sources = [Source(passage.context, passage.text) for passage in found]
        prompts: dict[Side, Prompt] = {
            "plain": plain_prompt(question.question, may_abstain=True),
            "rag": rag_prompt(question.question, sources),
        }
        asked.append((question, prompts, found))
    return [
        Call(question, side, model, repeat, prompts[side], found)
        for repeat in range(1, repeats + 1)
        for question, prompts, found in asked
        for model in models
        for side in sides
    ]


def estimate(calls: list[Call], prices: Prices, calls_a_minute: float = CALLS_A_MINUTE) -> Estimate:
    """Return how many calls these are and the most that they may cost."""
    unpriced = tuple(sorted({call.model for call in calls if prices.of(call.model) is None}))
    dollars = 0.0
    for call in calls:
        price = prices.of(call.model)
        if price is not None:
            tokens = len(call.prompt.text()) / CHARACTERS_A_TOKEN
            dollars += (tokens * price.input + OUTPUT_ALLOWANCE * price.output) / 1_000_000
    seconds = max(0, len(calls) - 1) * 60 / calls_a_minute
    return Estimate(len(calls), None if unpriced else dollars, unpriced, seconds)


def start_run(
    suite: Suite,
    folder: Path,
    settings: Settings,
    models: tuple[str, ...],
    sides: tuple[Side, ...] = SIDES,
    repeats: int = 1,
    top: int = 5,
) -> SuiteRun:
    """Write down a new run, ready for `run_suite`; raises what `open_library` raises."""
    library = open_library(suite, settings, folder)
    expected = estimate(
        plan_calls(suite, library, models, sides, repeats, top), read_prices(settings)
    )
    runs = SuiteRuns(settings.suites_path)
    return runs.start(suite, folder, models, sides, repeats, top, expected.dollars)


def remaining(run: SuiteRun, settings: Settings) -> list[Call]:
    """Return the calls that a run has not had an answer to."""
    library = open_library(run.suite, settings, run.folder)
    done = {answer.key for answer in SuiteRuns(settings.suites_path).answers(run.run_id)}
    calls = plan_calls(run.suite, library, run.models, run.sides, run.repeats, run.top)
    return [call for call in calls if call.key not in done]


def run_suite(
    run: SuiteRun,
    settings: Settings,
    cancel: Cancel,
    *,
    ask: Ask | None = None,
    calls_a_minute: float = CALLS_A_MINUTE,
    on_answer: OnAnswer = _ignore,
    on_wait: OnWait = _ignore,
) -> SuiteRun:
    """Ask what is still to be asked, and return the run as it then stands.

    Every answer is kept as it comes. The run ends `stopped`, to be gone on with, when `cancel` is
    set, when a daily quota is spent, or at the price that was shown before; `failed` when the key
    or model is refused or nothing is answered any more. Raises StorageError, and what
    `open_library` raises.
    """
    runs = SuiteRuns(settings.suites_path)
    with _holding(run, settings):
        try:
            calls = remaining(run, settings)
            runs.set_state(run.run_id, "running")
            paced = _paced(calls, calls_a_minute, cancel, on_wait)
            state, reason = _ask_all(
                run, paced, settings, ask or _asker(settings), cancel, on_answer, on_wait
            )
        except Cancelled:
            state, reason = "stopped", "Somebody stopped it."
        except QuotaSpent as error:
            state, reason = "stopped", str(error)
        except ModelError as error:
            state, reason = "failed", str(error)
        except BaseException:
            runs.set_state(run.run_id, "stopped", "The process ended.")
            raise
        runs.set_state(run.run_id, state, reason)
    return runs.run(run.run_id)


def _ask_all(
    run: SuiteRun,
    calls: Iterable[Call],
    settings: Settings,
    ask: Ask,
    cancel: Cancel,
    on_answer: OnAnswer,
    on_wait: OnWait,
) -> tuple[State, str]:
    """Ask the calls and keep their answers; return how the run then stands, and why."""
    runs = SuiteRuns(settings.suites_path)
    prices = read_prices(settings)
    kept = runs.answers(run.run_id)
    spent, done = sum(answer.dollars or 0.0 for answer in kept), len(kept)
    failures, reason = 0, ""
    for call in calls:
        if run.most_dollars is not None and spent >= run.most_dollars:
            return "stopped", f"It has cost the ${run.most_dollars:.4f} shown before."
        try:
            reply = ask(call.prompt, call.model, on_wait, cancel)
        except (KeyRefused, ModelGone, QuotaSpent):
            raise
        except ModelError as error:  # this one answer; the next may well come
            failures, reason = failures + 1, f"Some calls had no answer: {error}"
            if failures >= FAILURES_IN_A_ROW:
                raise
            continue
        failures = 0
        answer = _judged(call, reply, prices)
        runs.save(run.run_id, answer)
        spent += answer.dollars or 0.0
        done += 1
        on_answer(answer, done, run.calls)
    return ("succeeded", "") if done >= run.calls else ("stopped", reason)


@contextmanager
def _holding(run: SuiteRun, settings: Settings) -> Iterator[None]:
    """Keep a run from being gone on with twice, which would pay for its answers twice."""
    try:
        held = _lock(run, settings).acquire(timeout=0)
    except Timeout:
        raise UsageError(
            f"The suite run {run.run_id} is on in another window or process (pid {run.pid}).",
            cure="Wait for it, or stop it there.",
        ) from None
    with held:
        yield


def is_on(run: SuiteRun, settings: Settings) -> bool:
    """Whether a run is being run right now; one still marked so whose process died is not."""
    return run.state == "running" and is_held(_lock(run, settings))


def _lock(run: SuiteRun, settings: Settings) -> FileLock:
    folder = settings.home / "suite-locks"
    make_folder(folder)
    return FileLock(folder / f"{run.run_id}.lock", thread_local=False)


def _asker(settings: Settings) -> Ask:
    def ask(prompt: Prompt, model: str, on_wait: OnWait, cancel: Cancel) -> Reply:
        return generate(prompt, settings, model=model, on_wait=on_wait, cancel=cancel)

    return ask


def _judged(call: Call, reply: Reply, prices: Prices) -> Answer:
    outcome, why = score(call.question, reply.text)
    verdicts = check(reply.text, call.passages)
    judged = [verdict for verdict in verdicts if verdict.verdict != Verdict.ABSTAINED]
    return Answer(
        question_id=call.question.id,
        side=call.side,
        model=call.model,
        repeat=call.repeat,
        outcome=outcome.value,
        why=why,
        answer=reply.text,
        model_version=reply.model_version,
        prompt_tokens=reply.usage.prompt,
        output_tokens=reply.usage.output,
        thinking_tokens=reply.usage.thinking,
        dollars=prices.cost(call.model, reply.usage),
        first_token_seconds=reply.first_token_seconds,
        seconds=reply.seconds,
        claims=len(judged),
        claims_found=sum(verdict.verdict == Verdict.FOUND for verdict in judged),
        answered_at=datetime.now(UTC).isoformat(),
    )


def _paced(
    calls: list[Call],
    calls_a_minute: float,
    cancel: Cancel,
    on_wait: OnWait,
) -> Iterator[Call]:
    """Yield the calls, begun no closer together than the quota allows."""
    begun = -float("inf")
    for call in calls:
        until = begun + 60 / calls_a_minute
        while (left := until - time.monotonic()) > 0:
            cancel.check()
            on_wait("Paced to the quota.", left)
            time.sleep(min(left, 0.2))
        cancel.check()
        begun = time.monotonic()
        yield call
