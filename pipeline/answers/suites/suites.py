"""Read question sets: YAML files of questions, with what a right answer must hold.

    suite: Heron 2.4
    document: heron-2.4.md            # a file beside this one, `own`, `preset:NAME`, or a kept one
    questions:
      - question: When was Heron 2.4 released?
        checks:
          - date: 2025-10-07
      - question: What does the business plan of Heron 2.4 cost?
        kind: unanswerable

A check names one thing: `all` or `any` of some texts, `none` of them, a `number` (with a
`tolerance`), or a `date`. An answer is right when it passes all of its question's checks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date as Date
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipeline.answers.documents.documents import DocumentStore
from pipeline.answers.documents.presets import PRESETS
from pipeline.core.errors import UsageError
from pipeline.core.regular_file import read_regular_file
from pipeline.core.settings.settings import Settings

DATA = Path(__file__).parents[1] / "data"
MAX_BYTES = 1_000_000
MAX_QUESTIONS = 500
MAX_DEPTH = 10

Phrases = tuple[str, ...]


class QuestionKind(StrEnum):
    """Whether a question can be answered; of a false premise a right answer says what is wrong."""

    ANSWERABLE = "answerable"
    UNANSWERABLE = "unanswerable"
    FALSE_PREMISE = "false-premise"


class _StrictModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AnswerCheck(_StrictModel):
    """One thing that a right answer has, or does not have."""

    all: Phrases = ()
    any: Phrases = ()
    none: Phrases = ()
    number: float | None = None
    tolerance: float = Field(0.0, ge=0)
    date: Date | None = None

    @field_validator("all", "any", "none", mode="before")
    @classmethod
    def _as_phrases(cls, value: Any) -> Any:
        phrases = value if isinstance(value, list) else [value]
        return [str(item) if isinstance(item, (int, float)) else item for item in phrases]

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        given = [self.all, self.any, self.none, self.number is not None, self.date]
        if sum(map(bool, given)) != 1:
            raise ValueError("a check has exactly one of all, any, none, number and date")
        if self.tolerance and self.number is None:
            raise ValueError("only a number has a tolerance")
        if not all(text.strip() for text in (*self.all, *self.any, *self.none)):
            raise ValueError("a text to look for is empty")
        return self


class SuiteQuestion(_StrictModel):
    """A question of a suite with its checks; `id` is unique within the suite."""

    id: str = Field("", max_length=60)
    question: str = Field(min_length=3, max_length=2000)
    kind: QuestionKind = QuestionKind.ANSWERABLE
    checks: tuple[AnswerCheck, ...] = ()

    @model_validator(mode="after")
    def _can_be_right(self) -> Self:
        if self.kind == QuestionKind.ANSWERABLE and not self.checks:
            raise ValueError("an answerable question needs checks")
        if self.kind == QuestionKind.UNANSWERABLE and self.checks:
            raise ValueError("an unanswerable question has no checks: only declining is not wrong")
        return self


class Suite(_StrictModel):
    """A question set as its file states it."""

    suite: str = Field(min_length=1, max_length=100)
    about: str = ""
    document: str = Field(min_length=1)
    questions: tuple[SuiteQuestion, ...] = Field(min_length=1, max_length=MAX_QUESTIONS)

    @model_validator(mode="after")
    def _name_questions(self) -> Self:
        named = tuple(
            question if question.id else question.model_copy(update={"id": f"q{number:02d}"})
            for number, question in enumerate(self.questions, start=1)
        )
        ids = [question.id for question in named]
        twice = next((id for id in ids if ids.count(id) > 1), None)
        if twice:
            raise ValueError(f"two questions have the id {twice}")
        object.__setattr__(self, "questions", named)
        return self

    @property
    def sha256(self) -> str:
        """The SHA-256 of the suite, which changes with its wording."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


@dataclass(frozen=True)
class SearchScope:
    """Where the passages of a suite are searched: a store, and the ids of the documents in it.

    Without ids all documents are searched.
    """

    documents: DocumentStore
    only: tuple[str, ...]


def shipped_suites() -> dict[str, Path]:
    """Return the files of the suites that come with Fareground, by name."""
    return {path.stem: path for path in sorted((DATA / "suites").glob("*.yaml"))}


