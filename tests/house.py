"""Measure the structure of the code: `python -m tests.house`.

Prints the modules and imports of each folder, then what breaks the rules of docs/architecture.md:
import cycles between modules, imports of a higher folder, imports of a warehouse backend from
outside its folder, duplicate class names, vague names of variables, and modules over 350 lines.
Exits with 1 when a rule is broken.

Every import counts: at the top of a module, within functions, under TYPE_CHECKING, and by a string
that names a module (`importlib`, `python -m`) or, after a colon, something in it (`pkgutil`).
"""

from __future__ import annotations

import ast
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[1]
LONGEST = 350  # lines of a module
VAGUE = frozenset({"found", "kept", "asked", "told", "those", "one"})  # as names of variables

# From top to bottom. A folder imports itself and folders on later lines; folders on the same line
# do not import each other.
FOLDERS: tuple[tuple[str, ...], ...] = (
    ("app",),
    ("pages", "pipeline/__main__"),
    ("pages/components", "pipeline/cli"),
    ("pages/components/<page>",),
    ("pages/components/common",),
    ("pipeline/ops",),
    ("pipeline/answers", "pipeline/preview"),
    ("pipeline/charts", "pipeline/runs"),
    ("pipeline/warehouse",),
    ("pipeline/files",),
    ("pipeline/core",),
    ("pipeline",),
)
LEVELS = {folder: level for level, folders in enumerate(FOLDERS) for folder in folders}

# Only the registry and the backend itself import the modules of a backend.
BACKENDS = tuple(
    f"pipeline.warehouse.{path.parent.name}"
    for path in sorted((ROOT / "pipeline/warehouse").glob("*/backend.py"))
)
REGISTRY = "pipeline.warehouse.registry"


@dataclass(frozen=True)
class ModuleImport:
    """One module imports another; names are dotted, such as `pipeline.core.trips`."""

    importer: str
    imported: str

    def __str__(self) -> str:
        return f"{self.importer} -> {self.imported}"


class CodeStructure:
    """The modules of a folder with `app.py`, `pages/` and `pipeline/`, and their imports."""

    def __init__(self, root: Path = ROOT) -> None:
        paths = [
            root / "app.py",
            *(root / "pages").rglob("*.py"),
            *(root / "pipeline").rglob("*.py"),
        ]
        self.modules = {_dotted(path.relative_to(root)): path for path in sorted(paths)}
        self.trees = {name: ast.parse(path.read_text()) for name, path in self.modules.items()}

    @cached_property
    def imports(self) -> list[ModuleImport]:
        """The pairs of importing and imported module, without duplicates, sorted."""
        pairs = {
            (name, imported)
            for name, tree in self.trees.items()
            for imported in self._imports(tree)
            if imported != name
        }
        return [ModuleImport(*pair) for pair in sorted(pairs)]

    def _imports(self, tree: ast.Module) -> Iterator[str]:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names if alias.name in self.modules)
            elif isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    submodule = f"{node.module}.{alias.name}"
                    target = submodule if submodule in self.modules else node.module
                    if target in self.modules:
                        yield target
            elif (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and "." in node.value
                and (name := node.value.partition(":")[0]) in self.modules
            ):
                yield name

    def cycles(self) -> list[list[str]]:
        """Return the groups of modules that import each other (Tarjan's algorithm)."""
        targets = defaultdict(list)
        for module_import in self.imports:
            targets[module_import.importer].append(module_import.imported)
        index: dict[str, int] = {}
        lowest: dict[str, int] = {}
        stack: list[str] = []
        groups: list[list[str]] = []

        def visit(name: str) -> None:
            index[name] = lowest[name] = len(index)
            stack.append(name)
            for target in targets[name]:
                if target not in index:
                    visit(target)
                    lowest[name] = min(lowest[name], lowest[target])
                elif target in stack:
                    lowest[name] = min(lowest[name], index[target])
            if lowest[name] == index[name]:
                start = stack.index(name)
                if len(stack) - start > 1:
                    groups.append(sorted(stack[start:]))
                del stack[start:]

        for name in self.modules:
            if name not in index:
                visit(name)
        return groups

    def upward_imports(self) -> list[ModuleImport]:
        """Return the imports of a higher folder, or of another folder on the same level."""
        return [
            module_import
            for module_import in self.imports
            if folder_of(module_import.importer) != folder_of(module_import.imported)
            and _level(module_import.importer) >= _level(module_import.imported)
        ]

    def backend_imports(self) -> list[ModuleImport]:
        """Return the imports of a backend's modules from outside that backend."""
        return [
            module_import
            for module_import in self.imports
            for backend in BACKENDS
            if _within(module_import.imported, backend)
            and not _within(module_import.importer, backend)
            and module_import.importer != REGISTRY
        ]

    def duplicate_classes(self) -> dict[str, list[str]]:
        """Return the modules of each public class name that several modules define."""
        places = defaultdict(list)
        for name, tree in self.trees.items():
            for node in tree.body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places[node.name].append(name)
        return {name: modules for name, modules in sorted(places.items()) if len(modules) > 1}

    def vague_names(self) -> list[str]:
        """Return the places of variables whose names do not say what they hold (VAGUE).

        Attributes of classes are not among them: some are keys of files that are stored.
        """
        return [
            f"{name}:{node.lineno} {node.arg if isinstance(node, ast.arg) else node.id}"
            for name, tree in self.trees.items()
            for function in ast.walk(tree)
            if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
            for node in ast.walk(function)
            if (isinstance(node, ast.arg) and node.arg in VAGUE)
            or (isinstance(node, ast.Name) and node.id in VAGUE)
        ]

    def long_modules(self) -> dict[str, int]:
        """Return the number of lines of each module longer than LONGEST."""
        lines = {name: len(path.read_text().splitlines()) for name, path in self.modules.items()}
        return {name: count for name, count in lines.items() if count > LONGEST}


