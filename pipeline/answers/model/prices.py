"""Look up what models cost: dollars per million tokens, with the date of the price.

A file such as `gemini_prices.json` beside this module holds the list prices of a provider's paid
tier. `prices.json` in FAREGROUND_HOME, of the same form, takes precedence, model by model. A model
in neither has no known price.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.answers.model import TokenUsage
from pipeline.core.errors import StorageError, UsageError
from pipeline.core.home import make_folder
from pipeline.core.regular_file import read_regular_file
from pipeline.core.settings.settings import Settings

_MOST_BYTES = 10**6
_SHIPPED = "_prices.json"  # how the names of the files beside this module end


class ModelPrice(BaseModel):
    """Dollars per million tokens; thinking costs as much as output."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: float = Field(ge=0)
    output: float = Field(ge=0)


class _PriceFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    date: str = Field(pattern=r"^\d{4}-\d{2}(-\d{2})?$")
    source: str = ""
    models: dict[str, ModelPrice]


@dataclass(frozen=True)
class PriceList:
    """Prices by model.

    `dates` says when each was looked up, `providers` whose each shipped one is, `source` where
    these are from, and `own` which are those of FAREGROUND_HOME.
    """

    models: Mapping[str, ModelPrice]
    dates: Mapping[str, str]
    providers: Mapping[str, str]
    source: str
    own: frozenset[str] = frozenset()

    def of(self, model: str) -> ModelPrice | None:
        """Return the price of a model, or None if it is unknown."""
        return self.models.get(model.removeprefix("models/"))

    def date_of(self, model: str) -> str:
        """Return when the price of a model was looked up, or nothing if it has none."""
        return self.dates.get(model.removeprefix("models/"), "")

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


def read_prices(settings: Settings) -> PriceList:
    """Return the prices in force; raises UsageError when those of FAREGROUND_HOME are damaged."""
    files = {
        path.name.removesuffix(_SHIPPED): _PriceFile.model_validate_json(path.read_text("utf-8"))
        for path in sorted(Path(__file__).parent.glob(f"*{_SHIPPED}"))
    }
    providers = {model: provider for provider, file in files.items() for model in file.models}
    source = ", ".join(file.source for file in files.values())
    own = _read_own(prices_path(settings))
    models: dict[str, ModelPrice] = {}
    dates: dict[str, str] = {}
    for file in (*files.values(), *([own] if own else [])):
        models |= file.models
        dates |= dict.fromkeys(file.models, file.date)
    return PriceList(
        models, dates, providers, source, frozenset(own.models) if own else frozenset()
    )


def write_prices(models: Mapping[str, ModelPrice], date: str, settings: Settings) -> None:
    """Write the prices of FAREGROUND_HOME, all looked up on `date` (YYYY-MM-DD).

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


def _read_own(path: Path) -> _PriceFile | None:
    try:
        return _PriceFile.model_validate_json(read_regular_file(path, _MOST_BYTES))
    except FileNotFoundError:
        return None
    except (OSError, ValidationError):
        raise UsageError(
            f"{path} is not a table of prices.",
            cure='Write it like {"date": "2026-10-07", "models": '
            '{"gemini-3.5-flash-lite": {"input": 0.3, "output": 2.5}}}, or delete it.',
        ) from None
