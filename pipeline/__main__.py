"""Entry point of the command line, `python -m pipeline`; its commands are in `cli/`."""

from __future__ import annotations

from pipeline.cli.interrupt import exit_on_signal, exit_while_importing

if __name__ == "__main__":
    exit_while_importing()

import sys
from contextlib import suppress
from typing import Annotated

import typer

from pipeline import __version__
from pipeline.cli.answers import answers
from pipeline.cli.backfill import BACKFILL_HELP, backfill
from pipeline.cli.backup import backup, finish_killed_restore, rebuild, restore
from pipeline.cli.console import log_command, print_notice, require_utf8
from pipeline.cli.explain import explain
from pipeline.cli.export import EXPORT_HELP, export
from pipeline.cli.preview import diff, preview
from pipeline.cli.query import query
from pipeline.cli.runs import runs
from pipeline.cli.schedule import schedule, scheduler
from pipeline.cli.setup import doctor, health, remove_sample, setup
from pipeline.cli.status import status
from pipeline.cli.streams import exit_on_full_stream, prepare_streams
from pipeline.cli.verify import VERIFY_HELP, verify
from pipeline.core.errors import FaregroundError
from pipeline.core.home import keep_private
from pipeline.core.redact import guard_output
from pipeline.core.upgrades import listen

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Load NYC taxi trips into a warehouse, each exactly once, and inspect and query them.",
)


def _print_version(is_set: bool) -> None:
    if is_set:
        typer.echo(f"fareground {__version__}")
        raise typer.Exit


@app.callback()
def main(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Declare the options that stand before a command; runs before each command."""
    from pipeline.core.settings.settings import find_home

    with suppress(FaregroundError):  # the command reports an unusable home
        keep_private(find_home())
    finish_killed_restore()


app.command(help=BACKFILL_HELP)(backfill)
app.command()(status)
app.command()(runs)
app.command()(query)
app.command(help=VERIFY_HELP)(verify)
app.command()(setup)
app.command()(doctor)
app.command()(remove_sample)
app.command()(health)
app.command()(preview)
app.command()(diff)
app.command()(explain)
app.command(help=EXPORT_HELP)(export)
app.command()(backup)
app.command()(restore)
app.command()(rebuild)
app.command()(scheduler)
app.add_typer(schedule, name="schedule")
app.add_typer(answers, name="answers")

if __name__ == "__main__":
    prepare_streams()
    guard_output()
    listen(print_notice)
    with exit_on_signal(), log_command(sys.argv[1:]), exit_on_full_stream():
        require_utf8(sys.argv[1:])
        app(prog_name="python -m pipeline")
