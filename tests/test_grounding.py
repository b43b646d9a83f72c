"""Which claims stand in a passage: how an answer is cut, what is compared, and what is said."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline.answers.claims import claims, is_abstention, sentences
from pipeline.answers.documents import Documents
from pipeline.answers.facts import Known, facts
from pipeline.answers.grounding import Verdict, check, check_text, is_verbatim, outcome
from pipeline.answers.relations import contradicts
from pipeline.answers.retrieval import Passage
from pipeline.settings import Settings

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
    (found,) = check(claim, [passage])
    return found.verdict


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
def test_a_claim_said_in_other_words_and_units_is_found(claim: str) -> None:
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
def test_a_claim_with_another_value_name_or_relation_is_not_found(claim: str) -> None:
    assert verdict(claim) in (Verdict.VALUE, Verdict.NOT_FOUND)


def test_a_verdict_names_what_is_missing_and_quotes_the_nearest_sentence() -> None:
    (found,) = check("Each tenant may keep 2,049 flows.", [PASSAGE])
    assert (found.verdict, found.missing) == (Verdict.VALUE, ("2,049",))
    assert found.passage == PASSAGE
    assert found.quote is not None
    assert "2,048 flows" in NOTES[found.quote[0] : found.quote[1]]


def test_without_passages_nothing_is_found() -> None:
    (found,) = check("The timeout is 45 seconds.", [])
    assert (found.verdict, found.passage) == (Verdict.NOT_FOUND, None)


NUMBERS = [30, 45, 2048, 24, 10, 240, 500, 1900, 2026, 3, 2]


@given(st.integers(0, 10**6), st.sampled_from(["The timeout was raised from 30 to {} seconds.",
       "Each tenant may keep {} flows.", "The team plan has {} users."]))  # fmt: skip
@hypothesis_settings(max_examples=150, deadline=None)
def test_a_claim_is_never_found_when_its_number_is_absent(number: int, claim: str) -> None:
    found = verdict(claim.format(number))
    if number not in NUMBERS:
        assert found != Verdict.FOUND


@given(st.text(max_size=300), st.text(max_size=300))
@hypothesis_settings(max_examples=200, deadline=None)
def test_any_answer_against_any_passage_gives_valid_verdicts(answer: str, text: str) -> None:
    passage = replace(PASSAGE, text=text)
    found = check(answer, [passage])
    last = 0
    for one in found:
        assert last <= one.start < one.end <= len(answer)
        last = one.end
        assert one.quote is None or 0 <= one.quote[0] < one.quote[1] <= len(text)
        numbers = re.findall(r"(?<![\w.,])\d{4,}(?![\w.,])", one.claim)
        if one.verdict == Verdict.FOUND:
            assert all(number.isascii() is False or number in passage.source for number in numbers)
    outcome(answer, found)


def test_an_answer_is_cut_into_sentences_items_and_rows() -> None:
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
    found = [claim.text for claim in claims(answer)]
    assert found == [
        "Heron 2.4 came out in March, e.g. on the 2nd.",
        "Tenants: up to 50 of them.",
        "Triggers with `pollEvery`",
        "First item; and more",
        "| one | 2 |",
    ]
    for sentence in sentences(answer):
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
def test_an_abstention_is_an_outcome_of_its_own(answer: str, abstained: bool) -> None:
    assert is_abstention(answer) is abstained
    assert (outcome(answer, check(answer, [PASSAGE])) == "abstained") is abstained


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
def test_values_are_the_same_however_they_are_written(text: str, same: str) -> None:
    wanted = facts(f"it is {text}")
    assert wanted
    assert Known(f"it is {same}").missing(wanted) == []


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
def test_values_that_only_look_alike_are_not_the_same(text: str, other: str) -> None:
    wanted = facts(f"it is {text}")
    assert wanted
    assert Known(f"it is {other}").missing(wanted) == wanted


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
def test_what_turns_a_sentence_around_is_noticed(claim: str, source: str) -> None:
    assert bool(contradicts(claim, source)) == bool(source)


def test_a_quote_is_verbatim_or_unverified() -> None:
    assert is_verbatim("raised from 30 to 45 seconds", [PASSAGE])
    assert is_verbatim("tenant may keep\n2,048   flows", [PASSAGE])
    assert not is_verbatim("raised from 30 to 46 seconds", [PASSAGE])
    assert not is_verbatim("", [PASSAGE])
    assert not is_verbatim("raised", [])


def test_a_text_is_checked_against_its_question_or_claim_by_claim(settings: Settings) -> None:
    documents = Documents(settings.documents_path)
    documents.add_text("Heron 2.4", NOTES, settings)
    documents.add_text("Egret", "# Egret\nEgret keeps 7 buckets.", settings)
    answer = "Egret keeps 7 buckets. Each tenant may keep 2,048 flows."
    each = [found.verdict for found in check_text(answer, documents)]
    assert each == [Verdict.FOUND, Verdict.FOUND]
    asked = [found.verdict for found in check_text(answer, documents, "Which buckets?")]
    assert asked == [Verdict.FOUND, Verdict.NOT_FOUND]
