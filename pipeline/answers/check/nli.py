"""Judge claims with a natural-language-inference (NLI) model.

Such a model reads two texts, a premise and a claim, and gives a probability to each of its labels:
the premise entails the claim, contradicts it, or neither (neutral). A premise here is a sentence of
a passage below its title and headings, or a part of a passage where no sentence is enough.

A premise counts for its most probable label; neutral wins a tie. A claim is SUPPORTED if a premise
entails it: any sentence first, then any part. It is CONTRADICTED if no premise entails it and one
contradicts it, and NOT_IN_SOURCE otherwise. The quote is the premise with the greatest probability,
letter by letter. A model with the labels "entailment" and "not_entailment" contradicts nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipeline.answers.check.claims import split_sentences
from pipeline.answers.check.judge import Judgement, JudgeVerdict
from pipeline.answers.check.matching import Sources, nearest_windows
from pipeline.answers.check.nli_model import NliLabel, NliModel
from pipeline.answers.check.reading import SentenceReading, read_sentence
from pipeline.answers.check.vocabulary import content_words
from pipeline.answers.documents.retrieval import Passage

_PARTS = 8  # of the passages, with which a claim is compared
_MARKS = 4  # tokens that a tokenizer may put around and between two texts

_VERDICTS = {
    NliLabel.ENTAILMENT: JudgeVerdict.SUPPORTED,
    NliLabel.CONTRADICTION: JudgeVerdict.CONTRADICTED,
    NliLabel.NEUTRAL: JudgeVerdict.NOT_IN_SOURCE,
}


class Premise(NamedTuple):
    """A text that the model reads as premise, and the words of the passage that it stands for."""

    text: str
    quote: str


def judge_by_nli(
    claims: Sequence[str], passages: Sequence[Passage], model: NliModel
) -> list[Judgement]:
    """Return the judgement of each claim; UNVERIFIED for a claim longer than the model reads.

    The result for a claim depends on no other claim.

    Args:
        claims: What to judge.
        passages: The sources to judge by; without any, no claim is in them.
        model: What judges.

    Raises ModelError if the model fails.
    """
    sources = Sources(passages)
    parts = [part for passage in passages for part in _split_passage(passage, model)]
    part_words = [frozenset(content_words(part.quote)) for part in parts]
    judgements = []
    for claim in claims:
        if len(model.token_spans(claim)) > model.limit // 4:
            note = "the claim is longer than the model reads"
            judgements.append(Judgement(JudgeVerdict.UNVERIFIED, note=note))
            continue
        reading = read_sentence(claim)
        sentences = _nearest_sentences(reading, sources, model)
        texts = {premise.text for premise in sentences}
        others = [at for at, part in enumerate(parts) if part.text not in texts]
        others.sort(key=lambda at: len(reading.words & part_words[at]), reverse=True)
        judgements.append(
            _judge_claim(claim, (sentences, [parts[at] for at in others[:_PARTS]]), model)
        )
    return judgements


def _judge_claim(
    claim: str, premise_groups: Sequence[Sequence[Premise]], model: NliModel
) -> Judgement:
    """Return the judgement of a claim; the first group with an entailing premise decides."""
    contradiction: Judgement | None = None
    for premises in premise_groups:
        quotes = _best_quotes(claim, premises, model)
        if NliLabel.ENTAILMENT in quotes:
            return Judgement(JudgeVerdict.SUPPORTED, quotes[NliLabel.ENTAILMENT])
        if contradiction is None and NliLabel.CONTRADICTION in quotes:
            quote = quotes[NliLabel.CONTRADICTION]
            contradiction = Judgement(JudgeVerdict.CONTRADICTED, quote)
    return contradiction or Judgement(JudgeVerdict.NOT_IN_SOURCE)


def _best_quotes(claim: str, premises: Sequence[Premise], model: NliModel) -> dict[NliLabel, str]:
    """Return the quote of the most probable premise of each label.

    Premises count for their most probable label only, so that a label may have none.
    """
    best: dict[NliLabel, tuple[float, str]] = {}
    rows = model.probabilities([(premise.text, claim) for premise in premises])
    for premise, row in zip(premises, rows, strict=True):
        label = max(row, key=lambda label: (row[label], label is NliLabel.NEUTRAL))
        if label not in best or row[label] > best[label][0]:
            best[label] = (row[label], premise.quote)
    return {label: quote for label, (_, quote) in best.items()}


def _nearest_sentences(claim: SentenceReading, sources: Sources, model: NliModel) -> list[Premise]:
    """Return the sentences most similar to a claim, the most similar first.

    Those longer than the model reads are left out: the parts of their passage hold them.
    """
    premises = []
    for passage, window in nearest_windows(claim, sources):
        quote = passage.context  # has the date of the document
        if window.quote:
            quote = passage.text[window.quote[0] : window.quote[1]]
        if len(quote) > 1 and len(model.token_spans(window.text)) <= model.limit // 2:
            premises.append(Premise(_below_context(passage, window.text, model), quote))
    return list(dict.fromkeys(premises))


def _split_passage(passage: Passage, model: NliModel) -> Iterator[Premise]:
    """Yield a passage in parts of as many sentences as fit into the model's input.

    A longer sentence is cut into parts that overlap by a quarter.
    """
    most = model.limit // 2
    spans: list[tuple[int, int, int]] = []  # start, end and number of tokens
    for sentence in split_sentences(passage.text):
        tokens = model.token_spans(passage.text[sentence.start : sentence.end])
        for first in range(0, max(1, len(tokens) - most // 4), most - most // 4):
            part = tokens[first : first + most]
            if not part:
                continue
            start, end, count = sentence.start, sentence.end, len(part)
            if first:
                start += part[0][0]
            if first + most < len(tokens):
                end = sentence.start + part[-1][1]
            if spans and spans[-1][2] + count <= most:
                start, count = spans[-1][0], spans[-1][2] + count
                spans.pop()
            spans.append((start, end, count))
    for start, end, _ in spans:
        quote = passage.text[start:end].strip()
        if len(quote) > 1:
            yield Premise(_below_context(passage, " ".join(quote.split()), model), quote)


def _below_context(passage: Passage, text: str, model: NliModel) -> str:
    """Return a text below as much of its passage's title and headings as fits."""
    context = " ".join(passage.context.split())
    tokens = model.token_spans(context)[: max(0, model.limit // 4 - _MARKS)]
    return f"{context[: tokens[-1][1]]}. {text}" if tokens else text
