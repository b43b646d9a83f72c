"""Question sets: a YAML file of questions, what a right answer to each holds, and the document.

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

from pipeline.answers.documents import Documents
from pipeline.answers.presets import PRESETS
from pipeline.errors import UsageError
from pipeline.settings import Settings

DATA = Path(__file__).with_name("data")
MAX_BYTES = 1_000_000
MAX_QUESTIONS = 500
MAX_DEPTH = 10

Texts = tuple[str, ...]


class Kind(StrEnum):
    """What there is to answer. To `false-premise` a right answer says what is wrong with it."""

    ANSWERABLE = "answerable"
    UNANSWERABLE = "unanswerable"
    FALSE_PREMISE = "false-premise"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Check(_Strict):
    """One thing a right answer holds, or does not hold."""

    all: Texts = ()
    any: Texts = ()
    none: Texts = ()
    number: float | None = None
    tolerance: float = Field(0.0, ge=0)
    date: Date | None = None

    @field_validator("all", "any", "none", mode="before")
    @classmethod
    def _as_texts(cls, value: Any) -> Any:
        values = value if isinstance(value, list) else [value]
        return [str(one) if isinstance(one, (int, float)) else one for one in values]

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


class Question(_Strict):
    """A question with its checks; `id` is unique within its suite."""

    id: str = Field("", max_length=60)
    question: str = Field(min_length=3, max_length=2000)
    kind: Kind = Kind.ANSWERABLE
    checks: tuple[Check, ...] = ()

    @model_validator(mode="after")
    def _can_be_right(self) -> Self:
        if self.kind == Kind.ANSWERABLE and not self.checks:
            raise ValueError("an answerable question needs checks")
        if self.kind == Kind.UNANSWERABLE and self.checks:
            raise ValueError("an unanswerable question has no checks: only declining is not wrong")
        return self


class Suite(_Strict):
    """A question set as it is read from its file."""

    suite: str = Field(min_length=1, max_length=100)
    about: str = ""
    document: str = Field(min_length=1)
    questions: tuple[Question, ...] = Field(min_length=1, max_length=MAX_QUESTIONS)

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
        """What tells this wording of the suite from others."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


@dataclass(frozen=True)
class Library:
    """Where a suite's passages are searched: a store, and the ids of documents to keep to."""

    documents: Documents
    only: tuple[str, ...]


def shipped_suites() -> dict[str, Path]:
    """Return the suites that come with Fareground, by name."""
    return {path.stem: path for path in sorted((DATA / "suites").glob("*.yaml"))}


def read_suite(path: Path) -> Suite:
    """Return a suite from its file; raise UsageError naming the line that is wrong."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}.",
            cure=f"Give a YAML file, or one of: {', '.join(shipped_suites())}.",
        ) from None
    return parse_suite(content, str(path))


def parse_suite(content: bytes, name: str) -> Suite:
    """Return a suite from the bytes of a YAML file; raise UsageError naming the line."""
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
            f"{name} has a date that cannot be: {error}.", cure="Write it as YYYY-MM-DD."
        ) from None
    try:
        return Suite.model_validate(values)
    except ValidationError as error:
        # A name that is not known explains the one that is missing.
        first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        field = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise UsageError(
            f"{name}, line {_line(node, first['loc'])}: {field or 'the file'}: {message}.",
            cure="Correct it; docs/answers.md says what a question set holds.",
        ) from None


def _refuse_bombs(text: str, name: str) -> None:
    """Refuse what makes a small file large or slow to read, and no question set needs."""
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
    """Return the line of a value in the file, or of the nearest thing around it."""
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


def open_library(suite: Suite, settings: Settings, folder: Path) -> Library:
    """Return where a suite's passages are; what lies beside the suite's file is taken in.

    Args:
        folder: The folder of the suite's file.

    Raises UsageError where the document is not there, DocumentError where it cannot be read.
    """
    kept = Documents(settings.documents_path)
    source: Literal["own", "preset"] | str = suite.document.partition(":")[0]
    if source == "own":
        return Library(own_documents(settings), ())
    if source == "preset":
        preset = PRESETS.get(suite.document.partition(":")[2])
        if preset is None:
            raise UsageError(
                f"There is no preset {suite.document!r}.",
                cure=f"There are: {', '.join(f'preset:{name}' for name in sorted(PRESETS))}.",
            )
        if not any(document.address == preset.address for document in kept.documents()):
            raise UsageError(
                f"{preset.title} were not fetched yet.",
                cure="Fetch them under Documents on the Answers page, or run: "
                f"python -m pipeline answers add --preset {preset.name}",
            )
        return Library(kept, (kept.find(preset.address).id,))
    path = folder / suite.document
    # Beside the file and nowhere else: a set from somebody else must not send any file it likes.
    if path.is_file() and path.resolve().parent == folder.resolve():
        return Library(kept, (kept.add_file(path, settings).id,))
    return Library(kept, (kept.find(suite.document).id,))


def own_documents(settings: Settings) -> Documents:
    """Return a store with our own documents alone: release notes of products we made up."""
    documents = Documents(settings.home / "own-documents.sqlite")
    kept = {document.name: document.sha256 for document in documents.documents()}
    for path in sorted((DATA / "documents").glob("*.md")):
        content = path.read_bytes()
        if kept.get(path.name) != hashlib.sha256(content).hexdigest():
            documents.add(path.name, content, f"own:{path.stem}", settings)
    return documents
