"""What a run of a question set shows: rates of each outcome, and paired differences. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.answers.scoring import Outcome
from pipeline.answers.statistics import Difference, Rate, compare, wilson
from pipeline.answers.suite_runs import Answer, SuiteRun
from pipeline.answers.suites import Kind

SIDE_WORDS = {"plain": "plain", "rag": "with sources"}
GROUPS = {"all": "all questions", "answerable": "answerable", "other": "without an answer"}


@dataclass(frozen=True)
class Summary:
    """One side of one model over one group of questions: the rates of each outcome.

    `dollars` is None where some answer's price is not known; `claims_found` is the share of all
    claims that stand in the passages, None without claims. Seconds are the median.
    """

    model: str
    side: str
    group: str
    rates: dict[Outcome, Rate]
    dollars: float | None
    seconds: float | None
    claims_found: float | None


@dataclass(frozen=True)
class Contrast:
    """How often an outcome came on one side, less how often on the other: paired, with interval.

    `what` says which two are compared; `group` over which questions.
    """

    model: str
    what: str
    group: str
    outcome: Outcome
    difference: Difference


def summarize(run: SuiteRun, answers: Sequence[Answer]) -> list[Summary]:
    """Return the rates of a run so far, by model, side and group of questions."""
    kinds = _kinds(run)
    found = []
    for model in run.models:
        for side in run.sides:
            for group in GROUPS:
                mine = [
                    answer
                    for answer in answers
                    if (answer.model, answer.side) == (model, side)
                    and _in_group(kinds.get(answer.question_id), group)
                ]
                if mine:
                    found.append(_summary(model, side, group, mine))
    return found


def contrasts(run: SuiteRun, answers: Sequence[Answer]) -> list[Contrast]:
    """Return, for each model, what sources changed: with sources less plain."""
    by_side = {
        side: {(a.question_id, a.model, a.repeat): a for a in answers if a.side == side}
        for side in ("rag", "plain")
    }
    return _contrasts(run, by_side["rag"], by_side["plain"], "with sources less plain")


def contrasts_with_earlier(
    run: SuiteRun, answers: Sequence[Answer], earlier: Sequence[Answer]
) -> list[Contrast]:
    """Return what changed since an earlier run, for each model and side that both have."""
    found = []
    for side in run.sides:
        now, then = (
            {(a.question_id, a.model, a.repeat): a for a in side_of if a.side == side}
            for side_of in (answers, earlier)
        )
        found += _contrasts(run, now, then, f"{SIDE_WORDS[side]}: this run less the earlier")
    return found


def _contrasts(
    run: SuiteRun,
    first: dict[tuple[str, str, int], Answer],
    second: dict[tuple[str, str, int], Answer],
    what: str,
) -> list[Contrast]:
    kinds = _kinds(run)
    found = []
    for model in run.models:
        for group in GROUPS:
            for outcome in Outcome:
                pairs: dict[str, list[tuple[bool, bool]]] = {}
                for key in first.keys() & second.keys():
                    if key[1] == model and _in_group(kinds.get(key[0]), group):
                        both = (first[key].outcome == outcome, second[key].outcome == outcome)
                        pairs.setdefault(key[0], []).append(both)
                difference = compare(dict(sorted(pairs.items())))
                if difference:
                    found.append(Contrast(model, what, group, outcome, difference))
    return found


def _kinds(run: SuiteRun) -> dict[str, Kind]:
    return {question.id: question.kind for question in run.suite.questions}


def _in_group(kind: Kind | None, group: str) -> bool:
    if group == "all":
        return kind is not None
    return kind is not None and (kind == Kind.ANSWERABLE) == (group == "answerable")


def _summary(model: str, side: str, group: str, answers: Sequence[Answer]) -> Summary:
    total = len(answers)
    dollars = [answer.dollars for answer in answers if answer.dollars is not None]
    seconds = [answer.seconds for answer in answers if answer.seconds is not None]
    claims = sum(answer.claims for answer in answers)
    return Summary(
        model,
        side,
        group,
        {o: wilson(sum(a.outcome == o for a in answers), total) for o in Outcome},
        sum(dollars) if len(dollars) == total else None,
        statistics.median(seconds) if seconds else None,
        sum(answer.claims_found for answer in answers) / claims if claims else None,
    )
