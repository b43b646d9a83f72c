"""Question sets: how they are read, scored, run, stopped, gone on with, compared and exported.

Models are the real client against a local server that speaks the Gemini API.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline.answers.evaluation import (
    estimate,
    is_on,
    plan_calls,
    remaining,
    run_suite,
    start_run,
)
from pipeline.answers.outcomes import contrasts, contrasts_with_earlier, summarize
from pipeline.answers.prices import read_prices
from pipeline.answers.report import document, write_csv, write_html
from pipeline.answers.scoring import Outcome, score
from pipeline.answers.statistics import compare, mcnemar, wilson
from pipeline.answers.suite_runs import Answer, SuiteRun, SuiteRuns
from pipeline.answers.suites import (
    Check,
    Kind,
    Question,
    Suite,
    open_library,
    parse_suite,
    read_suite,
    shipped_suites,
)
from pipeline.cancel import Cancel
from pipeline.errors import UsageError
from pipeline.settings import Settings
from tests.gemini_server import KEY, MODEL, Asked, GeminiServer, Refuse, Say, quota, wait_until
from tests.test_cli import document as json_document
from tests.test_cli import pipeline

SUITE = """
suite: Heron
document: heron.md
questions:
  - question: When was Heron 2.4 released?
    checks: [{date: 2026-03-02}]
  - question: How many flows may a tenant keep?
    checks: [{number: 2048}]
  - id: price
    question: What does Heron cost?
    kind: unanswerable
