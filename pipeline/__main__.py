"""The command line: `python -m pipeline`. Its commands are in `commands/`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from pipeline import __version__
from pipeline.commands.answers import answers
from pipeline.commands.backfill import BACKFILL_HELP, backfill
from pipeline.commands.backup import backup, rebuild, restore
from pipeline.commands.console import say, told
from pipeline.commands.explain import explain
from pipeline.commands.preview import diff, preview
from pipeline.commands.query import query
from pipeline.commands.runs import runs
from pipeline.commands.schedule import schedule, scheduler
from pipeline.commands.setup import doctor, health, setup
from pipeline.commands.status import status
from pipeline.commands.verify import VERIFY_HELP, verify
from pipeline.redact import guard_output
from pipeline.upgrades import listen

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Load NYC taxi trip files so that every trip lands exactly once, and look at the result.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fareground {__version__}")
        raise typer.Exit


@app.callback()
def main(
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print it.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Take what stands before a command."""


app.command(help=BACKFILL_HELP)(backfill)
app.command()(status)
app.command()(runs)
app.command()(query)
app.command(help=VERIFY_HELP)(verify)
app.command()(setup)
app.command()(doctor)
app.command()(health)
app.command()(preview)
app.command()(diff)
app.command()(explain)
app.command()(backup)
app.command()(restore)
app.command()(rebuild)
app.command()(scheduler)
app.add_typer(schedule, name="schedule")
app.add_typer(answers, name="answers")

if __name__ == "__main__":
    guard_output()
    listen(say)
    with told(sys.argv[1:]):
        app(prog_name="python -m pipeline")
