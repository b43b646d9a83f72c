"""What somebody picked on the Backfill page, and its two other forms: the page's address and the
command line. Pure: no Streamlit, no I/O."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from pipeline.errors import FaregroundError, UsageError
from pipeline.plan import Policy, Request
from pipeline.trips import Color, Month, Selection

# The sources that have a word; any other one is a place: a folder or a URL.
SOURCES = {
    "github": "GitHub releases",
    "tlc": "TLC parquet",
    "sample": "Built-in sample (synthetic)",
}
FIRST_MONTH = Month(2009, 1)
USUAL_MONTH = Month(2020, 4)

Params = dict[str, list[str]]  # query parameters, as in a page's address
PARAMS = ("color", "from", "to", "source", "policy", "force")  # those of a choice


@dataclass(frozen=True)
class Choice:
    """What is picked; unlike a Request it may be impossible, for example have no color."""

    colors: tuple[Color, ...] = (Color.YELLOW, Color.GREEN)
    first: Month = USUAL_MONTH
    last: Month = USUAL_MONTH
    source: str = "github"
    policy: Policy = Policy.MISSING_AND_FAILED
    force: bool = False

    def request(self) -> Request:
        """Return the request it stands for; raise UsageError where there can be none."""
        if not self.source:
            raise UsageError(
                "No folder or URL was given.", cure="Type the place that has the trip files."
            )
        if has_login(self.source):
            raise UsageError(
                "The URL holds a user name or password, which would end up in the address of "
                "this page.",
                cure="Load from such a source on the command line.",
            )
        return Request(
            Selection(self.colors, self.first, self.last),
            source=self.source,
            policy=self.policy,
            force=self.force,
        )


# Three months: enough for charts over time, loaded within seconds.
NEWCOMERS_CHOICE = Choice(last=USUAL_MONTH.plus(2), source="sample")


def choice_of(request: Request) -> Choice:
    """Return the choice that leads to this request (without the `only` of a resumed run)."""
    selection = request.selection
    return Choice(
        tuple(dict.fromkeys(selection.colors)),
        selection.first,
        selection.last,
        request.source,
        request.policy,
        request.force,
    )


def write_params(choice: Choice) -> Params:
    """Return the query parameters of a link to the choice; a login never gets into one."""
    params = {
        "color": [color.value for color in choice.colors],
        "from": [str(choice.first)],
        "to": [str(choice.last)],
        "source": [] if has_login(choice.source) else [choice.source],
        "policy": [choice.policy.value],
        "force": ["yes"] if choice.force else [],
    }
    return {name: values for name, values in params.items() if values}


def read_params(params: Mapping[str, Sequence[str]]) -> tuple[Choice, list[str]]:
    """Return the choice a link stands for, and a sentence for each value that cannot be.

    Such a value, and one that is absent, is as in `Choice()`; unknown parameters do not matter.
    """
    usual = Choice()
    problems: list[str] = []

    def last_of(name: str, default: str) -> str:
        values = params.get(name) or [default]
        return values[-1]

    def month(name: str, default: Month) -> Month:
        text = last_of(name, str(default))
        try:
            found = Month.parse(text)
        except FaregroundError as error:
            problems.append(f"{error.problem} {default} is used.")
            return default
        if found > Month.current():
            problems.append(f"{found} has not begun yet. {default} is used.")
            return default
        return found

    colors = []
    for name in params.get("color", [color.value for color in usual.colors]):
        try:
            colors.append(Color.parse(name))
        except FaregroundError as error:
            problems.append(f"{error.problem} It is left out.")
    try:
        policy = Policy.parse(last_of("policy", usual.policy.value))
    except FaregroundError as error:
        policy = usual.policy
        problems.append(f"{error.problem} {policy} is used.")
    force = last_of("force", "no")
    if force not in ("yes", "no"):
        problems.append(f"force is yes or no, not {force!r}. no is used.")
    first = month("from", usual.first)
    last = month("to", first)
    source = last_of("source", usual.source).strip()
    return Choice(
        tuple(color for color in Color if color in colors),
        first,
        last,
        source,
        policy,
        force == "yes",
    ), problems


def is_news(address: Params, known: list[Params]) -> bool:
    """Whether the address that a browser sends asks for another choice than the page shows.

    A browser that has not got our newest address yet sends an older one with the next click, which
    must not undo what was picked. So `known` holds the addresses of this session from the last one
    that the browser is sure to have up to the newest one; those before it are dropped here. An
    address behind all of them was gone to: by a link, or by going back.
    """
    if not address or not known:  # without a choice in it: what was picked before stays
        return bool(address)
    if address == known[-1]:
        if address not in known[:-1]:
            del known[:-1]
        return False
    return address not in known


def command_line(request: Request) -> str:
    """Return the command that does exactly what the page would."""
    selection = request.selection
    words = ["python", "-m", "pipeline", "backfill"]
    for color in selection.colors:
        words += ["--color", color.value]
    words += ["--from", str(selection.first), "--to", str(selection.last)]
    words += ["--source", request.source, "--policy", request.policy.value]
    if request.force:
        words.append("--force")
    if request.target != "local":
        words += ["--target", request.target]
    return shlex.join(words)


def has_login(source: str) -> bool:
    """Whether a source is a URL with a user name or password in it."""
    try:
        return "@" in urlsplit(source).netloc
    except ValueError:  # a malformed address, which open_source refuses
        return "@" in source
