"""`python -m pipeline answers`: add, list, search, check and remove, with no key."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core.settings.settings import Settings
from tests.support.command import document, pipeline
from tests.support.nli_folder import make_nli_folder
from tests.support.servers import Server

POSIX = pytest.mark.skipif(os.name != "posix", reason="only POSIX has /dev/stdin")
NOTES = "# Heron 2.4\n## Limits\nEach tenant may keep 2,048 flows.\n## Price\nHeron costs $40.\n"


@pytest.fixture
def notes(folder: Path) -> Path:
    path = folder / "notes.md"
    path.write_text(NOTES)
    return path


def test_documents_are_added_searched_checked_listed_and_removed(
    settings: Settings, notes: Path
) -> None:
    (added,) = document(pipeline(settings, "answers", "add", str(notes), "--json"))["documents"]
    assert (added["title"], added["passages"]) == ("Heron 2.4", 2)
    result = document(pipeline(settings, "answers", "search", "tenant flows", "--json"))
    (passage,) = result["passages"]
    assert set(passage) >= {"document", "heading", "text", "score", "highlights"}
    assert (passage["heading"], passage["score"] > 0) == ("Limits", True)
    start, end = passage["highlights"][0]
    assert passage["text"][start:end] == "tenant"
    answer = notes.with_name("answer.txt")
    answer.write_text("A tenant may keep 2048 flows. Heron costs $41.\n")
    checked = document(pipeline(settings, "answers", "check", "--text", str(answer), "--json"))
    assert [claim["verdict"] for claim in checked["claims"]] == [
        "found in source",
        "value not in source",
    ]
    assert checked["claims"][1]["missing"] == ["$41"]
    assert "2,048 flows" in checked["claims"][0]["quote"]
    listed = document(pipeline(settings, "answers", "list", "--json"))["documents"]
    assert listed == [added]
    removed = document(pipeline(settings, "answers", "remove", str(notes), "--json"))
    assert removed["removed"] == added
    assert document(pipeline(settings, "answers", "list", "--json")) == {"documents": []}


def test_text_output_says_the_same_as_json(settings: Settings, notes: Path) -> None:
    assert (
        "There are no documents yet" in pipeline(settings, "answers", "search", "anything").stdout
    )
    assert "passages: 2" in pipeline(settings, "answers", "add", str(notes)).stdout
    shown = pipeline(settings, "answers", "search", "[bold]price[/bold]", "--top", "1").stdout
    assert "Heron costs $40." in shown
    answer = notes.with_name("answer.txt")
    answer.write_text("Heron costs [red]$41[/red].\n")
    checked = pipeline(settings, "answers", "check", "--text", str(answer), "--question", "price")
    assert "◐ value not in source" in checked.stdout
    assert "not in source: $41" in checked.stdout
    assert "[red]" in checked.stdout  # text from outside is no markup of ours


def test_check_of_a_long_text_says_how_far_it_is(
    settings: Settings, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pipeline(settings, "answers", "add", str(notes)).returncode == 0
    answer = notes.with_name("answer.txt")
    answer.write_text("A tenant may keep 2048 flows. Heron costs $41.\n")
    command = ("answers", "check", "--text", str(answer), "--json")
    assert "claims" not in pipeline(settings, *command).stderr
    monkeypatch.setattr("pipeline.cli.answers._REPORT_SECONDS", 0.0)
    checked = pipeline(settings, *command)
    assert "Checked 1 of 2 claims." in checked.stderr
    assert len(document(checked)["claims"]) == 2


def test_nli_model_judges_each_claim_beside_the_check(
    settings: Settings, notes: Path, tmp_path: Path
) -> None:
    pipeline(settings, "answers", "add", str(notes))
    folder = str(make_nli_folder(tmp_path / "model", f"{NOTES} $41 not do"))
    answer = notes.with_name("answer.txt")
    answer.write_text(
        "Each tenant may keep 2,048 flows. Heron costs not $40. The sun is [red]far[/red] away."
    )
    command = ("answers", "check", "--text", str(answer))
    plain = document(pipeline(settings, *command, "--json"))
    assert all("nli" not in claim for claim in plain["claims"])
    for question in ((), ("--question", "tenant flows price Heron costs")):
        command = ("answers", "check", "--text", str(answer), "--nli", *question)
        judged = document(pipeline(settings, *command, "--json", FAREGROUND_NLI_MODEL=folder))
        assert [claim.pop("nli") for claim in judged["claims"]] == [
            {
                "verdict": "supported",
                "quote": "Each tenant may keep 2,048 flows.",
                "note": "",
            },
            {"verdict": "contradicted", "quote": "Heron costs $40.", "note": ""},
            {"verdict": "not in source", "quote": None, "note": ""},
        ]
        shown = pipeline(settings, *command, FAREGROUND_NLI_MODEL=folder).stdout
        assert "  NLI model: ✓ supported: Each tenant may keep 2,048 flows.\n" in shown
        assert "  NLI model: ✕ contradicted: Heron costs $40.\n" in shown
        assert "  NLI model: ○ not in source\n" in shown


def test_nli_model_that_is_not_set_up_is_wrong_usage(settings: Settings, notes: Path) -> None:
    command = ("answers", "check", "--text", str(notes), "--nli")
    result = pipeline(settings, *command, COLUMNS="300", FAREGROUND_NLI_MODEL="")
    assert (result.returncode, result.stdout) == (2, "")
    assert "Set FAREGROUND_NLI_MODEL to the folder of one" in result.stderr
    missing = pipeline(settings, *command, COLUMNS="300", FAREGROUND_NLI_MODEL="nowhere")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "FAREGROUND_NLI_MODEL is nowhere, which is not a folder" in missing.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["add"], 2, "No document was given"),
        (["add", "--preset", "nothing"], 2, "no preset"),
        (["add", "missing.md"], 1, "missing.md cannot be read"),
        (["remove", "nothing"], 2, "no document nothing"),
        (["search", "x", "--document", "nothing"], 2, "no document nothing"),
        (["check", "--text", "missing.txt"], 2, "missing.txt cannot be read"),
    ],
)
def test_wrong_usage_is_reported(
    settings: Settings, arguments: list[str], code: int, words: str
) -> None:
    result = pipeline(settings, "answers", *arguments, COLUMNS="300")
    assert result.returncode == code
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_unreadable_document_does_not_keep_others_out(settings: Settings, notes: Path) -> None:
    bad = notes.with_name("bad.pdf")
    bad.write_bytes(b"%PDF-1.4 nonsense")
    result = pipeline(settings, "answers", "add", str(bad), str(notes), "--json")
    assert result.returncode == 1
    assert [added["title"] for added in document(result)["documents"]] == ["Heron 2.4"]
    assert "bad.pdf" in result.stderr


def test_preset_from_a_host_that_is_not_allowed_is_not_fetched(settings: Settings) -> None:
    with Server({"/x": b"# x"}) as server:
        result = pipeline(
            settings, "answers", "add", "--preset", "kestra-1.1",
            FAREGROUND_DOCUMENT_HOSTS=server.url.removeprefix("http://"),
        )  # fmt: skip
        assert result.returncode == 2
        assert "FAREGROUND_DOCUMENT_HOSTS" in result.stderr.replace("\n", "")
        assert server.requests == []


@pytest.mark.parametrize(
    "path", ["-", *(pytest.param(f"/dev/{name}", marks=POSIX) for name in ("stdin", "fd/0"))]
)
def test_answer_is_read_from_stdin_and_pipes(settings: Settings, notes: Path, path: str) -> None:
    pipeline(settings, "answers", "add", str(notes))
    result = subprocess.run(
        [sys.executable, "-m", "pipeline", "answers", "check", "--text", path],
        input="Heron costs $40.",
        capture_output=True,
        text=True,
        env=os.environ | {"FAREGROUND_HOME": str(settings.home)},
        check=True,
    )
    assert "found in source" in result.stdout


def test_claim_about_the_documents_date_has_the_line_that_holds_it(
    settings: Settings, folder: Path
) -> None:
    notes = folder / "dated.md"
    notes.write_text("---\ntitle: Heron 2.4\ndate: 2025-10-07\n---\n# Limits\nIt keeps 9 flows.\n")
    assert pipeline(settings, "answers", "add", str(notes)).returncode == 0
    answer = folder / "answer.txt"
    answer.write_text("Heron 2.4 was released on 7 October 2025.\n")
    checked = pipeline(settings, "answers", "check", "--text", str(answer))
    assert "● found in source" in checked.stdout
    assert "  nearest: Heron 2.4, 2025-10-07" in checked.stdout
