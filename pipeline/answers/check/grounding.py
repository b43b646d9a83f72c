"""Check which claims of an answer are in given passages, by words and values, without a model.

A claim is *found in source* when one sentence of a passage, read with its heading and the
document's title, covers its words and states every number, date, version, identifier and name in
it. That is evidence, not truth: the check never calls a claim true or false. docs/answers.md has
its precision and recall on a labelled set.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pipeline.answers.check.claims import Sentence, abstains, find_claims, is_abstention
from pipeline.answers.check.matching import NEAR, Sources, best_match, claimed_facts, is_across
from pipeline.answers.check.reading import read_sentence
from pipeline.answers.documents.documents import DocumentStore
from pipeline.answers.documents.retrieval import Passage, search

COVERAGE = 0.75  # share of a claim's words; chosen on one half of our claims (docs/answers.md)

# How an answer introduces what it claims: that a passage or a reviewer says it. No source says so.
_LEAD_IN = re.compile(
    r"^(?:(?:according to|based on|as (?:stated|mentioned|described|noted) (?:in|by)|in|from)"
    r" (?:the|these|this|both|all)(?: \w+)? (?:passages?|sources?|texts?|information|context"
    r"|documents?|articles?|reviews?|results?|data)(?: \d+)?(?: (?:provided|given|above))?,\s*"
    r"|(?:overall|in (?:summary|conclusion|general|short|addition)|however|additionally),\s*"
    r"|(?:one|another|an?|a second|a third)(?: \w+)?"
    r" (?:reviewer|customer|guest|user|patient|visitor|patron|diner)"
    r" (?:also )?(?:sa(?:id|ys?)|mention(?:s|ed)?|not(?:es?|ed)|report(?:s|ed)?|stat(?:es?|ed)"
    r"|complain(?:s|ed)?|comment(?:s|ed)?|wr(?:ote|ites?)|add(?:s|ed)?|point(?:s|ed) out)"
    r"(?: that)?\s+)",
    re.IGNORECASE,
)


class Verdict(StrEnum):
    """What the check says of one claim."""

    FOUND = "found in source"
    ACROSS = "found across sentences"
    VALUE = "value not in source"
    NOT_FOUND = "not found"
    ABSTAINED = "abstained"

    @property
    def is_found(self) -> bool:
        """Whether the passages hold the claim, in one sentence or in several."""
        return self in (Verdict.FOUND, Verdict.ACROSS)


# Wherever a verdict is shown, its glyph stands beside its words.
GLYPHS = {
    Verdict.FOUND: "●",
    Verdict.ACROSS: "◎",
    Verdict.VALUE: "◐",
    Verdict.NOT_FOUND: "○",
    Verdict.ABSTAINED: "–",
}


@dataclass(frozen=True)
class ClaimVerdict:
    """The verdict on a claim, which is characters `start` to `end` of the answer.

    Attributes:
        claim: The claim without Markdown's marks.
        passage: The passage that covers it best; None if none shares a word with it.
        quote: The span (start, end) of the passage's text that covers it best.
        coverage: The share of the claim's words and values that are there, 0 to 1.
        missing: The values and names that are not there, as the claim writes them.
        contradiction: In a few words how the claim reverses the passage, or nothing.
    """

    claim: str
    start: int
    end: int
    verdict: Verdict
    passage: Passage | None = None
    quote: tuple[int, int] | None = None
    coverage: float = 0.0
    missing: tuple[str, ...] = ()
    contradiction: str = ""


def check(
    answer: str, passages: Sequence[Passage], coverage: float = COVERAGE, question: str = ""
) -> list[ClaimVerdict]:
    """Return the verdict on each claim of an answer, in order.

    Args:
        answer: Markdown, as a model writes it.
        passages: Where claims are looked up; without any, no claim is found.
        coverage: Share of a claim's words that must be in one sentence, 0 to 1.
        question: What was asked; names in it count as known.
    """
    sources = Sources(passages, question)
    return [_check_claim(claim, sources, coverage) for claim in find_claims(answer)]


def check_text(
    answer: str,
    documents: DocumentStore,
    question: str = "",
    top: int = 5,
    only: Sequence[str] = (),
    on_claim: Callable[[int, int], object] = lambda _done, _total: None,
) -> list[ClaimVerdict]:
    """Return the verdict on each claim of any text, in order.

    Args:
        answer: Markdown.
        documents: Where passages are searched.
        question: Its passages are used for all claims, as in a comparison; without a question,
            those that match each claim.
        top: Most passages to use.
        only: Ids of the documents to search; none means all.
        on_claim: Called after each claim with the number of those that are checked, and of all.
    """
    if question:
        sources = Sources(search(documents, question, top, only), question)
    claims = find_claims(answer)
    verdicts = []
    for claim in claims:
        if not question:
            sources = Sources(search(documents, claim.text, top, only))
        verdicts.append(_check_claim(claim, sources, COVERAGE))
        on_claim(len(verdicts), len(claims))
    return verdicts


def describe_outcome(answer: str, verdicts: Sequence[ClaimVerdict]) -> str:
    """Return the result for an answer as a whole: abstained, or how many claims were found."""
    if is_abstention(answer):
        return Verdict.ABSTAINED.value
    claims = [verdict for verdict in verdicts if verdict.verdict != Verdict.ABSTAINED]
    count = sum(verdict.verdict.is_found for verdict in claims)
    across = sum(verdict.verdict == Verdict.ACROSS for verdict in claims)
    spread = f", {across} of them across sentences" if across else ""
    return f"{count} of {len(claims)} claims found in source{spread}"


def is_verbatim(quote: str, passages: Iterable[Passage]) -> bool:
    """Return whether a quote is in a passage letter by letter, white space apart."""
    words = " ".join(quote.split())
    return len(words) > 1 and any(
        words in " ".join(text.split())
        for passage in passages
        for text in (passage.text, passage.source)
    )


def _check_claim(claim: Sentence, sources: Sources, threshold: float) -> ClaimVerdict:
    if abstains(claim.text):
        return ClaimVerdict(claim.text, claim.start, claim.end, Verdict.ABSTAINED)
    reading = read_sentence(_LEAD_IN.sub("", claim.text) or claim.text)
    facts = claimed_facts(reading, sources)
    best = best_match(reading, facts, sources, threshold)
    if best is None or not best.share:
        return ClaimVerdict(claim.text, claim.start, claim.end, Verdict.NOT_FOUND)
    missing, objection = best.missing, best.objection
    if best.is_found:
        verdict = Verdict.FOUND
    elif not (objection and best.share >= threshold) and is_across(reading, facts, sources):
        verdict, missing, objection = Verdict.ACROSS, (), ""
    elif best.share >= NEAR and (missing or objection):
        verdict = Verdict.VALUE
    else:
        verdict = Verdict.NOT_FOUND
    return ClaimVerdict(
        claim.text,
        claim.start,
        claim.end,
        verdict,
        best.passage,
        best.window.quote,
        best.share,
        tuple(dict.fromkeys(fact.text for fact in missing)),
        objection,
    )
