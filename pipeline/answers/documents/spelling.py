"""Write British spellings as American ones, so that search and check take both for one word."""

from __future__ import annotations

import re

_OUR = """
arm behavi cand clam col demean endeav fav ferv flav glam harb hon hum lab neighb od parl ranc rig
rum sav savi splend tum val vap vig
"""
_RE = "calib cent fib goit lit lust maneuv meag met mit och reconnoit sab sepulch somb spect theat"
_SINGLE_L = """
cancel channel chisel counsel dial equal fuel initial jewel label level libel marvel model panel
pencil quarrel rival shovel signal spiral total travel tunnel
"""
# -ise is -ize in any word: it need only be the same on both sides.
_ENDINGS = (
    (re.compile(rf"({'|'.join(_OUR.split())})our(?!s?c|n)"), r"\1or"),
    (re.compile(rf"({'|'.join(_RE.split())})re(s|d)?$"), r"\1er\2"),
    (re.compile(rf"({'|'.join(_SINGLE_L.split())})l(ed|ing|ers?|ery)$"), r"\1\2"),
    (re.compile(r"(?<=\w\w\w)is(e[drs]?|ing|ations?|ers|able)$"), r"iz\1"),
    (re.compile(r"(?<=\w\w\w)ys(e[dr]|e|ing|ers)$"), r"yz\1"),
    (re.compile(r"(catal|dial|anal|monol|epil|prol)ogues?"), r"\1og"),
    (re.compile(r"(defen|offen|preten|licen)c(es?|ed|ing)$"), r"\1s\2"),
    (re.compile(r"^practis(e[ds]?|ing)$"), r"practic\1"),
    (re.compile(r"^programmes?$"), "program"),
    (re.compile(r"^gr(ey)(s|er|est|ed|ish)?$"), r"gray\2"),
    (re.compile(r"aemi"), "emi"),
    (re.compile(r"paed(?=i)"), "ped"),
    (re.compile(r"manoeuv"), "maneuv"),
    (re.compile(r"^(fulfil|enrol|instal|distil|instil)(s|ments?)?$"), r"\1l\2"),
    (re.compile(r"^skilful"), "skillful"),
    (re.compile(r"judgement"), "judgment"),
    (re.compile(r"^plough"), "plow"),
    (re.compile(r"^sceptic"), "skeptic"),
)
_WORDS = {
    british: american
    for line in """
    tyre tire/tyres tires/aluminium aluminum/ageing aging/mum mom/storeys stories/whilst while
    amongst among/towards toward/afterwards afterward/learnt learned/spelt spelled/burnt burned
    dreamt dreamed/leapt leaped/pyjamas pajamas/kerb curb/kerbs curbs/jewellery jewelry/moult molt
    mould mold/moulds molds/moustache mustache/cosy cozy/draught draft/yoghurt yogurt/maths math
    """.strip().splitlines()
    for pair in line.strip().split("/")
    for british, american in [pair.split()]
}


def american_spelling(word: str) -> str:
    """Return a lower-case word as it is spelled in American English; most are returned as they are.

    Words in -ise are returned with -ize even where no American writes it so.
    """
    if word in _WORDS:
        return _WORDS[word]
    for pattern, replacement in _ENDINGS:
        word = pattern.sub(replacement, word)
    return word
