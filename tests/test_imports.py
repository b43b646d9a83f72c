"""What is slow to import is imported where it is used: asked of the interpreter, not of a clock."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.settings import Settings

ROOT = Path(__file__).parents[1]

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


def test_the_first_page_imports_nothing_that_only_other_pages_need() -> None:
    page = ast.parse((ROOT / "pages" / "backfill.py").read_text())
    imports = [node for node in page.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    code = ast.unparse(ast.Module(imports, [])) + "\nimport sys; print(*sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    names = set(shown.stdout.split())
    assert "pages.shared.frame" in names
    other = {"duckdb", "google.cloud", "google.genai", "pypdf", "selectolax", "sqlglot", "yaml"}
    assert not names & other


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop is not for Windows")
def test_the_server_sends_small_answers_at_once() -> None:
    # Streamlit hands uvicorn a socket without a protocol number, on which asyncio leaves Nagle's
    # algorithm on; uvloop never does. See https://github.com/Kludex/uvicorn/issues/3149.
    import uvicorn
    import uvloop

    assert uvicorn.Config("app:app").get_loop_factory() is uvloop.new_event_loop


def test_the_server_does_not_watch_the_folder_its_data_is_in() -> None:
    asked = "from streamlit import config; print(config.get_option('server.fileWatcherType'))"
    command = [sys.executable, "-c", asked]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "none"
