"""A choice of files to load, with its forms as a link to the Backfill page and as a command."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from pages.components.common.params import describe_invalid
from pipeline.core.datasets import DATASETS, DEFAULT_DATASETS, Dataset, either_of, find_dataset
from pipeline.core.errors import FaregroundError, UsageError
from pipeline.core.trips import Month, Selection
from pipeline.runs.plan import Request
from pipeline.runs.policy import Policy
from pipeline.warehouse.registry import DEFAULT_TARGET

# The sources that have a name. Any other source is a folder or a URL.
SOURCES = {
    "github": "GitHub releases",
    "tlc": "TLC parquet",
    "sample": "Built-in sample (synthetic)",
    "upload": "Your uploads",
}

USUAL_MONTH = Month(2020, 4)

PARAMS = ("color", "from", "to", "source", "policy", "force")  # of a link to a choice


@dataclass(frozen=True)
class Choice:
    """What the widgets of the Backfill page hold. Unlike a Request it may be invalid."""

    datasets: tuple[Dataset, ...] = DEFAULT_DATASETS
    first: Month = USUAL_MONTH
    last: Month = USUAL_MONTH
    source: str = "github"
    policy: Policy = Policy.MISSING_AND_FAILED
    force: bool = False

    def request(self) -> Request:
        """Return the request for this choice; raise UsageError if the choice is invalid."""
        if not self.datasets:
            raise UsageError("No taxis are chosen.", cure=f"Choose {either_of(DATASETS)}.")
        if not self.source:
            raise UsageError(
                "No source is chosen.",
                cure="Pick one, or type a folder or URL.",
            )
        if has_login(self.source):
            raise UsageError(
                "The URL holds a user name or password, which would end up in the address of "
                "this page.",
                cure="Load from such a source on the command line.",
            )
        return Request(
            Selection(self.datasets, self.first, self.last),
            source=self.source,
            policy=self.policy,
            force=self.force,
        )


# Three months: enough for charts over time, loaded within seconds.
NEWCOMERS_CHOICE = Choice(last=USUAL_MONTH.plus(2), source="sample")


def choice_of(request: Request) -> Choice:
    """Return the choice that leads to a request, without the `only` of a resumed run."""
    selection = request.selection
    return Choice(
        tuple(dict.fromkeys(selection.datasets)),
        selection.first,
        selection.last,
        request.source,
        request.policy,
        request.force,
    )


def write_params(choice: Choice) -> dict[str, list[str]]:
    """Return the query parameters of a link to a choice; a password never gets into one."""
    params = {
        "color": [dataset.name for dataset in choice.datasets],
        "from": [str(choice.first)],
        "to": [str(choice.last)],
        "source": [] if has_login(choice.source) else [choice.source],
        "policy": [choice.policy.value],
        "force": ["yes"] if choice.force else [],
    }
    return {name: values for name, values in params.items() if values}


def read_params(params: Mapping[str, Sequence[str]]) -> tuple[Choice, list[str]]:
    """Return the choice of a link, and a sentence for each invalid value in it.

    An invalid or absent value is that of `Choice()`. Parameters of other pages are ignored.
    """
    usual = Choice()
    problems: list[str] = []

    def last_of(name: str, default: str) -> str:
        values = params.get(name) or [default]
        return values[-1]

    def read_month(name: str, default: Month) -> Month:
        text = last_of(name, str(default))
        try:
            month = Month.parse(text)
        except FaregroundError:
            rule = "a month is written as 2020-04"
        else:
            if month <= Month.current():
                return month
            rule = "this month has not begun yet"
        problems.append(describe_invalid(name, text, rule, f"{default} is used."))
        return default

    def read_word(name: str, default: str, words: Collection[str]) -> str:
        word = last_of(name, default)
        if word in words:
            return word
        problems.append(
            describe_invalid(name, word, f"use {either_of(words)}", f"{default} is used.")
        )
        return default

    datasets = []
    for name in params.get("color", []):
        try:
            datasets.append(find_dataset(name))
        except FaregroundError:
            rule = f"use {either_of(DATASETS)}"
            problems.append(describe_invalid("color", name, rule, "It is left out."))
    policy = Policy(read_word("policy", usual.policy.value, [policy.value for policy in Policy]))
    force = read_word("force", "no", ("yes", "no"))
    first = read_month("from", usual.first)
    last = read_month("to", first)
    if last < first:
        problems.append(
            describe_invalid("to", str(last), f"it is before from={first}", f"{first} is used.")
        )
        last = first
    source = last_of("source", usual.source).strip()
    return Choice(
        tuple(dataset for dataset in DATASETS.values() if dataset in (datasets or usual.datasets)),
        first,
        last,
        source,
        policy,
        force == "yes",
    ), problems


def command_line(request: Request) -> str:
    """Return the command that does exactly what the page would do."""
    selection = request.selection
    words = ["python", "-m", "pipeline", "backfill"]
    for dataset in selection.datasets:
        words += ["--dataset", dataset.name]
    words += ["--from", str(selection.first), "--to", str(selection.last)]
    words += ["--source", request.source, "--policy", request.policy.value]
    if request.force:
        words.append("--force")
    if request.target != DEFAULT_TARGET:
        words += ["--target", request.target]
    return shlex.join(words)


def has_login(source: str) -> bool:
    """Return whether a source is a URL with a user name or password in it."""
    try:
        return "@" in urlsplit(source).netloc
    except ValueError:  # a malformed address, which open_source refuses
        return "@" in source
