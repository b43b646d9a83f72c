"""What docs/coming-from-kestra.md shows is what its commands print, on the built-in sample."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "coming-from-kestra.md").read_text()
BLOCK = re.compile(r"^```bash\n(.*?)^```\n(?:```\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)


def test_the_findings_are_those_that_the_commands_show(tmp_path: Path) -> None:
    bin_folder = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "FAREGROUND_HOME": "data",
    }
    shown = 0
    for commands, expected in BLOCK.findall(PAGE):
        result = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, (commands, result.stderr)
        if expected:
            assert result.stdout.endswith(expected), commands
            shown += 1
    assert shown == 7


def test_each_of_the_eleven_flows_has_its_line() -> None:
    flows = re.findall(r"^\| (\d\d) [^|]+\| [^|]+\| [^|]+\|$", PAGE, re.MULTILINE)
    assert flows == [f"{number:02}" for number in range(1, 12)]
