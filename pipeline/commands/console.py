"""How commands print: results to stdout, progress and errors to stderr."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from pipeline.errors import FaregroundError, UsageError

out = Console(highlight=False, soft_wrap=True)
if not out.is_terminal:
    out.width = 200  # a pipe has no width to fit; cut cells would be lost
err = Console(stderr=True, highlight=False)

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
TargetOption = Annotated[str, typer.Option(help="Where the tables live: local or gcp.")]
ColorOption = Annotated[str, typer.Option(help="yellow or green.")]
ColorsOption = Annotated[
    list[str] | None, typer.Option(help="yellow or green; repeat for both (the default).")
]
MonthOption = Annotated[str, typer.Option(help="The month, YYYY-MM.")]
FirstOption = Annotated[str, typer.Option("--from", help="First month, YYYY-MM.")]
LastOption = Annotated[str, typer.Option("--to", help="Last month, YYYY-MM; default: --from.")]
SourceOption = Annotated[
    str, typer.Option(help="github, tlc, sample, a folder, or a URL with the same file names.")
]


@contextmanager
def reported() -> Iterator[None]:
    """Turn our errors into a message on stderr and an exit code: 2 for wrong usage, else 1."""
    try:
        yield
    except FaregroundError as error:
        err.print(f"[red]✕[/red] {escape(error.problem)}")
        if error.cure:
            err.print(f"  {escape(error.cure)}")
        raise typer.Exit(2 if isinstance(error, UsageError) else 1) from None


@contextmanager
def told(arguments: Sequence[str]) -> Iterator[None]:
    """Write to the log for machines which command this process ran, and how it ended.

    Only its name, never what it was given: that may be an address with a password, or a question.
    """
    started = time.monotonic()
    code: object = 1
    try:
        yield
    except SystemExit as ended:
        code = 0 if ended.code is None else ended.code
        raise
    finally:
        if arguments and "--help" not in arguments:
            _tell_command(arguments, code, time.monotonic() - started)


def _tell_command(arguments: Sequence[str], code: object, seconds: float) -> None:
    from pipeline.events import tell
    from pipeline.settings import find_home

    words = arguments[:2] if arguments[0] in ("answers", "schedule") else arguments[:1]
    name = " ".join(word for word in words if re.fullmatch("[a-z][a-z-]*", word))
    if name == "health" and code == 0:  # it is asked all day
        return
    with suppress(FaregroundError):  # a damaged secrets.toml; the command has said so
        tell(
            find_home(),
            "command-ended",
            f"{name} ended with exit code {code}",
            level="error" if code == 1 else "info",
            command=name,
            exit_code=code if isinstance(code, int) else 1,
            seconds=round(seconds, 3),
        )


def say(sentence: str) -> None:
    """Print to stderr what makes this command take longer than usual."""
    err.print(escape(sentence))


def make_table(*columns: str) -> Table:
    """Return a plain table whose first columns are never cut: they are what people copy."""
    table = Table(box=SIMPLE, pad_edge=False)
    for position, name in enumerate(columns):
        table.add_column(name, no_wrap=position < 2, overflow="fold")
    return table


def print_json(document: object) -> None:
    """Print a document on stdout, its dates and decimals as `plain` makes them."""
    json.dump(document, sys.stdout, indent=2, default=plain, allow_nan=False)
    sys.stdout.write("\n")


def plain(value: Any) -> Any:
    """Return a database value as something JSON and people can read."""
    if isinstance(value, Decimal):
        return float(value)  # amounts have two decimals, which a float prints back unchanged
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def escape(text: str) -> str:
    """Return text that Rich prints as it is, whatever brackets are in it."""
    from rich.markup import escape

    return escape(text)
