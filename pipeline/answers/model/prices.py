"""Look up what models cost: dollars per million tokens, with the days on which a price holds.

A file such as `gemini_prices.json` beside this module holds the list prices of a provider's paid
tier. `prices.json` in FAREGROUND_HOME, of the same form, takes precedence, model by model. A model
in neither has no known price, nor has one whose last price has ended.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.answers.model import TokenUsage
from pipeline.answers.model.names import base_name
from pipeline.answers.model.retry import quote
from pipeline.core.errors import UsageError
from pipeline.core.home import make_folder
from pipeline.core.regular_file import read_regular_file
from pipeline.core.settings.settings import Settings
from pipeline.core.storage_errors import storage_errors

FRESH_DAYS = 90  # after which list prices are worth another look
MOST_DOLLARS = 1e6  # per million tokens; more is a slip of the pen, and overflows sums
_MOST_BYTES = 10**6
_SHIPPED = "_prices.json"  # how the names of the files beside this module end


class ModelPrice(BaseModel):
    """Dollars per million tokens; thinking costs as much as output.

    `first_day` and `last_day` bound when the price holds; None where the provider sets no bound.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: float = Field(ge=0, le=MOST_DOLLARS, allow_inf_nan=False)
    output: float = Field(ge=0, le=MOST_DOLLARS, allow_inf_nan=False)
    first_day: date | None = None
    last_day: date | None = None

    def holds(self, day: date) -> bool:
        """Return whether this is the price on a day."""
        return (self.first_day or day) <= day <= (self.last_day or day)


class _PriceFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    looked_up: str = Field(pattern=r"^\d{4}-\d{2}(-\d{2})?$", alias="date")
    source: str = ""
    models: dict[str, ModelPrice | list[ModelPrice]]

    def periods(self, model: str) -> list[ModelPrice]:
        """Return the prices of a model, of which one holds at a time."""
        prices = self.models[model]
        return prices if isinstance(prices, list) else [prices]


@dataclass(frozen=True)
class PriceList:
    """Prices by model, as they are on one day.

    `dates` says when each was looked up, `providers` whose each shipped one is, `source` where
    these are from, `ended` since when models have no known price any more, and `own` which are
    those of FAREGROUND_HOME. `error` says why these cannot be read; then no price is known, since
    any could have another one there.
    """

    day: date
    models: Mapping[str, ModelPrice]
    dates: Mapping[str, str]
    ended: Mapping[str, date]
    providers: Mapping[str, str]
    source: str
    own: frozenset[str] = frozenset()
    error: UsageError | None = None

    def require(self) -> None:
        """Raise UsageError if the prices of FAREGROUND_HOME cannot be read."""
        if self.error:
            raise self.error

    @property
    def problem(self) -> str:
        """Why no price is known, as a sentence; else empty."""
        return f"No price is known: {self.error}" if self.error else ""

    def of(self, model: str) -> ModelPrice | None:
        """Return the price of a model or of one of its revisions, or None if it is unknown."""
        return self.models.get(self._listed_name(model))

    def date_of(self, model: str) -> str:
        """Return when the price of a model was looked up, or nothing if it has none."""
        return self.dates.get(self._listed_name(model), "")

    def _listed_name(self, model: str) -> str:
        name = model.removeprefix("models/")
        return name if name in self.models else base_name(name)

    @property
    def out_of_date(self) -> str:
        """Why the table should be looked up again, as a sentence; empty while it is fresh."""
        if self.ended:
            names = ", ".join(f"{name} on {day}" for name, day in sorted(self.ended.items()))
            return f"Prices that have ended: {names}. Look up the present ones."
        shipped = [day for model, day in self.dates.items() if model not in self.own]
        oldest = min(shipped, default="")
        if oldest and (self.day - date.fromisoformat(f"{oldest}-01"[:10])).days > FRESH_DAYS:
            return f"The prices are of {oldest}, more than {FRESH_DAYS} days ago: look them up."
        return ""

    def offered_by(self, provider: str) -> list[str]:
        """Return the models with a price that a provider of this label may offer."""
        name = provider.lower()
        return [model for model in self.models if self.providers.get(model, name) == name]

    def cost(self, model: str, usage: TokenUsage) -> float | None:
        """Return what some tokens cost in dollars, or None if that is unknown."""
        price = self.of(model)
        if price is None or usage.prompt is None or usage.output is None:
            return None
        paid_output = usage.output + (usage.thinking or 0)
        return (usage.prompt * price.input + paid_output * price.output) / 1_000_000


def prices_path(settings: Settings) -> Path:
    """Return the file of prices in FAREGROUND_HOME."""
    return settings.home / "prices.json"


def read_prices(settings: Settings, day: date | None = None) -> PriceList:
    """Return the prices in force on a day, by default today.

    Those of FAREGROUND_HOME that cannot be read are the `error` of the list, and are not raised: to
    ask a model needs no price.
    """
    day = day or datetime.now(UTC).date()
    files = {
        path.name.removesuffix(_SHIPPED): _PriceFile.model_validate_json(path.read_text("utf-8"))
        for path in sorted(Path(__file__).parent.glob(f"*{_SHIPPED}"))
    }
    providers = {model: provider for provider, file in files.items() for model in file.models}
    source = ", ".join(file.source for file in files.values())
    try:
        own = _read_own(prices_path(settings))
    except UsageError as error:
        return PriceList(day, {}, {}, {}, providers, source, error=error)
    models: dict[str, ModelPrice] = {}
    dates: dict[str, str] = {}
    ended: dict[str, date] = {}
    for file in (*files.values(), *([own] if own else [])):
        for model in file.models:
            models.pop(model, None)
            ended.pop(model, None)
            periods = file.periods(model)
            if price := next((price for price in periods if price.holds(day)), None):
                models[model] = price
                dates[model] = file.looked_up
            elif past := [p.last_day for p in periods if p.last_day and p.last_day < day]:
                ended[model] = max(past)
    return PriceList(
        day, models, dates, ended, providers, source, frozenset(own.models) if own else frozenset()
    )


def write_prices(models: Mapping[str, ModelPrice], day: str, settings: Settings) -> None:
    """Write the prices of FAREGROUND_HOME, all looked up on `day` (YYYY-MM-DD).

    Raises StorageError when they cannot be written.
    """
    path = prices_path(settings)
    content = {
        "date": day,
        "models": {
            name: price.model_dump(mode="json", exclude_none=True) for name, price in models.items()
        },
    }
    make_folder(path.parent)
    with storage_errors(path):
        path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def _read_own(path: Path) -> _PriceFile | None:
    try:
        return _PriceFile.model_validate_json(read_regular_file(path, _MOST_BYTES))
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        reason = _first_problem(error) if isinstance(error, ValidationError) else error.strerror
        raise UsageError(
            f"{path} is not a table of prices: {reason}.",
            cure='Write it like {"date": "2026-10-07", "models": '
            '{"gemini-3.5-flash-lite": {"input": 0.3, "output": 2.5}}}, or delete it.',
        ) from None


def _first_problem(error: ValidationError) -> str:
    """Return where a table of prices is wrong and why; the deepest place is the most precise."""
    problem = max(error.errors(include_url=False), key=lambda problem: len(problem["loc"]))
    # One price and a list of prices are two forms of an entry, which pydantic names in the place.
    forms = ("ModelPrice", "list[ModelPrice]")
    place = " > ".join(str(part) for part in problem["loc"] if part not in forms)
    reason = problem["msg"][:1].lower() + problem["msg"][1:]
    return quote(f"{place}: {reason}" if place else reason)
