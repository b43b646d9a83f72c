"""The code keeps to the folders of docs/architecture.md, and `tests.house` sees what does not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.house import FOLDERS, LEVELS, ROOT, CodeStructure, folder_of

# A module of each kind, to which a fault is added.
SOUND = {
    "app.py": "import pages.explore\n",
    "pages/explore.py": "from pages.components.explore.cards import Card\n",
    "pages/components/explore/cards.py": "from pipeline.runs.plan import Plan\nclass Card: ...\n",
    "pages/components/runs/table.py": "",
    "pipeline/__init__.py": "",
    "pipeline/runs/plan.py": "from pipeline.core.trips import Month\nclass Plan: ...\n",
    "pipeline/warehouse/registry.py": "from pipeline.warehouse.local.load import load\n",
    "pipeline/warehouse/local/load.py": "def load(): ...\n",
    "pipeline/core/trips.py": "class Month: ...\n",
}


def build(root: Path, changes: dict[str, str]) -> CodeStructure:
    """Write the modules of SOUND, some of them changed or added, and return their structure."""
    for name, text in (SOUND | changes).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return CodeStructure(root)


@pytest.fixture(scope="module")
def structure() -> CodeStructure:
    """Return the structure of this repository."""
    return CodeStructure()


def test_no_modules_import_each_other_in_a_circle(structure: CodeStructure) -> None:
    assert structure.cycles() == []


def test_no_module_imports_a_higher_folder(structure: CodeStructure) -> None:
    assert structure.upward_imports() == []


def test_only_the_registry_imports_a_backend(structure: CodeStructure) -> None:
    assert structure.backend_imports() == []


def test_no_two_classes_share_a_name(structure: CodeStructure) -> None:
    assert structure.duplicate_classes() == {}


def test_variables_are_named_by_what_they_hold(structure: CodeStructure) -> None:
    assert structure.vague_names() == []


def test_no_module_is_long(structure: CodeStructure) -> None:
    assert structure.long_modules() == {}


def test_every_folder_is_in_the_list_and_in_the_docs(structure: CodeStructure) -> None:
    folders = {folder_of(module) for module in structure.modules}
    page = (ROOT / "docs" / "architecture.md").read_text()
    documented = re.findall(r"^\d+\. (`.*?`): ", page, re.MULTILINE)
    levels = [", ".join(f"`{folder}`" for folder in level) for level in FOLDERS]
    assert documented == levels
    pages = {folder for folder in folders if folder.startswith("pages/components/")}
    assert folders - pages <= LEVELS.keys()


def test_tests_mirror_the_folders() -> None:
    beside = {"support", "project", "pages"}
    folders = {path.name for path in (ROOT / "tests").iterdir() if (path / "__init__.py").exists()}
    parts = {path.name for path in (ROOT / "pipeline").iterdir() if (path / "__init__.py").exists()}
    assert folders == parts | beside


def test_only_pages_import_streamlit(structure: CodeStructure) -> None:
    importers = [
        name
        for name, path in structure.modules.items()
        if re.search(r"^\s*(import|from) streamlit\b", path.read_text(), re.MULTILINE)
    ]
    assert [name for name in importers if not name.startswith(("app", "pages"))] == []


def test_sound_structure_has_no_faults(tmp_path: Path) -> None:
    structure = build(tmp_path, {})
    assert (structure.cycles(), structure.upward_imports(), structure.backend_imports()) == (
        [],
        [],
        [],
    )
    assert (structure.duplicate_classes(), structure.long_modules()) == ({}, {})


@pytest.mark.parametrize(
    "text",
    [
        "from pipeline.runs.plan import Plan\n",
        "import pipeline.runs.plan\n",
        "def first():\n    from pipeline.runs.plan import Plan\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pipeline.runs import plan\n",
        "NEEDED = ('pipeline.runs.plan',)\n",
    ],
    ids=["from", "import", "within a function", "for types", "by its name"],
)
def test_every_kind_of_import_counts(text: str, tmp_path: Path) -> None:
    structure = build(tmp_path, {"pipeline/core/trips.py": text})
    assert structure.cycles() == [["pipeline.core.trips", "pipeline.runs.plan"]]
    assert list(map(str, structure.upward_imports())) == [
        "pipeline.core.trips -> pipeline.runs.plan"
    ]


def test_page_folders_that_import_each_other_are_seen(tmp_path: Path) -> None:
    structure = build(
        tmp_path,
        {"pages/components/runs/table.py": "from pages.components.explore.cards import Card\n"},
    )
    assert list(map(str, structure.upward_imports())) == [
        "pages.components.runs.table -> pages.components.explore.cards"
    ]


def test_backend_that_is_imported_elsewhere_is_seen(tmp_path: Path) -> None:
    structure = build(tmp_path, {"pipeline/runs/plan.py": "import pipeline.warehouse.local.load\n"})
    assert list(map(str, structure.backend_imports())) == [
        "pipeline.runs.plan -> pipeline.warehouse.local.load"
    ]


def test_vague_names_of_variables_and_arguments_are_seen(tmp_path: Path) -> None:
    text = "def first(asked: str) -> str:\n    found = asked\n    return found\n"
    structure = build(tmp_path, {"pipeline/runs/other.py": text})
    places = {place.rpartition(".")[2] for place in structure.vague_names()}
    assert {"other:1 asked", "other:2 found", "other:3 found"} <= places


def test_class_names_and_long_modules_are_seen(tmp_path: Path) -> None:
    structure = build(tmp_path, {"pipeline/runs/other.py": "class Plan: ...\n" + "\n" * 350})
    assert structure.duplicate_classes() == {"Plan": ["pipeline.runs.other", "pipeline.runs.plan"]}
    assert structure.long_modules() == {"pipeline.runs.other": 351}
