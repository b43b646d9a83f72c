"""Reads and writes the settings files: .streamlit/secrets.toml and FAREGROUND_HOME/settings.json.

Secrets are written to secrets.toml only. Both files are replaced atomically, so that a crash leaves
either the old content or the new one. A file lock is held from reading to replacing, so that of two
people who save different settings at once both keep theirs. Error messages never quote the files.
"""

from __future__ import annotations

import json
import os
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.core.errors import StorageError, UsageError
from pipeline.core.regular_file import read_regular_file
from pipeline.core.storage_errors import storage_error

Changes = Mapping[str, str | None]  # new value by variable; None removes the variable

_MOST_BYTES = 10**6
_LOCK_SECONDS = 10.0  # a change takes milliseconds, unless the disk hangs


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file; {} if the file does not exist.

    Raises:
        UsageError: The file cannot be read or is not valid TOML.
    """
    try:
        return tomllib.loads(_read_text(path))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError):  # the message may quote a secret
        raise UsageError(
            f"{path} cannot be read as TOML.",
            cure="Compare it with .streamlit/secrets.toml.example.",
        ) from None


def change_toml(path: Path, changes: Changes) -> None:
    """Set and remove variables of a TOML file; everything else stays, comments included.

    Only the owner can read the file afterwards (mode 0600).

    Raises:
        UsageError: The file is not valid TOML.
        StorageError: The file cannot be written.
    """
    import tomlkit

    with _locked(path):
        read_toml(path)  # raises UsageError for invalid TOML; tomlkit's error would quote it
        document = tomlkit.parse(path.read_text("utf-8")) if path.exists() else tomlkit.document()
        for name, value in changes.items():
            document.pop(name, None)
            if value is not None:
                document[name] = value
        _replace(path, tomlkit.dumps(document))


def read_json(path: Path) -> dict[str, str]:
    """Return the settings in a JSON file, by variable; {} if the file does not exist.

    Raises:
        UsageError: The file cannot be read, or is not a JSON object of strings.
    """
    try:
        content = json.loads(_read_text(path))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or not all(isinstance(v, str) for v in content.values()):
        raise UsageError(
            f"{path} does not contain settings in JSON.",
            cure="Move it away, then save the settings again in the app.",
        )
    return content


def change_json(path: Path, changes: Changes) -> None:
    """Set and remove variables of a JSON file of settings; the others stay.

    Only the owner can read the file afterwards (mode 0600).

    Raises:
        UsageError: The file is damaged.
        StorageError: The file cannot be written.
    """
    with _locked(path):
        values = {name: value for name, value in read_json(path).items() if name not in changes}
        values |= {name: value for name, value in changes.items() if value is not None}
        _replace(path, json.dumps(values, indent=2, sort_keys=True) + "\n")


def _read_text(path: Path) -> str:
    """Return a settings file; raise ValueError for one that is too large or not UTF-8."""
    content = read_regular_file(path, _MOST_BYTES)
    if len(content) > _MOST_BYTES:
        raise ValueError
    return content.decode()


def _replace(path: Path, text: str) -> None:
    """Replace a file atomically."""
    # mkstemp creates the file with mode 0600: only its owner can read it.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other threads and processes from changing a file during the block.

    Raises:
        StorageError: The file, or the lock beside it, cannot be written.
    """
    from filelock import FileLock, Timeout

    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(path.with_name(f"{path.name}.lock"), timeout=_LOCK_SECONDS, mode=0o600):
            yield
    except Timeout:
        raise StorageError(
            f"{path} cannot be written: another process has locked it.",
            cure="Wait until that process has ended, and save again.",
        ) from None
    except OSError as error:
        raise storage_error(error, path) from None
