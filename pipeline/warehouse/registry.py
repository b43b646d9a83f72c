"""The warehouse backends there are, by name; the only module that imports them.

To add one, write a class that implements `pipeline.warehouse.Backend`, and add an entry to
BACKENDS. CONTRIBUTING.md has the steps.
"""

from __future__ import annotations

from collections.abc import Callable
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from pipeline.core.datasets import either_of
from pipeline.core.errors import UsageError

if TYPE_CHECKING:
    from pipeline.core.settings.settings import Settings
    from pipeline.warehouse import Backend, Warehouse


def _imported(name: str) -> Callable[[], Backend]:
    """Return what makes a backend, imported when it is first used: --help must stay quick."""
    return lambda: resolve_name(name)()


BACKENDS = {
    "local": _imported("pipeline.warehouse.local.backend:LocalBackend"),
    "gcp": _imported("pipeline.warehouse.gcp.backend:GoogleBackend"),
}

DEFAULT_TARGET = "local"
"""The backend that is used when none is named. It needs no settings and keeps its tables in a file
under FAREGROUND_HOME, which `rebuild` and `verify` rely on."""


def target_names() -> tuple[str, ...]:
    """Return the names of all backends: what `--target` may be."""
    return tuple(BACKENDS)


def find_backend(target: str) -> Backend:
    """Return the backend of this name; raise UsageError if there is none."""
    if target not in BACKENDS:
        raise UsageError(
            f"There is no target {target!r}.", cure=f"Use {either_of(target_names())}."
        )
    return BACKENDS[target]()


def all_backends() -> list[Backend]:
    """Return every backend, in the order of `target_names`."""
    return [find_backend(target) for target in target_names()]


def open_warehouse(target: str, settings: Settings, *, read_only: bool = False) -> Warehouse:
    """Return the warehouse of this target, to be used in a `with` block.

    Args:
        read_only: For a process that only looks, such as the commands `status` and `query`.

    Raises UsageError for an unknown target, or settings that name no such warehouse. Entering the
    block raises WarehouseBusy while another process holds the warehouse.
    """
    return find_backend(target).open(settings, read_only=read_only)
