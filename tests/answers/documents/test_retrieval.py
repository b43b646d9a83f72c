"""Search finds passages by words and by embeddings, and highlights what matches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.answers.documents.documents import DocumentStore
from pipeline.answers.documents.retrieval import fuse, search, whole_document
from pipeline.answers.documents.tokens import highlights, terms, tokenize
from pipeline.answers.documents.vectors import VectorStore
from pipeline.core.settings.settings import Settings
from tests.support.examples import examples

HERON = """# Heron 2.4
## Flow triggers
The new `FlowTrigger` waits 30 seconds; set `core.trigger.timeout_seconds` for more.
## Storage
Objects above 24,648,499 bytes go to the cold store since 2.3.1.
"""
EGRET = "# Egret 1.1\n## Storage\nEgret keeps everything in one bucket.\n"


@pytest.fixture
def documents(settings: Settings) -> DocumentStore:
    store = DocumentStore(settings.documents_path)
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
def test_words_and_identifiers_match_in_any_form(
    documents: DocumentStore, question: str, heading: str
) -> None:
    assert search(documents, question)[0].heading == heading


def test_passages_are_ranked_and_have_their_context(documents: DocumentStore) -> None:
    passages = search(documents, "Egret storage")
    assert [p.document for p in passages] == ["Egret 1.1", "Heron 2.4"]
    assert passages[0].score > passages[1].score > 0
    assert passages[0].context == "Egret 1.1 > Storage"
    assert [p.document for p in search(documents, "Egret storage", top=1)] == ["Egret 1.1"]
    heron = documents.find("Heron 2.4")
    assert [p.document for p in search(documents, "storage", only=[heron.id])] == ["Heron 2.4"]


@pytest.mark.parametrize("question", ["", "   ", "the of and", '" OR *', "zzz", "\udcff", "\0"])
def test_question_without_a_known_word_finds_nothing(
    documents: DocumentStore, question: str
) -> None:
    assert search(documents, question) == []


@given(st.text(max_size=60))
@examples(100)
def test_any_question_has_terms_or_none(question: str) -> None:
    assert isinstance(terms(question), list)


def test_search_without_documents_finds_nothing_and_makes_no_file(tmp_path: Path) -> None:
    assert search(DocumentStore(tmp_path / "home" / "documents.sqlite"), "anything") == []
    assert not (tmp_path / "home").exists()


@given(st.text(max_size=200), st.text(max_size=60))
@examples(300)
def test_highlights_are_spans_of_matching_terms_in_order(text: str, question: str) -> None:
    matching = frozenset(terms(question)) | frozenset(terms(text)[:3])
    spans = highlights(text, matching)
    last = 0
    for start, end in spans:
        assert last <= start < end <= len(text)
        at_span = {t.term for t in tokenize(text) if (t.start, t.end) == (start, end)}
        assert at_span & matching
        last = end
    assert bool(spans) == any(token.term in matching for token in tokenize(text))


def test_whole_document_is_one_passage(documents: DocumentStore) -> None:
    passage = whole_document(documents, documents.find("Heron 2.4"))
    assert passage.text == HERON
    assert passage.source.startswith("Heron 2.4\n")


class LetterCounts:
    """Embeds a text as how often each letter occurs in it, and counts the texts of each call."""

    embedding_model = "letters"

    def __init__(self) -> None:
        self.calls: list[int] = []

    def embed(self, texts: Sequence[str], *, question: bool) -> list[list[float]]:
        assert question == (len(texts) == 1 and "\n" not in texts[0])  # a chunk has a context
        self.calls.append(len(texts))
        return [[text.lower().count(chr(97 + n)) + 0.01 for n in range(26)] for text in texts]


def test_embeddings_are_made_once_and_rank_by_meaning(
    documents: DocumentStore, settings: Settings
) -> None:
    embedder = LetterCounts()
    dense = (VectorStore(settings.vectors_path), embedder)
    passages = search(documents, "Egret keeps everything in one bucket", top=2, dense=dense)
    assert passages[0].document == "Egret 1.1"
    assert embedder.calls == [3, 1]
    search(documents, "zzz", dense=dense)  # BM25 finds nothing, embeddings do
    assert embedder.calls == [3, 1, 1]
    documents.add("egret.md", EGRET.replace("one", "two").encode(), "paste:egret", settings)
    assert len(search(documents, "zzz", dense=dense)) == 3
    assert embedder.calls == [3, 1, 1, 1, 1]  # of the chunks only the changed one


def test_reciprocal_rank_fusion_is_as_published() -> None:
    assert fuse([[1, 2], [2, 3]]) == [
        (2, 1 / 62 + 1 / 61),
        (1, 1 / 61),
        (3, 1 / 62),
    ]


@pytest.mark.parametrize(
    ("british", "american"),
    [
        *(("colour", "color"), ("neighbourhoods", "neighborhoods"), ("centres", "centers")),
        *(("organised", "organized"), ("analysing", "analyzing"), ("travelled", "traveled")),
        *(("catalogue", "catalog"), ("defence", "defense"), ("programme", "program")),
        *(("tyres", "tires"), ("modelling", "modeling"), ("fulfil", "fulfill")),
    ],
)
def test_british_and_american_spellings_are_one_term(british: str, american: str) -> None:
    assert terms(british) == terms(american)


def test_words_that_only_look_british_keep_their_stem() -> None:
    assert terms("hours sources journal called rising four") == [
        *("hour", "sourc", "journal", "call", "rise", "four"),
    ]


def test_question_with_soft_hyphens_and_ligatures_matches(settings: Settings) -> None:
    documents = DocumentStore(settings.documents_path)
    documents.add_text("Notes", "The office keeps a workﬂow.", settings)
    assert search(documents, "of\ufb01ce work\u00adflow")
