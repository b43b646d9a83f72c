"""Load and run a natural-language-inference (NLI) model from a local folder.

The folder is the user's choice and holds the model as Hugging Face exports it: model.onnx,
tokenizer.json and config.json. Nothing is downloaded and no usage is reported. No library of custom
operators is loaded, and onnxruntime refuses a model whose weights are in a file outside the folder.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import FaregroundError, ModelError, UsageError
from pipeline.core.regular_file import read_regular_file
from pipeline.core.settings.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MOST_TOKENS = 512  # of premise and claim together, also where the model could read more
_FEWEST_TOKENS = 16  # a model that reads fewer fails
_BATCH = 8  # pairs that are computed at once: attention takes memory by the square of the tokens
_MOST_BYTES = 100 * 10**6  # of tokenizer.json and config.json; large vocabularies take 20 MB
_MOST_REASON = 300  # characters of a library's error message
_TYPES = {"tensor(int64)": "int64", "tensor(int32)": "int32"}
_EXPORT_CURE = (
    "Export a model for text classification with Optimum: "
    "optimum-cli export onnx --task text-classification --model NAME FOLDER."
)
_DOWNLOAD_CURE = "Download it again; with Git LFS, if it is from a Git repository."


class NliLabel(StrEnum):
    """The label of a premise and a claim; "not_entailment" counts as NEUTRAL."""

    ENTAILMENT = "entailment"
    CONTRADICTION = "contradiction"
    NEUTRAL = "neutral"


_LABELS = {**{label.value: label for label in NliLabel}, "not_entailment": NliLabel.NEUTRAL}
_LABEL_SETS = (["contradiction", "entailment", "neutral"], ["entailment", "not_entailment"])


class NliModel:
    """A loaded model; several threads may use it at the same time.

    Attributes:
        path: The ONNX file.
        limit: Most tokens of a premise and a claim together.
    """

    def __init__(self, path: Path, tokenizer_path: Path, config_path: Path) -> None:
        """Load a model and compute a first pair of texts.

        Raises:
            UsageError: A package is missing, or a file is not what its name says.
            ModelError: The model does not compute one number for each label.
        """
        onnxruntime, tokenizers = _import_packages()
        config = _read_config(config_path)
        self.path = path
        positions = _number(config, "max_position_embeddings") or _MOST_TOKENS
        self.limit = max(_FEWEST_TOKENS, min(positions, _MOST_TOKENS))
        self._labels = _read_labels(config, config_path)
        content = _read_file(tokenizer_path)
        with _errors(f"{tokenizer_path} is not a tokenizer", _DOWNLOAD_CURE, UsageError):
            self._tokenizer = tokenizers.Tokenizer.from_buffer(content)
            self._pair_tokenizer = tokenizers.Tokenizer.from_buffer(content)
            padding = self._tokenizer.padding or {}
            self._tokenizer.no_truncation()
            self._pair_tokenizer.enable_truncation(self.limit, strategy="longest_first")
            for tokenizer in (self._tokenizer, self._pair_tokenizer):
                tokenizer.no_padding()
        self._pad = _number(config, "pad_token_id") or _number(padding, "pad_id")
        with _errors(f"{path} is not an ONNX model that can be used", _DOWNLOAD_CURE, UsageError):
            self._session = _open_session(onnxruntime, path)
        self._types = _read_inputs(self._session, path)
        outputs = [output.name for output in self._session.get_outputs()]
        self._output = "logits" if "logits" in outputs else next(iter(outputs), "")
        self.probabilities([("A premise.", "A claim.")])

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Return the span (start, end) of each token of a text; raise ModelError if it fails."""
        with self._model_errors():
            encoding = self._tokenizer.encode(_encodable(text), add_special_tokens=False)
        spans: list[tuple[int, int]] = encoding.offsets
        return spans

    def probabilities(self, pairs: Sequence[tuple[str, str]]) -> list[dict[NliLabel, float]]:
        """Return the probability of each label for each pair of premise and claim.

        Of a pair that is longer than the limit, the end of the longer text is not read.

        Raises ModelError if the model fails.
        """
        import numpy as np

        with self._model_errors():
            encodings = [
                self._pair_tokenizer.encode(_encodable(premise), _encodable(claim))
                for premise, claim in pairs
            ]
        # Pairs of similar length are computed together: shorter ones are padded to the longest.
        order = sorted(range(len(pairs)), key=lambda at: len(encodings[at]))
        batch = _BATCH if "attention_mask" in self._types else 1  # without it, padding is read
        rows: dict[int, dict[NliLabel, float]] = {}
        for first in range(0, len(order), batch):
            places = order[first : first + batch]
            logits = self._run([encodings[at] for at in places])
            weights = np.exp(logits - logits.max(axis=1, keepdims=True))
            softmax = weights / weights.sum(axis=1, keepdims=True)
            for at, row in zip(places, softmax.tolist(), strict=True):
                rows[at] = dict(zip(self._labels, row, strict=True))
        return [rows[at] for at in range(len(pairs))]

    def _run(self, encodings: Sequence[Any]) -> NDArray[np.float64]:
        """Return the logits of some pairs: a row for each, a column for each label."""
        import numpy as np

        longest = max(len(encoding) for encoding in encodings)
        inputs = {}
        for name, kind in self._types.items():
            fill = self._pad if name == "input_ids" else 0
            inputs[name] = np.full((len(encodings), longest), fill, np.dtype(kind))
            for row, encoding in enumerate(encodings):
                inputs[name][row, : len(encoding)] = getattr(encoding, _INPUTS[name])
        with self._model_errors():
            logits = np.asarray(self._session.run([self._output], inputs)[0], np.float64)
        if logits.shape != (len(encodings), len(self._labels)):
            raise ModelError(
                f"The output of {self.path} for {len(encodings)} pairs of texts has the shape "
                f"{logits.shape}, not one number for each of {len(self._labels)} labels.",
                cure=_EXPORT_CURE,
            )
        if not np.isfinite(logits).all():
            raise ModelError(
                f"{self.path} computed a value that is not a number.",
                cure="Export it in 32-bit precision, or choose another model.",
            )
        return logits

    def _model_errors(self) -> Any:
        cure = "Check that tokenizer.json belongs to the model, or choose another model."
        return _errors(f"{self.path} cannot judge a text", cure, ModelError)


