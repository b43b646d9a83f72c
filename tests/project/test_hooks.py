"""The hooks of a commit refuse what `make lint` refuses, at the versions that are pinned."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PRE_COMMIT_HOME": str(folder / ".cache")}
    environment = {name: v for name, v in environment.items() if not name.startswith("GIT_")}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("content", "refused"),
    [("x = 1\n", None), ("x  =  1\n", "format"), ("import os\n", "lint")],
)
def test_a_commit_is_held_to_lint_and_format(
    tmp_path: Path, content: str, refused: str | None
) -> None:
    if not (ROOT / ".venv" / "bin" / "pre-commit").exists():
        pytest.skip("The hooks call the tools of .venv, which is not here.")
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    for name in (".pre-commit-config.yaml", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "new.py").write_text(content)
    run(tmp_path, "git", "init")
    run(tmp_path, "git", "add", "new.py", ".pre-commit-config.yaml")
    told = run(tmp_path, ".venv/bin/pre-commit", "run", "--color", "never")
    assert (told.returncode == 0) == (refused is None), told.stdout
    for line in told.stdout.splitlines():
        if line.startswith(("lint", "format")):
            assert line.endswith("Failed" if line.split(".")[0] == refused else "Passed")
    assert told.stdout.count("Passed") + told.stdout.count("Failed") == 2  # types: nothing changed


def test_a_commit_is_held_to_types_wherever_they_are_checked() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    (types,) = [hook for hook in repository["hooks"] if hook["id"] == "mypy"]
    checked = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["files"]
    for place in checked:
        changed = place if place.endswith(".py") else f"{place}/some/module.py"
        assert re.search(types["files"], changed), changed
