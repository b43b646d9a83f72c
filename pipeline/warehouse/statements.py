"""One statement of a load: built in one place for each warehouse, run by the loader, and shown to
people by `pipeline.explain`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.warehouse import LoadStep


@dataclass(frozen=True)
class Statement:
    """A statement as it is sent.

    Attributes:
        step: The step of a load it belongs to.
        name: What it does; that of its file under sql/ where it has one.
        sql: Its text, identifiers filled in.
        values: What is bound to its $names or @names.
    """

    step: LoadStep
    name: str
    sql: str
    values: Mapping[str, Any] = field(default_factory=dict)
