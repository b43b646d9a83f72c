"""What docs/security.md promises and no other test holds: server, hostile input, packages."""

from __future__ import annotations

import ast
import gzip
import http.client
import json
import os
import re
import resource
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pages.components.common.runs import jobs
from pipeline.answers.documents.documents import DocumentStore
from pipeline.core.errors import DocumentError
from pipeline.core.settings.settings import Settings
from tests import licences
from tests.pages.test_pages import check, fresh_server, open_app, texts
from tests.pages.test_preview_page import look, show
from tests.support.browser import serve
from tests.support.files import (
    GREEN,
    backfill,
    csv_bytes,
    header,
    put,
    put_parquet,
    request,
    rows,
    trip,
)

__all__ = ["fresh_server"]  # a fixture that applies to every test here

ROOT = Path(__file__).parents[2]
PAGES = ("backfill", "preview", "explore", "sql", "answers", "runs", "setup")
HOSTILE = (
    "![x](http://evil.example/p)",
    "<img src=x onerror=alert(1)>",
    "'; DROP TABLE green_tripdata; --",
    "\"); ATTACH '/tmp/evil.duckdb' AS evil; --",
    "../../../../etc/passwd",
    "{path}${HOME}$(id)`id`",
    "[click](javascript:alert(1))",
    ":streamlit: $x^2$ **b**",
)
# What only text that was not escaped can hold. An address alone shows as itself and is harmless.
ACTS = re.compile(r"(?<!\\)!\[|(?<!\\)<img|(?<!\\)\]\(javascript|(?<!\\):streamlit:|(?<!\\)\$x")


def test_the_configuration_in_force_is_the_careful_one() -> None:
    script = (
        "import json; from streamlit import config; config.get_config_options(True);"
        "names = ['server.address', 'server.enableXsrfProtection', 'server.enableCORS',"
        " 'server.allowedHosts', 'client.showErrorDetails', 'browser.gatherUsageStats',"
        " 'logger.enableRich', 'server.enableStaticServing', 'server.maxUploadSize',"
        " 'global.developmentMode'];"
        "print(json.dumps({name: config.get_option(name) for name in names}))"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("STREAMLIT_")}
    said = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(said.stdout.splitlines()[-1]) == {
        "server.address": "127.0.0.1",
        "server.enableXsrfProtection": True,
        "server.enableCORS": True,
        "server.allowedHosts": ["127.0.0.1", "localhost"],
        "client.showErrorDetails": "none",
        "browser.gatherUsageStats": False,
        "logger.enableRich": False,
        "server.enableStaticServing": False,
        "server.maxUploadSize": 300,
        "global.developmentMode": False,
    }


