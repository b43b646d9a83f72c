"""Every error that the product raises on purpose says what to do about it."""

from __future__ import annotations

import ast
from pathlib import Path

from pipeline.core import errors
from pipeline.core.errors import Cancelled, FaregroundError

ROOT = Path(__file__).parents[2]
TREE = {
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, FaregroundError) and kind is not Cancelled
}


def errors_made() -> list[tuple[str, ast.Call]]:
    """Every place that makes an error of the tree, and the call that does."""
    found = []
    for folder in ("pipeline", "pages"):
        for module in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(module.read_text())):
                if isinstance(node, ast.Call) and _name(node.func) in TREE:
                    found.append((f"{module.relative_to(ROOT)}:{node.lineno}", node))
    return found


def _name(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def _says_nothing(cure: ast.expr) -> bool:
    return isinstance(cure, ast.Constant) and not str(cure.value).strip()


def test_every_error_comes_with_its_cure() -> None:
    made = errors_made()
    assert len(made) > 150
    without = [
        place
        for place, call in made
        if not (cures := [word.value for word in call.keywords if word.arg in ("cure", None)])
        or _says_nothing(cures[0])
    ]
    assert without == []


def test_every_error_written_out_is_a_full_sentence_and_so_is_its_cure() -> None:
    for place, call in errors_made():
        parts = [*call.args[:1], *(word.value for word in call.keywords if word.arg == "cure")]
        for text in parts:
            end = text.values[-1] if isinstance(text, ast.JoinedStr) else text
            if isinstance(end, ast.Constant) and isinstance(end.value, str):
                assert end.value.rstrip().endswith((".", "?")), place
