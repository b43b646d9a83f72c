"""Summarize a run of a suite: rates of each outcome, and paired differences. Pure: no I/O."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.answers.model.names import base_name, other_model_notice
from pipeline.answers.model.prompts import Side
from pipeline.answers.suites.scoring import Outcome
from pipeline.answers.suites.statistics import PairedDifference, Rate, compare_pairs, wilson
from pipeline.answers.suites.suite_runs import ScoredAnswer, SuiteRun
from pipeline.answers.suites.suites import QuestionKind

GROUPS = {"all": "all questions", "answerable": "answerable", "other": "without an answer"}


@dataclass(frozen=True)
class OutcomeRates:
    """The rate of each outcome for one side of one model, over one group of questions.

    Attributes:
        dollars: What the answers cost; None if the price of one is unknown.
        seconds: The median time of an answer.
        claims_found: The share of all claims that are in the passages; None without claims.
    """

    model: str
    side: Side
    group: str
    rates: dict[Outcome, Rate]
    dollars: float | None
    seconds: float | None
    claims_found: float | None


@dataclass(frozen=True)
class Contrast:
    """How often an outcome occurred among some answers, less how often among others.

    `what` says which two are compared, `group` over which questions.
    """

    model: str
    what: str
    group: str
    outcome: Outcome
    difference: PairedDifference


def summarize(run: SuiteRun, answers: Sequence[ScoredAnswer]) -> list[OutcomeRates]:
    """Return the rates of a run so far, by model, side and group of questions."""
    kinds = _kinds(run)
    summary = []
    for model in run.models:
        for side in run.sides:
            for group in GROUPS:
                members = [
                    answer
                    for answer in answers
                    if (answer.model, answer.side) == (model, side)
                    and _in_group(kinds.get(answer.question_id), group)
                ]
                if members:
                    summary.append(_rates(model, side, group, members))
    return summary


def contrasts(
    run: SuiteRun,
    answers: Sequence[ScoredAnswer],
    earlier: Sequence[ScoredAnswer] | None = None,
) -> list[Contrast]:
    """Return for each model what sources changed, and what changed since an earlier run.

    Args:
        run: The run.
        answers: Its answers so far.
        earlier: The answers of an earlier run, if there is one to compare with. Models that
            another one answered then are left out: the difference would be that of two models.
    """
    if earlier is not None:
        then = {answer.model: base_name(answer.model_version) for answer in earlier}
        now = {answer.model: base_name(answer.model_version) for answer in answers}
        earlier = [a for a in earlier if then[a.model] == now.get(a.model)]
    of_side = {side: _by_question(answers, side) for side in Side}
    differences = _contrasts(run, of_side[Side.RAG], of_side[Side.PLAIN], "with sources less plain")
    for side in run.sides if earlier is not None else ():
        before = _by_question(earlier or (), side)
        what = f"{side.words}: this run less the earlier"
        differences += _contrasts(run, of_side[side], before, what)
    return differences


def same_models(answered_by: Mapping[str, str]) -> list[str]:
    """Return two names that were asked and that one model answered, or nothing.

    Args:
        answered_by: By the name that was requested, the model that answered.
    """
    requested: dict[str, str] = {}
    for name, answered in answered_by.items():
        other = requested.setdefault(base_name(answered), name)
        if other != name:
            return [other, name]
    return []


def swap_notices(answers: Sequence[ScoredAnswer]) -> list[str]:
    """Return a sentence for each name that another model answered."""
    pairs = dict.fromkeys((answer.model, answer.model_version) for answer in answers)
    return list(filter(None, (other_model_notice(*pair) for pair in pairs)))


def _by_question(
    answers: Sequence[ScoredAnswer], side: Side
) -> dict[tuple[str, str, int], ScoredAnswer]:
    return {(a.question_id, a.model, a.repeat): a for a in answers if a.side == side}


def _contrasts(
    run: SuiteRun,
    first: Mapping[tuple[str, str, int], ScoredAnswer],
    second: Mapping[tuple[str, str, int], ScoredAnswer],
    what: str,
) -> list[Contrast]:
    kinds = _kinds(run)
    differences = []
    for model in run.models:
        for group in GROUPS:
            for outcome in Outcome:
                pairs: dict[str, list[tuple[bool, bool]]] = {}
                for key in first.keys() & second.keys():
                    if key[1] == model and _in_group(kinds.get(key[0]), group):
                        pair = (first[key].outcome == outcome, second[key].outcome == outcome)
                        pairs.setdefault(key[0], []).append(pair)
                difference = compare_pairs(dict(sorted(pairs.items())))
                if difference:
                    differences.append(Contrast(model, what, group, outcome, difference))
    return differences


def _kinds(run: SuiteRun) -> dict[str, QuestionKind]:
    return {question.id: question.kind for question in run.suite.questions}


def _in_group(kind: QuestionKind | None, group: str) -> bool:
    if group == "all":
        return kind is not None
    return kind is not None and (kind == QuestionKind.ANSWERABLE) == (group == "answerable")


def _rates(model: str, side: Side, group: str, answers: Sequence[ScoredAnswer]) -> OutcomeRates:
    total = len(answers)
    dollars = [answer.dollars for answer in answers if answer.dollars is not None]
    seconds = [answer.seconds for answer in answers if answer.seconds is not None]
    claims = sum(answer.claims for answer in answers)
    return OutcomeRates(
        model,
        side,
        group,
        {o: wilson(sum(a.outcome == o for a in answers), total) for o in Outcome},
        sum(dollars) if len(dollars) == total else None,
        statistics.median(seconds) if seconds else None,
        sum(answer.claims_found for answer in answers) / claims if claims else None,
    )
