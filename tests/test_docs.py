"""What README says is what happens: its commands are run, its tables compared with the code."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from pipeline import __version__
from pipeline.cancel import Cancel
from pipeline.plan import Policy
from pipeline.preview import look_inside
from pipeline.preview.schema import Status
from pipeline.preview.subject import find_subject
from pipeline.settings import Settings, variable_name
from pipeline.trips import COLUMNS, Color, Month, TripFile, months_between
from tests.files import GREEN, csv_bytes, put_trips, rows, trip
from tests.servers import Server
from tests.test_cli import FILE_KEYS, pipeline

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^python -m pipeline (.+)$", README, re.MULTILINE)


@pytest.mark.timeout(300)
def test_the_commands_of_the_readme_run_in_order(settings: Settings) -> None:
    import gzip

    assert len(COMMANDS) == 15
    files = [TripFile(c, m) for m in months_between(Month(2020, 4), Month(2020, 8)) for c in Color]
    published = {
        f"/{file.color}/{file.stem}.csv.gz": gzip.compress(csv_bytes(file, [trip(file)]))
        for file in files
    }
    with Server(published) as mirror:
        for command in COMMANDS:
            result = pipeline(settings, *shlex.split(command), FAREGROUND_GITHUB_URL=mirror.url)
            assert result.returncode == 0, (command, result.stderr)
            assert result.stdout
    # The sample's month was loaded first and is left alone; the nine others came from the mirror.
    ((sources,),) = rows(settings, "SELECT count(DISTINCT filename) FROM load_ledger")
    assert sources == 10
    assert rows(settings, "SELECT count(*) FROM yellow_tripdata") == [(5,)]


@pytest.mark.parametrize("target", ["app", "test"])
def test_the_two_make_targets_exist_and_do_what_the_readme_says(target: str) -> None:
    shown = subprocess.run(
        ["make", "--dry-run", "--always-make", target],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "-m venv .venv" in shown or ".venv/bin/python" in shown
    assert {"app": "streamlit run app.py", "test": "pytest"}[target] in shown


def test_every_setting_is_in_the_readme_with_its_default() -> None:
    for name, field in Settings.model_fields.items():
        assert f"{variable_name(name)}`" in README
        if not name.endswith("_url") and str(field.default).strip("*"):
            assert f"| `{variable_name(name)}` | `{field.default}` |" in README


def test_every_key_of_the_json_document_and_every_policy_is_in_the_readme() -> None:
    for key in FILE_KEYS:
        assert f'"{key}"' in README
    for policy in Policy:
        assert f"`{policy}`" in README


def test_every_finding_and_schema_status_is_in_the_documents(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    subject = find_subject(GREEN, str(folder), settings, Cancel())
    explained = (ROOT / "docs" / "preview.md").read_text()
    for finding in look_inside(subject, settings, Cancel()).findings:
        assert f"| `{finding.name}` |" in explained
    for status in get_args(Status):
        assert f"| {status} |" in explained
        assert status in README


def test_every_key_of_the_preview_documents_is_in_the_readme(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    month = ("--color", "green", "--month", "2020-04", "--source", str(folder), "--json")
    seen = json.loads(pipeline(settings, "preview", *month).stdout)
    changed = json.loads(pipeline(settings, "diff", *month).stdout)
    nested = [*seen["profile"][:1], *seen["findings"][:1], *seen["schema"][:1]]
    for part in (seen, changed, changed["examples"][0], *nested):
        for key in part:
            assert f'"{key}"' in README, key


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
    for link in re.findall(r"\]\(<?([^)>\s]+)>?\)", text_of(document)):
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


def test_the_command_line_and_the_app_say_the_version(settings: Settings) -> None:
    assert pipeline(settings, "--version").stdout == f"fareground {__version__}\n"
    assert "__version__" in (ROOT / "app.py").read_text()


def test_pipeline_never_imports_streamlit() -> None:
    for module in (ROOT / "pipeline").rglob("*.py"):
        assert not re.search(r"^\s*(import|from) streamlit", module.read_text(), re.MULTILINE)


def test_both_colors_share_the_columns_that_charts_compare() -> None:
    shared = {"PULocationID", "total_amount", "tip_amount", "trip_distance", "payment_type"}
    for color in Color:
        assert shared <= {column.name for column in COLUMNS[color]}


def test_every_test_that_the_reliability_page_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "reliability.md").read_text()))
    sources = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(named) > 20
    assert named <= set(re.findall(r"^def (test_\w+)\(", sources, re.MULTILINE))
