"""What can be held of the container without Docker: its files, its user, and that its commands run.

The image itself is built from what COPY names; here the same files go into a folder.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
import yaml

from pipeline.core.settings.settings import Settings

ROOT = Path(__file__).parents[2]
_CONTINUED = re.compile(r"\\\n\s*")


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, each with what follows it."""
    text = (ROOT / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = _CONTINUED.sub("", "\n".join(lines))
    return [tuple(line.split(" ", 1)) for line in joined.splitlines()]  # type: ignore[misc]


def all_of(name: str) -> list[str]:
    return [rest for word, rest in instructions() if word == name]


def the(name: str) -> str:
    (rest,) = all_of(name)
    return rest


def copied() -> list[tuple[str, str]]:
    """What COPY brings into the image, and where to, below its folder."""
    found = []
    for rest in all_of("COPY"):
        *sources, target = rest.split()
        found += [(source, target) for source in sources]
    return found


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The image's folder, with what COPY brings there and nothing else."""
    folder = tmp_path / "image"
    folder.mkdir()
    for source, target in copied():
        place = folder / target
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, place)
    return folder


def test_the_base_is_pinned_slim_and_the_python_that_is_tested() -> None:
    found = re.fullmatch(r"python:(\d+\.\d+)-slim-[a-z]+", the("FROM"))
    assert found, "neither latest, nor without a distribution"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["requires-python"] == f">={found[1]}"
    assert project["tool"]["mypy"]["python_version"] == found[1]


def test_hadolint_finds_nothing_wrong(tmp_path: Path) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    found = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (0, "")
    careless = tmp_path / "Dockerfile"
    careless.write_text("FROM python\n")
    assert subprocess.run([hadolint, careless], capture_output=True).returncode == 1


def test_it_runs_as_a_user_that_is_not_root_and_owns_only_its_data() -> None:
    order = [word for word, _ in instructions()]
    user = the("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), "numbers, so that runAsNonRoot can check them"
    assert order.index("USER") > max(i for i, word in enumerate(order) if word in ("RUN", "COPY"))
    assert any(f"--uid {user.split(':')[0]}" in rest for rest in all_of("RUN"))
    assert not any("--chown" in rest or "--owner=fareground /app" in rest for rest in all_of("RUN"))


def test_what_it_keeps_is_in_the_volume_and_commands_have_no_shell_between() -> None:
    (volume,) = json.loads(the("VOLUME"))
    assert f"FAREGROUND_HOME={volume}" in the("ENV")
    assert json.loads(the("CMD"))[:4] == ["python", "-m", "streamlit", "run"]
    options, check = the("HEALTHCHECK").split("CMD ")
    assert "--timeout=" in options
    assert json.loads(check)[:4] == ["python", "-m", "pipeline", "health"]


def test_only_what_the_app_needs_goes_in_and_no_secret_can() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line]
    rules = [line for line in rules if not line.startswith("#")]
    assert rules[0] == "*"
    allowed = [rule[1:] for rule in rules if rule.startswith("!")]
    for source, _ in copied():
        assert (ROOT / source).exists(), source
        assert any(fnmatch.fnmatch(source.rstrip("/"), rule) for rule in allowed), source
    assert {source.rstrip("/") for source, _ in copied()} == set(allowed)
    for name in (".env", ".streamlit/secrets.toml", "data", ".venv", ".git", "tests"):
        assert not any(name == rule or name.startswith(f"{rule}/") for rule in allowed)
    words = " ".join([*all_of("ENV"), *all_of("ARG")])
    assert not re.search(r"KEY|SECRET|PASSWORD|TOKEN|CREDS", words)


def test_its_commands_run_on_what_was_copied_alone(image: Path, settings: Settings) -> None:
    """The server of CMD answers, HEALTHCHECK finds it well, and a backfill loads."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {"FAREGROUND_HOME": str(settings.home)}

    def line(command: str) -> list[str]:
        words = json.loads(command)
        assert words[0] == "python"
        local = [word.replace("0.0.0.0", "127.0.0.1").replace("8501", str(port)) for word in words]
        return [sys.executable, *local[1:]]

    def run(words: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, cwd=image, env=environment, capture_output=True, text=True, timeout=60
        )

    check = line(the("HEALTHCHECK").split("CMD ")[1])
    assert run(check).returncode == 1, "nobody serves yet"
    with subprocess.Popen(
        [*line(the("CMD")), "--server.port", str(port), "--server.fileWatcherType=none"],
        cwd=image,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            load = ["backfill", "--color", "green", "--from", "2020-04", "--source", "sample"]
            loaded = run([sys.executable, "-m", "pipeline", *load])
            assert loaded.returncode == 0, loaded.stderr
            deadline = time.monotonic() + 30
            while (well := run(check)).returncode and time.monotonic() < deadline:
                time.sleep(0.2)
        finally:
            server.kill()
    assert well.returncode == 0, well.stdout
    assert "1 loaded files" in well.stdout


def test_compose_publishes_on_this_machine_only_and_keeps_data_in_a_volume() -> None:
    parsed = yaml.safe_load((ROOT / "compose.yaml").read_text())
    app, scheduler = parsed["services"]["app"], parsed["services"]["scheduler"]
    assert all(port.startswith("127.0.0.1:") for port in app["ports"])
    assert app["ports"][0].endswith(f":{the('EXPOSE')}")
    assert "ports" not in scheduler
    for service in (app, scheduler):
        (volume,) = service["volumes"]
        name, place = volume.split(":")
        assert name in parsed["volumes"]
        assert [place] == json.loads(the("VOLUME"))
        assert service["cap_drop"] == ["ALL"]
        assert "environment" not in service, "secrets come from a file that is not kept here"
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()
    assert scheduler["healthcheck"]["test"][1:] == (
        ["python", "-m", "pipeline", "health", "--scheduler"]
    )
