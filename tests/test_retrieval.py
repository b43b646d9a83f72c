"""Search: which passages are found, with which highlights, by words and by meaning."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline.answers.documents import Documents
from pipeline.answers.retrieval import fuse, search, whole
from pipeline.answers.tokens import highlights, terms, tokenize
from pipeline.answers.vectors import Embedder, Vectors
from pipeline.settings import Settings

HERON = """# Heron 2.4
## Flow triggers
The new `FlowTrigger` waits 30 seconds; set `core.trigger.timeout_seconds` for more.
## Storage
Objects above 24,648,499 bytes go to the cold store since 2.3.1.
"""
EGRET = "# Egret 1.1\n## Storage\nEgret keeps everything in one bucket.\n"


@pytest.fixture
def documents(settings: Settings) -> Documents:
    store = Documents(settings.documents_path)
    store.add("heron.md", HERON.encode(), "paste:heron", settings)
    store.add("egret.md", EGRET.encode(), "paste:egret", settings)
    return store


@pytest.mark.parametrize(
    ("question", "heading"),
    [
        ("how long does the flow trigger wait", "Flow triggers"),
        ("FLOWTRIGGER", "Flow triggers"),
        ("timeout seconds", "Flow triggers"),
        ("what changed in 2.3", "Storage"),
        ("24648499", "Storage"),
        ("egret bucket", "Storage"),
    ],
)
def test_words_and_identifiers_meet_in_whichever_form(
    documents: Documents, question: str, heading: str
) -> None:
    assert search(documents, question)[0].heading == heading


def test_passages_are_ranked_and_say_where_they_stand(documents: Documents) -> None:
    passages = search(documents, "Egret storage")
    assert [p.document for p in passages] == ["Egret 1.1", "Heron 2.4"]
    assert passages[0].score > passages[1].score > 0
    assert passages[0].context == "Egret 1.1 > Storage"
    assert [p.document for p in search(documents, "Egret storage", top=1)] == ["Egret 1.1"]
    heron = documents.find("Heron 2.4")
    assert [p.document for p in search(documents, "storage", only=[heron.id])] == ["Heron 2.4"]


@pytest.mark.parametrize("question", ["", "   ", "the of and", '" OR *', "zzz", "\udcff", "\0"])
def test_a_question_without_a_known_word_finds_nothing(documents: Documents, question: str) -> None:
    assert search(documents, question) == []


@given(st.text(max_size=60))
@hypothesis_settings(max_examples=100, deadline=None)
def test_any_question_is_answered_with_passages_or_none(question: str) -> None:
    assert isinstance(terms(question), list)


def test_search_before_anything_was_added_finds_nothing_and_makes_nothing(tmp_path: Path) -> None:
    assert search(Documents(tmp_path / "home" / "documents.sqlite"), "anything") == []
    assert not (tmp_path / "home").exists()


@given(st.text(max_size=200), st.text(max_size=60))
@hypothesis_settings(max_examples=300, deadline=None)
def test_highlights_are_spans_of_matching_terms_in_order(text: str, question: str) -> None:
    wanted = frozenset(terms(question)) | frozenset(terms(text)[:3])
    spans = highlights(text, wanted)
    last = 0
    for start, end in spans:
        assert last <= start < end <= len(text)
        found = {token.term for token in tokenize(text) if (token.start, token.end) == (start, end)}
        assert found & wanted
        last = end
    assert bool(spans) == any(token.term in wanted for token in tokenize(text))


def test_a_whole_document_is_one_passage(documents: Documents) -> None:
    passage = whole(documents, documents.find("Heron 2.4"))
    assert passage.text == HERON
    assert passage.source.startswith("Heron 2.4\n")


def letters(texts: Sequence[str]) -> list[list[float]]:
    """A toy embedding: how often each letter occurs."""
    return [[text.lower().count(chr(97 + n)) + 0.01 for n in range(26)] for text in texts]


def test_embeddings_are_paid_for_once_and_rank_by_meaning(
    documents: Documents, settings: Settings
) -> None:
    asked: list[int] = []

    def embed(texts: Sequence[str], question: bool) -> list[list[float]]:
        assert question == (len(texts) == 1 and texts[0].startswith(("Egret keeps", "zzz")))
        asked.append(len(texts))
        return letters(texts)

    dense = (Vectors(settings.vectors_path), Embedder("letters", embed))
    found = search(documents, "Egret keeps everything in one bucket", top=2, dense=dense)
    assert found[0].document == "Egret 1.1"
    assert asked == [3, 1]
    search(documents, "zzz", dense=dense)  # no word of it is known; meaning finds all the same
    assert asked == [3, 1, 1]
    documents.add("egret.md", EGRET.replace("one", "two").encode(), "paste:egret", settings)
    assert len(search(documents, "zzz", dense=dense)) == 3
    assert asked == [3, 1, 1, 1, 1]  # only the changed chunk was embedded anew


def test_reciprocal_rank_fusion_is_as_published() -> None:
    assert fuse([[1, 2], [2, 3]]) == [
        (2, 1 / 62 + 1 / 61),
        (1, 1 / 61),
        (3, 1 / 62),
    ]
