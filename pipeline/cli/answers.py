"""`answers`: store documents, search their passages, and check an answer against them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.answers_output import describe_judgement, document_values, verdict_values
from pipeline.cli.ask import ask, truths
from pipeline.cli.console import (
    JsonOption,
    err,
    escape,
    exit_on_error,
    load_settings,
    make_table,
    out,
    print_json,
)
from pipeline.cli.evals import EVAL_HELP, evaluate, list_evals
from pipeline.core.errors import DocumentError, FaregroundError, UsageError
from pipeline.core.regular_file import read_regular_file

if TYPE_CHECKING:
    from pipeline.answers.check.judge import Judgement
    from pipeline.answers.check.nli_model import NliModel
    from pipeline.answers.documents.documents import Document, DocumentStore

_MOST_ANSWER_BYTES = 10**6  # some 300 pages; each of their claims is looked up

_REPORT_SECONDS = 5.0

answers = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Add and search documents, ask a model about them, and check the claims of an answer.",
)

answers.command()(ask)
answers.command()(truths)
answers.command(name="eval", help=EVAL_HELP)(evaluate)
answers.command(name="evals")(list_evals)

QuestionArgument = Annotated[str, typer.Argument(help="Question or search words.")]
TopOption = Annotated[int, typer.Option(min=1, max=100, help="Maximum number of passages.")]
DocumentOption = Annotated[
    list[str] | None,
    typer.Option("--document", help="Search only this document: id, path or title; repeatable."),
]


@answers.command()
def add(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Markdown, text, HTML or PDF files.")
    ] = None,
    preset: Annotated[str, typer.Option(help="Fetch a public document: kestra-1.1.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Add documents to search; adding one again replaces it."""
    from pipeline.answers.documents.presets import add_preset

    added: list[Document] = []
    problems: list[FaregroundError] = []
    with exit_on_error():
        if not files and not preset:
            raise UsageError("No document was given.", cure="Name a file, or --preset kestra-1.1.")
        settings = load_settings()
        documents = _open_documents()
        if preset:
            added.append(add_preset(preset, documents, settings))
        for path in files or ():
            try:
                added.append(documents.add_file(path, settings))
            except DocumentError as error:  # the other files are added all the same
                problems.append(error)
    if as_json:
        print_json({"documents": [document_values(document) for document in added]})
    for document in [] if as_json else added:
        out.print(
            f"{document.id}  {document.title}: {document.characters:,} characters, "
            f"passages: {document.chunks:,}",
            markup=False,
        )
        if document.gaps:
            cure = "If it is scanned, run it through OCR."
            if not document.pages_without_text:
                cure = "Save it as UTF-8 and add it again, if they matter."
            out.print(f"  {document.gaps}. {cure}", markup=False)
    for problem in problems:
        err.print(f"[red]✕[/red] {escape(str(problem))}")
    if problems:
        raise typer.Exit(1)


@answers.command(name="list")
def list_documents(as_json: JsonOption = False) -> None:
    """List the stored documents."""
    with exit_on_error():
        documents = _open_documents().documents()
        if as_json:
            print_json({"documents": [document_values(document) for document in documents]})
            return
        if not documents:
            out.print("There are no documents yet. Try: python -m pipeline answers add FILE")
            return
        table = make_table("id", "title", "date", "version", "characters", "passages", "from")
        for document in documents:
            table.add_row(
                document.id,
                escape(document.title),
                document.date,
                document.version,
                f"{document.characters:,}",
                f"{document.chunks:,}",
                escape(document.address),
            )
        out.print(table)


@answers.command()
def remove(
    document: Annotated[str, typer.Argument(help="Id, path or title of a document.")],
    as_json: JsonOption = False,
) -> None:
    """Remove a document; its original file stays."""
    with exit_on_error():
        documents = _open_documents()
        removed = documents.find(document)
        documents.remove(removed)
        if as_json:
            print_json({"removed": document_values(removed)})
        else:
            out.print(f"Removed {removed.title}.", markup=False)


