"""What an answer costs: dollars per million tokens, by model, as of a date.

`prices.json` beside this module holds list prices of the paid tier; a file of the same name and
form in FAREGROUND_HOME goes before it, model by model. A model in neither has no known price.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.answers.usage import Usage
from pipeline.errors import StorageError, UsageError
from pipeline.settings import Settings, make_folder

_SHIPPED = Path(__file__).with_name("prices.json")


class Price(BaseModel):
    """Dollars per million tokens; thinking is paid for as output."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: float = Field(ge=0)
    output: float = Field(ge=0)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    date: str = Field(pattern=r"^\d{4}-\d{2}(-\d{2})?$")
    source: str = ""
    models: dict[str, Price]


@dataclass(frozen=True)
class Prices:
    """Prices by model, when each was looked up, and which are people's own."""

    models: Mapping[str, Price]
    dates: Mapping[str, str]
    source: str
    own: frozenset[str] = frozenset()

    def of(self, model: str) -> Price | None:
        """Return the price of a model, or None where it is not known."""
        return self.models.get(model.removeprefix("models/"))

    def date_of(self, model: str) -> str:
        """Return when the price of a model was looked up, or nothing for one without a price."""
        return self.dates.get(model.removeprefix("models/"), "")

    def cost(self, model: str, usage: Usage) -> float | None:
        """Return what these tokens cost in dollars, or None where that is not known."""
        price = self.of(model)
        if price is None or usage.prompt is None or usage.output is None:
            return None
        paid_output = usage.output + (usage.thinking or 0)
        return (usage.prompt * price.input + paid_output * price.output) / 1_000_000


def prices_path(settings: Settings) -> Path:
    """Return the file in which people's own prices are."""
    return settings.home / "prices.json"


def read_prices(settings: Settings) -> Prices:
    """Return the prices in force; raises UsageError when people's own file cannot be read."""
    shipped = _File.model_validate_json(_SHIPPED.read_text("utf-8"))
    own = _read_own(prices_path(settings))
    models, dates = dict(shipped.models), dict.fromkeys(shipped.models, shipped.date)
    if own:
        models |= own.models
        dates |= dict.fromkeys(own.models, own.date)
    return Prices(models, dates, shipped.source, frozenset(own.models) if own else frozenset())


def write_prices(models: Mapping[str, Price], date: str, settings: Settings) -> None:
    """Keep people's own prices, all looked up on `date` (YYYY-MM-DD).

    Raises StorageError when they cannot be written.
    """
    path = prices_path(settings)
    content = {"date": date, "models": {name: dict(price) for name, price in models.items()}}
    make_folder(path.parent)
    try:
        path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error.strerror}.",
            cure="Set FAREGROUND_HOME to a folder you may write to.",
        ) from None


def _read_own(path: Path) -> _File | None:
    try:
        return _File.model_validate_json(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValidationError):
        raise UsageError(
            f"{path} is not a table of prices.",
            cure='Write it like {"date": "2026-10-07", "models": '
            '{"gemini-3.5-flash-lite": {"input": 0.3, "output": 2.5}}}, or delete it.',
        ) from None
