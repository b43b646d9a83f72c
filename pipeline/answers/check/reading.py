"""Parse a sentence into facts, words, clauses and negations; results are cached."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

from pipeline.answers.check.facts import Fact, find_facts
from pipeline.answers.check.vocabulary import canonical, content_words, normalize
from pipeline.answers.documents.tokens import STOP_WORDS

_WORD = re.compile(r"[^\W\d_]+")
# Where a clause ends. "and" ends one too: of "opens at 6 and closes at 9" each value has its own.
_CLAUSE_END = re.compile(
    r"[,;:()](?=\s|$)|\s[–—]\s|\b(?:but|and(?!\s+[$€£]?\d)|while|whereas|although|though|unless|until|because"
    r"|which|who|"
    r"that|when|where|if|instead of|rather than)\b",
    re.IGNORECASE,
)
_COMMA = re.compile(r"[,;:()](?=\s|$)|\s[–—]\s")
_NEGATION = re.compile(
    r"\bnot\b(?! (?:only|just|least|necessarily|less|more|fewer|later)\b)"
    r"(?! (?:be |have )?(?:larger|longer|higher|greater|older|bigger|further) than\b)"
    r"(?![^,.;]{0,60}\buntil\b)"  # what did not begin until May began in May
    r"|\b(?:never|neither|nor|nobody|without|hardly|nowhere)\b"
    r"|(?<!`)\b(?:none|no one)\b(?!`)(?: of)?"
    r"|\bno\b(?! (?:more|less|later|fewer|longer|doubt|matter|one)\b)(?![.:]? ?\d)"
    r"|\b(?:fail(?:s|ed|ing)?|refus(?:es?|ed|ing)|unable|ceas(?:es?|ed|ing)"
    r"|declin(?:es?|ed|ing)(?= (?:an?|any|his|her|its|their|to (?![\d$€£]|about|around|less"
    r"|more|under|over|just|below|above)))|forg[eo]ts?|neglect(?:s|ed)?|decid(?:es?|ed) against"
    r"|refrain(?:s|ed)? from) (?:to )?(?!\w+s\b|the\b)"
    r"|\b(?:instead of|rather than)\b|\bquit(?:s|ting)?(?= \w+ing\b)"
    r"|\bden(?:y|ies|ied)(?: that)?(?= (?:the|an?|that|it|he|she|they|any)\b)"
    r"|\bagainst(?= \w+ing\b)|\b(?:drop|end|stop|remov|discontinu)(?:s|es|ed|ped|e|ing"
    r"|ping)?(?= support)"
    r"|\b(?:avoid(?:s|ed|ing)?|lack(?:s|ed|ing)?|stop(?:s|ped)?(?= \w+ing\b)"
    r"|den(?:y|ies|ied)(?= \w+ing\b)|prevent(?:s|ed|ing)?)\b",
    re.IGNORECASE,
)
_PASSIVE = re.compile(r"\b(?:be|been|being|is|are|was|were)(?: \w+ly)? (?:avoid|prevent)ed$")
EXCEPT = re.compile(
    r"\b(?:except(?: for| that| those| in| on| at)*|excluding|apart from|other than"
    r"|with the exception of|(?<=everything )but|(?<=everyone )but|(?<=nothing )but"
    r"|(?<=anything )but"
    r"|(?:all|every|no) \w+ but(?= (?:the|an?|its|his|her|their|one)\b))\b",
    re.IGNORECASE,
)
_BE_OR_STOP = re.compile(r"[,.;:]|\b(?:is|are|was|were|be|has|have|had|will|can|may|must)\b")
_NOTHING_BEHIND = re.compile(r"\s*(?:[.;,]|$)")
_FAILS = re.compile(r"^(?:fail|refus|declin|ceas|forg|neglect)", re.IGNORECASE)
_PAST = (
    "won|lost|led|left|met|sold|bought|sent|gave|took|taken|beat|built|made|wrote|held|paid|told"
    "|taught|drove|struck|shot|fought|found|caught|brought|chose|threw|saw|hit|bit|cut|put|set|hurt"
    "|sang|drew|ran|hid"
)
PAST_FORM = re.compile(rf"\w+ed|{_PAST}")
FINITE_VERB = re.compile(rf"\w{{2,}}[^su]s|{PAST_FORM.pattern}")
VERB_FORM = re.compile(rf"\w+ing|{PAST_FORM.pattern}")
_PREFIX = re.compile(r"^(?:un|non|dis|in|im|ir|il)(?=\w{4})")
_HEADS = 2  # content words behind a negation that it is about, and of "neither" or "none" more
_WHOLE_CLAUSE = re.compile(r"^(?:neither|nor|none|no one|nobody)", re.IGNORECASE)
_MODAL = re.compile(
    r"\b(?:may|might|could|possibly|perhaps|plan(?:s|ned)? to|hope(?:s|d)? to|aim(?:s|ed)? to"
    r"|expected to"
    r"|considering|propos(?:es|ed) to|want(?:s|ed)? to|intend(?:s|ed)? to|threaten(?:s|ed) to"
    r"|tr(?:y|ies|ied) to)\b",
    re.IGNORECASE,
)


class Word(NamedTuple):
    """A word of a sentence at `start` to `end`, in lower case and as its canonical form."""

    raw: str
    term: str
    start: int
    end: int
    is_content: bool


@dataclass(frozen=True, eq=False)
class SentenceReading:
    """What is read of a sentence; everything is read at most once."""

    text: str

    @cached_property
    def facts(self) -> tuple[Fact, ...]:
        return tuple(find_facts(self.text))

    @cached_property
    def words(self) -> frozenset[str]:
        """The words that say what it is about, without its values."""
        spans = [m.span() for m in _NEGATION.finditer(self.text) if _FAILS.match(m[0])]
        text = self.text
        for start, end in spans:
            text = text[:start] + " " * (end - start) + text[end:]
        values = [(fact.start, fact.end) for fact in self.facts if fact.kind != "name"]
        return frozenset(content_words(text, values))

    @cached_property
    def all_words(self) -> frozenset[str]:
        """The words, those in values included."""
        return frozenset(content_words(self.text))

    @cached_property
    def sequence(self) -> tuple[Word, ...]:
        """All words in order."""
        return tuple(
            Word(m[0].lower(), canonical(m[0]), *m.span(), m[0].lower() not in STOP_WORDS)
            for m in _WORD.finditer(self.text)
        )

    @cached_property
    def terms(self) -> frozenset[str]:
        """The canonical forms of all words, stop words included."""
        return frozenset(word.term for word in self.sequence)

    @cached_property
    def clauses(self) -> tuple[tuple[int, int], ...]:
        """The spans of the clauses, in order."""
        spans, begin = [], 0
        for match in _CLAUSE_END.finditer(self.text):
            spans.append((begin, match.start()))
            begin = match.end()
        return (*spans, (begin, len(self.text)))

    @cached_property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """The spans between commas, semicolons and colons, in which words keep their roles."""
        spans, begin = [], 0
        for match in _COMMA.finditer(self.text):
            spans.append((begin, match.start()))
            begin = match.end()
        return (*spans, (begin, len(self.text)))

    def clause_at(self, position: int) -> tuple[int, int]:
        """Return the span of the clause around a position."""
        return next(
            (span for span in self.clauses if span[0] <= position < span[1]),
            (0, len(self.text)),
        )

    @cached_property
    def _scopes(self) -> tuple[tuple[int, int, int], ...]:
        """The spans behind "not" and the like, within the clause, and how many words count."""
        spans = []
        for cue in _NEGATION.finditer(self.text):
            inside = min(cue.end(), len(self.text) - 1)
            heads = 3 * _HEADS if _WHOLE_CLAUSE.match(cue[0]) else _HEADS
            if _NOTHING_BEHIND.match(self.text, cue.end()):  # "the others signed; NATO did not"
                spans.append((self.clause_at(cue.start())[0], cue.start(), heads))
                continue
            spans.append((cue.end(), max(cue.end(), self.clause_at(inside)[1]), heads))
        return tuple(spans)

    @cached_property
    def negations(self) -> tuple[tuple[str, ...], ...]:
        """What each negation is about: "not" its next two words, unsupported is about supported."""
        heads = [
            tuple(w.term for w in self.sequence if start <= w.start < end and w.is_content)[:most]
            for start, end, most in self._scopes
        ]
        # "Vinegar should be avoided" is about vinegar.
        for position, (start, _, most) in enumerate(self._scopes):
            if _PASSIVE.search(self.text[:start]):
                begin = self.clause_at(start - 1)[0]
                words = [w for w in self.sequence if begin <= w.start < start and w.is_content]
                heads[position] = tuple(word.term for word in words[:-1][-most:])
        heads += [(t,) for word in self.sequence for t in [_without_prefix(word.raw)] if t]
        firsts = [head[0] for head in heads if head]
        twice = {term for term in firsts if firsts.count(term) > 1}  # not unsupported
        return tuple(head for head in heads if head and head[0] not in twice)

    @cached_property
    def negated(self) -> frozenset[str]:
        """All words that a negation is about."""
        return frozenset(term for heads in self.negations for term in heads)

    @cached_property
    def asserted(self) -> frozenset[str]:
        """The words that stand somewhere outside of a negation."""
        return frozenset(
            word.term
            for word in self.sequence
            if not any(start <= word.start < end for start, end, _ in self._scopes)
        )

    @cached_property
    def excepted(self) -> frozenset[str]:
        """The content words of exceptions ("except", "all but")."""
        return frozenset(
            word.term
            for cue in EXCEPT.finditer(self.text)
            for word in self.sequence
            if cue.end() <= word.start < _end_of_exception(self.text, cue.end()) and word.is_content
        )

    @cached_property
    def ellipsis(self) -> frozenset[str]:
        """The content words of clauses that end in "not", as in "NATO did not"."""
        return frozenset(
            word.term
            for start, end, _ in self._scopes
            for word in self.sequence
            if start <= word.start < end
            and word.is_content
            and _NOTHING_BEHIND.match(self.text, self.text.find("not", end) + 3)
            and self.text[end : end + 3].lower() == "not"
        )

    @cached_property
    def has_negation(self) -> bool:
        return _NEGATION.search(self.text) is not None

    @cached_property
    def hedged(self) -> frozenset[str]:
        """The words right behind "may", "might", "plans to": what is said to be possible only."""
        heads = []
        for cue in _MODAL.finditer(self.text):
            if cue[0] == "May":
                continue
            behind = [w for w in self.sequence if cue.end() <= w.start and w.is_content]
            heads += [word.term for word in behind[:1]]
        return frozenset(heads)

    @cached_property
    def has_modal(self) -> bool:
        return bool(self.hedged) or re.search(r"\b(?:can|up to|would|likely|maximum|at most)\b",
                                              self.text) is not None  # fmt: skip


def _end_of_exception(text: str, start: int) -> int:
    end = _BE_OR_STOP.search(text, start)
    return end.start() if end else len(text)


@lru_cache(maxsize=200_000)
def _without_prefix(word: str) -> str:
    """Return the canonical form of `supported` for `unsupported`, or nothing."""
    match = _PREFIX.match(word)
    return canonical(word[match.end() :]) if match else ""


@lru_cache(maxsize=20_000)
def read_sentence(text: str) -> SentenceReading:
    """Return the reading of a sentence, from a cache if it was read before."""
    return SentenceReading(normalize(text))