def ask(address: str, method: str, path: str, **headers: str) -> int:
    """Return the status that a server answers a request with."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=named)
        return connection.getresponse().status
    finally:
        connection.close()


def test_the_server_answers_no_page_from_elsewhere(tmp_path: Path) -> None:
    socket = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec_WebSocket_Version": "13",
        "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    evil = "http://evil.example"
    with serve(tmp_path / "home") as address:
        assert ask(address, "GET", "/") == 200
        assert ask(address, "GET", "/_stcore/stream", Origin=address, **socket) == 101
        assert ask(address, "GET", "/_stcore/stream", Origin=evil, **socket) == 403
        # A page from elsewhere that has made its own name lead to this machine.
        named = {"Host": "evil.example", "Origin": evil}
        assert ask(address, "GET", "/_stcore/stream", **named, **socket) in (400, 403)
        upload = "/_stcore/upload_file/a-session/a-file"
        assert ask(address, "PUT", upload, Origin=address) == 403  # without the token
        for path in ("/../../etc/passwd", "/app/static/../../secrets.toml", "/media/%2e%2e%2fx"):
            assert ask(address, "GET", path) in (200, 400, 403, 404)
            assert b"root:" not in read(address, path)


def read(address: str, path: str) -> bytes:
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


def test_hostile_column_names_and_cells_load_as_the_letters_they_are(
    settings: Settings, folder: Path
) -> None:
    names = [*header(GREEN.dataset), *HOSTILE]
    extra = dict.fromkeys(HOSTILE, "x")
    flags = [trip(GREEN, store_and_fwd_flag=text, **extra) for text in (*HOSTILE, "$x^2$", "N")]
    put(folder, GREEN, csv_bytes(GREEN, flags, names))
    before = sorted(path.name for path in Path("/tmp").glob("evil*"))
    lenient = settings.model_copy(update={"max_rejected_share": 1.0})
    state, files = backfill(lenient, request(folder, GREEN))
    # A flag is a letter or a short word: long ones are rejects, with the text they have.
    assert (state, files[GREEN].rows, files[GREEN].rejected) == ("succeeded", 2, len(HOSTILE))
    kept = {flag for (flag,) in rows(settings, "SELECT store_and_fwd_flag FROM green_tripdata")}
    assert kept == {"$x^2$", "N"}
    rejected = "\n".join(text for (text,) in rows(settings, "SELECT content FROM rejects"))
    assert all(text.replace('"', '""') in rejected for text in HOSTILE)
    assert sorted(path.name for path in Path("/tmp").glob("evil*")) == before


def test_hostile_columns_of_a_parquet_file_load_as_the_letters_they_are(
    settings: Settings, folder: Path
) -> None:
    known = ", ".join(f"'{value}' AS {name}" for name, value in trip(GREEN).items() if value)
    quoted = ", ".join(f'1 AS "{name.replace(chr(34), chr(34) * 2)}"' for name in HOSTILE)
    put_parquet(folder, GREEN, f"SELECT {known}, {quoted}")
    state, files = backfill(settings, request(folder, GREEN))
    assert (state, files[GREEN].rows) == ("succeeded", 1)


def everything(app: object) -> Iterator[str]:
    """Yield the text of all that a page wrote as Markdown or text."""
    for kind in ("markdown", "caption", "title", "subheader", "error", "warning", "info"):
        for element in getattr(app, kind):
            yield str(element.value)
    for kind in ("button", "expander"):
        for element in getattr(app, kind):
            yield str(element.label)


def test_hostile_columns_act_nowhere_on_the_preview_page(settings: Settings, folder: Path) -> None:
    names = [*header(GREEN.dataset), *HOSTILE]
    put(folder, GREEN, csv_bytes(GREEN, [trip(GREEN, **dict.fromkeys(HOSTILE, HOSTILE[0]))], names))
    app = look(folder)
    for view in ("columns", "profile", "findings"):
        app = show(app, view)
        for text in everything(app):
            assert not ACTS.search(text), text
    assert any("evil" in text for text in everything(show(app, "columns")))
    del settings


@pytest.mark.parametrize("page", PAGES)
def test_hostile_addresses_act_on_no_page(settings: Settings, page: str) -> None:
    names = [
        *("color", "from", "to", "source", "policy", "force", "target", "run", "month", "view"),
        *("mode", "tab", "question", "q"),
        *("taxi", "since", "until", "payment", "borough", "pickup", "miles", "by", "day", "slot"),
        *("paid", "zone", "picture", "strays", "subject", "model", "suite"),
    ]
    params = {name: HOSTILE[number % len(HOSTILE)] for number, name in enumerate(names)}
    app = check(open_app(f"pages/{page}.py", **params))
    for text in everything(app):
        assert not ACTS.search(text), text
    assert "root:" not in texts(app)
    assert jobs().current() is None
    made = {path.name for path in settings.home.rglob("*")} if settings.home.exists() else set()
    assert not {name for name in made if "passwd" in name or "evil" in name}


_SUSPECT = re.compile(r"\b(eval|exec|system|loads|load|html|iframe|shell)\b")
_RUNS_CODE = ("eval", "exec", "os.system", "pickle.loads", "yaml.load")


def test_no_page_writes_html_or_calls_what_runs_code() -> None:
    for path in [*(ROOT / "pages").rglob("*.py"), *(ROOT / "pipeline").rglob("*.py")]:
        source = path.read_text()
        assert "unsafe_allow_html" not in source, path
        assert "allow_dangerous_deserialization" not in source, path
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("eval", "exec", "os.system", "pickle.loads", "yaml.load"), (
                    path
                )
                assert not called.endswith(("st.html", "components.v1.html", "st.iframe")), path
                shell = [word for word in node.keywords if word.arg == "shell"]
                assert not shell, path


def test_every_statement_is_filled_in_with_constants_alone() -> None:
    """`statement` puts names into SQL; only these modules call it, with what trips.py makes."""
    callers = {
        str(path.relative_to(ROOT))
        for path in [*(ROOT / "pipeline").rglob("*.py"), *(ROOT / "pages").rglob("*.py")]
        if re.search(r"\bstatement\(", path.read_text())
    }
    assert all(caller.startswith("pipeline/") for caller in callers)
    for path in (ROOT / "pages").rglob("*.py"):
        assert not re.search(r"\.execute\(|duckdb\.sql", path.read_text()), path


def pdf_bomb() -> bytes:
    """A PDF of some kilobytes whose one page unpacks to 256 MiB, twice packed."""
    packer = zlib.compressobj(1)
    once = b"".join(packer.compress(b" " * 2**20) for _ in range(256)) + packer.flush()
    stream = zlib.compress(once, 9)
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>",
        b"<</Filter[/FlateDecode/FlateDecode]/Length %d>>stream\n" % len(stream)
        + stream
        + b"\nendstream",
    ]
    made, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    end = b"xref\n0 5\n0000000000 65535 f \n%strailer<</Size 5/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF"
    return made + end % (table, len(made))


def test_bombs_among_documents_are_refused_in_time_and_memory(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = DocumentStore(settings.documents_path)
    monkeypatch.setattr("pipeline.answers.documents.html.SECONDS", 2)
    bombs = {
        "bomb.pdf": pdf_bomb(),
        "packed.md": gzip.compress(b" " * 50_000_000),
        "packed.txt": b"PK\3\4" + b"\0" * 1000,
        "nested.html": b"<div>" * 100_000,
    }
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, content in bombs.items():
        assert len(content) < 3_000_000
        started = time.monotonic()
        with pytest.raises(DocumentError) as refusal:
            documents.add(name, content, f"upload:{name}", settings)
        assert refusal.value.cure
        assert name in str(refusal.value)
        assert time.monotonic() - started < 60
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # KiB
    assert documents.documents() == []


# Each is as large as a document may be, or has as many lines as one may have.
MARKDOWN_BOMBS = {
    "header row above every piece of a table": "|"
    + "a" * 2_000_000
    + "|\n|-|\n"
    + "| b |\n" * 190_000,
    "heading above every piece of a text": "# "
    + "a" * 2_000_000
    + "\n\n"
    + "Words go on. " * 200_000,
    "six long headings above each other": "".join(
        "#" * level + " " + "a" * 400_000 + "\n" for level in range(1, 7)
    )
    + "Words go on. " * 150_000,
    "headings above short sections": "# " + "a " * 200 + "\n" + "## b\n\nc\n" * 66_000,
    "table of a million columns": "|"
    + "a|" * 800_000
    + "\n|"
    + "-|" * 800_000
    + "\n"
    + "|x\n" * 100,
    "cells that rows lack": "|" + "a|" * 199 + "\n|" + "-|" * 199 + "\n" + "x\n" * 190_000,
    "long version": "---\nversion: " + "1" * 4_900 + ".2\n---\n" + "# a\n\nb\n" * 60_000,
    "nested lists": ("- " * 2_000 + "a\n") * 1_200,
}


_QUICK = ("six long headings above each other", "heading above every piece of a text")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in _QUICK else pytest.mark.slow)
        for name in MARKDOWN_BOMBS
    ],
)
def test_markdown_bomb_is_added_or_refused_in_time_and_memory(
    settings: Settings, folder: Path, name: str
) -> None:
    path = folder / "bomb.md"
    path.write_text(MARKDOWN_BOMBS[name])
    code = (
        "import resource, runpy, sys\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2 * 2**30, 2 * 2**30))\n"
        "sys.argv[0] = 'pipeline'\n"
        "runpy.run_module('pipeline', run_name='__main__', alter_sys=True)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "answers", "add", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == 0 or "✕ bomb.md has " in done.stderr, done.stderr
    if settings.documents_path.exists():
        assert settings.documents_path.stat().st_size < 60_000_000


def test_every_upload_has_a_limit_and_a_list_of_kinds() -> None:
    found = 0
    for path in (ROOT / "pages").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".file_uploader"):
                given = {word.arg for word in node.keywords}
                assert {"type", "max_upload_size"} <= given, path
                found += 1
    assert found == 3


@pytest.mark.parametrize("name", [*licences.FILES, "requirements-emulators.txt"])
def test_every_package_is_pinned_to_one_version(name: str) -> None:
    assert licences.pinned(name)


def test_every_required_package_is_listed_with_its_licence() -> None:
    listed = {
        re.sub(r"[-_.]+", "-", name).lower(): (version, licence)
        for name, version, licence, _ in re.findall(
            r"^\| (\S+) \| (\S+) \| (.+?) \| (.+?) \|$", licences.PAGE.read_text(), re.MULTILINE
        )
    }
    for file in licences.FILES:
        for name, version in licences.pinned(file).items():
            assert name in listed, f"{name}: run `make licences`"
            assert listed[name][0] == version, f"{name}: run `make licences`"
    assert len(listed) > 60
    assert not [name for name, (_, licence) in listed.items() if licence == "not stated"]


def test_the_threat_model_names_tests_that_exist() -> None:
    page = (ROOT / "docs" / "security.md").read_text()
    lines = [line for line in page.splitlines() if line.startswith("| ") and "`test_" in line]
    assert len(lines) >= 20
    named = set(re.findall(r"`(test_\w+)`", page))
    sources = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert named <= set(re.findall(r"^def (test_\w+)\(", sources, re.MULTILINE))
