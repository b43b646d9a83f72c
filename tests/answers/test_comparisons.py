"""Comparisons are kept with everything but their verdicts, and handed out as one safe page."""

from __future__ import annotations

import pytest

from pipeline.answers import comparisons
from pipeline.answers.comparisons import (
    AnswerComparison,
    ComparisonStore,
    SideAnswer,
    outcome_words,
)
from pipeline.answers.demo import EXAMPLE_LABEL, QUESTIONS, make_example
from pipeline.answers.handout import write_handout
from pipeline.answers.model.prompts import Side
from pipeline.core.errors import UsageError
from pipeline.core.settings.settings import Settings


def test_kept_comparison_is_the_same_and_is_checked_again(settings: Settings) -> None:
    example = make_example("approval", settings)
    store = ComparisonStore(settings.comparisons_path)
    kept = store.save(example)
    found = store.find(kept.id)
    assert found == kept
    assert [v.verdict for v in found.verdicts(Side.RAG)] == [
        v.verdict for v in example.verdicts(Side.RAG)
    ]
    assert b"found in source" not in settings.comparisons_path.read_bytes()


def test_oldest_comparisons_are_deleted(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparisons, "MOST_KEPT", 2)
    store = ComparisonStore(settings.comparisons_path)
    answer = SideAnswer("No.", "pasted", "")
    ids = [store.save(AnswerComparison("Is it?", dict.fromkeys(Side, answer))).id for _ in range(3)]
    assert store.find(ids[2]).question == "Is it?"
    with pytest.raises(UsageError, match="no comparison"):
        store.find(ids[0])


def test_half_sentence_of_a_cut_answer_is_shown_and_not_checked() -> None:
    cut = SideAnswer("It is red. It was bl", "model", "", checked="It is red.")
    verdicts = AnswerComparison("What is it?", dict.fromkeys(Side, cut)).verdicts(Side.PLAIN)
    assert [verdict.claim for verdict in verdicts] == ["It is red."]
    first = SideAnswer("It was bl", "model", "", problem="Stopped.")
    comparison = AnswerComparison("What is it?", dict.fromkeys(Side, first))
    assert comparison.verdicts(Side.PLAIN) == []
    assert outcome_words([], first) == "no whole sentence"


def test_handout_has_verdicts_sources_and_prompts_and_fetches_nothing(settings: Settings) -> None:
    example = make_example("approval", settings)
    page = write_handout(example)
    for words in ("0 of 5 claims found", "4 of 4 claims found", "begin source [1]", EXAMPLE_LABEL):
        assert words in page
    assert "<mark>Approvals are part of the\nbusiness plan.</mark>" in page
    hostile = write_handout(example.with_pasted(Side.PLAIN, "<script>x</script> <img src=//e>"))
    for written in (page, hostile):
        assert "<script" not in written
        assert "<img" not in written
        assert "http" not in written.replace("http-equiv", "")
        assert "default-src 'none'" in written


@pytest.mark.parametrize("name", list(QUESTIONS))
def test_examples_cite_the_sources_that_hold_their_claims(name: str, settings: Settings) -> None:
    example = make_example(name, settings)
    text = example.sides[Side.RAG].text
    for verdict in example.verdicts(Side.RAG):
        assert verdict.passage
        number = example.passages.index(verdict.passage) + 1
        behind = text[verdict.start : verdict.end + 5]
        assert f"[{number}]" in behind, (verdict.claim, number)