"""
NOTES = "# Heron 2.4\nReleased on 2 March 2026.\n## Limits\nEach tenant may keep 2,048 flows.\n"


@pytest.fixture
def suite_path(folder: Path) -> Path:
    (folder / "heron.md").write_text(NOTES)
    path = folder / "heron.yaml"
    path.write_text(SUITE)
    return path


@pytest.fixture
def server() -> Iterator[GeminiServer]:
    with GeminiServer(reply=answer_from_sources) as running:
        yield running


@pytest.fixture
def asking(server: GeminiServer, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("GEMINI_BASE_URL", server.url)
    return Settings(home=settings.home)


def answer_from_sources(asked: Asked) -> Say:
    """A model that knows only what it is given, and else guesses wrongly."""
    text = asked.text
    if "What does Heron cost?" in text:
        return Say(("I do not know.",) if "Sources." in text else ("It costs $99 a month.",))
    if "Sources." not in text:
        return Say(("It was 1 May 2020, with 17 flows.",))
    if "How many flows" in text:
        return Say(("A tenant may keep ", "2,048 flows [1]."))
    return Say(("Heron 2.4 was released on March 2, 2026 [1].",))


def new_run(path: Path, settings: Settings, repeats: int = 1) -> SuiteRun:
    return start_run(read_suite(path), path.parent, settings, (MODEL,), repeats=repeats)


def run(
    started: SuiteRun, settings: Settings, cancel: Cancel | None = None, **options: object
) -> SuiteRun:
    return run_suite(started, settings, cancel or Cancel(), calls_a_minute=1e6, **options)  # type: ignore[arg-type]


def kept(run: SuiteRun, settings: Settings) -> list[Answer]:
    return SuiteRuns(settings.suites_path).answers(run.run_id)


# --- reading


def test_the_suites_that_come_with_it_can_be_read_and_ask_enough() -> None:
    suites = {name: read_suite(path) for name, path in shipped_suites().items()}
    assert set(suites) == {"kestra-1.1", "releases"}
    for suite in suites.values():
        kinds = [question.kind for question in suite.questions]
        assert len(kinds) >= 15
        assert {Kind.ANSWERABLE, Kind.UNANSWERABLE, Kind.FALSE_PREMISE} == set(kinds)


def test_right_answers_to_our_own_suite_are_in_our_own_documents(settings: Settings) -> None:
    suite = read_suite(shipped_suites()["releases"])
    library = open_library(suite, settings, Path())
    for question in suite.questions:
        if question.kind == Kind.ANSWERABLE:
            (passage, *others) = plan_calls(
                replace_questions(suite, question), library, (MODEL,), ("rag",)
            )[0].passages
            text = " ".join(one.source for one in (passage, *others))
            assert score(question, text)[0] == Outcome.RIGHT, question.id


def replace_questions(suite: Suite, *questions: Question) -> Suite:
    return Suite(suite=suite.suite, document=suite.document, questions=questions)


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (("suite: Heron", "suit: Heron"), 2, "suit"),
        (("{number: 2048}", "{nummer: 2048}"), 8, "nummer"),
        (("{number: 2048}", "{number: many}"), 8, "number"),
        (("{number: 2048}", "{number: 1, all: x}"), 8, "exactly one"),
        (("{number: 2048}", "{all: ['']}"), 8, "empty"),
        (("    checks: [{date: 2026-03-02}]\n", ""), 5, "needs checks"),
        (("kind: unanswerable", "kind: odd"), 11, "kind"),
        (("id: price", "id: q01"), 2, "two questions have the id q01"),
        (("kind: unanswerable", "kind: [unanswerable"), 12, "not YAML"),
        (("2026-03-02", "2026-13-45"), 0, "date"),
        (("Heron 2.4 released", "*alias"), 0, ""),
    ],
)
def test_a_bad_suite_is_refused_with_its_line_and_a_cure(
    change: tuple[str, str], line: int, words: str
) -> None:
    text = SUITE.replace(*change)
    assert text != SUITE
    if words == "":  # an asterisk within a text is no alias
        assert parse_suite(text.encode(), "x.yaml").questions
        return
    with pytest.raises(UsageError) as refused:
        parse_suite(text.encode(), "x.yaml")
    assert words in refused.value.problem
    assert refused.value.cure
    if line:
        assert f"line {line}" in refused.value.problem


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"just text",
        b"[1, 2]",
        b"a: &a [x]\nb: *a",
        b"[" * 5000,
        b"!!python/object/apply:os.system ['true']",
        b"x" * 1_000_001,
        b"suite: x\ndocument: y\nquestions: []",
        b"suite: x\nsuite: y\n? [a, b]\n: c",
    ],
)
def test_hostile_yaml_is_refused_with_our_own_error(content: bytes) -> None:
    with pytest.raises(UsageError) as refused:
        parse_suite(content, "x.yaml")
    assert refused.value.cure


def test_a_suite_whose_document_is_not_there_says_what_to_do(
    suite_path: Path, settings: Settings
) -> None:
    suite = read_suite(suite_path)
    (suite_path.parent / "heron.md").unlink()
    with pytest.raises(UsageError, match=r"no document heron\.md"):
        open_library(suite, settings, suite_path.parent)
    kestra = read_suite(shipped_suites()["kestra-1.1"])
    with pytest.raises(UsageError, match=r"answers add --preset kestra-1\.1"):
        open_library(kestra, settings, Path())


# --- scoring

ASKED = Question(question="What?", checks=(Check(number=45, tolerance=0.5),))


@pytest.mark.parametrize(
    ("check", "answer", "right"),
    [
        (Check(number=2048), "It keeps **2,048** flows.", True),
        (Check(number=2048), "It keeps 20480 flows.", False),
        (Check(number=0.4), "It begins in 0.4 s.", True),
        (Check(number=0.4), "It is version 10.4.", False),
        (Check(number=45, tolerance=1), "About 44.5 seconds.", True),
        (Check(number=45, tolerance=1), "About 43 seconds.", False),
        (Check(number=3), "three times", True),
        (Check(date="2026-03-02"), "on March 2nd, 2026", True),
        (Check(date="2026-03-02"), "in March 2026", False),
        (Check(all="FlowTrigger"), "The `flowtrigger` does.", True),
        (Check(all=["a", "b"]), "only a", False),
        (Check(any=["ant", "bee"]), "a tenant", False),
        (Check(any=["ant", "bee"]), "a bee", True),
        (Check(none=["never"]), "always", True),
        (Check(none=["never"]), "Never!", False),
    ],
)
def test_a_check_reads_an_answer_as_a_person_would(check: Check, answer: str, right: bool) -> None:
    question = Question(question="What?", checks=(check,))
    assert score(question, answer)[0] == (Outcome.RIGHT if right else Outcome.WRONG)


def test_declining_is_neither_right_nor_wrong() -> None:
    hard = Question(question="What?", kind=Kind.UNANSWERABLE)
    loaded = Question(question="Why?", kind=Kind.FALSE_PREMISE, checks=(Check(any="not removed"),))
    for question in (ASKED, hard, loaded):
        assert score(question, "I do not know.")[0] == Outcome.ABSTAINED
    assert score(hard, "It costs $9.")[0] == Outcome.WRONG
    assert score(loaded, "It was not removed.")[0] == Outcome.RIGHT
    assert score(loaded, "Because of its cost.")[0] == Outcome.WRONG


@given(st.text(max_size=300))
@hypothesis_settings(max_examples=100, deadline=None)
def test_any_answer_has_an_outcome(answer: str) -> None:
    assert score(ASKED, answer)[0] in Outcome


# --- statistics


def test_wilson_gives_the_published_intervals() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    for count, total, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        rate = wilson(count, total)
        assert (round(rate.low, 4), round(rate.high, 4)) == (low, high)
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)


def test_mcnemar_is_the_binomial_test_of_the_pairs_that_differ() -> None:
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(5, 5) == 1.0
    assert math.isclose(mcnemar(0, 5), 2 / 2**5)
    assert math.isclose(mcnemar(1, 9), 2 * (1 + 10) / 2**10)


@given(st.dictionaries(st.text(max_size=3), st.lists(st.tuples(st.booleans(), st.booleans()),
       max_size=4), max_size=8))  # fmt: skip
@hypothesis_settings(max_examples=50, deadline=None)
def test_a_paired_difference_lies_in_its_interval_and_turns_with_its_sides(
    pairs: dict[str, list[tuple[bool, bool]]],
) -> None:
    found = compare(pairs)
    if found is None:
        assert not any(pairs.values())
        return
    assert -1 <= found.low <= found.difference + 1e-9
    assert found.difference - 1e-9 <= found.high <= 1
    turned = compare({key: [(b, a) for a, b in group] for key, group in pairs.items()})
    assert turned is not None
    assert math.isclose(turned.difference, -found.difference, abs_tol=1e-12)
    assert turned.p == found.p


# --- running


def test_both_sides_are_asked_and_every_answer_is_kept_and_judged(
    suite_path: Path, asking: Settings, server: GeminiServer
) -> None:
    seen: list[tuple[object, ...]] = []
    ended = run(new_run(suite_path, asking), asking, on_answer=lambda _, *count: seen.append(count))
    assert (ended.state, ended.calls, len(server.asked("streamGenerateContent"))) == (
        "succeeded",
        6,
        6,
    )
    assert seen == [(n, 6) for n in range(1, 7)]
    outcomes = {(a.question_id, a.side): a.outcome for a in kept(ended, asking)}
    assert outcomes == {
        ("q01", "plain"): "wrong",
        ("q01", "rag"): "right",
        ("q02", "plain"): "wrong",
        ("q02", "rag"): "right",
        ("price", "plain"): "wrong",
        ("price", "rag"): "abstained",
    }
    answer = next(a for a in kept(ended, asking) if (a.question_id, a.side) == ("q02", "rag"))
    assert (answer.claims, answer.claims_found, answer.model_version) == (1, 1, f"{MODEL}-001")
    assert answer.dollars is not None
    assert answer.dollars > 0
    plain, rag = (s for s in summarize(ended, kept(ended, asking)) if s.group == "all")
    assert (plain.side, plain.rates[Outcome.WRONG].count) == ("plain", 3)
    assert (rag.rates[Outcome.RIGHT].count, rag.rates[Outcome.ABSTAINED].count) == (2, 1)
    wrong = next(
        c
        for c in contrasts(ended, kept(ended, asking))
        if (c.group, c.outcome) == ("all", Outcome.WRONG)
    )
    assert (wrong.difference.difference, wrong.difference.only_second) == (-1.0, 3)


def test_the_number_of_calls_and_the_most_they_cost_are_known_before(
    suite_path: Path, asking: Settings, server: GeminiServer
) -> None:
    suite = read_suite(suite_path)
    library = open_library(suite, asking, suite_path.parent)
    calls = plan_calls(suite, library, (MODEL,), repeats=2)
    expected = estimate(calls, read_prices(asking))
    assert (expected.calls, len(server.requests)) == (12, 0)
    ended = run(new_run(suite_path, asking, repeats=2), asking)
    assert expected.dollars is not None
    assert 0 < sum(a.dollars or 0 for a in kept(ended, asking)) <= expected.dollars
    assert estimate(plan_calls(suite, library, ("other",)), read_prices(asking)).dollars is None


def test_a_run_stops_at_once_and_goes_on_without_asking_anything_twice(
    suite_path: Path, asking: Settings, server: GeminiServer
) -> None:
    cancel = Cancel()
    started = new_run(suite_path, asking)

    def stop_after_two(_: Answer, done: int, __: int) -> None:
        if done == 2:
            cancel.set()

    stopped = run(started, asking, cancel, on_answer=stop_after_two)
    assert (stopped.state, len(kept(stopped, asking))) == ("stopped", 2)
    assert {a.side for a in kept(stopped, asking)} == {"plain", "rag"}  # a whole pair
    ended = run(stopped, asking)
    assert (ended.state, len(kept(ended, asking))) == ("succeeded", 6)
    assert len(server.asked("streamGenerateContent")) == 6
    assert remaining(ended, asking) == []


def test_a_spent_daily_quota_stops_the_run_with_what_it_has(
    suite_path: Path, asking: Settings, server: GeminiServer
) -> None:
    server.script = [Say(("I do not know.",)), quota(daily=True)]
    stopped = run(new_run(suite_path, asking), asking)
    assert (stopped.state, len(kept(stopped, asking))) == ("stopped", 1)
    assert "quota" in stopped.reason.lower()


def test_a_blocked_answer_is_left_out_and_asked_again_on_resume(
    suite_path: Path, asking: Settings, server: GeminiServer
) -> None:
    server.script = [Say(block="SAFETY")]
    first = run(new_run(suite_path, asking), asking)
    assert (first.state, len(kept(first, asking))) == ("stopped", 5)
    assert "SAFETY" in first.reason
    assert run(first, asking).state == "succeeded"


def test_a_refused_key_fails_the_run_and_is_not_shown(
    suite_path: Path, asking: Settings, server: GeminiServer
) -> None:
    server.key = "another"
    failed = run(new_run(suite_path, asking), asking)
    assert failed.state == "failed"
    assert KEY not in failed.reason
    assert len(server.requests) == 1


def test_a_model_that_never_answers_ends_the_run(
    suite_path: Path, asking: Settings, server: GeminiServer
) -> None:
    server.reply = lambda _: Say(block="OTHER")
    failed = run(new_run(suite_path, asking), asking)
    assert (failed.state, len(server.requests)) == ("failed", 5)


def test_a_run_ends_at_the_price_that_was_shown(
    suite_path: Path, asking: Settings, server: GeminiServer
) -> None:
    started = replace(new_run(suite_path, asking), most_dollars=0.00001)
    stopped = run(started, asking)
    assert stopped.state == "stopped"
    assert "shown before" in stopped.reason
    assert len(server.requests) == 1


def test_a_run_is_not_gone_on_with_twice_at_once(suite_path: Path, asking: Settings) -> None:
    refused: list[str] = []

    def again(_: Answer, __: int, ___: int) -> None:
        now = SuiteRuns(asking.suites_path).run(started.run_id)
        assert is_on(now, asking)
        try:
            run(now, asking)
        except UsageError as error:
            refused.append(error.problem)

    started = new_run(suite_path, asking)
    ended = run(started, asking, on_answer=again)
    assert len(refused) == 6
    assert not is_on(replace(ended, state="running"), asking)  # as after a crash


def test_calls_are_paced_to_the_quota(suite_path: Path, asking: Settings) -> None:
    waits: list[float] = []
    started = new_run(suite_path, asking)
    run_suite(
        started, asking, Cancel(), calls_a_minute=120, on_wait=lambda _, left: waits.append(left)
    )
    assert waits
    assert max(waits) <= 0.5


# --- exporting

HOSTILE = '<script>alert(1)</script><img src="https://example.org/x.png"> =HYPERLINK("x") \udc80'


@pytest.fixture
def hostile_run(suite_path: Path, settings: Settings) -> tuple[SuiteRun, list[Answer]]:
    text = suite_path.read_text().replace("Heron cost?", "Heron <b>cost</b>?")
    suite_path.write_text(text)
    started = start_run(
        read_suite(suite_path), suite_path.parent, settings, ("<i>model</i>",), ("plain", "rag")
    )
    runs = SuiteRuns(settings.suites_path)
    for side in ("plain", "rag"):
        for number, question in enumerate(started.suite.questions):
            prefix = "=1+1 " if number == 0 else ""
            runs.save(
                started.run_id,
                Answer(question.id, side, "<i>model</i>", 1, "wrong", "why", prefix + HOSTILE, "v",
                       1, 2, 3, 0.1, 0.2, 0.3, 1, 0, "2026-01-01T00:00:00+00:00"),
            )  # fmt: skip
    return started, runs.answers(started.run_id)


def test_the_html_report_is_one_file_that_escapes_everything_and_fetches_nothing(
    hostile_run: tuple[SuiteRun, list[Answer]],
) -> None:
    page = write_html(*hostile_run)
    ours = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert "<script" not in ours
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in ours
    assert "<img" not in ours
    assert "<i>model" not in page
    assert "<b>cost" not in page
    assert "default-src 'none'" in page
    assert not re.search(r"<(?:script|link|iframe)[^>]+(?:src|href)=", page)
    assert "plotly" in page


def test_the_csv_has_every_answer_and_no_formula(
    hostile_run: tuple[SuiteRun, list[Answer]],
) -> None:
    rows = list(csv.DictReader(io.StringIO(write_csv(*hostile_run))))
    assert len(rows) == 6
    assert all(not row["answer"].startswith("=") for row in rows)
    assert rows[0]["answer"].startswith("'=1+1")
    assert rows[2]["question"] == "What does Heron <b>cost</b>?"


def test_the_json_document_has_rates_differences_and_answers(
    hostile_run: tuple[SuiteRun, list[Answer]],
) -> None:
    found = json.loads(json.dumps(document(*hostile_run)))
    assert (found["calls"], found["answered"], len(found["answers"])) == (6, 6, 6)
    assert found["rates"][0]["rates"]["wrong"]["share"] == 1.0
    assert {d["outcome"] for d in found["differences"]} == {"right", "wrong", "abstained"}


def test_a_run_is_compared_with_an_earlier_one(
    suite_path: Path, asking: Settings, server: GeminiServer
) -> None:
    earlier = run(new_run(suite_path, asking), asking)
    server.reply = lambda _: Say(("I do not know.",))
    later = run(new_run(suite_path, asking), asking)
    changes = contrasts_with_earlier(later, kept(later, asking), kept(earlier, asking))
    found = {(c.what.split(":")[0], c.group, c.outcome): c.difference for c in changes}
    assert found["plain", "all", Outcome.ABSTAINED].difference == 1.0
    assert found["with sources", "answerable", Outcome.RIGHT].difference == -1.0


# --- the command


def test_eval_asks_exports_and_tells_in_json_and_words(
    suite_path: Path, asking: Settings, server: GeminiServer, tmp_path: Path
) -> None:
    reports = [tmp_path / "answers.csv", tmp_path / "report.html"]
    result = pipeline(
        asking, "answers", "eval", str(suite_path), "--per-minute", "100000", "--json",
        "--csv", str(reports[0]), "--html", str(reports[1]),
    )  # fmt: skip
    found = json_document(result)
    assert (result.returncode, found["state"], found["answered"]) == (0, "succeeded", 6)
    assert "6 calls, at most $" in result.stderr
    assert all(path.stat().st_size > 500 for path in reports)
    shown = pipeline(asking, "answers", "eval", "--show", found["run_id"])
    assert "100% (2 of 2" in shown.stdout
    listed = json_document(pipeline(asking, "answers", "evals", "--json"))["runs"]
    assert [(row["run_id"], row["state"]) for row in listed] == [(found["run_id"], "succeeded")]
    assert len(server.asked("streamGenerateContent")) == 6
    for text in (result.stdout, result.stderr, *(path.read_text() for path in reports)):
        assert KEY not in text


def test_ctrl_c_stops_a_run_that_resume_finishes(
    suite_path: Path, asking: Settings, server: GeminiServer
) -> None:
    server.script = [Say(("I do not know.",)), Say(("x",), silent=True)]
    command = [sys.executable, "-m", "pipeline", "answers", "eval", str(suite_path), "--json",
               "--per-minute", "100000"]  # fmt: skip
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ.copy()
    ) as process:
        wait_until(lambda: len(server.asked("streamGenerateContent")) == 2, seconds=20)
        process.send_signal(signal.SIGINT)
        stdout, _ = process.communicate(timeout=20)
    stopped = json.loads(stdout)
    assert (stopped["state"], stopped["answered"]) == ("stopped", 1)
    resumed = json_document(
        pipeline(asking, "answers", "eval", "--resume", stopped["run_id"], "--json",
                 "--per-minute", "100000")
    )  # fmt: skip
    assert (resumed["state"], resumed["answered"]) == ("succeeded", 6)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "No question set was given"),
        (["nothing.yaml"], 2, "nothing.yaml cannot be read"),
        (["releases", "--side", "left"], 2, "no side 'left'"),
        (["releases"], 1, "no Gemini API key"),
        (["--resume", "never"], 2, "no suite run 'never'"),
        (["kestra-1.1", "--dry-run"], 2, "were not fetched yet"),
    ],
)
def test_eval_says_what_is_wrong_before_it_asks_anything(
    settings: Settings, arguments: list[str], code: int, words: str
) -> None:
    result = pipeline(settings, "answers", "eval", *arguments, GEMINI_API_KEY="", COLUMNS="300")
    assert (result.returncode, "Traceback" in result.stderr) == (code, False)
    assert words in result.stderr


def test_a_run_that_was_refused_says_so(
    suite_path: Path, asking: Settings, server: GeminiServer
) -> None:
    server.reply = lambda _: Refuse(404, "NOT_FOUND", f"models/{MODEL} is not found")
    result = pipeline(asking, "answers", "eval", str(suite_path), "--per-minute", "100000")
    assert result.returncode == 1
    assert "failed" in result.stdout
