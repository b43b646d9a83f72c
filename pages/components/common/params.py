"""The query parameters of all pages, in one table: one name for one thing, and its old names.

docs/links.md shows this table; tests compare the two, and open each page with each parameter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.core.datasets import DATASETS, either_of

_MOST_SHOWN = 40  # letters of an invalid value

SHARED = "target"  # the parameter that stands in the address of every page


@dataclass(frozen=True)
class Param:
    """A query parameter.

    Attributes:
        name: Its name, the same on all pages.
        values: What it holds, for the docs.
        pages: The pages that read it; empty for all of them.
        old: Its names in links of earlier versions, which are still read.
        several: Whether it may occur more than once.
    """

    name: str
    values: str
    pages: tuple[str, ...] = ()
    old: tuple[str, ...] = ()
    several: bool = False


PARAMS = (
    Param(SHARED, "the warehouse: `local` or `gcp`"),
    Param(
        "color",
        either_of(f"`{name}`" for name in DATASETS),
        ("Backfill", "Preview", "Explore"),
        ("taxi",),
        True,
    ),
    Param("from", "first month (Explore: first day)", ("Backfill", "Explore"), ("since",)),
    Param("to", "last month (Explore: last day)", ("Backfill", "Explore"), ("until",)),
    Param("month", "the month of a trip file, such as `2020-04`", ("Preview",)),
    Param(
        "source", "`github`, `tlc`, `sample`, `upload`, a folder or a URL", ("Backfill", "Preview")
    ),
    Param("policy", "`missing`, `missing-and-failed` or `all`", ("Backfill",)),
    Param("force", "`yes` or `no`", ("Backfill",)),
    Param("payment", "a payment code; -1: not recorded", ("Explore",), several=True),
    Param("borough", "a borough of pickups", ("Explore",), several=True),
    Param("pickup", "a pickup zone, by its number", ("Explore",), several=True),
    Param("miles", "shortest distance, 0 to 200", ("Explore",)),
    Param("strays", "`yes`: with stray trips", ("Explore",)),
    Param("synthetic", "`yes`: months of the sample instead of real ones", ("Explore",)),
    Param("by", "length of a period: `day`, `week` or `month`", ("Explore",)),
    Param("picture", "`png` or `svg`: what a chart's camera saves", ("Explore",)),
    Param("day", "selected days, as `2020-04-01/2020-04-07`", ("Explore",)),
    Param("slot", "selected weekday (0: Monday) and hour, as `0/17`", ("Explore",)),
    Param("paid", "selected payment code", ("Explore",)),
    Param("zone", "selected zone, by its number", ("Explore",)),
    Param("way", "selected route, as `132/230`", ("Explore",)),
    Param(
        "mode",
        "`published`, `upload` (Preview); `demo`, `documents`, `trips`, `library`, "
        "`suites` (Answers)",
        ("Preview", "Answers"),
    ),
    Param(
        "tab",
        "`files`, `how`, `log`, `command` (Backfill); `rows`, `columns`, `profile`, `findings`, "
        "`changes`, `sql` (Preview); `when`, `where`, `money`, `compare`, `data` (Explore); "
        "`history`, `schedules`, `speed` (Runs); `doctor`, `settings` (Setup)",
        ("Backfill", "Preview", "Explore", "Runs", "Setup"),
    ),
    Param("question", "a question for the field; it is not asked", ("Answers",)),
    Param("answer", "the id of a comparison that is kept, or of an example", ("Answers",)),
    Param("q", "a query for the box; it is not run", ("SQL",)),
    Param("metric", "what the chart over time shows, such as `fare`", ("Explore",)),
    Param("versus", "what is compared: `colors`, `before` or `year`", ("Explore",)),
    Param("run", "the id of a run", ("Runs",)),
)


def rename_old(link: Mapping[str, list[str]], params: Iterable[str]) -> dict[str, list[str]]:
    """Return the parameters of a link under the names that a page reads.

    Args:
        link: The values of each parameter, by any of its names.
        params: The names that the page reads.
    """
    wanted = set(params)
    names: dict[str, str] = {}
    for param in PARAMS:
        same = (param.name, *param.old)
        names |= {name: read for read in same if read in wanted for name in same}
    renamed: dict[str, list[str]] = {}
    for name, values in link.items():
        read = name if name in wanted else names.get(name, name)
        renamed[read] = [*renamed.get(read, []), *values]
    return renamed


def describe_invalid(name: str, value: str, rule: str, instead: str) -> str:
    """Return the one line in which every page says that it cannot use a value of its address.

    Args:
        name: The parameter.
        value: Its value; only its beginning is shown.
        rule: What is wrong with it or what can be used, to end a sentence with; "" to say nothing.
        instead: A sentence on what the page shows or does now.
    """
    shown = value if len(value) <= _MOST_SHOWN else f"{value[:_MOST_SHOWN]}…"
    return f"{name}={shown} in the link cannot be used{f': {rule}' if rule else ''}. {instead}"


def unknown_names(names: Iterable[str]) -> list[str]:
    """Return those of the names that are no parameter of any page, in their order."""
    known = {name for param in PARAMS for name in (param.name, *param.old)}
    return [name for name in names if name not in known]
