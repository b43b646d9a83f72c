"""Measure the claim check on labelled claims: accuracy beside a bag of words, and processor time.

`CLAIM_SETS` are in the folder `claims`; each file says what is in it. The claims about our release
notes are those of the app. No language model is asked.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from pipeline.answers.check.fact_index import FactIndex
from pipeline.answers.check.facts import find_facts
from pipeline.answers.check.grounding import COVERAGE, Verdict, check
from pipeline.answers.check.judge import JudgeVerdict
from pipeline.answers.check.nli import judge_by_nli
from pipeline.answers.check.nli_model import open_nli
from pipeline.answers.check.vocabulary import content_words
from pipeline.answers.documents.chunks import cut
from pipeline.answers.documents.retrieval import Passage, search
from pipeline.answers.documents.tokens import terms
from pipeline.answers.suites.statistics import wilson
from pipeline.answers.suites.suites import DATA, own_documents
from pipeline.core.settings.settings import Settings, load_settings

CLAIMS = Path(__file__).with_name("claims")
CLAIM_SETS = ("sentences", "answers", "paraphrases")
THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)


def read_set(name: str) -> list[dict[str, Any]]:
    """Return one of the app's evaluation sets: "questions" or "claims"."""
    entries: list[dict[str, Any]] = yaml.safe_load((DATA / f"{name}.yaml").read_text("utf-8"))
    return entries


@dataclass(frozen=True)
class FlagCounts:
    """How many false and true claims a check flags as not found, and how many claims there are."""

    flagged_false: int
    flagged_true: int
    false: int
    true: int

    @property
    def precision(self) -> float:
        flagged = self.flagged_false + self.flagged_true
        return self.flagged_false / flagged if flagged else 1.0

    @property
    def recall(self) -> float:
        return self.flagged_false / self.false

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


IsFound = Callable[[str, Sequence[Passage]], bool]


def count_flags(
    claims: Sequence[dict[str, Any]], passages: dict[str, list[Passage]], is_found: IsFound
) -> FlagCounts:
    """Return how a check does on labelled claims, each against the passages of its question."""
    flags = [
        (bool(claim.get("holds")), not is_found(claim["claim"], passages[claim["question"]]))
        for claim in claims
    ]
    return FlagCounts(
        sum(flag and not holds for holds, flag in flags),
        sum(flag and holds for holds, flag in flags),
        sum(not holds for holds, _ in flags),
        sum(holds for holds, _ in flags),
    )


def our_check(threshold: float) -> IsFound:
    """Return our check at a threshold."""

    def is_found(claim: str, passages: Sequence[Passage]) -> bool:
        verdicts = check(claim, passages, threshold)
        return all(checked.verdict == Verdict.FOUND for checked in verdicts)

    return is_found


def keeps(claim: str, passages: Sequence[Passage]) -> bool:
    """Return whether our check finds a claim, in one sentence or across sentences."""
    return all(checked.verdict.is_found for checked in check(claim, passages))


def passage_check(threshold: float) -> IsFound:
    """Return the simplest rule: one passage covers the words and states every value."""

    def is_found(claim: str, passages: Sequence[Passage]) -> bool:
        words = set(content_words(claim))
        for passage in passages:
            share = len(words & set(content_words(passage.source))) / max(1, len(words))
            missing = FactIndex(passage.source).missing(find_facts(claim))
            if share >= threshold and not missing:
                return True
        return False

    return is_found


def check_rows(folder: Path) -> list[str]:
    """Return table rows: precision and recall, with the threshold chosen on one half."""
    claims = read_set("claims")
    documents = own_documents(Settings(home=folder / "claims"))
    passages = {claim["question"]: search(documents, claim["question"], 5) for claim in claims}
    halves = {
        half: [claim for claim in claims if claim["half"] == half] for half in ("choose", "report")
    }
    rows = []
    for name, rule in (
        ("our check", our_check),
        ("words and values in one passage", passage_check),
    ):
        best = max(THRESHOLDS, key=lambda t: count_flags(halves["choose"], passages, rule(t)).f1)
        for half, members in halves.items():
            counts = count_flags(members, passages, rule(best))
            recall = wilson(counts.flagged_false, counts.false)
            precision = wilson(counts.flagged_false, counts.flagged_false + counts.flagged_true)
            rows.append(
                f"| {name}, threshold {best:g} | {half} ({counts.true} hold, {counts.false} false) "
                f"| {precision.share:.2f} ({precision.low:.2f} to {precision.high:.2f}) "
                f"| {recall.share:.2f} ({recall.low:.2f} to {recall.high:.2f}) "
                f"| {1 - counts.flagged_true / counts.true:.2f} |"
            )
    kinds = sorted({claim["wrong"] for claim in claims if "wrong" in claim})
    for kind in kinds:
        members = [claim for claim in halves["report"] if claim.get("wrong") == kind]
        flagged = count_flags(members, passages, our_check(COVERAGE)).flagged_false
        rows.append(
            f"| false claims with a wrong {kind} | report | | {flagged} of {len(members)} | |"
        )
    return rows


