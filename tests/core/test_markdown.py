"""Markdown is read as blocks that say where they are, and inline markup as plain text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.markdown import plain_text, read_blocks
from tests.support.examples import examples

PAGE = """---
title: "Heron"
---
# Heron *2.4* #
Two
lines.

* an **item**
  more
    1. nested

> quoted
> # no section

Set
===
| a | b |
| c | d |

```python
# code

x
```
"""


def test_blocks_have_kind_level_and_lines_without_markers() -> None:
    blocks = [(block.kind, block.level, block.text) for block in read_blocks(PAGE)]
    assert blocks == [
        ("text", 0, 'title: "Heron"'),
        ("heading", 1, "Heron *2.4*"),
        ("text", 0, "Two\nlines."),
        ("text", 0, "an **item**\nmore"),
        ("text", 0, "nested"),
        ("text", 0, "quoted"),
        ("heading", 0, "no section"),
        ("heading", 1, "Set"),
        ("table", 0, "| a | b |\n| c | d |"),
        ("code", 0, "# code\n\nx"),
    ]


_LINES = st.sampled_from(
    ["# Title", "Heading", "=====", "---", "```", "~~~", "", "| a | b |", "|---|---|", "- item",
     "  - deep", "10. ten", "> quote", "Some words. And more.", "\tcode", "#no heading", "a \r b"]
)  # fmt: skip


@given(st.one_of(st.text(max_size=300), st.lists(_LINES, max_size=30).map("\n".join)))
@examples(300)
def test_block_positions_are_those_of_the_text(text: str) -> None:
    last = 0
    for block in read_blocks(text):
        assert last <= block.start < block.end <= len(text)
        last = block.end
        for line in block.lines:
            assert block.start <= line.start
            original = text[line.start : line.start + len(line.text)].replace("\0", "\ufffd")
            assert original == line.text


def test_endless_nesting_loses_no_text() -> None:
    deep = "".join(block.text for block in read_blocks("- " * 60 + "deep\n\n# After"))
    assert deep.endswith("deepAfter")


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("**a** [b](c) ![d](e) <b>x</b>", "a b d x"),
        ("`**kwargs` &amp; \\*", "`**kwargs` & *"),
        ("**First of two.", "First of two."),
        ("a\nb  \nc", "a b c"),
        ("2 * 3 * 4", "2 * 3 * 4"),
        ("<http://a.b>", "http://a.b"),
    ],
)
def test_inline_markup_becomes_plain_text(markdown: str, text: str) -> None:
    assert plain_text(markdown) == text


@pytest.mark.parametrize("piece", ["[", "![", "*a ", "**", "`", "<!--", "a[b](", "_a_ ", "\\"])
def test_hostile_inline_markup_is_read_in_linear_time(piece: str) -> None:
    began = time.thread_time()
    plain_text(piece * (20_000 // len(piece)))
    assert time.thread_time() - began < 3