def folder_of(module: str) -> str:
    """Return a module's folder as FOLDERS writes it, with the page's name in place of `<page>`."""
    parts = module.split(".")
    if parts[:2] == ["pages", "components"]:
        return "/".join(parts[:3]) if len(parts) > 3 else "pages/components"
    if parts[0] == "pipeline" and len(parts) > 1:
        return f"pipeline/{parts[1]}"
    return parts[0]


def _level(module: str) -> int:
    folder = folder_of(module)
    if folder not in LEVELS and folder.startswith("pages/components/"):
        folder = "pages/components/<page>"
    return LEVELS[folder]


def _within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _dotted(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def main() -> int:
    """Print the structure and the broken rules, and return the exit code."""
    structure = CodeStructure()
    modules = Counter(map(folder_of, structure.modules))
    imports = Counter((folder_of(a.importer), folder_of(a.imported)) for a in structure.imports)
    for folder in sorted(modules, key=lambda name: (name.count("/") == 0, name)):
        print(f"{folder}: {modules[folder]} modules")
        for (importer, imported), count in sorted(imports.items()):
            if importer == folder:
                where = "within" if imported == importer else f"to {imported}"
                print(f"    {count:3} imports {where}")
    faults: dict[str, list[str]] = {
        "import cycles": [", ".join(group) for group in structure.cycles()],
        "upward imports": list(map(str, structure.upward_imports())),
        "imports of a backend outside its folder": list(map(str, structure.backend_imports())),
        "class names defined twice": [
            f"{name}: {', '.join(places)}" for name, places in structure.duplicate_classes().items()
        ],
        "vague names of variables": structure.vague_names(),
        f"modules over {LONGEST} lines": [
            f"{name}: {n}" for name, n in structure.long_modules().items()
        ],
    }
    print(f"{len(structure.modules)} modules, {len(structure.imports)} imports")
    for fault, cases in faults.items():
        print(f"{len(cases)} {fault}")
        for case in cases:
            print(f"    {case}")
    return 1 if any(faults.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
