"""The two files that keep settings: .streamlit/secrets.toml, and settings.json in FAREGROUND_HOME.

Secrets go into the first only. Both are replaced whole, so that a crash leaves the old file or the
new one; neither is ever quoted in an error.
"""

from __future__ import annotations

import json
import os
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import StorageError, UsageError

Changes = Mapping[str, str | None]  # by variable; None takes it out of the file


def read_toml(path: Path) -> dict[str, Any]:
    """Return what a TOML file says, {} when there is none; raise UsageError if it is not TOML."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError):  # which would quote the file, so a secret
        raise UsageError(
            f"{path} cannot be read as TOML.",
            cure="Compare it with .streamlit/secrets.toml.example.",
        ) from None


def change_toml(path: Path, changes: Changes) -> None:
    """Set and remove names of a TOML file, keeping all else in it, comments too.

    The file is readable by its owner alone afterwards. Raises UsageError if it is not TOML,
    StorageError when it cannot be written.
    """
    import tomlkit

    read_toml(path)  # refuses what is not TOML, without quoting it
    document = tomlkit.parse(path.read_text("utf-8")) if path.exists() else tomlkit.document()
    for name, value in changes.items():
        document.pop(name, None)
        if value is not None:
            document[name] = value
    _replace(path, tomlkit.dumps(document), mode=0o600)


def read_json(path: Path) -> dict[str, str]:
    """Return the values saved in a file, {} when there is none; raise UsageError if damaged."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise UsageError(
            f"{path} does not hold settings as JSON.",
            cure="Move it away; the settings saved in the app are then to be set again.",
        )
    return found


def change_json(path: Path, changes: Changes) -> None:
    """Set and remove names of a file of saved values; raise UsageError, StorageError."""
    kept = {name: value for name, value in read_json(path).items() if name not in changes}
    kept |= {name: value for name, value in changes.items() if value is not None}
    _replace(path, json.dumps(kept, indent=2, sort_keys=True) + "\n", mode=0o644)


def _replace(path: Path, text: str, mode: int) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Only its owner can read a temporary file, from the moment it is made.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(mode)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error.strerror}.",
            cure="See that there is room, and that you may write to its folder.",
        ) from None
