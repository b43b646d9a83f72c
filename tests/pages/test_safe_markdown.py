"""Text from outside is harmless before it is shown, also while it streams in."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from pages.components.common.safe_markdown import inert, neutral
from tests.support.examples import examples

ALLOWED = {
    "paragraph", "text", "softbreak", "strong", "em", "code_inline", "fence", "bullet_list",
    "ordered_list", "list_item", "link", "inline", "hardbreak",
    "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip

# What Streamlit looks for in text whose backslashes are resolved: GFM's addresses, icons, its logo.
TRANSFORMED = re.compile(
    r"https?://|www\.|[-.\w+]@[-\w]|:[\w+-]+:|:material_|:streamlit:", re.IGNORECASE
)

HOSTILE = [
    "![x](http://evil.example/p.png)",
    "![x][r]\n\n[r]: http://evil.example/p.png",
    "<img src=http://evil.example/p.png>",
    "<script>alert(1)</script>",
    "<iframe src=//evil.example></iframe>",
    "[click](javascript:alert(1))",
    "[click](http://evil.example)",
    "<http://evil.example>",
    "<javascript:alert(1)>",
    "http://evil.example/a?b=c",
    "HTTPS://EVIL.EXAMPLE",
    "www.evil.example",
    "me@evil.example",
    ":material/home: :material_home: :streamlit: :smile: :red[x] :red-background[x] :help[x]",
    "$x^2$ $$\nx\n$$",
    "&#60;img src=x&#62; &lt;b&gt;",
    "| a | b |\n|---|---|\n| ![x](y) | z |",
    "| a | b |\n|---|---|\n| `x\\|y` $z$ | <img src=x> | :red[x] |\n| www.evil.example",
    "- | a |\n  |---|\n  | ![x](y) |",
    "# heading\n===\n---",
    "    indented ![x](y)",
    "> quote ![x](y)",
    "**bold ![x](y)**",
    "- item ![x](y)\n    - <img src=x>",
    "```mermaid\ngraph LR\n```",
    "~~~\n![x](y)",
    "`code` ``co`de``",
    "\\![x](y) \\\\![x](y)",
    "[1]: http://evil.example\n\n[1]",
    "![a\nb](x)",
    "[![x](y)](z)",
    "**a** __b__ *c* _d_",
    "x\u2028![x](y)",
    "[^1]\n\n[^1]: note",
]


def tokens(markdown: str) -> Iterator[Token]:
    """Every token of a Markdown text, the nested ones too."""
    for token in MarkdownIt("commonmark", {"html": True}).enable("table").parse(markdown):
        yield token
        yield from token.children or ()


def assert_harmless(markdown: str) -> None:
    for token in tokens(markdown):
        kind = re.sub(r"_(open|close)$", "", token.type)
        assert kind in ALLOWED, (token.type, markdown)
        if kind == "text":
            assert not TRANSFORMED.search(token.content), (token.content, markdown)
            assert "$" not in token.content or "\\$" in markdown
        if token.type == "link_open":
            assert re.fullmatch(r"#source-\d+", str(token.attrs["href"])), markdown
        if token.type == "fence":
            assert token.info == ""


def anchor(number: int) -> str | None:
    return f"source-{number}" if number < 4 else None


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_markdown_is_harmless_at_every_length_of_the_stream(text: str) -> None:
    for end in range(len(text) + 1):
        assert_harmless(neutral(text[:end], anchor))
    assert_harmless(inert(text))


@examples(300)
@given(
    st.lists(
        st.sampled_from([*HOSTILE, "\n", " ", "*", "_", "`", "[", "]", "(", ")", "!", "a", "1. "])
    )
)
def test_any_mixture_of_hostile_markdown_is_harmless(pieces: list[str]) -> None:
    assert_harmless(neutral("".join(pieces), anchor))


@given(st.text())
def test_any_text_is_harmless(text: str) -> None:
    assert_harmless(neutral(text, anchor))
    assert_harmless(inert(text))


@given(st.text(alphabet=st.characters(codec="ascii", exclude_categories=["Cc"])))
def test_inert_text_shows_all_letters(text: str) -> None:
    shown = "".join(token.content for token in tokens(inert(text)) if token.type == "text")
    assert shown.replace("\u2060", "").split() == text.split()


def test_bold_lists_code_and_italics_stay() -> None:
    answer = (
        "# New\nIt brings **two things** and *more*:\n\n- a `Flow` **x**\n    - b\n1. one\n\n"
        "```python\nprint('**')\n```\ndone"
    )
    types = [token.type for token in tokens(neutral(answer))]
    for kind in ("strong_open", "em_open", "bullet_list_open", "ordered_list_open", "code_inline"):
        assert kind in types
    (fence,) = (token for token in tokens(neutral(answer)) if token.type == "fence")
    assert fence.content == "print('**')\n"
    assert types.count("bullet_list_open") == 2  # one within the other


def cells(markdown: str) -> list[str]:
    """Return the texts of all table cells as a browser shows them."""
    parsed = list(MarkdownIt("commonmark").enable("table").parse(markdown))
    return [
        "".join(child.content for child in parsed[at + 1].children or [])
        for at, token in enumerate(parsed)
        if token.type in ("th_open", "td_open")
    ]


def test_table_stays_a_table_with_every_cell() -> None:
    text = "Limits:\n| Plan | Flows |\n|:--|--:|\n| Free | **5** | `a\\|b` |\n| Team |\n\nEnd."
    shown = neutral(text)
    assert cells(shown) == ["Plan", "Flows", "Free", "5 | a|b", "Team", ""]
    assert shown.startswith("Limits\\:\n\n")
    assert shown.endswith("\n\nEnd\\.")
    assert cells(neutral("- | a | b |\n  |---|---|\n  | 1 | 2 |")) == ["a", "b", "1", "2"]
    assert cells(neutral("a | b\n--|--\n1 | 2")) == ["a", "b", "1", "2"]


def test_rows_without_a_header_and_of_a_huge_table_are_lines_of_their_own() -> None:
    shown = [t for t in tokens(neutral("| a | b |\n| c | d |")) if t.type == "hardbreak"]
    assert len(shown) == 1
    huge = "|" * 3000 + "\n|---|\n" + "| x |\n" * 3000
    assert len(neutral(huge)) < 10 * len(huge)
    assert not cells(neutral(huge))


def test_citation_becomes_a_link_to_its_passage() -> None:
    assert neutral("So [1] and [2, 9].", anchor) == (
        "So \\[[1](#source-1)\\] and \\[[2](#source-2), 9\\]\\."
    )
    assert neutral("So [1].") == "So \\[1\\]\\."


def test_inert_text_is_one_line() -> None:
    assert inert("a\n# b  c") == "a \\# b c"
