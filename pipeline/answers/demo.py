"""The demonstration: questions over a document of ours and the trips, with example answers.

The examples show what the page does where no model is set up. They are written by hand and always
labelled so; what the check says of them is computed like for any other answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.answers.comparisons import AnswerComparison, ExactAnswer, SideAnswer
from pipeline.answers.documents.retrieval import Passage, search
from pipeline.answers.model.prompts import PromptSource, Side, plain_prompt, rag_prompt
from pipeline.answers.suites.suites import own_documents
from pipeline.answers.truths.truths import GroundTruth, score_number
from pipeline.core.settings.settings import Settings

DOCUMENT = "own:heron-2.4"  # the address of the document, in the store of our own ones
TRIPS = "trips"
MOST_PASSAGES = 5
EXAMPLE_LABEL = "Example, written for this page, not by a model"
_EXAMPLE = "example-"


@dataclass(frozen=True)
class DemoQuestion:
    """A question over the document, and an example answer of each side."""

    question: str
    plain: str
    rag: str


QUESTIONS = {
    "approval": DemoQuestion(
        "How does the approval by a person work in Heron 2.4?",
        "The `ApprovalTask` sends an e-mail to all administrators. They have 7 days to answer. "
        "Without an answer the execution continues by itself. It came with version 2.1. Approvals "
        "are free in every plan.",
        "The `ApprovalTask` pauses an execution until one of the named users agrees [1]. If nobody "
        "does within 48 hours, the execution is cancelled [1]. `expiresAfter` sets another span "
        "[1]. Approvals are part of the business plan [1].",
    ),
    "files": DemoQuestion(
        "How does Heron 2.4 notice new files?",
        "Heron 2.4 asks the operating system for new files through `inotify`. It looks every 10 "
        "seconds. It remembers files for 30 days. It also notices files that were changed. Google "
        "Drive and Dropbox are supported.",
        "`FileArrivedTrigger` watches a folder on disk, an S3 bucket or an SFTP server [1]. It "
        "polls every 60 seconds [1]. `pollEvery` changes that, down to 5 seconds [1]. Objects it "
        "has handled are remembered for 7 days [1].",
    ),
    "release": DemoQuestion(
        "When was Heron 2.4 released, and what is faster in it?",
        "Heron 2.4 was released on 15 January 2024. Its scheduler was rewritten in Rust. Memory "
        "use fell by 40 percent.",
        "Heron 2.4 was released on 7 October 2025 [1]. A Python task begins in 0.4 seconds instead "
        "of 2.6 [2]. The console loads the list of executions three times as fast [2].",
    ),
}
"""The questions over the document, by name."""


def find_demo_passages(name: str, settings: Settings) -> list[Passage]:
    """Return the passages of the document for a question; it is stored on first use."""
    documents = own_documents(settings)
    document = documents.find(DOCUMENT)
    return search(documents, QUESTIONS[name].question, MOST_PASSAGES, [document.id])


def example_id(name: str) -> str:
    """Return the id that stands for an example in links."""
    return f"{_EXAMPLE}{name}"


def example_name(id: str) -> str:
    """Return the name of the question whose example an id stands for; empty for other ids."""
    name = id.removeprefix(_EXAMPLE)
    return name if id.startswith(_EXAMPLE) and name in (*QUESTIONS, TRIPS) else ""


def make_example(name: str, settings: Settings) -> AnswerComparison:
    """Return the example of a question over the document; its claims are not checked yet."""
    demo = QUESTIONS[name]
    passages = find_demo_passages(name, settings)
    sources = [PromptSource(passage.context, passage.text) for passage in passages]
    return AnswerComparison(
        demo.question,
        {
            Side.PLAIN: SideAnswer(demo.plain, "example", plain_prompt(demo.question).text()),
            Side.RAG: SideAnswer(demo.rag, "example", rag_prompt(demo.question, sources).text()),
        },
        tuple(passages),
        id=example_id(name),
    )


def make_trips_example(truth: GroundTruth) -> AnswerComparison:
    """Return the example of the question over the trips, about what is loaded."""
    texts = {
        Side.PLAIN: "There were about 150,000 trips.",
        Side.RAG: f"There were {truth.answer} [1].",
    }
    prompts = {
        Side.PLAIN: plain_prompt(truth.question),
        Side.RAG: rag_prompt(truth.question, [truth.source()]),
    }
    return AnswerComparison(
        truth.question,
        {
            side: SideAnswer(
                text, "example", prompts[side].text(), score=score_words(truth, side, text)
            )
            for side, text in texts.items()
        },
        exact=exact_answer(truth),
        id=example_id(TRIPS),
    )


def exact_answer(truth: GroundTruth) -> ExactAnswer:
    """Return the exact answer of a truth, to be kept with a comparison."""
    return ExactAnswer(
        truth.answer,
        truth.template.tolerance,
        truth.table(),
        truth.sql,
        truth.notice,
        truth.synthetic,
    )


def score_words(truth: GroundTruth, side: Side, text: str, *, abstained: bool = False) -> str:
    """Return in words how the number of a side's answer compares with the exact one."""
    return score_number(truth, text, abstained, has_source=side is Side.RAG).outcome
