"""The charts of a page are asked of the warehouse together, and each look serves all of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from pages.shared.asking import Asker
from pipeline.charts import CHARTS, Filters, Question, pose
from pipeline.errors import WarehouseError
from pipeline.settings import Settings
from pipeline.warehouse import Answer, Parameters
from pipeline.warehouse.local import LocalWarehouse
from tests.files import GREEN, YELLOW, load, put_trips, warehouse
from tests.test_summaries import varied

BY_FILE = ("coverage", "strays")
PICKED = Filters(zones=(7, 74, 132))


@pytest.fixture
def loaded(settings: Settings, folder: Path) -> Settings:
    for file, number in ((GREEN, 120), (YELLOW, 150)):
        put_trips(folder, file, varied(file, number))
        load(folder, file, settings)
    return settings


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that are asked of the trips in the warehouse."""
    found: list[str] = []
    read = LocalWarehouse.read

    def note(self: LocalWarehouse, sql: str, parameters: Parameters | None = None) -> Answer:
        if "storage." in sql:
            found.append(sql)
        return read(self, sql, parameters)

    monkeypatch.setattr(LocalWarehouse, "read", note)
    return found


def questions(filters: Filters) -> dict[str, Question]:
    return {name: pose(name, filters, "local") for name in CHARTS if name not in BY_FILE}


def answer_all(
    asker: Asker, settings: Settings, asked: dict[str, Question], mark: str = "a mark"
) -> dict[str, Answer]:
    futures = asker.ask("local", settings, mark, asked, frozenset())
    found = {name: future.result(60) for name, future in futures.items()}
    return {name: answer for name, answer in found.items() if isinstance(answer, Answer)}


def test_all_charts_of_a_picked_zone_take_one_look_at_the_trips(
    loaded: Settings, looks: list[str]
) -> None:
    asked, asker = questions(PICKED), Asker()
    found = answer_all(asker, loaded, asked)
    assert len(looks) == 1
    with warehouse(loaded) as opened:
        for name, question in asked.items():
            assert found[name].table == opened.read(question.sql, question.parameters).table, name
            assert found[name].table.num_rows, name
    looks.clear()
    assert answer_all(asker, loaded, asked)["figures"] is found["figures"]
    hours = questions(Filters(zones=PICKED.zones, payments=(1,), hours=(8, 9)))
    answer_all(asker, loaded, hours)
    assert looks == [hours["count"].sql], "all others are asked of the trips that are held"
    looks.clear()
    answer_all(asker, loaded, asked, mark="another mark")
    assert len(looks) == 1, "what was loaded since is seen"


def test_of_too_many_picked_trips_sums_are_made_once(
    loaded: Settings, looks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.charts.shared._MOST", 3)
    found = answer_all(Asker(), loaded, questions(PICKED))
    alone = {sql for sql in looks if "timed_seconds" not in sql}
    assert len(looks) == len(alone) + 1
    assert len(alone) == 4, "fares, distances, pairs and airports"
    with warehouse(loaded) as opened:
        for name, question in questions(PICKED).items():
            assert found[name].table == opened.read(question.sql, question.parameters).table, name


def test_a_chart_that_shares_nothing_is_asked_by_itself(loaded: Settings, looks: list[str]) -> None:
    asked = {name: one for name, one in questions(PICKED).items() if name in ("fares", "zones")}
    may = Filters(first=date(2020, 5, 1), last=date(2020, 5, 31), zones=PICKED.zones)
    april = replace(may, first=date(2020, 4, 1), last=date(2020, 4, 30))
    asked |= {"now": pose("figures", may, "local"), "before": pose("figures", april, "local")}
    answer_all(Asker(), loaded, asked)
    assert sorted(looks) == sorted(asked[name].sql for name in ("fares", "now", "before"))


def test_an_error_of_what_charts_share_is_told_for_each_of_them(
    loaded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Answer:
        raise WarehouseError("The disk is gone.", cure="Bring it back.")

    monkeypatch.setattr(LocalWarehouse, "read", fail)
    futures = Asker().ask("local", loaded, "a mark", questions(PICKED), frozenset())
    for future in futures.values():
        with pytest.raises(WarehouseError, match="The disk is gone"):
            future.result(60)
