"""Reduce a sentence to the words that say what it is about, with synonyms as one word."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.answers.check.facts import Fact
from pipeline.answers.documents.tokens import STOP_WORDS, stem, tokenize

# They say little in notes about software, where nearly anything is new, now supported or added.
_GENERIC_WORDS = """
new version release released introduce introduces add adds feature allow allows provide include
includes come came comes use uses using get gets make makes already up published say says otherwise
unless still roughly exactly set
"""
_GENERIC = frozenset(stem(word) for word in _GENERIC_WORDS.split())

# Plain English, a line each; the first word stands for the others. Opposites never share a line.
_SYNONYM_LINES = """
maximum max largest biggest most highest longest
minimum min smallest least lowest shortest
increase rise rises grow grows raise raises climb
decrease fall falls shrink shrinks reduce lower drop
remove delete erase
keep keeps kept retain remain remains stay stays
begin begins start starts
end ends expire expires expiry expiration finish
need needs require requires required must
run runs execute executes
show shows display displays
build builds create creates
fast quick rapid
price cost costs
permit permits
user users people
wait waiting pause pauses
attempt attempts retry retries retried try tries
"""
_SYNONYMS = {
    stem(word): stem(line.split()[0])
    for line in _SYNONYM_LINES.strip().splitlines()
    for word in line.split()
}


def content_words(text: str, without: Sequence[Fact] = ()) -> list[str]:
    """Return the words of a text that say what it is about.

    Args:
        text: A sentence.
        without: Facts of the text whose words are left out, names excepted.
    """
    spans = [(fact.start, fact.end) for fact in without if fact.kind != "name"]
    return [
        _SYNONYMS.get(token.term, token.term)
        for token in tokenize(text)
        if token.term not in STOP_WORDS
        and token.term not in _GENERIC
        and not any(char.isdigit() for char in token.term)
        and not any(start <= token.start < end for start, end in spans)
    ]
