"""Score an answer to a question of a suite: right, wrong, or abstained. No model is asked."""

from __future__ import annotations

import re
from enum import StrEnum

from pipeline.answers.check.claims import is_abstention, strip_markup
from pipeline.answers.check.facts import find_facts
from pipeline.answers.check.quantities import Quantity
from pipeline.answers.suites.suites import AnswerCheck, QuestionKind, SuiteQuestion


class Outcome(StrEnum):
    """The score of an answer. Declining is an outcome of its own, neither right nor wrong."""

    RIGHT = "right"
    WRONG = "wrong"
    ABSTAINED = "abstained"


# Wherever an outcome is shown, its glyph stands beside its word.
OUTCOME_GLYPHS = {Outcome.RIGHT: "●", Outcome.WRONG: "✕", Outcome.ABSTAINED: "–"}


def score(question: SuiteQuestion, answer: str) -> tuple[Outcome, str]:
    """Return the outcome of an answer and, if it is wrong, why in words.

    Any answer to a question that cannot be answered is wrong unless it declines. A question with a
    false premise may be declined or, which is right, corrected as its checks demand.
    """
    if is_abstention(answer):
        return Outcome.ABSTAINED, ""
    if question.kind == QuestionKind.UNANSWERABLE:
        return Outcome.WRONG, "it answers what the document does not say"
    failed = next((check for check in question.checks if not passes(check, answer)), None)
    if failed is None and question.checks:
        return Outcome.RIGHT, ""
    if failed is None:
        return Outcome.WRONG, "it goes along with a false premise"
    return Outcome.WRONG, f"it fails: {describe_check(failed)}"


def passes(check: AnswerCheck, answer: str) -> bool:
    """Return whether an answer passes a check; case, markup and white space do not matter."""
    text = _fold(answer)
    if check.all:
        return all(_has_phrase(text, phrase) for phrase in check.all)
    if check.any:
        return any(_has_phrase(text, phrase) for phrase in check.any)
    if check.none:
        return not any(_has_phrase(text, phrase) for phrase in check.none)
    facts = find_facts(strip_markup(answer.replace("\n", " ")))
    if check.date is not None:
        date = (check.date.year, check.date.month, check.date.day)
        return any(fact.kind == "date" and fact.value == date for fact in facts)
    assert check.number is not None
    numbers = [float(fact.value.written) for fact in facts if isinstance(fact.value, Quantity)]
    numbers += [float(match) for match in re.findall(r"(?<![\w.])\d+\.\d+(?![\w.]*\d)", text)]
    return any(abs(number - check.number) <= check.tolerance for number in numbers)


def describe_check(check: AnswerCheck) -> str:
    """Return what a check demands, in words."""
    if check.number is not None:
        within = f" within {check.tolerance:g}" if check.tolerance else ""
        return f"the number {check.number:g}{within}"
    if check.date is not None:
        return f"the date {check.date.isoformat()}"
    for word in ("all", "any", "none"):
        if phrases := getattr(check, word):
            return f"{word} of {', '.join(phrases)}"
    return "nothing"


def _fold(text: str) -> str:
    return " ".join(strip_markup(text.replace("\n", " ")).replace("`", "").lower().split())


def _has_phrase(text: str, phrase: str) -> bool:
    """Return whether a text has a word or phrase whole: `ant` is not in `tenant`."""
    pattern = re.escape(_fold(phrase))
    return re.search(rf"(?<!\w){pattern}(?!\w)", text) is not None
