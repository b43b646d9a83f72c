"""Claims are found in a passage, or not: how answers are split and what is compared."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.answers.check.claims import find_claims, is_abstention, split_sentences
from pipeline.answers.check.fact_index import FactIndex
from pipeline.answers.check.facts import find_facts
from pipeline.answers.check.grounding import (
    Verdict,
    check,
    check_text,
    describe_outcome,
    is_verbatim,
)
from pipeline.answers.check.reading import read_sentence
from pipeline.answers.check.relations import find_contradiction
from pipeline.answers.documents.documents import DocumentStore
from pipeline.answers.documents.retrieval import Passage
from pipeline.core.settings.settings import Settings
from tests.support.examples import examples

NOTES = """## Limits

The timeout of `FlowTrigger` was raised from 30 to 45 seconds in March 2026. Each tenant may keep
2,048 flows; the history goes back 24 hours.

| plan | users | price |
|---|---|---|
| team | 10 | $240 |
| company | 500 | $1,900 |

MySQL is no longer supported.
"""
PASSAGE = Passage(
    "Heron 2.4", "Limits", NOTES, 1.0, (), "Heron 2.4, 2026-03-02 > Limits", "id", "paste:heron"
)


def verdict(claim: str, passage: Passage = PASSAGE) -> Verdict:
    (checked,) = check(claim, [passage])
    return checked.verdict


@pytest.mark.parametrize(
    "claim",
    [
        "In Heron 2.4 the timeout of the `FlowTrigger` went from 30 to 45 seconds.",
        "Heron raised the FlowTrigger timeout to 45 s.",
        "Every tenant may keep 2048 flows.",
        "The history goes back one day.",
        "The history goes back PT24H.",
        "Heron 2.4 raised the timeout on 2 March 2026.",
        "The team plan has 10 users.",
        "The company plan costs $1,900.",
        "Heron 2.4 no longer supports MySQL.",
        "**MySQL** is not supported any more [1].",
    ],
)
def test_claim_in_other_words_and_units_is_found(claim: str) -> None:
    assert verdict(claim) == Verdict.FOUND


@pytest.mark.parametrize(
    "claim",
    [
        "The timeout of `FlowTrigger` was raised from 30 to 60 seconds.",
        "The timeout of `FlowTrigger` was raised from 45 to 30 seconds.",
        "The timeout of `FlowTrigger` was raised to 45 minutes.",
        "The timeout of `FileTrigger` was raised to 45 seconds.",
        "The timeout of `FlowTrigger` was lowered to 45 seconds.",
        "The timeout of `FlowTrigger` was raised to 45 seconds in Heron 2.5.",
        "The timeout of `FlowTrigger` was raised in April 2026.",
        "Each tenant may keep 2,049 flows.",
        "The company plan has 10 users.",
        "MySQL is supported.",
        "PostgreSQL is no longer supported.",
        "Heron brings a plugin marketplace for community themes.",
    ],
)
def test_claim_with_another_value_name_or_relation_is_not_found(claim: str) -> None:
    assert verdict(claim) in (Verdict.VALUE, Verdict.NOT_FOUND)


def test_verdict_names_what_is_missing_and_quotes_the_nearest_sentence() -> None:
    (checked,) = check("Each tenant may keep 2,049 flows.", [PASSAGE])
    assert (checked.verdict, checked.missing) == (Verdict.VALUE, ("2,049",))
    assert checked.passage == PASSAGE
    assert checked.quote is not None
    assert "2,048 flows" in NOTES[checked.quote[0] : checked.quote[1]]


def test_first_word_that_no_passage_has_is_a_name_before_a_verb() -> None:
    games = replace(PASSAGE, text="The city hosted the games in June.")
    (madrid,) = check("Madrid hosted the games in June.", [games])
    assert (madrid.verdict, madrid.missing) == (Verdict.VALUE, ("Madrid",))
    assert verdict("They hosted the games in June.", games) == Verdict.FOUND


def test_claim_of_two_sentences_is_found_across_them() -> None:
    claim = "The timeout of `FlowTrigger` is 45 seconds and each tenant may keep 2,048 flows."
    (checked,) = verdicts = check(claim, [PASSAGE])
    assert checked.verdict == Verdict.ACROSS
    assert describe_outcome(claim, verdicts) == (
        "1 of 1 claims found in source, 1 of them across sentences"
    )
    assert not verdict(claim.replace("45", "50")).is_found


def test_no_claim_is_found_without_passages() -> None:
    (checked,) = check("The timeout is 45 seconds.", [])
    assert (checked.verdict, checked.passage) == (Verdict.NOT_FOUND, None)


NUMBERS = [30, 45, 2048, 24, 10, 240, 500, 1900, 2026, 3, 2]


@given(st.integers(0, 10**6), st.sampled_from(["The timeout was raised from 30 to {} seconds.",
       "Each tenant may keep {} flows.", "The team plan has {} users."]))  # fmt: skip
@examples(150)
def test_claim_is_never_found_when_its_number_is_absent(number: int, claim: str) -> None:
    if number not in NUMBERS:
        assert verdict(claim.format(number)) != Verdict.FOUND


@given(st.text(max_size=300), st.text(max_size=300))
@examples(200)
def test_any_answer_and_passage_give_valid_verdicts(answer: str, text: str) -> None:
    passage = replace(PASSAGE, text=text)
    verdicts = check(answer, [passage])
    last = 0
    for checked in verdicts:
        assert last <= checked.start < checked.end <= len(answer)
        last = checked.end
        assert checked.quote is None or 0 <= checked.quote[0] < checked.quote[1] <= len(text)
        numbers = re.findall(r"(?<![\w.,])\d{4,}(?![\w.,])", checked.claim)
        if checked.verdict == Verdict.FOUND:
            assert all(number.isascii() is False or number in passage.source for number in numbers)
    describe_outcome(answer, verdicts)


def test_answer_is_split_into_sentences_items_and_rows() -> None:
    answer = """# Heading 1

