"""The commands `backup`, `restore` and `rebuild` of the local warehouse and its stores."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.console import JsonOption, err, exit_on_error, load_settings, out, print_json
from pipeline.core.errors import FaregroundError
from pipeline.core.home import has_unfinished_restore
from pipeline.files.staging import size_in_words


def finish_killed_restore() -> None:
    """Finish a restore that was killed before a command opens, or creates, any file of the home."""
    from pipeline.core.settings.settings import find_home

    try:
        unfinished = has_unfinished_restore(find_home())
    except (FaregroundError, OSError):  # the command reports an unusable home
        return
    if unfinished:
        from pipeline.ops.restore import finish_restore

        with exit_on_error():
            finish_restore(load_settings())
        err.print(
            "Finished a restore that was interrupted. The files that it replaced are in a folder "
            "before-restore-… of FAREGROUND_HOME."
        )


def backup(
    into: Annotated[
        Path, typer.Argument(help="Folder in which to create the folder of the backup.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Copy the local warehouse, runs, schedules and documents; the app may be open.

    Staged files are not copied: their sources have them. During a backfill the command fails and
    copies nothing.

    Example: python -m pipeline backup ~/backups
    """
    from pipeline.ops.backup import back_up

    with exit_on_error():
        backup_made = back_up(load_settings(), into.expanduser())
        if as_json:
            files = [asdict(file) for file in backup_made.files]
            print_json(
                {"folder": str(backup_made.folder), "bytes": backup_made.bytes, "files": files}
            )
        else:
            names = ", ".join(file.name for file in backup_made.files) or "nothing yet"
            out.print(
                f"Backed up {names} ({size_in_words(backup_made.bytes)}) to {backup_made.folder}",
                markup=False,
            )


def restore(
    folder: Annotated[Path, typer.Argument(help="Folder that `backup` created.")],
) -> None:
    """Restore a backup, and move the current data to a folder beside it. Stop the app first.

    Every file is checked against the backup's checksums before anything changes.
    """
    from pipeline.ops.restore import restore as put_back

    with exit_on_error():
        restored, moved_to = put_back(load_settings(), folder.expanduser())
        out.print(f"Restored the backup of {restored.made_at:%Y-%m-%d %H:%M:%S} UTC.")
        if moved_to is not None:
            out.print(f"The replaced data is in {moved_to}", markup=False)


def rebuild(
    without_missing: Annotated[
        bool,
        typer.Option(
            "--without-missing",
            help="Continue without loaded files that are not staged; a backfill downloads them "
            "again.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Rebuild the local warehouse from the staged files, for example if its file is damaged.

    The old file is moved aside. Needs no network. Exit code 1 when a staged file could not be
    loaded, or when files that are loaded now are not staged; then nothing changes.
    """
    from pipeline.ops.rebuild import RebuiltFile
    from pipeline.ops.rebuild import rebuild as load_staged

    moved_to: Path | None = None
    results: list[RebuiltFile] = []
    with exit_on_error():
        for result in load_staged(load_settings(), without_missing=without_missing):
            if isinstance(result, Path):
                moved_to = result
                err.print(f"The old warehouse is now {moved_to}", markup=False)
                continue
            results.append(result)
            result_text = result.problem if result.rows is None else f"{result.rows:,} rows"
            err.print(f"{result.path.name}: {result_text}", markup=False)
        if as_json:
            files = [
                {"file": result.path.name, "rows": result.rows, "problem": result.problem}
                for result in results
            ]
            print_json({"moved_aside": str(moved_to) if moved_to else None, "files": files})
        else:
            loaded = sum(result.rows is not None for result in results)
            out.print(f"Loaded {loaded:,} of {len(results):,} staged files.")
    if any(result.rows is None for result in results):
        raise typer.Exit(1)
