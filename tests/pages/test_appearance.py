"""What the eye needs: contrast as WCAG AA asks for, in both themes, and pictures of both.

The figures are those of https://www.w3.org/TR/WCAG22/#contrast-minimum and #non-text-contrast.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pages.components.common.drawing import (
    ACCENT,
    OTHER,
    FigureSpec,
    make_figure,
    styled,
    tinted,
)
from pages.components.common.words import TINTS
from pages.components.explore.place_charts import AIRPORT_COLORS
from pages.components.explore.time_charts import shade
from pages.components.explore.trip_charts import PAYMENT_COLORS
from pages.components.runs.run_charts import draw_durations, draw_rates
from pages.components.runs.run_tables import STEP_COLORS, timeline
from pipeline.answers.suites import report
from pipeline.core.datasets import DATASETS
from pipeline.core.settings.settings import Settings
from pipeline.runs.history import History
from tests.screenshots import FOLDER, MOST_BYTES, SCHEMES, pages
from tests.support.files import GREEN, backfill, put_trips, request, trip

ROOT = Path(__file__).parents[2]
THEMES = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"]
TEXT, SHAPES = 4.5, 3.0  # least contrasts
FADED = 0.6  # the opacity of captions in Streamlit 1.67

Rgb = tuple[float, float, float]


def opaque(color: str) -> str:
    """rgba(...) without transparency as #RRGGBB."""
    *parts, alpha = map(float, re.findall(r"[\d.]+", color))
    assert alpha == 1
    return "#" + "".join(f"{int(part):02X}" for part in parts)


CHART_COLORS = {
    **{f"{dataset} taxis": dataset.tint for dataset in DATASETS.values()},
    **{f"payment {code}": value for code, value in PAYMENT_COLORS.items()},
    **{f"airport {zone}": value for zone, value in AIRPORT_COLORS.items()},
    **{f"step {step}": value for step, value in STEP_COLORS.items()},
    **{f"outcome {outcome}": value for outcome, value in report.COLORS.items()},
    "accent": ACCENT,
    "other": OTHER,
    "end of the scale": opaque(shade(1)),
}


def parse(color: str) -> Rgb:
    """Red, green and blue of #RRGGBB, 0 to 1."""
    red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


def lay(tint: str, below: str) -> Rgb:
    """What rgba(...) looks like on a background."""
    *parts, alpha = map(float, re.findall(r"[\d.]+", tint))
    red, green, blue = (
        alpha * part / 255 + (1 - alpha) * under
        for part, under in zip(parts, parse(below), strict=True)
    )
    return red, green, blue


def luminance(color: Rgb) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in color
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Rgb, other: Rgb) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_measured_as_wcag_does() -> None:
    assert contrast(parse("#000000"), parse("#FFFFFF")) == pytest.approx(21)
    assert contrast(parse("#777777"), parse("#FFFFFF")) == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_text_can_be_read_on_every_background_of_the_theme(scheme: str) -> None:
    theme = THEMES[scheme]
    backgrounds = [parse(theme["backgroundColor"]), parse(theme["secondaryBackgroundColor"])]
    backgrounds += [lay(tint, theme["backgroundColor"]) for tint in TINTS.values()]
    for background in backgrounds:
        assert contrast(parse(theme["textColor"]), background) >= TEXT
    # Labels on the primary color, and those of pills, which it tints by a tenth.
    primary = parse(theme["primaryColor"])
    assert contrast(parse(theme["orangeTextColor"]), primary) >= TEXT
    red, green, blue = (round(part * 255) for part in primary)
    pill = lay(f"rgba({red}, {green}, {blue}, 0.1)", theme["backgroundColor"])
    assert contrast(parse(theme["yellowTextColor"]), pill) >= TEXT


@pytest.mark.parametrize("scheme", SCHEMES)
def test_captions_can_be_read_though_streamlit_fades_them(scheme: str) -> None:
    theme = THEMES[scheme]
    red, green, blue = (round(part * 255) for part in parse(theme["textColor"]))
    for background in (theme["backgroundColor"], theme["secondaryBackgroundColor"]):
        faded = lay(f"rgba({red}, {green}, {blue}, {FADED})", background)
        assert contrast(faded, parse(background)) >= TEXT


@pytest.mark.parametrize("name", CHART_COLORS)
def test_a_charts_color_stands_out_from_both_backgrounds(name: str) -> None:
    for scheme in SCHEMES:
        background = parse(THEMES[scheme]["backgroundColor"])
        assert contrast(parse(CHART_COLORS[name]), background) >= SHAPES, scheme


def fonts(value: Any) -> Iterator[str]:
    """The colors of all text in a figure, or a part of it."""
    for name, inner in value.items() if isinstance(value, dict) else ():
        if name.endswith("font") and "color" in inner:
            yield inner["color"]
        yield from fonts(inner)


def chart_figures(settings: Settings, folder: Path) -> list[FigureSpec]:
    """A figure of each kind: of the trips, of runs, and of a question set's run."""
    put_trips(folder, GREEN, [trip(GREEN)])
    backfill(settings, request(folder, GREEN))
    history = History(settings.history_path)
    (run,) = history.runs()
    timings = history.timings("local", run.run_id)
    rates = draw_rates(timings)
    assert rates is not None
    return [
        make_figure([{"type": "bar", "x": ["a"], "y": [1]}], 100),
        draw_durations(timings).to_dict(),
        rates.to_dict(),
        timeline(run, history.steps(run.run_id)).to_dict(),
        styled(report.draw_rates([]), 100).to_dict(),
    ]


def test_text_in_charts_can_be_read_in_both_themes(settings: Settings, folder: Path) -> None:
    for figure in chart_figures(settings, folder):
        for theme in map(THEMES.__getitem__, SCHEMES):
            drawn = tinted(figure, theme["textColor"], theme["backgroundColor"])
            layout = drawn["layout"]
            assert layout["font"]["color"] == theme["textColor"], "what all other text inherits"
            assert layout.get("template") is None, "it would have colors of its own"
            grounds = {layout["paper_bgcolor"], layout["plot_bgcolor"]}
            assert all(contrast(parse(c), parse(g)) >= TEXT for c in fonts(layout) for g in grounds)


def test_every_chart_is_drawn_in_the_colors_of_the_theme() -> None:
    files = {
        path.name
        for path in (ROOT / "pages").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "plotly_chart"
    }
    assert files == {"themed.py", "cards.py"}, "in cards.py one that cannot be seen"


def test_taxi_yellow_and_green_are_the_colors_of_no_other_part_of_a_chart_with_both() -> None:
    assert not {dataset.tint for dataset in DATASETS.values()} & {
        *PAYMENT_COLORS.values(),
        *AIRPORT_COLORS.values(),
    }


def test_every_page_has_its_pictures_in_both_themes_and_they_are_small() -> None:
    wanted = {f"{page}-{scheme}.png" for page in pages("a-run") for scheme in SCHEMES}
    assert {path.name for path in FOLDER.glob("*.png")} >= wanted
    assert all(path.stat().st_size < MOST_BYTES for path in FOLDER.glob("*.png"))
