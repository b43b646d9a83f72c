"""`answers`: documents to ask about, their passages, and whether an answer stands in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.commands.console import (
    JsonOption,
    err,
    escape,
    make_table,
    out,
    print_json,
    reported,
)
from pipeline.errors import DocumentError, FaregroundError, UsageError
from pipeline.settings import load_settings

if TYPE_CHECKING:
    from pipeline.answers.documents import Document, Documents

answers = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Ask documents: add them, search them, and check what an answer claims.",
)

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
