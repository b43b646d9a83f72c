"""Return the fields of documents, verdicts and exact answers for JSON documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.answers.check.grounding import ClaimVerdict
    from pipeline.answers.check.judge import Judgement
    from pipeline.answers.documents.documents import Document
    from pipeline.answers.truths.truths import GroundTruth


def document_values(document: Document) -> dict[str, Any]:
    """Return the fields of a document in JSON."""
    return {
        "id": document.id,
        "title": document.title,
        "date": document.date,
        "version": document.version,
        "format": document.format,
        "address": document.address,
        "added_at": document.added_at.isoformat(),
        "sha256": document.sha256,
        "bytes": document.bytes,
        "characters": document.characters,
        "passages": document.chunks,
        "pages": document.pages,
        "pages_without_text": document.pages_without_text,
        "unreadable_characters": document.unreadable_characters,
    }


def verdict_values(verdict: ClaimVerdict, judgement: Judgement | None = None) -> dict[str, Any]:
    """Return the fields of a verdict in JSON, with what an NLI model says if it was asked."""
    passage, quote = verdict.passage, verdict.quote
    values: dict[str, Any] = {
        "claim": verdict.claim,
        "verdict": verdict.verdict.value,
        "coverage": round(verdict.coverage, 3),
        "missing": verdict.missing,
        "contradiction": verdict.contradiction,
        "document": passage.document if passage else None,
        "heading": passage.heading if passage else None,
        "passage": passage.text if passage else None,
        "quote": passage.text[quote[0] : quote[1]] if passage and quote else None,
    }
    if judgement:
        values["nli"] = {
            "verdict": judgement.verdict.value,
            "quote": judgement.quote or None,
            "note": judgement.note,
        }
    return values


def describe_judgement(judgement: Judgement) -> str:
    """Return what an NLI model says of a claim, on one line."""
    from pipeline.answers.check.judge import JUDGE_GLYPHS

    text = f"{JUDGE_GLYPHS[judgement.verdict]} {judgement.verdict}"
    more = judgement.note or " ".join(judgement.quote.split())
    return f"{text}: {more}" if more else text


def truth_values(truth: GroundTruth) -> dict[str, Any]:
    """Return the fields of an exact answer in JSON."""
    return {
        "template": truth.template.name,
        "answer": truth.answer,
        "value": truth.value,
        "unit": truth.template.unit,
        "right": truth.template.tolerance,
        "question": truth.question,
        "synthetic": truth.synthetic,
        "coverage": truth.coverage.value,
        "notice": truth.notice,
        "rows": truth.rows,
        "sql": truth.sql,
    }
