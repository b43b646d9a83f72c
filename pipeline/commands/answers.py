"""`answers`: documents to ask about, their passages, and whether an answer stands in them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.commands.ask import ask, truths
from pipeline.commands.console import (
    JsonOption,
    err,
    escape,
    make_table,
    out,
    print_json,
    reported,
)
from pipeline.commands.evals import EVAL_HELP, evaluate, list_evals
from pipeline.errors import DocumentError, FaregroundError, UsageError
from pipeline.settings import load_settings

if TYPE_CHECKING:
    from pipeline.answers.documents import Document, Documents
    from pipeline.answers.grounding import ClaimVerdict

answers = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Ask documents: add them, search them, and check what an answer claims.",
)

answers.command()(ask)
answers.command()(truths)
answers.command(name="eval", help=EVAL_HELP)(evaluate)
answers.command(name="evals")(list_evals)

QuestionArgument = Annotated[str, typer.Argument(help="What to look for, in your own words.")]
TopOption = Annotated[int, typer.Option(min=1, max=100, help="Most passages to give.")]
DocumentOption = Annotated[
    list[str] | None,
    typer.Option("--document", help="Keep to this document: id, path or title; repeatable."),
]


@answers.command()
def add(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Markdown, text, HTML or PDF files.")
    ] = None,
    preset: Annotated[str, typer.Option(help="Fetch a public document: kestra-1.1.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Keep documents to ask about; one that was added before is replaced."""
    from pipeline.answers.presets import add_preset

    added: list[Document] = []
    problems: list[FaregroundError] = []
    with reported():
        if not files and not preset:
            raise UsageError("No document was given.", cure="Name a file, or --preset kestra-1.1.")
        settings = load_settings()
        documents = open_documents()
        if preset:
            added.append(add_preset(preset, documents, settings))
        for path in files or ():
            try:
                added.append(documents.add_file(path, settings))
            except DocumentError as error:  # the others are taken all the same
                problems.append(error)
    if as_json:
        print_json({"documents": [document_values(document) for document in added]})
    for document in [] if as_json else added:
        out.print(
            f"{document.id}  {document.title}: {document.characters:,} characters, "
            f"passages: {document.chunks:,}",
            markup=False,
        )
    for problem in problems:
        err.print(f"[red]✕[/red] {escape(str(problem))}")
    if problems:
        raise typer.Exit(1)


@answers.command(name="list")
def list_documents(as_json: JsonOption = False) -> None:
    """List the documents that are kept."""
    with reported():
        found = open_documents().documents()
        if as_json:
            print_json({"documents": [document_values(document) for document in found]})
            return
        if not found:
            out.print("No document yet. Try: python -m pipeline answers add FILE")
            return
        table = make_table("id", "title", "date", "version", "characters", "passages", "from")
        for document in found:
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
    """Forget a document; the file it came from stays."""
    with reported():
        documents = open_documents()
        found = documents.find(document)
        documents.remove(found)
        if as_json:
            print_json({"removed": document_values(found)})
        else:
            out.print(f"Removed {found.title}.", markup=False)


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
    from pipeline.answers import retrieval

    with reported():
        documents = open_documents()
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
                "No passage has a word of the question."
                if documents.documents()
                else "No document yet. Try: python -m pipeline answers add FILE"
            )
        for number, passage in enumerate(passages, start=1):
            out.print(f"[bold]{number}. {escape(passage.context)}[/bold]  {passage.score:.2f}")
            out.print(passage.text.strip(), markup=False)
            out.print()


@answers.command()
def check(
    text: Annotated[Path, typer.Option("--text", help="File with the answer; - reads stdin.")],
    question: Annotated[
        str, typer.Option(help="Look in the passages that match this question.")
    ] = "",
    top: TopOption = 5,
    document: DocumentOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say of each claim of a text whether it stands in the documents; needs no key.

    Found in source means that one passage holds the claim's words and every number, date, version
    and name in it. It does not mean that the claim is true.
    """
    from pipeline.answers import grounding

    with reported():
        documents = open_documents()
        only = [documents.find(name).id for name in document or ()]
        answer = _read_text(text)
        verdicts = grounding.check_text(answer, documents, question, top, only)
        outcome = grounding.outcome(answer, verdicts)
        if as_json:
            print_json({"outcome": outcome, "claims": [verdict_values(v) for v in verdicts]})
            return
        for verdict in verdicts:
            out.print(f"{grounding.GLYPHS[verdict.verdict]} {verdict.verdict}", markup=False)
            out.print(f"  {verdict.claim}", markup=False)
            why = ", ".join([*verdict.missing, *filter(None, [verdict.contradiction])])
            if why and verdict.verdict == grounding.Verdict.VALUE:
                out.print(f"  not there: {why}", markup=False)
            if verdict.passage and verdict.quote:
                start, end = verdict.quote
                quote = " ".join(verdict.passage.text[start:end].split())
                out.print(f"  nearest: {verdict.passage.context}: {quote}", markup=False)
        out.print(f"{outcome}.")


def _read_text(path: Path) -> str:
    try:
        content = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}.", cure="Check the path."
        ) from None
    return content.decode("utf-8", "replace")


def verdict_values(verdict: ClaimVerdict) -> dict[str, Any]:
    """Return a verdict as the JSON documents name it."""
    passage, quote = verdict.passage, verdict.quote
    return {
        "claim": verdict.claim,
        "verdict": verdict.verdict.value,
        "coverage": round(verdict.coverage, 3),
        "missing": verdict.missing,
        "contradiction": verdict.contradiction,
        "document": passage.document if passage else None,
        "heading": passage.heading if passage else None,
        "passage": passage.text if passage else None,
        "quote": passage.text[quote[0] : quote[1]] if passage and quote else None,
    }


def open_documents() -> Documents:
    """Return the store of documents of FAREGROUND_HOME."""
    from pipeline.answers.documents import Documents

    return Documents(load_settings().documents_path)


def document_values(document: Document) -> dict[str, Any]:
    """Return a document as the JSON documents name it."""
    return {
        "id": document.id,
        "title": document.title,
        "date": document.date,
        "version": document.version,
        "format": document.format,
        "address": document.address,
        "added_at": document.added_at.isoformat(),
        "sha256": document.sha256,
        "bytes": document.bytes,
        "characters": document.characters,
        "passages": document.chunks,
    }
