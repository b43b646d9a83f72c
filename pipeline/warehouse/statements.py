"""The statements of a load: built in one place for each warehouse, run by its loader, and shown to
people before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

LoadStep = Literal["upload", "extract", "compare", "merge", "reconcile", "commit"]

LATER = "…"
"""Stands for a value that is known only once the file is here and has been read."""


@dataclass(frozen=True)
class Statement:
    """One SQL statement, with the values bound to it.

    Attributes:
        step: The step of a load that it belongs to.
        name: What it does; the name of its file under sql/ where it has one.
        sql: The text with identifiers filled in.
        values: What is bound to its $names or @names.
    """

    step: LoadStep
    name: str
    sql: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LoadExplanation:
    """How one warehouse would load a file, without loading it.

    Attributes:
        statements: What would be sent, in order.
        variables: Names and places that the statements refer to, by name.
        note: What the statements take for granted; "" for nothing.
    """

    statements: list[Statement]
    variables: Mapping[str, str]
    note: str = ""
