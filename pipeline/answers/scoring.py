"""Whether an answer to a suite's question is right, wrong, or declines to answer. No model."""

from __future__ import annotations

import re
from enum import StrEnum

from pipeline.answers.claims import is_abstention, strip
from pipeline.answers.facts import facts
from pipeline.answers.suites import Check, Kind, Question


class Outcome(StrEnum):
    """What became of an answer. Declining is its own outcome, neither right nor wrong."""

    RIGHT = "right"
    WRONG = "wrong"
    ABSTAINED = "abstained"


# A glyph for each outcome: with its word it stands wherever an outcome shows.
GLYPHS = {Outcome.RIGHT: "●", Outcome.WRONG: "✕", Outcome.ABSTAINED: "–"}


def score(question: Question, answer: str) -> tuple[Outcome, str]:
    """Return the outcome of an answer, and in words which check it failed, if it did.

    To a question that cannot be answered every answer is wrong that does not decline. One with a
    false premise may be declined or, which is right, corrected as its checks ask.
    """
    if is_abstention(answer):
        return Outcome.ABSTAINED, ""
    if question.kind == Kind.UNANSWERABLE:
        return Outcome.WRONG, "it answers what the document does not say"
    failed = next((check for check in question.checks if not passes(check, answer)), None)
    if failed is None and question.checks:
        return Outcome.RIGHT, ""
    if failed is None:
        return Outcome.WRONG, "it goes along with a false premise"
    return Outcome.WRONG, f"it fails: {describe(failed)}"


def passes(check: Check, answer: str) -> bool:
    """Whether an answer passes one check; case, markup and white space do not matter."""
    text = _fold(answer)
    if check.all:
        return all(_holds(text, wanted) for wanted in check.all)
    if check.any:
        return any(_holds(text, wanted) for wanted in check.any)
    if check.none:
        return not any(_holds(text, wanted) for wanted in check.none)
    found = facts(strip(answer.replace("\n", " ")))
    if check.date is not None:
        wanted = (check.date.year, check.date.month, check.date.day)
        return any(fact.kind == "date" and fact.value == wanted for fact in found)
    assert check.number is not None
    numbers = [float(str(fact.value[2])) for fact in found if fact.kind == "number"]
    numbers += [float(match) for match in re.findall(r"(?<![\w.])\d+\.\d+(?![\w.]*\d)", text)]
    return any(abs(number - check.number) <= check.tolerance for number in numbers)


def describe(check: Check) -> str:
    """Return a check in words."""
    if check.number is not None:
        within = f" within {check.tolerance:g}" if check.tolerance else ""
        return f"the number {check.number:g}{within}"
    if check.date is not None:
        return f"the date {check.date.isoformat()}"
    for word in ("all", "any", "none"):
        if texts := getattr(check, word):
            return f"{word} of {', '.join(texts)}"
    return "nothing"


def _fold(text: str) -> str:
    return " ".join(strip(text.replace("\n", " ")).replace("`", "").lower().split())


def _holds(text: str, wanted: str) -> bool:
    """Whether a text holds a word or phrase whole: `ant` is not in `tenant`."""
    pattern = re.escape(_fold(wanted))
    return re.search(rf"(?<!\w){pattern}(?!\w)", text) is not None