# Inputs that a model may have, and the attribute of an encoding with their values.
_INPUTS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}

_loading = Lock()


def open_nli(settings: Settings) -> NliModel:
    """Return the NLI model that the settings name, cached until one of its files changes.

    Raises:
        UsageError: None is set, a package is missing, or a file is missing or damaged.
        ModelError: The model does not compute one number for each label.
    """
    if not settings.nli_model:
        raise UsageError(
            "No NLI model is set up.",
            cure="Set FAREGROUND_NLI_MODEL to the folder of one; docs/answers.md says how.",
        )
    folder = Path(settings.nli_model)
    try:
        paths = _find_files(folder.expanduser())
        stamps = tuple((path.stat().st_mtime_ns, path.stat().st_size) for path in paths)
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(
            f"{folder} cannot be read: {getattr(error, 'strerror', None) or error}.",
            cure="Correct FAREGROUND_NLI_MODEL, or make the folder readable.",
        ) from None
    with _loading:  # two visitors may need it at the same moment
        return _load(paths, stamps)


@lru_cache(maxsize=1)
def _load(paths: tuple[Path, Path, Path], _stamps: tuple[tuple[int, int], ...]) -> NliModel:
    return NliModel(*paths)


def _find_files(folder: Path) -> tuple[Path, Path, Path]:
    """Return the paths of the model, its tokenizer and its configuration."""
    if not folder.is_dir():
        raise UsageError(
            f"FAREGROUND_NLI_MODEL is {folder}, which is not a folder.", cure="Correct the path."
        )
    for name in ("tokenizer.json", "config.json"):
        if not (folder / name).is_file():
            raise UsageError(
                f"{folder} has no file {name}.", cure="Copy it from where the model is from."
            )
    return _find_model(folder), folder / "tokenizer.json", folder / "config.json"


def _find_model(folder: Path) -> Path:
    for place in (folder, folder / "onnx"):
        models = sorted(path for path in place.glob("*.onnx") if path.is_file())
        if place / "model.onnx" in models:
            return place / "model.onnx"
        if len(models) > 1:
            raise UsageError(
                f"{place} has {len(models)} .onnx files, none of which is model.onnx.",
                cure="Rename the one to use to model.onnx.",
            )
        if models:
            return models[0]
    raise UsageError(f"Neither {folder} nor its folder onnx has a model.onnx.", cure=_EXPORT_CURE)


