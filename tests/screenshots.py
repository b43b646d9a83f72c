"""Photographs every page, light and dark, over the built-in sample: `make screenshots`.

The app is the real one, loaded by its own button, in a home that is thrown away. Times and run ids
differ from one run to the next; everything else stays.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from pipeline.answers.documents.documents import DocumentStore
from pipeline.core.settings.settings import Settings
from pipeline.runs.history import History
from tests.support.browser import ROOT, find_chromium, serve

FOLDER = ROOT / "docs" / "screenshots"
SCHEMES = ("light", "dark")
MOST_BYTES = 200_000
_HEIGHT = 2200  # pixels of a page that are shown at most
_COLORS = (256, 128, 64, 32)  # tried in turn until a picture is small enough

Prepare = Callable[[Page], None]


def _nothing(_page: Page) -> None: ...


def _show_demo(page: Page) -> None:
    page.get_by_role("button", name="Show both answers").click()
    expect(page.get_by_text("4 of 4 claims found")).to_be_visible()


def _run_query(page: Page) -> None:
    page.get_by_role("button", name="Run query").click()
    expect(page.get_by_text(" rows in ")).to_be_visible()


def pages(run_id: str) -> dict[str, tuple[str, Prepare]]:
    """Return each page's address and what is done on it before its picture is taken, by name."""
    months = "from=2020-04&to=2020-08&color=yellow&color=green"
    return {
        "backfill": (f"/?source=sample&{months}", _nothing),
        "preview": ("/preview?source=sample&color=green&month=2020-05", _nothing),
        "explore": ("/explore", _nothing),
        "sql": ("/sql", _run_query),
        "answers": ("/answers", _show_demo),
        "runs": (f"/runs?run={run_id}", _nothing),
        "setup": ("/setup", _nothing),
    }


def take_all(folder: Path, width: int, names: list[str]) -> None:
    """Start the app, load the sample, and write PAGE-light.png and PAGE-dark.png to a folder."""
    path = find_chromium()
    if path is None:
        raise SystemExit(
            "There is no Chromium on the PATH. On Debian: apt-get install chromium-headless-shell"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for variable in [
        name for name in os.environ if name.startswith(("GCP_", "GEMINI_", "OPENAI_"))
    ]:
        del os.environ[variable]
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        home = Path(place) / "home"
        settings = Settings(home=home)
        home.mkdir()
        guide = (ROOT / "docs" / "answers.md").read_text("utf-8")
        DocumentStore(settings.documents_path).add_text("Answers", guide, settings)
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        with serve(home) as address:
            _load_sample(browser, address)
            (run,) = History(settings.history_path).runs()
            for name, (link, prepare) in pages(run.run_id).items():
                for scheme in SCHEMES if not names or name in names else ():
                    target = folder / f"{name}-{scheme}.png"
                    _take(browser, address + link, prepare, scheme, width, target)
                    print(f"{target.name}: {target.stat().st_size:,} bytes")


def _load_sample(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(address)
    page.get_by_role("button", name="Try it with the sample").click()
    expect(page.locator("h1")).to_have_text("Explore", timeout=60_000)
    page.close()


def _take(
    browser: Browser, address: str, prepare: Prepare, scheme: str, width: int, target: Path
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 1000},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    page.goto(address)
    _settle(page)
    prepare(page)
    _settle(page)
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": width, "height": min(height, _HEIGHT)})
    _settle(page)
    page.screenshot(path=target, animations="disabled")
    context.close()
    _shrink(target)


def _settle(page: Page) -> None:
    """Wait until the page is drawn whole, its charts too."""
    expect(page.locator("h1")).to_be_visible(timeout=30_000)
    app = page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning", timeout=30_000)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=30_000)
    page.wait_for_timeout(1500)  # canvases and charts are drawn after the script has ended


def _shrink(path: Path) -> None:
    """Write a picture with as many colors as fit into MOST_BYTES."""
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    for colors in _COLORS:
        # The colors farthest apart are kept, however small what has them is, as a badge.
        found = picture.quantize(colors, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        found.save(path, optimize=True)
        if path.stat().st_size < MOST_BYTES:
            return
    raise SystemExit(f"{path} cannot be made smaller than {MOST_BYTES:,} bytes.")


def main() -> None:
    """Read the command line and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="pages; all of them when none is named")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--width", type=int, default=1280, help="in pixels; 390 is a phone")
    asked = parser.parse_args()
    take_all(asked.folder, asked.width, asked.names)


if __name__ == "__main__":
    main()
