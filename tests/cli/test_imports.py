"""Slow packages are imported only where they are used; the tests read sys.modules, not a clock."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core.settings.settings import Settings

ROOT = Path(__file__).parents[2]

# The import of each takes 0.1 s to more than 1 s.
SLOW = {
    "duckdb", "google", "httpx2", "numpy", "onnxruntime", "pandas", "plotly", "pyarrow", "pypdf",
    "selectolax", "sqlglot", "streamlit", "tokenizers", "yaml",
}  # fmt: skip


def loaded(*arguments: str) -> set[str]:
    """Return the packages that `python -m pipeline` has imported when it ends."""
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
def test_help_imports_no_slow_package(arguments: list[str]) -> None:
    assert not loaded(*arguments) & SLOW


def test_list_of_commands_is_printed_without_pydantic() -> None:
    assert "pydantic" not in loaded("--help")


def test_running_command_imports_its_packages(settings: Settings) -> None:
    assert settings.home
    assert "duckdb" in loaded(
        "backfill", "--color", "green", "--from", "2020-04", "--source", "sample"
    )


def test_first_page_imports_no_package_of_other_pages() -> None:
    page = ast.parse((ROOT / "pages" / "backfill.py").read_text())
    imports = [node for node in page.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    code = ast.unparse(ast.Module(imports, [])) + "\nimport sys; print(*sys.modules)"
    completed = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    names = set(completed.stdout.split())
    assert "pages.components.common.frame" in names
    other = {"duckdb", "google.cloud", "google.genai", "pypdf", "selectolax", "sqlglot", "yaml"}
    assert not names & other


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop is not for Windows")
def test_server_sends_small_responses_without_delay() -> None:
    # Streamlit gives uvicorn a socket without a protocol number. asyncio leaves Nagle's algorithm
    # on for such a socket; uvloop does not. See https://github.com/Kludex/uvicorn/issues/3149.
    import uvicorn
    import uvloop

    assert uvicorn.Config("app:app").get_loop_factory() is uvloop.new_event_loop


def test_server_does_not_watch_its_data_folder() -> None:
    code = "from streamlit import config; print(config.get_option('server.fileWatcherType'))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "none"