def _import_packages() -> tuple[Any, Any]:
    # onnxruntime 1.32 reports to Microsoft how it is used, unless this is set before its import.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        import onnxruntime
        import tokenizers
    except ImportError as error:
        raise UsageError(
            f"An NLI model needs the package {error.name or 'onnxruntime'}, which is missing.",
            cure="Install it: python -m pip install -r requirements-nli.txt.",
        ) from None
    onnxruntime.disable_telemetry_events()  # for builds that do not read the variable
    return onnxruntime, tokenizers


def _open_session(onnxruntime: Any, path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _usable_cpus()
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 4  # errors are raised; they need not be printed, too
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Neither options within the model count, nor a second attempt that prints to stdout.
    return onnxruntime.InferenceSession(
        str(path),
        options,
        providers=["CPUExecutionProvider"],
        read_config_from_model=0,
        enable_fallback=0,
    )


def _usable_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):  # fewer than the machine has, in a container
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _read_inputs(session: Any, path: Path) -> dict[str, str]:
    """Return the inputs of a model and their types."""
    inputs = {given.name: given for given in session.get_inputs()}
    if unknown := inputs.keys() - _INPUTS.keys() or {"input_ids"} - inputs.keys():
        verb = "lacks" if unknown == {"input_ids"} else "has"
        raise UsageError(
            f"{path} {verb} the inputs {', '.join(sorted(unknown))}; an NLI model has input_ids, "
            "and may have attention_mask and token_type_ids.",
            cure=_EXPORT_CURE,
        )
    for name, given in inputs.items():
        is_fixed = any(isinstance(size, int) for size in given.shape)
        if given.type not in _TYPES or len(given.shape) != 2 or is_fixed:
            raise UsageError(
                f"The input {name} of {path} is a {given.type} of the shape {given.shape}; it "
                "should hold integers for any number of texts of any length.",
                cure=_EXPORT_CURE,
            )
    return {name: _TYPES[given.type] for name, given in inputs.items()}


def _read_labels(config: dict[str, Any], path: Path) -> tuple[NliLabel, ...]:
    """Return the label of each number that the model computes."""
    names = config.get("id2label")
    listed = names if isinstance(names, dict) else {}
    labels = [re.sub(r"[ -]", "_", str(label).strip().lower()) for label in listed.values()]
    numbers = [str(number) for number in range(len(labels))]
    if set(listed) != set(numbers) or sorted(labels) not in _LABEL_SETS:
        raise UsageError(
            f"id2label of {path} is {str(names)[:_MOST_REASON]}; an NLI model has the labels "
            "entailment, contradiction and neutral, or entailment and not_entailment.",
            cure="Choose an NLI model. If it is one, correct its labels in config.json.",
        )
    by_number = dict(zip(listed, labels, strict=True))
    return tuple(_LABELS[by_number[number]] for number in numbers)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(_read_file(path))
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        raise UsageError(f"{path} is not a JSON object.", cure=_DOWNLOAD_CURE)
    return config


def _read_file(path: Path) -> bytes:
    try:
        content = read_regular_file(path, _MOST_BYTES)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}.", cure="Make it readable."
        ) from None
    if len(content) > _MOST_BYTES:
        raise UsageError(
            f"{path} is larger than {_MOST_BYTES / 1e6:g} MB.", cure="Choose another model."
        )
    return content


def _number(values: dict[str, Any], key: str) -> int:
    """Return a count of a configuration; 0 if there is none."""
    value = values.get(key)
    return value if isinstance(value, int) and value > 0 else 0


def _encodable(text: str) -> str:
    """Replace surrogates, which tokenizers refuse; the length stays."""
    return text.encode("utf-8", "replace").decode()


@contextmanager
def _errors(problem: str, cure: str, kind: type[FaregroundError]) -> Iterator[None]:
    """Raise exceptions of onnxruntime and tokenizers as ModelError."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # a panic in the Rust code of tokenizers is no Exception
        text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", " ".join(str(error).split()))
        raise kind(f"{problem}: {text[:_MOST_REASON].rstrip('.')}.", cure=cure) from None