@answers.command()
def search(
    question: QuestionArgument,
    top: TopOption = 5,
    document: DocumentOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the passages that best match a question; needs no key and no network.

    Example: python -m pipeline answers search "When was it released?" --top 3
    """
    from pipeline.answers.documents import retrieval

    with exit_on_error():
        documents = _open_documents()
        only = [documents.find(name).id for name in document or ()]
        passages = retrieval.search(documents, question, top, only)
        if as_json:
            values = [
                {
                    "document": passage.document,
                    "heading": passage.heading,
                    "text": passage.text,
                    "score": round(passage.score, 6),
                    "highlights": passage.highlights,
                    "document_id": passage.document_id,
                    "address": passage.address,
                }
                for passage in passages
            ]
            print_json({"question": question, "passages": values})
            return
        if not passages:
            out.print(
                "No passage contains a word of the question."
                if documents.documents()
                else "There are no documents yet. Try: python -m pipeline answers add FILE"
            )
        for number, passage in enumerate(passages, start=1):
            out.print(f"[bold]{number}. {escape(passage.context)}[/bold]  {passage.score:.2f}")
            out.print(passage.text.strip(), markup=False)
            out.print()


@answers.command()
def check(
    text: Annotated[Path, typer.Option("--text", help="File with the answer; - reads stdin.")],
    question: Annotated[
        str, typer.Option(help="Check only against passages that match this question.")
    ] = "",
    top: TopOption = 5,
    document: DocumentOption = None,
    nli: Annotated[
        bool, typer.Option("--nli", help="Judge each claim with the NLI model of the settings too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check which claims of a text are found in the documents; needs no key.

    Found in source means that one passage holds the claim's words and every number, date, version
    and name in it. It does not mean that the claim is true.
    """
    from pipeline.answers.check import grounding
    from pipeline.answers.check.nli_model import open_nli
    from pipeline.answers.comparisons import nearest_text

    with exit_on_error():
        model = open_nli(load_settings()) if nli else None
        documents = _open_documents()
        only = [documents.find(name).id for name in document or ()]
        answer = _read_text(text)
        verdicts = grounding.check_text(answer, documents, question, top, only, _claim_reporter())
        judgements: list[Judgement | None] = [None] * len(verdicts)
        if model:
            claims = [verdict.claim for verdict in verdicts]
            judgements = [*_judge(claims, model, documents, question, top, only)]
        outcome = grounding.describe_outcome(answer, verdicts)
        if as_json:
            values = [verdict_values(*pair) for pair in zip(verdicts, judgements, strict=True)]
            print_json({"outcome": outcome, "claims": values})
            return
        for verdict, judgement in zip(verdicts, judgements, strict=True):
            out.print(f"{grounding.GLYPHS[verdict.verdict]} {verdict.verdict}", markup=False)
            out.print(f"  {verdict.claim}", markup=False)
            why = ", ".join([*verdict.missing, *filter(None, [verdict.contradiction])])
            if why and verdict.verdict == grounding.Verdict.VALUE:
                out.print(f"  not in source: {why}", markup=False)
            if verdict.passage and (nearest := " ".join(nearest_text(verdict).split())):
                where = f"{verdict.passage.context}: " if verdict.quote else ""
                out.print(f"  nearest: {where}{nearest}", markup=False)
            if judgement:
                out.print(f"  NLI model: {describe_judgement(judgement)}", markup=False)
        out.print(f"{outcome}.")


def _judge(
    claims: Sequence[str],
    model: NliModel,
    documents: DocumentStore,
    question: str,
    top: int,
    only: Sequence[str],
) -> Iterator[Judgement]:
    """Yield the NLI judgement of each claim, on the passages that the check used."""
    from pipeline.answers.check.nli import judge_by_nli
    from pipeline.answers.documents import retrieval

    report = _claim_reporter("Judged")
    for done, claim in enumerate(claims, start=1):
        passages = retrieval.search(documents, question or claim, top, only)
        yield from judge_by_nli([claim], passages, model)
        report(done, len(claims))


def _claim_reporter(action: str = "Checked") -> Callable[[int, int], None]:
    """Return a function that prints how many claims are done, every few seconds."""
    latest = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal latest
        if time.monotonic() - latest > _REPORT_SECONDS:
            latest = time.monotonic()
            err.print(f"{action} {done:,} of {total:,} claims.")

    return report


# Where pipes are open already, such as what a shell makes of <(command). To open a pipe with a name
# of its own could wait for ever for somebody who writes to it.
_OPEN_FILES = ("/dev", "/dev/fd", "/proc/self/fd")


def _read_text(path: Path) -> str:
    try:
        if str(path) == "-":
            content = sys.stdin.buffer.read(_MOST_ANSWER_BYTES + 1)
        elif path.is_fifo() and str(path.parent) in _OPEN_FILES:
            with path.open("rb") as pipe:
                content = pipe.read(_MOST_ANSWER_BYTES + 1)
        else:
            content = read_regular_file(path, _MOST_ANSWER_BYTES)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}.", cure="Check the path."
        ) from None
    if len(content) > _MOST_ANSWER_BYTES:
        raise UsageError(
            f"The text is larger than {_MOST_ANSWER_BYTES / 1e6:g} MB.",
            cure="Check only the relevant part.",
        )
    return content.decode("utf-8", "replace")


def _open_documents() -> DocumentStore:
    from pipeline.answers.documents.documents import DocumentStore

    return DocumentStore(load_settings().documents_path)
