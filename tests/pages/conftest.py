"""A Chromium for the tests of pages in a browser."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.support.browser import find_chromium


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the tests that need a browser."""
    if "browser" in getattr(item, "fixturenames", ()):
        item.add_marker("browser")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium of a module's tests, each of whose visitors has a profile of its own."""
    path = find_chromium()
    if path is None:
        reason = "no Chromium on the PATH; on Debian: apt-get install chromium-headless-shell"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    expect.set_options(timeout=60_000)  # for a machine that does other things too
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()