Heron 2.4 came out in March, e.g. on the 2nd. It brings two things [1]:

- **Tenants**: up to 50 of them. [2]
- [Triggers](https://example.org) with `pollEvery`

1. First item; and more

```
timeout = 45
```

| a | b |
|---|---|
| one | 2 |

Is that all?
"""
    assert [claim.text for claim in find_claims(answer)] == [
        "Heron 2.4 came out in March, e.g. on the 2nd.",
        "Tenants: up to 50 of them.",
        "Triggers with `pollEvery`",
        "First item; and more",
        "| one | 2 |",
    ]
    for sentence in split_sentences(answer):
        assert sentence.text.split()[0].strip(":|*`#") in answer[sentence.start : sentence.end]


@pytest.mark.parametrize(
    ("answer", "abstained"),
    [
        ("I do not know.", True),
        ("The sources do not mention a price.", True),
        ("I don't have any information about that. Please check the release notes.", True),
        ("I'm not aware of a release called Heron 9.9. I cannot confirm its features.", True),
        ("The price is not specified in the provided sources.", True),
        ("Heron 2.4 was released on 2 March 2026.", False),
        ("It costs $240. The sources do not mention a discount.", False),
        ("You do not need a key.", False),
        ("", False),
    ],
)
def test_abstention_is_an_outcome_of_its_own(answer: str, abstained: bool) -> None:
    assert is_abstention(answer) is abstained
    assert (describe_outcome(answer, check(answer, [PASSAGE])) == "abstained") is abstained


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2,048", "2048"),
        ("1.5 million", "1,500,000"),
        ("12 November 2025", "2025-11-12"),
        ("Nov 12th, 2025", "2025-11-12"),
        ("November 2025", "2025-11-12"),
        ("90 seconds", "1.5 minutes"),
        ("PT24H", "1 day"),
        ("30 %", "30 percent"),
        ("64 KB", "0.064 MB"),
        ("three users", "3 users"),
        ("v2.4", "2.4"),
        ("once a minute", "every 60 seconds"),
        ("flow.Trigger", "core.flow.Trigger"),
        ("2 years", "24 months"),
    ],
)
def test_values_are_equal_however_they_are_written(text: str, same: str) -> None:
    facts = find_facts(f"it is {text}")
    assert facts
    assert FactIndex(f"it is {same}").missing(facts) == []


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("2.4", "2.40"),
        ("2.4", "2.4.1"),
        ("0.1", "0.10"),
        ("30 seconds", "30 minutes"),
        ("$240", "240 users"),
        ("2025-11-12", "2025-12-11"),
        ("HRN-2025-03", "HRN-2025-04"),
        ("`poll`", "`pollEvery`"),
        ("50", "500"),
        ("5 million", "5"),
    ],
)
def test_values_that_only_look_alike_differ(text: str, other: str) -> None:
    facts = find_facts(f"it is {text}")
    assert facts
    assert FactIndex(f"it is {other}").missing(facts) == facts


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("a replaces b2 with 5 and 6", ""),
        ("MySQL is supported", "MySQL is not supported"),
        ("the limit was raised", "the limit was lowered"),
        ("`runIf` replaces `condition`", "`condition` replaces `runIf`"),
        ("from 3 to 5", "from 5 to 3"),
        ("renamed `a` to `b`", "`a` instead of `b`"),
    ],
)
def test_reversed_sentence_is_recognized(claim: str, source: str) -> None:
    contradiction = find_contradiction(read_sentence(claim), read_sentence(source))
    assert bool(contradiction) == bool(source)


def test_quote_is_verbatim_letter_by_letter() -> None:
    assert is_verbatim("raised from 30 to 45 seconds", [PASSAGE])
    assert is_verbatim("tenant may keep\n2,048   flows", [PASSAGE])
    assert not is_verbatim("raised from 30 to 46 seconds", [PASSAGE])
    assert not is_verbatim("", [PASSAGE])
    assert not is_verbatim("raised", [])


def test_text_is_checked_by_its_question_or_claim_by_claim(settings: Settings) -> None:
    documents = DocumentStore(settings.documents_path)
    documents.add_text("Heron 2.4", NOTES, settings)
    documents.add_text("Egret", "# Egret\nEgret keeps 7 buckets.", settings)
    answer = "Egret keeps 7 buckets. Each tenant may keep 2,048 flows."
    each = [checked.verdict for checked in check_text(answer, documents)]
    assert each == [Verdict.FOUND, Verdict.FOUND]
    together = [c.verdict for c in check_text(answer, documents, "Which buckets?")]
    assert together == [Verdict.FOUND, Verdict.NOT_FOUND]
