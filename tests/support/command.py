"""Commands of `python -m pipeline`, run in this process or in one of their own."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from subprocess import CompletedProcess
from typing import Any
from unittest.mock import patch

import pytest

from pipeline.__main__ import app
from pipeline.cli.console import log_command, print_notice
from pipeline.core.settings.settings import Settings
from pipeline.core.upgrades import listen

listen(print_notice)  # as `__main__` does


def pipeline(settings: Settings, *arguments: str, **variables: str) -> CompletedProcess[str]:
    """Run a command to its end in this process, and return what a process would have left.

    The imports of a process of its own take half a second of processor time. An exception that
    nothing handles is raised here instead of becoming a traceback on stderr.

    Args:
        settings: Those whose home the command uses.
        arguments: What follows `python -m pipeline`.
        variables: Environment variables of the command.
    """
    environment = {"FAREGROUND_HOME": str(settings.home)} | variables
    with (
        io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) as stdout,
        io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) as stderr,
    ):
        code: Any = 0
        with (
            patch.dict(os.environ, environment),
            patch.object(sys, "stdin", io.StringIO()),
            redirect_stdout(stdout),
            redirect_stderr(stderr),
        ):
            try:
                with log_command(arguments):
                    app(list(arguments), prog_name="python -m pipeline")
            except SystemExit as ended:
                code = ended.code or 0
        stdout.seek(0)
        stderr.seek(0)
        return CompletedProcess(arguments, code, stdout.read(), stderr.read())


def pipeline_process(
    settings: Settings, *arguments: str, prefix: tuple[str, ...] = (), **variables: str
) -> CompletedProcess[str]:
    """Run a command to its end in a process of its own; arguments are those of `pipeline`.

    Args:
        prefix: A program that runs it, with its arguments, such as `unprivileged()`.
    """
    return subprocess.run(
        [*prefix, sys.executable, "-m", "pipeline", *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"FAREGROUND_HOME": str(settings.home)} | variables,
        timeout=60,
        check=False,
    )


def unprivileged() -> tuple[str, ...]:
    """Return what runs a command without root's right to read and write every file.

    The rights of a file's owner count for a root without capabilities. Skips the test without it.
    """
    if sys.platform != "linux" or (os.geteuid() == 0 and shutil.which("setpriv") is None):
        pytest.skip("root may read and write everywhere")
    return ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()


@contextmanager
def started(
    settings: Settings, *arguments: str, **variables: str
) -> Iterator[subprocess.Popen[str]]:
    """Start a command in a process of its own, which is killed when the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"FAREGROUND_HOME": str(settings.home)} | variables,
        preexec_fn=_hear_interrupts,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _hear_interrupts() -> None:
    """Let Ctrl-C reach a process: a shell starts what runs in the background with it ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def document(result: CompletedProcess[str]) -> Any:
    """Return the JSON document that a command printed."""
    assert "Traceback" not in result.stderr, result.stderr
    return json.loads(result.stdout)
