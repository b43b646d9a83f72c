"""Run a question set: each question, repeat, model and side, one call at a time.

Both sides are asked the same question with the same model and settings, and both may say that they
do not know. Their answers are scored by the same checks and against the same passages.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import Timeout

from pipeline.answers.check.grounding import Verdict, check
from pipeline.answers.documents.retrieval import Passage, search
from pipeline.answers.model import ModelResponse, OnWait, ignore_wait
from pipeline.answers.model.endings import whole_sentences
from pipeline.answers.model.names import answered_name
from pipeline.answers.model.prices import ModelPrice, PriceList, read_prices
from pipeline.answers.model.prompts import Prompt, PromptSource, Side, plain_prompt, rag_prompt
from pipeline.answers.model.providers import choose_model
from pipeline.answers.suites.outcomes import same_models
from pipeline.answers.suites.scoring import score
from pipeline.answers.suites.suite_runs import (
    ScoredAnswer,
    SuiteRun,
    SuiteRunState,
    SuiteRunStore,
)
from pipeline.answers.suites.suites import SearchScope, Suite, SuiteQuestion, open_scope
from pipeline.core.cancel import Cancel
from pipeline.core.errors import (
    Cancelled,
    KeyRefused,
    ModelError,
    ModelGone,
    QuotaSpent,
    UsageError,
)
from pipeline.core.home import make_folder
from pipeline.core.settings.settings import Settings
from pipeline.runs.locks import HomeLock, is_held

SIDES = tuple(Side)
OUTPUT_ALLOWANCE = 2_000  # tokens an answer may take, thinking included, in the estimated price
CHARACTERS_A_TOKEN = 2  # fewer than text has (about 4 in English), so that the price is a maximum
CALLS_A_MINUTE = 10  # the least that Gemini's free tier allows for its models
FAILURES_IN_A_ROW = 5  # then something is wrong that waiting does not mend

OnAnswer = Callable[[ScoredAnswer, int, int], object]
"""Called for each answer, with how many answers the run has and how many it will have."""


@dataclass(frozen=True)
class CallEstimate:
    """What a run will take.

    Attributes:
        calls: How many calls are left.
        dollars: The most they may cost; None if the price of a model is unknown.
        unpriced: The models without a price.
        seconds: How long the run takes by its pace alone.
    """

    calls: int
    dollars: float | None
    unpriced: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class PlannedCall:
    """One question to one side of one model."""

    question: SuiteQuestion
    side: Side
    model: str
    repeat: int
    prompt: Prompt
    passages: tuple[Passage, ...]

    @property
    def key(self) -> tuple[str, str, str, int]:
        """The same as `ScoredAnswer.key` of its answer."""
        return self.question.id, self.side, self.model, self.repeat


def plan_calls(
    suite: Suite,
    scope: SearchScope,
    models: tuple[str, ...],
    sides: tuple[Side, ...] = SIDES,
    repeats: int = 1,
    top: int = 5,
) -> list[PlannedCall]:
    """Return the calls of a run; sides alternate, so that a stopped run has whole pairs of them.

    Args:
        suite: The questions.
        scope: Where their passages are searched.
        models: Names of the models to ask.
        sides: Whether each question is asked plain, with sources, or both.
        repeats: How often each question is asked.
        top: Most passages for a question.

    Raises UsageError if there would be no calls.
    """
    if not models or repeats < 1 or top < 1 or not sides:
        raise UsageError(
            "A run needs a model, a side, and at least one repeat and passage.",
            cure="Give --model, and --repeats and --top of 1 or more.",
        )
    prepared = []
    for question in suite.questions:
        passages = tuple(search(scope.documents, question.question, top, scope.only))
        sources = [PromptSource(passage.context, passage.text) for passage in passages]
        prompts = {
            Side.PLAIN: plain_prompt(question.question, may_abstain=True),
            Side.RAG: rag_prompt(question.question, sources),
        }
        prepared.append((question, prompts, passages))
    return [
        PlannedCall(question, side, model, repeat, prompts[side], passages)
        for repeat in range(1, repeats + 1)
        for question, prompts, passages in prepared
        for model in models
        for side in sides
    ]


def estimate_calls(
    calls: list[PlannedCall], prices: PriceList, calls_a_minute: float = CALLS_A_MINUTE
) -> CallEstimate:
    """Return how many calls these are, the most they may cost, and how long they take."""
    unpriced = tuple(sorted({call.model for call in calls if _price(call.model, prices) is None}))
    dollars = 0.0
    for call in calls:
        price = _price(call.model, prices)
        if price is not None:
            tokens = len(call.prompt.text()) / CHARACTERS_A_TOKEN
            dollars += (tokens * price.input + OUTPUT_ALLOWANCE * price.output) / 1_000_000
    seconds = max(0, len(calls) - 1) * 60 / calls_a_minute
    return CallEstimate(len(calls), None if unpriced else dollars, unpriced, seconds)


def _price(reference: str, prices: PriceList) -> ModelPrice | None:
    """Return the price of a model; `choose_model` says which forms a name has."""
    return prices.of(reference) or prices.of(reference.partition(":")[2])


def start_run(
    suite: Suite,
    folder: Path,
    settings: Settings,
    models: tuple[str, ...],
    sides: tuple[Side, ...] = SIDES,
    repeats: int = 1,
    top: int = 5,
) -> SuiteRun:
    """Store a new run for `run_suite`; raises what `open_scope` and `plan_calls` raise."""
    scope = open_scope(suite, settings, folder)
    calls = plan_calls(suite, scope, models, sides, repeats, top)
    most_dollars = estimate_calls(calls, read_prices(settings)).dollars
    runs = SuiteRunStore(settings.suites_path)
    return runs.start(suite, folder, models, sides, repeats, top, most_dollars)


def remaining_calls(run: SuiteRun, settings: Settings) -> list[PlannedCall]:
    """Return the calls of a run that have no answer yet."""
    scope = open_scope(run.suite, settings, run.folder)
    answered = {answer.key for answer in SuiteRunStore(settings.suites_path).answers(run.run_id)}
    calls = plan_calls(run.suite, scope, run.models, run.sides, run.repeats, run.top)
    return [call for call in calls if call.key not in answered]


def run_suite(
    run: SuiteRun,
    settings: Settings,
    cancel: Cancel,
    *,
    calls_a_minute: float = CALLS_A_MINUTE,
    on_answer: OnAnswer = lambda _answer, _done, _total: None,
    on_wait: OnWait = ignore_wait,
) -> SuiteRun:
    """Make the remaining calls of a run, and return the run as it then is.

    Every answer is stored as it arrives. The run ends `stopped`, to be resumed, when `cancel` is
    set, when a daily quota is spent, or at the price that was shown before. It ends `failed` when
    the key or model is refused, or no call is answered any more.

    Raises StorageError, UsageError if another process runs it or if the prices that bound it cannot
    be read, and what `open_scope` raises.
    """
    runs = SuiteRunStore(settings.suites_path)
    with _hold_lock(run, settings):
        try:
            calls = remaining_calls(run, settings)
            runs.set_state(run.run_id, "running")
            paced = _pace(calls, calls_a_minute, cancel, on_wait)
            state, reason = _make_calls(run, paced, settings, cancel, on_answer, on_wait)
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


def _make_calls(
    run: SuiteRun,
    calls: Iterable[PlannedCall],
    settings: Settings,
    cancel: Cancel,
    on_answer: OnAnswer,
    on_wait: OnWait,
) -> tuple[SuiteRunState, str]:
    """Make calls and store their answers; return the state of the run then, and why."""
    runs = SuiteRunStore(settings.suites_path)
    prices = read_prices(settings)
    if run.most_dollars is not None:
        prices.require()  # a run that may cost so much must know what it costs
    answers = runs.answers(run.run_id)
    spent, done = sum(answer.dollars or 0.0 for answer in answers), len(answers)
    answered_by = {answer.model: answer.model_version or answer.model for answer in answers}
    failures, reason = 0, ""
    for call in calls:
        if twins := same_models(answered_by):
            return "stopped", (
                f"{' and '.join(twins)} were both answered by {answered_by[twins[0]]}: there is "
                "nothing to compare. Start a run with one of them."
            )
        if run.most_dollars is not None and spent >= run.most_dollars:
            return "stopped", f"The run reached its maximum cost of ${run.most_dollars:.4f}."
        try:
            model, name = choose_model(settings, call.model)
            response = model.generate(call.prompt, name=name, cancel=cancel, on_wait=on_wait)
        except (KeyRefused, ModelGone, QuotaSpent):
            raise
        except ModelError as error:  # of this call; the next one may succeed
            failures, reason = failures + 1, f"Some calls had no answer: {error}"
            if failures >= FAILURES_IN_A_ROW:
                raise
            continue
        failures = 0
        answered_by[call.model] = answered_name(response)
        answer = _score(call, response, prices)
        runs.save(run.run_id, answer)
        spent += answer.dollars or 0.0
        done += 1
        on_answer(answer, done, run.calls)
    return ("succeeded", "") if done >= run.calls else ("stopped", reason)


@contextmanager
def _hold_lock(run: SuiteRun, settings: Settings) -> Iterator[None]:
    """Prevent that a run is resumed twice, which would pay for its answers twice."""
    try:
        lock = _lock(run, settings).acquire(timeout=0)
    except Timeout:
        raise UsageError(
            f"The suite run {run.run_id} is running in another window or process (pid {run.pid}).",
            cure="Wait for it, or stop it there.",
        ) from None
    with lock:
        yield


def is_running(run: SuiteRun, settings: Settings) -> bool:
    """Return whether a run is run right now; False if its process died while it was running."""
    return run.state == "running" and is_held(_lock(run, settings))


def _lock(run: SuiteRun, settings: Settings) -> HomeLock:
    folder = settings.home / "suite-locks"
    make_folder(folder)
    return HomeLock(folder / f"{run.run_id}.lock")


def _score(call: PlannedCall, response: ModelResponse, prices: PriceList) -> ScoredAnswer:
    outcome, why = score(call.question, response.text)
    text = whole_sentences(response.text) if response.is_cut else response.text
    verdicts = check(text, call.passages, question=call.question.question)
    claims = [verdict for verdict in verdicts if verdict.verdict != Verdict.ABSTAINED]
    return ScoredAnswer(
        question_id=call.question.id,
        side=call.side,
        model=call.model,
        repeat=call.repeat,
        outcome=outcome.value,
        why=why,
        answer=response.text,
        model_version=response.model_version,
        prompt_tokens=response.usage.prompt,
        output_tokens=response.usage.output,
        thinking_tokens=response.usage.thinking,
        dollars=prices.cost(answered_name(response), response.usage),
        first_token_seconds=response.first_token_seconds,
        seconds=response.seconds,
        claims=len(claims),
        claims_found=sum(verdict.verdict.is_found for verdict in claims),
        answered_at=datetime.now(UTC).isoformat(),
    )


def _pace(
    calls: list[PlannedCall],
    calls_a_minute: float,
    cancel: Cancel,
    on_wait: OnWait,
) -> Iterator[PlannedCall]:
    """Yield calls no faster than the quota allows; raises Cancelled when `cancel` is set."""
    started = -float("inf")
    for call in calls:
        until = started + 60 / calls_a_minute
        while (left := until - time.monotonic()) > 0:
            cancel.check()
            on_wait("Paced to the quota.", left)
            time.sleep(min(left, 0.2))
        cancel.check()
        started = time.monotonic()
        yield call
