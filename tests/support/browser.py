"""The app as a process of its own, and visitors in a real Chromium who notice what goes wrong."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import socket
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Self
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, expect

ROOT = Path(__file__).parents[2]


def find_chromium() -> str | None:
    """Return the Chromium to drive, or None where there is none."""
    # The shell is the same browser without a window, and takes a seventh less processor time.
    names = (
        "chromium-headless-shell",
        "chromium",
        "chromium-browser",
        "google-chrome",
        "chrome",
    )
    return next(filter(None, map(shutil.which, names)), None)


@contextmanager
def serve(home: Path, auth: Callable[[str], str] = lambda _: "", **variables: str) -> Iterator[str]:
    """Start the app on a free port with this home and no network; yield its address.

    It runs in a folder of its own, so that a developer's secrets.toml is neither read nor written.

    Args:
        auth: Returns what is in auth.toml of an app at an address; none for no such file.
        variables: Settings, without FAREGROUND_.
    """
    place = home.parent / "server"
    (place / ".streamlit").mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / ".streamlit" / "config.toml", place / ".streamlit")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    if content := auth(f"http://127.0.0.1:{port}"):
        (place / ".streamlit" / "auth.toml").write_text(content)
    closed = "http://127.0.0.1:9"  # nothing listens there
    settings = {"HOME": str(home), "GITHUB_URL": closed, "TLC_URL": closed, **variables}
    environment = os.environ | {f"FAREGROUND_{name}": value for name, value in settings.items()}
    log = home.parent / "server.log"
    process = _FORKS.Process(target=_run_app, args=(port, place, environment, log))
    with _without_main():
        process.start()
    try:
        _await_health(f"http://127.0.0.1:{port}/_stcore/health", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.join()


# A server's imports take two seconds of processor time. One process does them for all servers of
# a run of tests, and each server begins as a copy of it that has not yet imported any of our code.
_FORKS = multiprocessing.get_context("forkserver")
_LIBRARIES = (
    "streamlit.web.bootstrap streamlit.web.cli uvicorn.protocols.websockets.auto uvloop h11 "
    "starlette.middleware.sessions pandas plotly.graph_objects pyarrow.compute duckdb sqlglot "
    "markdown_it pydantic_settings filelock sqlite3"
)
_FORKS.set_forkserver_preload(_LIBRARIES.split())


@contextmanager
def _without_main() -> Iterator[None]:
    """Hide `__main__`, which a new process would import: AppTest leaves its page's script there."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _run_app(port: int, place: Path, environment: dict[str, str], log: Path) -> None:
    """Become `streamlit run app.py`, in this folder and with this environment."""
    from streamlit.web.cli import main

    with log.open("wb") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    os.chdir(place)
    os.environ.clear()
    os.environ.update(environment)
    main(["run", str(ROOT / "app.py"), "--server.port", str(port)])


def _await_health(url: str, process: BaseProcess) -> None:
    deadline = time.monotonic() + 30
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < deadline and process.is_alive():
        try:
            with direct.open(url, timeout=2):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the app did not start")


_STAND_STILL = """
addEventListener("DOMContentLoaded", () => {
    const style = document.createElement("style");
    style.textContent = "*, ::before, ::after { animation: none !important }";
    document.head.append(style);
});
"""


class Visitor:
    """A person with a browser profile of their own, who minds every error.

    Leaving the `with` block fails on an error in the console, an exception shown on the page, and
    a request to any other machine.

    Args:
        beside: Somebody whose profile this is, in another tab; a session of its own all the same.
        animated: Whether animations play. Drawing them takes a third of a page's processor time.
        patience: Seconds to wait for anything on the page.
    """

    def __init__(
        self,
        browser: Browser,
        address: str,
        *,
        beside: Visitor | None = None,
        animated: bool = False,
        patience: float = 60,
    ) -> None:
        self.problems: list[str] = []
        self.address = address
        self._patience = 1000 * patience
        self._own = beside is None
        self._context = (
            beside._context
            if beside
            else browser.new_context(
                viewport={"width": 1400, "height": 1600},
                reduced_motion="no-preference" if animated else "reduce",
            )
        )
        self.page: Page = self._context.new_page()
        if not animated:
            self.page.add_init_script(_STAND_STILL)
        self.page.set_default_timeout(self._patience)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", self._watch)
        self._sent = 0
        self.page.on("websocket", lambda socket: socket.on("framesent", self._count))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                assert self.page.get_by_test_id("stException").count() == 0
                assert "Traceback" not in self.page.content()
                assert not self.problems, "\n".join(self.problems)
        finally:
            if self._own:
                self._context.close()
            else:
                self.page.close()

    def open(self, path: str = "/") -> None:
        """Go to a page of the app and wait until it is drawn."""
        self.page.goto(self.address + path)
        self.settle()

    def settle(self) -> None:
        """Wait until the page is drawn whole."""
        expect(self.page.locator("h1")).to_be_visible(timeout=self._patience)
        app = self.page.get_by_test_id("stApp")
        state = "data-test-script-state"
        expect(app).to_have_attribute(state, "notRunning", timeout=self._patience)

    def await_heartbeat(self) -> None:
        """Wait until the idle page has told the server its address, as it does every 3 seconds."""
        enough = self._sent + 2  # the first may have been sent before what the page shows now
        while self._sent < enough:
            self.page.wait_for_timeout(50)
        self.settle()

    def expect_true(self, script: str) -> None:
        """Wait until a JavaScript expression is true; a page goes on moving after it was drawn."""
        self.page.wait_for_function(script)

    def press(self, name: str) -> None:
        """Click the button of this name."""
        self.page.get_by_role("button", name=name).click()

    def press_by_keyboard(self, name: str) -> None:
        """Go to the button of this name with Tab alone, and press it with Enter."""
        focused = "(one => one.tagName === 'BUTTON' ? one.innerText : '')(document.activeElement)"
        for _ in range(60):
            self.page.keyboard.press("Tab")
            if self.page.evaluate(focused).endswith(name):
                self.page.keyboard.press("Enter")
                return
        raise AssertionError(f"Tab does not lead to {name}")

    def pick(self, label: str, option: str) -> None:
        """Choose an option in the selectbox of this label."""
        box = self.page.get_by_role("combobox", name=label)
        box.click()
        box.fill(option)
        box.press("Enter")

    def cell(self, text: str) -> Locator:
        """Return the cells of the grid that say this."""
        return self.page.locator(".st-key-grid [role=gridcell]", has_text=text)

    def _hear(self, message: ConsoleMessage) -> None:
        # On a link to a page Streamlit looks for itself below the page's own path first.
        own_search = "/_stcore/" in message.location.get("url", "")
        if message.type == "error" and not own_search:
            self.problems.append(f"{message.text} {message.location}")

    def _count(self, _frame: bytes | str) -> None:
        self._sent += 1

    def _watch(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws") and parts.hostname != "127.0.0.1":
            self.problems.append(f"a request to {request.url}")
