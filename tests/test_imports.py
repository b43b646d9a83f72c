"""What is slow to import is imported where it is used: asked of the interpreter, not of a clock."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pipeline.settings import Settings

# Each takes from a tenth of a second to more than one.
SLOW = {
    "apscheduler", "duckdb", "google", "httpx2", "numpy", "pandas", "plotly", "pyarrow", "pypdf",
    "selectolax", "sqlalchemy", "sqlglot", "streamlit", "yaml",
}  # fmt: skip


def loaded(*arguments: str) -> set[str]:
    """The packages that `python -m pipeline` has imported when it ends."""
    code = (
        "import atexit, runpy, sys\n"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        "runpy.run_module('pipeline', run_name='__main__', alter_sys=True)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return {name.split(".")[0] for name in result.stderr.split()}


@pytest.mark.parametrize("arguments", [["--help"], ["backfill", "--help"], ["--version"]])
def test_help_imports_nothing_slow(arguments: list[str]) -> None:
    assert not loaded(*arguments) & SLOW


def test_a_command_at_work_is_seen_to_import_what_it_needs(settings: Settings) -> None:
    assert settings.home
    assert "duckdb" in loaded(
        "backfill", "--color", "green", "--from", "2020-04", "--source", "sample"
    )
