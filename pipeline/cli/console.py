"""Print the output of commands: results to stdout, progress and errors to stderr."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table

from pipeline.core.datasets import DATASETS, either_of
from pipeline.core.errors import FaregroundError, UsageError
from pipeline.core.terminal import printable
from pipeline.warehouse.registry import target_names

if TYPE_CHECKING:
    from pipeline.core.settings.settings import Settings


class SafeConsole(Console):
    """Prints text without the characters that command a terminal, whoever wrote the text.

    Emoji codes such as `:x:` stay the letters they are: cells and paths may hold them.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, emoji=False, **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render as Rich does; only its own control sequences are left."""
        for segment in super().render(renderable, options):
            is_own = segment.control is not None
            yield segment if is_own else Segment(printable(segment.text), segment.style)


out = SafeConsole(soft_wrap=True)
if not out.is_terminal:
    out.width = 200  # Rich takes a pipe for 80 columns wide and would cut cells
err = SafeConsole(stderr=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
TargetOption = Annotated[str, typer.Option(help=f"Warehouse: {either_of(target_names())}.")]
# --color is the name of the option in earlier versions.
DatasetOption = Annotated[str, typer.Option("--dataset", "--color", help=f"{either_of(DATASETS)}.")]
DatasetsOption = Annotated[
    list[str] | None,
    typer.Option("--dataset", "--color", help=f"{either_of(DATASETS)}; repeat for several."),
]
MonthOption = Annotated[str, typer.Option(help="The month, YYYY-MM.")]
FirstOption = Annotated[str, typer.Option("--from", help="First month, YYYY-MM.")]
LastOption = Annotated[str, typer.Option("--to", help="Last month, YYYY-MM; default: --from.")]
SourceOption = Annotated[
    str, typer.Option(help="github, tlc, sample, a folder, or a URL with the same file names.")
]


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Print a FaregroundError on stderr and exit: with code 2 for a UsageError, else 1."""
    try:
        yield
    except FaregroundError as error:
        _print_error(error)
        raise typer.Exit(2 if isinstance(error, UsageError) else 1) from None


def _print_error(error: FaregroundError) -> None:
    err.print(f"[red]✕[/red] {escape(error.problem)}")
    if error.cure:
        err.print(f"  {escape(error.cure)}")


def require_utf8(arguments: Sequence[str]) -> None:
    """Exit with code 2 if the shell passed bytes that are not UTF-8; no database takes such text.

    Args:
        arguments: Those of the command line. Python stands surrogates in them for such bytes.
    """
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            _print_error(
                UsageError(
                    f"This argument is not valid UTF-8: {argument}",
                    cure="Correct it; if it is the name of a file, rename the file.",
                )
            )
            raise SystemExit(2) from None


def load_settings() -> Settings:
    """Return the settings; commands import pydantic, a fifth of a second, only when they run.

    Raises UsageError for a setting that cannot be used.
    """
    from pipeline.core.settings import settings

    return settings.load_settings()


@contextmanager
def log_command(arguments: Sequence[str]) -> Iterator[None]:
    """Emit an event with the command's name, exit code and duration when the block ends.

    The event has no arguments: they may hold a URL with a password, or a private question.
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
            _emit_command_ended(arguments, code, time.monotonic() - started)


def _emit_command_ended(arguments: Sequence[str], code: object, seconds: float) -> None:
    from pipeline.core.events import tell
    from pipeline.core.settings.settings import find_home

    words = arguments[:2] if arguments[0] in ("answers", "schedule") else arguments[:1]
    name = " ".join(word for word in words if re.fullmatch("[a-z][a-z-]*", word))
    if name == "health" and code == 0:  # containers run it every few seconds
        return
    with suppress(FaregroundError):  # a damaged secrets.toml, which the command has reported
        tell(
            find_home(),
            "command-ended",
            f"{name} ended with exit code {code}",
            level="error" if code == 1 else "info",
            command=name,
            exit_code=code if isinstance(code, int) else 1,
            seconds=round(seconds, 3),
        )


def print_notice(message: str) -> None:
    """Print a message on stderr, such as the reason why a command takes longer than usual."""
    err.print(escape(message))


def make_table(*columns: str) -> Table:
    """Return an empty table whose first two columns are never wrapped, so that they can be copied.

    Args:
        columns: The headings.
    """
    table = Table(box=SIMPLE, pad_edge=False)
    for position, name in enumerate(columns):
        table.add_column(name, no_wrap=position < 2, overflow="fold")
    return table


def print_json(document: object) -> None:
    """Print a document as JSON on stdout; `to_plain` converts dates, decimals and bytes."""
    json.dump(document, sys.stdout, indent=2, default=to_plain, allow_nan=False)
    sys.stdout.write("\n")


def to_plain(value: Any) -> Any:
    """Convert a database value to a JSON value: bytes to hexadecimal, dates to ISO 8601."""
    if isinstance(value, Decimal):
        return float(value)  # an amount has two decimals, which a float prints unchanged
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def escape(text: str) -> str:
    """Escape text for Rich, which reads square brackets as markup."""
    from rich.markup import escape

    return escape(text)
