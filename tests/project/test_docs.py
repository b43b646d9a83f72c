"""What README and docs say is what happens: commands are run, tables compared with the code."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from typer.main import get_command

from pipeline import __version__
from pipeline.__main__ import app
from pipeline.core.cancel import Cancel
from pipeline.core.datasets import DATASETS
from pipeline.core.settings.settings import Settings, variable_name
from pipeline.core.trips import Month, TripFile, months_between
from pipeline.preview import make_preview
from pipeline.preview.schema import ColumnStatus
from pipeline.preview.subject import find_subject
from pipeline.runs.policy import Policy
from tests.cli.test_cli import FILE_KEYS
from tests.support.command import pipeline, pipeline_process
from tests.support.files import GREEN, csv_bytes, put_trips, rows, trip
from tests.support.servers import Server

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
COMMAND_LINE = (ROOT / "docs" / "command-line.md").read_text()
SETTINGS = (ROOT / "docs" / "settings.md").read_text()
COMMANDS = re.findall(r"^python -m pipeline (.+)$", README + COMMAND_LINE, re.MULTILINE)


@pytest.mark.timeout(300)
def test_the_commands_of_the_readme_and_its_command_line_page_run(
    settings: Settings,
) -> None:
    import gzip

    assert len(COMMANDS) == 16
    files = [
        TripFile(c, m)
        for m in months_between(Month(2020, 4), Month(2020, 8))
        for c in DATASETS.values()
    ]
    published = {
        f"/{file.dataset}/{file.stem}.csv.gz": gzip.compress(csv_bytes(file, [trip(file)]))
        for file in files
    }
    with Server(published) as mirror:
        for command in COMMANDS:
            # `data` is the default home; that of the test stands for it.
            words = [word.replace("data/", f"{settings.home}/") for word in shlex.split(command)]
            result = pipeline(settings, *words, FAREGROUND_GITHUB_URL=mirror.url)
            assert result.returncode == 0, (command, result.stderr)
            assert result.stdout
    # The sample's month was loaded first and is left alone; the nine others came from the mirror.
    ((sources,),) = rows(settings, "SELECT count(DISTINCT filename) FROM load_ledger")
    assert sources == 10
    assert rows(settings, "SELECT count(*) FROM yellow_tripdata") == [(5,)]


def test_make_app_of_the_readme_serves_the_app(tmp_path: Path) -> None:
    assert "```bash\nmake app\n```" in README
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "FAREGROUND_HOME": str(tmp_path / "home"),
        "STREAMLIT_SERVER_PORT": str(port),
    }
    log = (tmp_path / "log").open("w+")
    started = subprocess.Popen(
        ["make", "app"], cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
    )
    try:
        assert _answers(f"http://127.0.0.1:{port}/_stcore/health", started) == b"ok"
    finally:
        os.killpg(started.pid, signal.SIGTERM)
        started.wait(timeout=30)
        log.close()


def _answers(address: str, process: subprocess.Popen[bytes]) -> bytes:
    """What a server says once it is up; it may have packages to install first."""
    while process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5) as answer:
            content: bytes = answer.read()
            return content
        time.sleep(0.2)
    raise AssertionError("It ended without ever answering.")


def test_the_lines_by_hand_are_those_of_make() -> None:
    """The README's lines for Windows do what the Makefile's rules for the app do."""
    (block,) = re.findall(r"^```\n(py -m venv .*?)^```", README, re.MULTILINE | re.DOTALL)
    shown = subprocess.run(
        ["make", "--dry-run", "--always-make", "app", "PYTHON=py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    done = shown.replace("--quiet --disable-pip-version-check ", "")
    for line in block.splitlines():
        assert line.replace("\\Scripts\\", "/bin/") in done


def test_make_help_lists_every_target_and_the_readme_names_only_those() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = re.findall(r"^  make ([a-z-]+)  +\S", shown.stdout, re.MULTILINE)
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    assert sorted(listed) == sorted(phony[1].split())
    for document in documents():
        assert set(re.findall(r"`make ([a-z-]+)`", document.read_text())) <= set(listed), document
    assert set(re.findall(r"^make ([a-z-]+)", README, re.MULTILINE)) <= set(listed)


def test_every_setting_is_in_the_docs_with_its_default() -> None:
    for name, field in Settings.model_fields.items():
        assert f"{variable_name(name)}`" in SETTINGS
        if not name.endswith("_url") and str(field.default).strip("*"):
            assert f"| `{variable_name(name)}` | `{field.default}` |" in SETTINGS


def test_every_key_of_the_json_document_and_every_policy_is_in_the_docs() -> None:
    for key in FILE_KEYS:
        assert f'"{key}"' in COMMAND_LINE
    for policy in Policy:
        assert f"`{policy}`" in COMMAND_LINE


def test_every_finding_and_schema_status_is_in_the_documents(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    subject = find_subject(GREEN, str(folder), settings, Cancel())
    explained = (ROOT / "docs" / "preview.md").read_text()
    for finding in make_preview(subject, settings, Cancel()).findings:
        assert f"| `{finding.name}` |" in explained
    for status in get_args(ColumnStatus):
        assert f"| {status} |" in explained
        assert status in COMMAND_LINE


def test_every_key_of_the_preview_documents_is_in_the_docs(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    month = ("--color", "green", "--month", "2020-04", "--source", str(folder), "--json")
    seen = json.loads(pipeline(settings, "preview", *month).stdout)
    changed = json.loads(pipeline(settings, "diff", *month).stdout)
    nested = [*seen["profile"][:1], *seen["findings"][:1], *seen["schema"][:1]]
    for part in (seen, changed, changed["examples"][0], *nested):
        for key in part:
            assert f'"{key}"' in COMMAND_LINE, key


def options(command: Any, *name: str) -> Iterator[tuple[str, set[str]]]:
    """The commands below this one, by their full names, each with its options."""
    for word, below in getattr(command, "commands", {}).items():
        yield from options(below, *name, word)
    if name and not hasattr(command, "commands"):
        yield " ".join(name), {option for one in command.params for option in one.opts}


def test_every_command_and_option_that_a_page_names_is_there() -> None:
    known = dict(options(get_command(app)))
    first = "|".join({name.split()[0] for name in known})
    named = 0
    for document in [*documents(), ROOT / "Dockerfile", ROOT / "compose.yaml"]:
        text = document.read_text().replace("`python -m pipeline --help`", "")
        found = re.findall(r"python -m pipeline ([a-z][^`\n]*)", text)
        found += re.findall(rf"`((?:{first}) [^`\n]*)`", text)
        for code in found:
            words = code.split()
            command = next((c for c in (" ".join(words[:2]), words[0]) if c in known), None)
            assert command, (document.name, code)
            used = set(re.findall(r"(?<!\S)--[a-z-]+", code)) - {"--help"}
            assert used <= known[command], (document.name, code)
            named += 1
    assert named > 60


def documents() -> list[Path]:
    """Every Markdown page of ours for people."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def text_of(document: Path) -> str:
    """A page without its blocks of code, in which a link is none."""
    return re.sub(r"^```.*?^```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(document: Path) -> set[str]:
    """What a link may name after the # in a page: its headings, as GitHub turns them into names."""
    headings = re.findall(r"^#+ (.+)$", text_of(document), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(document: Path) -> Iterator[tuple[Path, str]]:
    """The files a page links to or shows, each with the heading that is named, if any."""
    text = text_of(document)
    found = re.findall(r"\]\(<?([^)>\s]+)>?\)", text) + re.findall(r'<img src="([^"]+)"', text)
    for link in found:
        if not link.startswith("https://"):
            path, _, anchor = link.partition("#")
            yield (document.parent / path).resolve() if path else document, anchor


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file_of_ours_and_a_heading_in_it(document: Path) -> None:
    for path, anchor in links(document):
        assert path.exists(), path
        assert path.is_relative_to(ROOT)
        assert not anchor or anchor in anchors(path), (path, anchor)


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        waiting += {path for path, _ in links(page) if path.suffix == ".md"} - reached
    assert set(documents()) <= reached


def test_the_decisions_are_numbered_and_listed_with_their_titles() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(
        r"^(\d+)\. \[(.+)\]\((.+)\)$", (folder / "README.md").read_text(), re.MULTILINE
    )
    assert [name for _, _, name in listed] == sorted(p.name for p in folder.glob("[0-9]*.md"))
    for position, (number, title, name) in enumerate(listed, 1):
        assert int(number) == position == int(name[:2])
        assert (folder / name).read_text().startswith(f"# {number}. {title}\n")


def test_the_version_is_the_newest_of_the_changelog() -> None:
    newest = re.findall(
        r"^## (\d+\.\d+\.\d+) - \d{4}-\d\d-\d\d$", text_of(ROOT / "CHANGELOG.md"), re.MULTILINE
    )
    assert newest[0] == __version__
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dynamic"] == ["version"]


def test_the_command_line_says_the_version(settings: Settings) -> None:
    assert pipeline_process(settings, "--version").stdout == f"fareground {__version__}\n"


def test_the_code_names_only_documents_that_are_there() -> None:
    code = [*(ROOT / "pipeline").rglob("*.py"), *(ROOT / "pages").rglob("*.py")]
    code += [*(ROOT / "sql").rglob("*.sql"), ROOT / "Makefile"]
    named = {name for path in code for name in re.findall(r"\bdocs/[\w/-]+\.md", path.read_text())}
    assert "docs/answers.md" in named
    assert all((ROOT / name).exists() for name in named), named


def test_the_pictures_are_pngs_of_every_page_in_both_themes_and_small() -> None:
    folder = ROOT / "docs" / "screenshots"
    pages = {page.stem for page in (ROOT / "pages").glob("*.py")}
    wanted = {f"{page}-{scheme}.png" for page in pages for scheme in ("light", "dark")}
    assert wanted <= {path.name for path in folder.iterdir()}
    for path in folder.iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size < 200_000, path


def test_pipeline_never_imports_streamlit() -> None:
    for module in (ROOT / "pipeline").rglob("*.py"):
        assert not re.search(r"^\s*(import|from) streamlit", module.read_text(), re.MULTILINE)


def test_all_colors_share_the_columns_that_loading_and_charts_need() -> None:
    for dataset in DATASETS.values():
        assert dataset.has("PULocationID", "DOLocationID", dataset.pickup, dataset.dropoff)


def test_every_test_that_the_reliability_page_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "reliability.md").read_text()))
    sources = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(named) > 20
    assert named <= set(re.findall(r"^def (test_\w+)\(", sources, re.MULTILINE))


def test_the_words_page_says_what_the_tooltips_say_and_the_design_words_are_there() -> None:
    from pages.components.common.glossary import WORDS

    shown = re.findall(r"^\| ([a-z ]+) \| (.+) \|$", (ROOT / "docs" / "words.md").read_text(), re.M)
    assert {word: meaning for word, meaning in shown if word != "word"} == WORDS
    assert {"policy", "stale", "stray", "reject", "ordinal"} <= WORDS.keys()
    used = "".join(path.read_text() for path in (ROOT / "pages").rglob("*.py"))
    for word in ("policy", "stale", "stray", "reject", "ordinal"):
        assert re.search(rf"(explain|words)\([^)]*[\"']{word}[\"']", used), word
