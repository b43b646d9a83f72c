"""`backup`, `restore` and `rebuild`: what was loaded outlives a mistake and a damaged file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.console import JsonOption, err, out, print_json, reported
from pipeline.settings import load_settings


def backup(
    into: Annotated[Path, typer.Argument(help="Folder in which the backup's folder is made.")],
    as_json: JsonOption = False,
) -> None:
    """Copy the local warehouse, the runs, the schedules and the documents; the app may run.

    Staged files are not copied: their sources have them. While a backfill is on, this says so and
    copies nothing.

    Example: python -m pipeline backup ~/backups
    """
    from pipeline.backup import back_up

    with reported():
        made = back_up(load_settings(), into.expanduser())
        if as_json:
            files = [{"name": k.name, "bytes": k.bytes, "sha256": k.sha256} for k in made.files]
            print_json({"folder": str(made.folder), "bytes": made.bytes, "files": files})
        else:
            names = ", ".join(kept.name for kept in made.files) or "nothing yet"
            out.print(
                f"Backed up {names} ({made.bytes / 1e6:,.1f} MB) to {made.folder}", markup=False
            )


def restore(
    folder: Annotated[Path, typer.Argument(help="A folder that `backup` made.")],
) -> None:
    """Put a backup in place of what is there now, which is kept beside it. Stop the app first.

    Every file is checked against the backup's checksums before anything changes.
    """
    from pipeline.backup import restore as put_back

    with reported():
        backup, before = put_back(load_settings(), folder.expanduser())
        out.print(f"Restored the backup of {backup.made_at:%Y-%m-%d %H:%M:%S} UTC.")
        if before is not None:
            out.print(f"What was there before is in {before}", markup=False)


def rebuild(as_json: JsonOption = False) -> None:
    """Make the local warehouse anew from the staged files, for example when its file is damaged.

    The old file is moved aside. Needs no network. Exit code 1 when a staged file could not be
    loaded.
    """
    from pipeline.rebuild import Rebuilt
    from pipeline.rebuild import rebuild as load_staged

    aside: Path | None = None
    found: list[Rebuilt] = []
    with reported():
        for step in load_staged(load_settings()):
            if isinstance(step, Path):
                aside = step
                err.print(f"The old warehouse is now {aside}", markup=False)
                continue
            found.append(step)
            told = step.problem if step.rows is None else f"{step.rows:,} rows"
            err.print(f"{step.path.name}: {told}", markup=False)
        if as_json:
            files = [{"file": f.path.name, "rows": f.rows, "problem": f.problem} for f in found]
            print_json({"moved_aside": str(aside) if aside else None, "files": files})
        else:
            loaded = sum(f.rows is not None for f in found)
            out.print(f"Loaded {loaded:,} of {len(found):,} staged files.")
    if any(f.rows is None for f in found):
        raise typer.Exit(1)
