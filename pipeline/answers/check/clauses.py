"""Detect values that a claim takes from another clause of the source sentence."""

from __future__ import annotations

from pipeline.answers.check.facts import VALUES, Fact
from pipeline.answers.check.polarity import OPPOSITES
from pipeline.answers.check.quantities import Quantity, is_same_quantity
from pipeline.answers.check.reading import FINITE_VERB, SentenceReading


def value_of_another_clause(claim: SentenceReading, source: SentenceReading) -> str:
    """Return a description if the source states a claim's value of something else.

    "The window closes at 18:00" against "opens at 18:00 and closes at 06:30".
    """
    if len(source.clauses) < 2:
        return ""
    terms = {word.term for word in claim.sequence if word.is_content}
    own = {fact.bare for fact in claim.facts}
    subject = _subject(source)
    for fact in claim.facts:
        same = [other for other in source.facts if _is_stated(fact, other)]
        if len(same) != 1:
            continue
        here = source.clause_at(same[0].start)
        words = _terms_within(source, here) - subject
        opposed = set().union(*(OPPOSITES.get(word, set()) for word in terms - words))
        # One date may stand for all clauses, as in "rose in 2020 while imports fell".
        is_one_date = fact.kind == "date" and not any(
            other.kind == "date" and not here[0] <= other.start < here[1] for other in source.facts
        )
        is_value = (
            fact.kind in ("number", "clock", "score", "date", "ordinal", "weekday")
            and not is_one_date
        )
        if opposed & words - terms and is_value:
            return f"{same[0].text} is said of {' '.join(sorted(opposed & words))}"
        for there in source.clauses if fact.kind in (*VALUES, "version", "weekday") else ():
            rivals = [
                other
                for other in source.facts
                if other.kind == fact.kind and there[0] <= other.start < there[1]
            ]
            if there == here or not rivals or any(rival.bare in own for rival in rivals):
                continue
            others = _terms_within(source, there) - subject
            if names := _names_instead(claim, source, here, there):
                return f"{same[0].text} is said of {names}"
            elsewhere = set().union(
                *(_terms_within(source, c) for c in source.clauses if c not in (here, there))
            )
            if (elsewhere - others - subject) & terms:
                continue
            if (others - words) & terms and not (words - others) & terms and words - others:
                return f"{same[0].text} is said of {' '.join(sorted(words - others))}"
    return ""


def _is_stated(fact: Fact, other: Fact) -> bool:
    """Return whether a fact of the source equals or supports a fact of the claim."""
    if fact.kind != other.kind:
        return False
    if isinstance(fact.value, Quantity) and isinstance(other.value, Quantity):
        return fact.bare == other.bare or is_same_quantity(fact.value, other.value)
    return fact.bare == other.bare


def _names_instead(
    claim: SentenceReading, source: SentenceReading, here: tuple[int, int], there: tuple[int, int]
) -> str:
    """Return the names in clause `here` if the claim names only those of clause `there`."""
    own, others = _names_within(source, here), _names_within(source, there)
    said = {word.term for word in claim.sequence}
    is_instead = own and others and not own & said and others & said and not own & others
    return " ".join(sorted(own)) if is_instead else ""


def _names_within(reading: SentenceReading, span: tuple[int, int]) -> set[str]:
    begins = reading.sequence[0].start if reading.sequence else 0
    return {
        word.term
        for word in reading.sequence
        if span[0] <= word.start < span[1]
        and word.is_content
        and reading.text[word.start].isupper()
        and (word.start > begins or reading.text[word.end : word.end + 1] == " ")
    }


def _subject(reading: SentenceReading) -> set[str]:
    """Return the content words before the first verb: the subject that all clauses share."""
    words: set[str] = set()
    for word in reading.sequence:
        if word.is_content and FINITE_VERB.fullmatch(word.raw):
            return words
        if word.is_content:
            words.add(word.term)
    return set()


def _terms_within(reading: SentenceReading, span: tuple[int, int]) -> set[str]:
    """Return the content words of a clause, without those of its values."""
    start, end = span
    facts = [fact for fact in reading.facts if fact.kind in VALUES]
    return {
        word.term
        for word in reading.sequence
        if start <= word.start < end
        and word.is_content
        and not any(fact.start <= word.start < fact.end for fact in facts)
    } | {
        fact.text.lower()
        for fact in reading.facts
        if fact.kind == "date" and start <= fact.start < end
    }
