"""Question sets are read, scored, run, stopped, resumed, compared and exported.

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
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.answers.model import TokenUsage
from pipeline.answers.model.names import other_model_notice
from pipeline.answers.model.prices import read_prices
from pipeline.answers.model.prompts import Side
from pipeline.answers.suites.evaluation import (
    OnAnswer,
    estimate_calls,
    is_running,
    plan_calls,
    remaining_calls,
    run_suite,
    start_run,
)
from pipeline.answers.suites.outcomes import contrasts, summarize
from pipeline.answers.suites.progress import seconds_left
from pipeline.answers.suites.report import to_document, write_csv, write_html
from pipeline.answers.suites.scoring import Outcome, score
from pipeline.answers.suites.statistics import compare_pairs, mcnemar, wilson
from pipeline.answers.suites.suite_runs import ScoredAnswer, SuiteRun, SuiteRunStore
from pipeline.answers.suites.suites import (
    AnswerCheck,
    QuestionKind,
    Suite,
    SuiteQuestion,
    open_scope,
    parse_suite,
    read_suite,
    shipped_suites,
)
from pipeline.core.cancel import Cancel
from pipeline.core.errors import UsageError
from pipeline.core.settings.settings import Settings
from tests.support.command import document as json_document
from tests.support.command import pipeline
from tests.support.examples import examples
from tests.support.gemini_server import (
    KEY,
    MODEL,
    GeminiRequest,
    GeminiServer,
    ScriptedAnswer,
    ScriptedError,
    quota_error,
    wait_until,
)

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
    with GeminiServer(respond=answer_from_sources) as running:
        yield running


@pytest.fixture
def keyed(server: GeminiServer, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("GEMINI_BASE_URL", server.url)
    return Settings(home=settings.home)


def answer_from_sources(request: GeminiRequest) -> ScriptedAnswer:
    """Answer as a model that knows only its sources, and guesses wrongly without them."""
    text = request.text
    if "What does Heron cost?" in text:
        return ScriptedAnswer(
            ("I do not know.",) if "Sources." in text else ("It costs $99 a month.",)
        )
    if "Sources." not in text:
        return ScriptedAnswer(("It was 1 May 2020, with 17 flows.",))
    if "How many flows" in text:
        return ScriptedAnswer(("A tenant may keep ", "2,048 flows [1]."))
    return ScriptedAnswer(("Heron 2.4 was released on March 2, 2026 [1].",))


def new_run(path: Path, settings: Settings, repeats: int = 1) -> SuiteRun:
    return start_run(read_suite(path), path.parent, settings, (MODEL,), repeats=repeats)


def run(
    started: SuiteRun,
    settings: Settings,
    cancel: Cancel | None = None,
    on_answer: OnAnswer = lambda _answer, _done, _total: None,
) -> SuiteRun:
    return run_suite(started, settings, cancel or Cancel(), calls_a_minute=1e6, on_answer=on_answer)


def answers_of(run: SuiteRun, settings: Settings) -> list[ScoredAnswer]:
    return SuiteRunStore(settings.suites_path).answers(run.run_id)


# --- reading


def test_shipped_suites_have_questions_of_every_kind() -> None:
    suites = {name: read_suite(path) for name, path in shipped_suites().items()}
    assert set(suites) == {"kestra-1.1", "releases"}
    for suite in suites.values():
        kinds = [question.kind for question in suite.questions]
        assert len(kinds) >= 15
        assert {
            QuestionKind.ANSWERABLE,
            QuestionKind.UNANSWERABLE,
            QuestionKind.FALSE_PREMISE,
        } == set(kinds)


def test_answers_to_our_own_suite_are_in_our_own_documents(settings: Settings) -> None:
    suite = read_suite(shipped_suites()["releases"])
    library = open_scope(suite, settings, Path())
    for question in suite.questions:
        if question.kind == QuestionKind.ANSWERABLE:
            (passage, *others) = plan_calls(
                replace_questions(suite, question), library, (MODEL,), (Side.RAG,)
            )[0].passages
            text = " ".join(p.source for p in (passage, *others))
            assert score(question, text)[0] == Outcome.RIGHT, question.id


def replace_questions(suite: Suite, *questions: SuiteQuestion) -> Suite:
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
def test_invalid_suite_is_refused_with_its_line_and_a_cure(
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


def test_suite_without_its_document_says_what_to_do(suite_path: Path, settings: Settings) -> None:
    suite = read_suite(suite_path)
    (suite_path.parent / "heron.md").unlink()
    with pytest.raises(UsageError, match=r"no document heron\.md"):
        open_scope(suite, settings, suite_path.parent)
    kestra = read_suite(shipped_suites()["kestra-1.1"])
    with pytest.raises(UsageError, match=r"answers add --preset kestra-1\.1"):
        open_scope(kestra, settings, Path())


# --- scoring

QUESTION = SuiteQuestion(question="What?", checks=(AnswerCheck(number=45, tolerance=0.5),))


@pytest.mark.parametrize(
    ("check", "answer", "right"),
    [
        (AnswerCheck(number=2048), "It keeps **2,048** flows.", True),
        (AnswerCheck(number=2048), "It keeps 20480 flows.", False),
        (AnswerCheck(number=0.4), "It begins in 0.4 s.", True),
        (AnswerCheck(number=0.4), "It is version 10.4.", False),
        (AnswerCheck(number=45, tolerance=1), "About 44.5 seconds.", True),
        (AnswerCheck(number=45, tolerance=1), "About 43 seconds.", False),
        (AnswerCheck(number=3), "three times", True),
        (AnswerCheck(date="2026-03-02"), "on March 2nd, 2026", True),
        (AnswerCheck(date="2026-03-02"), "in March 2026", False),
        (AnswerCheck(all="FlowTrigger"), "The `flowtrigger` does.", True),
        (AnswerCheck(all=["a", "b"]), "only a", False),
        (AnswerCheck(any=["ant", "bee"]), "a tenant", False),
        (AnswerCheck(any=["ant", "bee"]), "a bee", True),
        (AnswerCheck(none=["never"]), "always", True),
        (AnswerCheck(none=["never"]), "Never!", False),
    ],
)
def test_check_reads_an_answer_as_a_person_would(
    check: AnswerCheck, answer: str, right: bool
) -> None:
    question = SuiteQuestion(question="What?", checks=(check,))
    assert score(question, answer)[0] == (Outcome.RIGHT if right else Outcome.WRONG)


def test_abstention_is_neither_right_nor_wrong() -> None:
    hard = SuiteQuestion(question="What?", kind=QuestionKind.UNANSWERABLE)
    loaded = SuiteQuestion(
        question="Why?", kind=QuestionKind.FALSE_PREMISE, checks=(AnswerCheck(any="not removed"),)
    )
    for question in (QUESTION, hard, loaded):
        assert score(question, "I do not know.")[0] == Outcome.ABSTAINED
    assert score(hard, "It costs $9.")[0] == Outcome.WRONG
    assert score(loaded, "It was not removed.")[0] == Outcome.RIGHT
    assert score(loaded, "Because of its cost.")[0] == Outcome.WRONG


@given(st.text(max_size=300))
@examples(100)
def test_any_answer_has_an_outcome(answer: str) -> None:
    assert score(QUESTION, answer)[0] in Outcome


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


def test_mcnemar_is_the_binomial_test_of_the_differing_pairs() -> None:
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(5, 5) == 1.0
    assert math.isclose(mcnemar(0, 5), 2 / 2**5)
    assert math.isclose(mcnemar(1, 9), 2 * (1 + 10) / 2**10)


@given(st.dictionaries(st.text(max_size=3), st.lists(st.tuples(st.booleans(), st.booleans()),
       max_size=4), max_size=8))  # fmt: skip
@examples(50)
def test_paired_difference_is_in_its_interval_and_changes_sign_with_its_sides(
    pairs: dict[str, list[tuple[bool, bool]]],
) -> None:
    difference = compare_pairs(pairs)
    if difference is None:
        assert not any(pairs.values())
        return
    assert -1 <= difference.low <= difference.difference + 1e-9
    assert difference.difference - 1e-9 <= difference.high <= 1
    swapped = compare_pairs({key: [(b, a) for a, b in group] for key, group in pairs.items()})
    assert swapped is not None
    assert math.isclose(swapped.difference, -difference.difference, abs_tol=1e-12)
    assert swapped.p == difference.p


# --- running


def test_run_asks_both_sides_and_stores_every_answer_with_its_score(
    suite_path: Path, keyed: Settings, server: GeminiServer
) -> None:
    seen: list[tuple[object, ...]] = []
    ended = run(new_run(suite_path, keyed), keyed, on_answer=lambda _, *count: seen.append(count))
    assert (ended.state, ended.calls, len(server.requests_to("streamGenerateContent"))) == (
        "succeeded",
        6,
        6,
    )
    assert seen == [(n, 6) for n in range(1, 7)]
    outcomes = {(a.question_id, a.side): a.outcome for a in answers_of(ended, keyed)}
    assert outcomes == {
        ("q01", "plain"): "wrong",
        ("q01", "rag"): "right",
        ("q02", "plain"): "wrong",
        ("q02", "rag"): "right",
        ("price", "plain"): "wrong",
        ("price", "rag"): "abstained",
    }
    answer = next(a for a in answers_of(ended, keyed) if (a.question_id, a.side) == ("q02", "rag"))
    assert (answer.claims, answer.claims_found, answer.model_version) == (1, 1, f"{MODEL}-001")
    assert answer.dollars is not None
    assert answer.dollars > 0
    plain, rag = (s for s in summarize(ended, answers_of(ended, keyed)) if s.group == "all")
    assert (plain.side, plain.rates[Outcome.WRONG].count) == ("plain", 3)
    assert (rag.rates[Outcome.RIGHT].count, rag.rates[Outcome.ABSTAINED].count) == (2, 1)
    wrong = next(
        c
        for c in contrasts(ended, answers_of(ended, keyed))
        if (c.group, c.outcome) == ("all", Outcome.WRONG)
    )
    assert (wrong.difference.difference, wrong.difference.only_second) == (-1.0, 3)


def test_estimate_bounds_the_calls_and_dollars_of_a_run(
    suite_path: Path, keyed: Settings, server: GeminiServer
) -> None:
    suite = read_suite(suite_path)
    library = open_scope(suite, keyed, suite_path.parent)
    calls = plan_calls(suite, library, (MODEL,), repeats=2)
    expected = estimate_calls(calls, read_prices(keyed))
    assert (expected.calls, len(server.requests)) == (12, 0)
    ended = run(new_run(suite_path, keyed, repeats=2), keyed)
    assert expected.dollars is not None
    assert 0 < sum(a.dollars or 0 for a in answers_of(ended, keyed)) <= expected.dollars
    assert (
        estimate_calls(plan_calls(suite, library, ("other",)), read_prices(keyed)).dollars is None
    )


def test_stopped_run_resumes_without_asking_twice(
    suite_path: Path, keyed: Settings, server: GeminiServer
) -> None:
    cancel = Cancel()
    started = new_run(suite_path, keyed)

    def stop_after_two(_: ScoredAnswer, done: int, __: int) -> None:
        if done == 2:
            cancel.set()

    stopped = run(started, keyed, cancel, on_answer=stop_after_two)
    assert (stopped.state, len(answers_of(stopped, keyed))) == ("stopped", 2)
    assert {a.side for a in answers_of(stopped, keyed)} == {"plain", "rag"}  # a whole pair
    ended = run(stopped, keyed)
    assert (ended.state, len(answers_of(ended, keyed))) == ("succeeded", 6)
    assert len(server.requests_to("streamGenerateContent")) == 6
    assert remaining_calls(ended, keyed) == []


def test_spent_daily_quota_stops_the_run_with_its_answers(
    suite_path: Path, keyed: Settings, server: GeminiServer
) -> None:
    server.script = [ScriptedAnswer(("I do not know.",)), quota_error(daily=True)]
    stopped = run(new_run(suite_path, keyed), keyed)
    assert (stopped.state, len(answers_of(stopped, keyed))) == ("stopped", 1)
    assert "quota" in stopped.reason.lower()


def test_blocked_answer_is_left_out_and_asked_again_on_resume(
    suite_path: Path, keyed: Settings, server: GeminiServer
) -> None:
    server.script = [ScriptedAnswer(block="SAFETY")]
    first = run(new_run(suite_path, keyed), keyed)
    assert (first.state, len(answers_of(first, keyed))) == ("stopped", 5)
    assert "SAFETY" in first.reason
    assert run(first, keyed).state == "succeeded"


def test_refused_key_fails_the_run_and_is_not_shown(
    suite_path: Path, keyed: Settings, server: GeminiServer
) -> None:
    server.key = "another"
    failed = run(new_run(suite_path, keyed), keyed)
    assert failed.state == "failed"
    assert KEY not in failed.reason
    assert len(server.requests) == 1


def test_model_that_never_answers_ends_the_run(
    suite_path: Path, keyed: Settings, server: GeminiServer
) -> None:
    server.respond = lambda _: ScriptedAnswer(block="OTHER")
    failed = run(new_run(suite_path, keyed), keyed)
    assert (failed.state, len(server.requests)) == ("failed", 5)


def test_run_stops_at_the_estimated_price(
    suite_path: Path, keyed: Settings, server: GeminiServer
) -> None:
    started = replace(new_run(suite_path, keyed), most_dollars=0.00001)
    stopped = run(started, keyed)
    assert stopped.state == "stopped"
    assert "maximum cost" in stopped.reason
    assert len(server.requests) == 1


def test_run_refuses_to_compare_two_names_that_one_model_answered(
    suite_path: Path, server: GeminiServer, keyed: Settings
) -> None:
    server.respond = lambda _request: ScriptedAnswer(answered="gemini-3.8-flash")
    names = ("gemini-3.7-flash", "gemini-3.8-flash")
    run = start_run(read_suite(suite_path), suite_path.parent, keyed, names, (Side.RAG,))
    ended = run_suite(run, keyed, Cancel(), calls_a_minute=1e6)
    assert ended.state == "stopped"
    assert "were both answered by gemini-3.8-flash" in ended.reason
    answers = SuiteRunStore(keyed.suites_path).answers(run.run_id)
    assert len(answers) == 2
    prices = read_prices(keyed)
    assert answers[0].dollars == prices.cost("gemini-3.8-flash", TokenUsage(11, 2, 5))
    document = to_document(ended, answers)
    assert document["notices"] == [other_model_notice("gemini-3.7-flash", "gemini-3.8-flash")]
    assert "gemini-3.8-flash answered" in write_html(ended, answers)


def test_answers_of_another_model_are_not_compared_with_an_earlier_run(
    suite_path: Path, server: GeminiServer, keyed: Settings
) -> None:
    runs = []
    for answered in ("gemini-3.7-flash", "gemini-3.8-flash", "gemini-3.8-flash-001"):
        server.respond = lambda _request, name=answered: ScriptedAnswer(answered=name)
        run = start_run(
            read_suite(suite_path), suite_path.parent, keyed, ("gemini-3.7-flash",), (Side.RAG,)
        )
        run_suite(run, keyed, Cancel(), calls_a_minute=1e6)
        runs.append((run, SuiteRunStore(keyed.suites_path).answers(run.run_id)))
    (_, old), (run, new), (_, revised) = runs
    assert contrasts(run, new, old) == []
    assert contrasts(run, new, revised) != []


def test_time_left_is_that_of_the_answers_so_far_whatever_the_break(
    suite_path: Path, keyed: Settings
) -> None:
    run = start_run(read_suite(suite_path), suite_path.parent, keyed, (MODEL,), (Side.RAG,))
    run_suite(run, keyed, Cancel(), calls_a_minute=1e6)
    (answer, *_) = SuiteRunStore(keyed.suites_path).answers(run.run_id)
    begun = datetime(2026, 11, 1, 12)
    at = [0, 7, 14, 3600, 3607, 3614]  # seconds; the run was stopped for an hour
    answers = [
        replace(answer, answered_at=(begun + timedelta(seconds=second)).isoformat())
        for second in at
    ]
    assert seconds_left(answers, 16) == pytest.approx(70)
    assert seconds_left(answers[:3], 16) is None
    assert seconds_left(answers, 6) == 0


def test_run_cannot_be_resumed_twice_at_the_same_time(suite_path: Path, keyed: Settings) -> None:
    refused: list[str] = []

    def again(_: ScoredAnswer, __: int, ___: int) -> None:
        now = SuiteRunStore(keyed.suites_path).run(started.run_id)
        assert is_running(now, keyed)
        try:
            run(now, keyed)
        except UsageError as error:
            refused.append(error.problem)

    started = new_run(suite_path, keyed)
    ended = run(started, keyed, on_answer=again)
    assert len(refused) == 6
    assert not is_running(replace(ended, state="running"), keyed)  # as after a crash


def test_calls_are_paced_to_the_quota(
    suite_path: Path, keyed: Settings, server: GeminiServer
) -> None:
    waits: list[float] = []
    cancel = Cancel()

    def stop(_why: str, left: float) -> None:
        waits.append(left)
        cancel.set()

    run_suite(new_run(suite_path, keyed), keyed, cancel, calls_a_minute=2, on_wait=stop)
    assert 0 < waits[0] <= 30
    assert len(server.requests_to("streamGenerateContent")) == 1


# --- exporting

HOSTILE = '<script>alert(1)</script><img src="https://example.org/x.png"> =HYPERLINK("x") \udc80'


@pytest.fixture
def hostile_run(suite_path: Path, settings: Settings) -> tuple[SuiteRun, list[ScoredAnswer]]:
    text = suite_path.read_text().replace("Heron cost?", "Heron <b>cost</b>?")
    suite_path.write_text(text)
    started = start_run(read_suite(suite_path), suite_path.parent, settings, ("<i>model</i>",))
    runs = SuiteRunStore(settings.suites_path)
    for side in Side:
        for number, question in enumerate(started.suite.questions):
            prefix = "=1+1 " if number == 0 else ""
            answer = ScoredAnswer(
                *(question.id, side, "<i>model</i>", 1, "wrong", "why", prefix + HOSTILE, "v"),
                *(1, 2, 3, 0.1, 0.2, 0.3, 1, 0, "2026-01-01T00:00:00+00:00"),
            )
            runs.save(started.run_id, answer)
    return started, runs.answers(started.run_id)


def test_html_report_escapes_everything_and_fetches_nothing(
    hostile_run: tuple[SuiteRun, list[ScoredAnswer]],
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


def test_csv_has_every_answer_and_no_formula(
    hostile_run: tuple[SuiteRun, list[ScoredAnswer]],
) -> None:
    rows = list(csv.DictReader(io.StringIO(write_csv(*hostile_run))))
    assert len(rows) == 6
    assert all(not row["answer"].startswith("=") for row in rows)
    assert rows[0]["answer"].startswith("'=1+1")
    assert rows[2]["question"] == "What does Heron <b>cost</b>?"


def test_json_document_has_rates_differences_and_answers(
    hostile_run: tuple[SuiteRun, list[ScoredAnswer]],
) -> None:
    run_document = json.loads(json.dumps(to_document(*hostile_run)))
    counts = (run_document["calls"], run_document["answered"], len(run_document["answers"]))
    assert counts == (6, 6, 6)
    assert run_document["rates"][0]["rates"]["wrong"]["share"] == 1.0
    assert {d["outcome"] for d in run_document["differences"]} == {"right", "wrong", "abstained"}


def test_run_is_compared_with_an_earlier_one(
    suite_path: Path, keyed: Settings, server: GeminiServer
) -> None:
    earlier = run(new_run(suite_path, keyed), keyed)
    server.respond = lambda _: ScriptedAnswer(("I do not know.",))
    later = run(new_run(suite_path, keyed), keyed)
    changes = contrasts(later, answers_of(later, keyed), answers_of(earlier, keyed))
    differences = {(c.what.split(":")[0], c.group, c.outcome): c.difference for c in changes}
    assert differences["plain", "all", Outcome.ABSTAINED].difference == 1.0
    assert differences["with sources", "answerable", Outcome.RIGHT].difference == -1.0


# --- the command


def test_eval_runs_a_suite_and_exports_it(
    suite_path: Path, keyed: Settings, server: GeminiServer, tmp_path: Path
) -> None:
    reports = [tmp_path / "answers.csv", tmp_path / "report.html"]
    result = pipeline(
        keyed, "answers", "eval", str(suite_path), "--per-minute", "100000", "--json",
        "--csv", str(reports[0]), "--html", str(reports[1]),
    )  # fmt: skip
    ended = json_document(result)
    assert (result.returncode, ended["state"], ended["answered"]) == (0, "succeeded", 6)
    assert "6 calls, at most $" in result.stderr
    assert all(path.stat().st_size > 500 for path in reports)
    shown = pipeline(keyed, "answers", "eval", "--show", ended["run_id"])
    assert "100% (2 of 2" in shown.stdout
    listed = json_document(pipeline(keyed, "answers", "evals", "--json"))["runs"]
    assert [(row["run_id"], row["state"]) for row in listed] == [(ended["run_id"], "succeeded")]
    assert len(server.requests_to("streamGenerateContent")) == 6
    for text in (result.stdout, result.stderr, *(path.read_text() for path in reports)):
        assert KEY not in text


def test_ctrl_c_stops_a_run_that_resume_completes(
    suite_path: Path, keyed: Settings, server: GeminiServer
) -> None:
    server.script = [ScriptedAnswer(("I do not know.",)), ScriptedAnswer(("x",), silent=True)]
    command = [sys.executable, "-m", "pipeline", "answers", "eval", str(suite_path), "--json",
               "--per-minute", "100000"]  # fmt: skip
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ.copy()
    ) as process:
        wait_until(lambda: len(server.requests_to("streamGenerateContent")) == 2, seconds=60)
        process.send_signal(signal.SIGINT)
        stdout, _ = process.communicate(timeout=60)
    stopped = json.loads(stdout)
    assert (stopped["state"], stopped["answered"]) == ("stopped", 1)
    resumed = json_document(
        pipeline(keyed, "answers", "eval", "--resume", stopped["run_id"], "--json",
                 "--per-minute", "100000")
    )  # fmt: skip
    assert (resumed["state"], resumed["answered"]) == ("succeeded", 6)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "No question set was given"),
        (["nothing.yaml"], 2, "nothing.yaml cannot be read"),
        (["releases", "--side", "left"], 2, "no side 'left'"),
        (["releases"], 1, "Gemini is not set up"),
        (["--resume", "never"], 2, "no suite run 'never'"),
        (["kestra-1.1", "--dry-run"], 2, "were not fetched yet"),
    ],
)
def test_eval_reports_errors_before_it_asks_anything(
    settings: Settings, arguments: list[str], code: int, words: str
) -> None:
    result = pipeline(settings, "answers", "eval", *arguments, GEMINI_API_KEY="", COLUMNS="300")
    assert (result.returncode, "Traceback" in result.stderr) == (code, False)
    assert words in result.stderr


def test_refused_run_is_reported_as_failed(
    suite_path: Path, keyed: Settings, server: GeminiServer
) -> None:
    server.respond = lambda _: ScriptedError(404, "NOT_FOUND", f"models/{MODEL} is not found")
    result = pipeline(keyed, "answers", "eval", str(suite_path), "--per-minute", "100000")
    assert result.returncode == 1
    assert "failed" in result.stdout