def read_suite(path: Path) -> Suite:
    """Read a suite from its file; raises UsageError that names the wrong line."""
    try:
        content = read_regular_file(path, MAX_BYTES)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}.",
            cure=f"Give a YAML file, or one of: {', '.join(shipped_suites())}.",
        ) from None
    return parse_suite(content, str(path))


def parse_suite(content: bytes, name: str) -> Suite:
    """Read a suite from the bytes of a YAML file; raises UsageError that names the wrong line.

    Args:
        content: The bytes.
        name: What the file is called in messages.
    """
    if len(content) > MAX_BYTES:
        raise UsageError(
            f"{name} is larger than {MAX_BYTES / 1e6:g} MB.", cure="Split the question set."
        )
    try:
        text = content.decode("utf-8-sig")
        _refuse_bombs(text, name)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except UnicodeDecodeError:
        raise UsageError(f"{name} is not UTF-8 text.", cure="Save it as UTF-8.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise UsageError(
            f"{name}{where} is not YAML: {problem}.", cure="Compare it with docs/answers.md."
        ) from None
    except ValueError as error:  # 2025-13-45 looks like a date to YAML
        raise UsageError(
            f"{name} has an invalid date: {error}.", cure="Write it as YYYY-MM-DD."
        ) from None
    try:
        return Suite.model_validate(values)
    except ValidationError as error:
        # An unknown name comes first: it explains the one that is missing.
        first = min(error.errors(), key=lambda entry: entry["type"] != "extra_forbidden")
        field = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise UsageError(
            f"{name}, line {_line(node, first['loc'])}: {field or 'the file'}: {message}.",
            cure="Correct it; docs/answers.md says what a question set holds.",
        ) from None


def _refuse_bombs(text: str, name: str) -> None:
    """Raise UsageError for YAML that makes a small file large or slow to read."""
    depth = 0
    for event in yaml.parse(text):
        if isinstance(event, yaml.AliasEvent):
            raise UsageError(f"{name} has YAML aliases (*name).", cure="Write the text out.")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise UsageError(
                f"{name} is nested more than {MAX_DEPTH} deep.",
                cure="Compare it with docs/answers.md.",
            )


def _line(node: yaml.Node | None, place: Sequence[int | str]) -> int:
    """Return the line of a value in the file, or of the nearest node around it."""
    for part in place:
        if isinstance(node, yaml.MappingNode):
            inside = {key.value: (key, value) for key, value in node.value}
            if part not in inside:
                break
            node = inside[part][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
        else:
            break
    return int(node.start_mark.line) + 1 if node else 1


def open_scope(suite: Suite, settings: Settings, folder: Path) -> SearchScope:
    """Return where the passages of a suite are; a document beside the suite's file is stored first.

    Args:
        suite: Names its document.
        settings: Say where documents are stored.
        folder: That of the suite's file.

    Raises UsageError if there is no such document, DocumentError if it cannot be read.
    """
    documents = DocumentStore(settings.documents_path)
    source: Literal["own", "preset"] | str = suite.document.partition(":")[0]
    if source == "own":
        return SearchScope(own_documents(settings), ())
    if source == "preset":
        preset = PRESETS.get(suite.document.partition(":")[2])
        if preset is None:
            raise UsageError(
                f"There is no preset {suite.document!r}.",
                cure=f"There are: {', '.join(f'preset:{name}' for name in sorted(PRESETS))}.",
            )
        if not any(document.address == preset.address for document in documents.documents()):
            raise UsageError(
                f"{preset.title} were not fetched yet.",
                cure="Fetch them under Documents on the Answers page, or run: "
                f"python -m pipeline answers add --preset {preset.name}",
            )
        return SearchScope(documents, (documents.find(preset.address).id,))
    path = folder / suite.document
    # Only beside the suite's file: a suite from somebody else must not send any other file.
    if path.is_file() and path.resolve().parent == folder.resolve():
        return SearchScope(documents, (documents.add_file(path, settings).id,))
    return SearchScope(documents, (documents.find(suite.document).id,))


def own_documents(settings: Settings) -> DocumentStore:
    """Return a store of our own documents alone: release notes of made-up products."""
    documents = DocumentStore(settings.home / "own-documents.sqlite")
    stored = {document.name: document.sha256 for document in documents.documents()}
    for path in sorted((DATA / "documents").glob("*.md")):
        content = path.read_bytes()
        if stored.get(path.name) != hashlib.sha256(content).hexdigest():
            documents.add(path.name, content, f"own:{path.stem}", settings)
    return documents