@dataclass(frozen=True)
class LabelledClaim:
    """A claim, the passages of its text, and whether the text supports it."""

    claim: str
    passages: tuple[Passage, ...]
    holds: bool
    kind: str
    half: str


def read_labelled_claims(name: str) -> list[LabelledClaim]:
    """Return the claims of one of CLAIM_SETS; sentences that are no claims are left out."""
    claims = []
    entries = yaml.safe_load((CLAIMS / f"{name}.yaml").read_text("utf-8"))
    for number, entry in enumerate(entries):
        passages = tuple(
            Passage("Text", chunk.heading, chunk.text, 1.0, (), chunk.context, str(number), "text")
            for chunk in cut(entry["text"], "Text")
        )
        claims += [
            LabelledClaim(claim, passages, label == "holds", entry["kind"], entry["half"])
            for label in ("holds", "untrue")
            for claim in entry[label]
        ]
    return claims


def bag_of_words(threshold: float) -> IsFound:
    """Return the baseline: the share of a claim's stemmed words that the passages have."""

    def is_found(claim: str, passages: Sequence[Passage]) -> bool:
        words = set(terms(claim))
        known = {word for passage in passages for word in terms(passage.source)}
        return len(words & known) >= threshold * len(words)

    return is_found


def balanced_accuracy(claims: Sequence[LabelledClaim], is_found: IsFound) -> tuple[float, float]:
    """Return the mean of the shares of true and of false claims told right, and the precision."""
    kept = [is_found(claim.claim, claim.passages) for claim in claims]
    true = [found for claim, found in zip(claims, kept, strict=True) if claim.holds]
    false = [found for claim, found in zip(claims, kept, strict=True) if not claim.holds]
    accuracy = (statistics.mean(true) + 1 - statistics.mean(false)) / 2
    return accuracy, sum(true) / max(1, sum(kept))


def nli_model() -> IsFound | None:
    """Return the NLI model of the settings as a check, if one is set; it judges a claim once."""
    settings = load_settings()
    if not settings.nli_model:
        return None
    model = open_nli(settings)

    @cache
    def is_found(claim: str, passages: Sequence[Passage]) -> bool:
        (judgement,) = judge_by_nli([claim], passages, model)
        return judgement.verdict is JudgeVerdict.SUPPORTED

    return is_found


def kind_rows(name: str, nli: IsFound | None) -> list[str]:
    """Return table rows: the check on texts of several kinds, beside a bag of words.

    Args:
        name: One of CLAIM_SETS.
        nli: What to compare it with in one more column.
    """
    claims = read_labelled_claims(name)
    chosen = [claim for claim in claims if claim.half == "choose"]
    best = max(THRESHOLDS, key=lambda t: balanced_accuracy(chosen, bag_of_words(t))[0])
    rows = []
    for half in ("choose", "report"):
        members = [claim for claim in claims if claim.half == half]
        kinds = sorted({claim.kind for claim in members})
        for kind in [*kinds, "all"]:
            part = [claim for claim in members if kind in (claim.kind, "all")]
            ours, _ = balanced_accuracy(part, keeps)
            strict, precision = balanced_accuracy(part, our_check(COVERAGE))
            words, _ = balanced_accuracy(part, bag_of_words(best))
            rows.append(
                f"| {name} | {kind} | {half} ({len(part)}) | {ours:.2f} | {strict:.2f} "
                f"| {precision:.2f} "
                f"| {words:.2f} |" + (f" {balanced_accuracy(part, nli)[0]:.2f} |" if nli else "")
            )
    return rows


def check_speed() -> str:
    """Return a sentence: how long 100 claims take against 20 passages that nobody read before."""
    claims = read_labelled_claims("sentences")
    text = " ".join(dict.fromkeys(c.passages[0].text for c in claims))
    passages = [
        Passage("Text", "", f"{text[at : at + 900]}\n", 1.0, (), "Text", "id", "text")
        for at in range(0, 20 * 450, 450)
    ]
    answer = "\n\n".join(claim.claim for claim in claims[:100])
    started = time.process_time()
    count = len(check(answer, passages))
    return (
        f"{count} claims against {len(passages)} passages: {time.process_time() - started:.2f} s."
    )
