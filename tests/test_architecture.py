"""The diagram of docs/architecture.md is what the imports are, and they go one way."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
BOXES = {
    name: modules.split(", ")
    for name, modules in re.findall(r'^    (\w+)\["[^:"]+: ([^"]+)"\]$', PAGE, re.MULTILINE)
}
BOX_OF = {module: name for name, modules in BOXES.items() for module in modules}
ARROWS = set(re.findall(r"^    (\w+) --> (\w+)$", PAGE, re.MULTILINE))


def modules() -> dict[str, list[Path]]:
    """The files of each part that a box may name."""
    found = {"app": [ROOT / "app.py"], "pages": sorted((ROOT / "pages").rglob("*.py"))}
    for path in sorted((ROOT / "pipeline").iterdir()):
        if path.is_dir() and (path / "__init__.py").exists():
            found[path.name] = sorted(path.rglob("*.py"))
        elif path.suffix == ".py" and path.stem != "__init__":
            found[path.stem] = [path]
    return found


def imports(path: Path) -> Iterator[str]:
    """The parts a file imports when it runs, inside of functions too; not those for types only."""
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
            continue
        waiting += ast.iter_child_nodes(node)
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports by a relative name."
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            first, *rest = name.split(".")
            if first == "pages":
                yield "pages"
            elif first == "pipeline" and rest and rest[0] != "__version__":
                yield rest[0]


def box_of(module: str) -> str:
    """The box that names a part."""
    assert module in BOX_OF, f"Name {module} in a box of docs/architecture.md."
    return BOX_OF[module]


def below(box: str) -> set[str]:
    """The boxes that arrows lead to from this one."""
    direct = {end for start, end in ARROWS if start == box}
    return direct.union(*map(below, direct))


def test_every_module_is_in_one_box() -> None:
    named = [module for listed in BOXES.values() for module in listed]
    assert len(named) == len(set(named))
    assert set(named) - set(modules()) == set(), "These are named and are not there."
    for module in modules():
        assert box_of(module)


def test_no_import_goes_against_the_arrows() -> None:
    for module, paths in modules().items():
        box = box_of(module)
        for path in paths:
            for imported in imports(path):
                assert box_of(imported) in {box, *below(box)}, f"{path} imports {imported}"


def test_every_arrow_is_an_import() -> None:
    found = {
        (box_of(module), box_of(imported))
        for module, paths in modules().items()
        for path in paths
        for imported in imports(path)
    }
    assert found >= ARROWS
    assert all(start not in below(start) for start, _ in ARROWS)
