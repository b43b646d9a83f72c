"""An NLI model judges claims by sentences and parts of passages; what cannot be used is named."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, parser

from pipeline.answers.check.grounding import is_verbatim
from pipeline.answers.check.judge import Judgement, JudgeVerdict
from pipeline.answers.check.nli import judge_by_nli
from pipeline.answers.check.nli_model import NliLabel, NliModel, open_nli
from pipeline.answers.documents.retrieval import Passage
from pipeline.core.errors import ModelError, UsageError
from pipeline.core.settings.settings import Settings
from tests.support.nli_folder import INPUTS, LABELS, make_graph, make_nli_folder

TEXT = "Glow lanes split a queue into 12 lanes.\nEach lane has its own `timeout`."
WORDS = f"{TEXT} notes is stored on disk date released was the 2026 03 04"
SUPPORTED, CONTRADICTED = JudgeVerdict.SUPPORTED, JudgeVerdict.CONTRADICTED
NOT_IN_SOURCE, UNVERIFIED = JudgeVerdict.NOT_IN_SOURCE, JudgeVerdict.UNVERIFIED


def passage(text: str, context: str = "Notes > Lanes") -> Passage:
    return Passage("Notes", "Lanes", text, 1.0, (), context, "id", "paste:Notes")


PASSAGE = passage(TEXT)
END = "A queue is stored on disk."


def open_folder(folder: Path) -> NliModel:
    return open_nli(Settings(home=folder.parent / "home", nli_model=str(folder)))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> NliModel:
    return open_folder(make_nli_folder(tmp_path_factory.mktemp("nli") / "model", WORDS))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_nli_folder(tmp_path / "model", WORDS)


def judge_one(model: NliModel, claim: str, *passages: Passage) -> Judgement:
    (judgement,) = judge_by_nli([claim], passages or [PASSAGE], model)
    return judgement


def verdicts(model: NliModel) -> list[JudgeVerdict]:
    """Return the verdicts on three claims: entailed, contradicted, neither."""
    claims = ["A queue is split into lanes.", "Glow lanes do not split a queue.", "It is on disk."]
    text = "A queue is split into lanes. Glow lanes do split a queue."
    return [judgement.verdict for judgement in judge_by_nli(claims, [passage(text)], model)]


def test_claim_is_judged_with_the_sentence_that_shows_it_as_quote(model: NliModel) -> None:
    claims = ["Glow lanes split a queue.", "Each lane has not its own timeout.", "Disk is stored."]
    assert judge_by_nli(claims, [PASSAGE], model) == [
        Judgement(SUPPORTED, "Glow lanes split a queue into 12 lanes."),
        Judgement(CONTRADICTED, "Each lane has its own `timeout`."),
        Judgement(NOT_IN_SOURCE),
    ]


def test_sentence_that_entails_a_claim_outweighs_one_that_contradicts_it(model: NliModel) -> None:
    text = "A queue is not stored on disk.\n\nA queue is stored on disk."
    assert judge_one(model, "A queue is stored.", passage(text)) == Judgement(
        SUPPORTED, "A queue is stored on disk."
    )


def test_claim_that_two_sentences_show_together_is_quoted_from_the_passage(
    model: NliModel,
) -> None:
    judgement = judge_one(model, "Glow lanes split a queue, each has its own timeout.")
    assert judgement == Judgement(SUPPORTED, TEXT)


def test_title_and_headings_belong_to_the_premise(model: NliModel) -> None:
    claim = "Notes on disk split a queue into 12 lanes."
    assert judge_one(model, claim).verdict is NOT_IN_SOURCE
    assert judge_one(model, claim, passage(TEXT, "Notes > On disk")).verdict is SUPPORTED


def test_quote_of_the_date_of_a_document_is_the_line_that_has_it(model: NliModel) -> None:
    dated = passage(TEXT, "Notes, 2026-03-04 > Lanes")
    judgement = judge_one(model, "Notes was released on 2026-03-04.", dated)
    assert judgement == Judgement(SUPPORTED, "Notes, 2026-03-04 > Lanes")


def test_without_passages_no_claim_is_in_the_source(model: NliModel) -> None:
    assert judge_by_nli(["A queue."], [], model) == [Judgement(NOT_IN_SOURCE)]
    assert judge_by_nli([], [PASSAGE], model) == []


@pytest.mark.parametrize("order", list(itertools.permutations(LABELS)))
def test_labels_are_read_from_the_configuration_in_any_order(
    tmp_path: Path, order: tuple[str, ...]
) -> None:
    labels = [order[0].upper(), order[1].title(), order[2]]
    model = open_folder(make_nli_folder(tmp_path / "model", f"{WORDS} do", labels=labels))
    assert verdicts(model) == [SUPPORTED, CONTRADICTED, NOT_IN_SOURCE]


@pytest.mark.parametrize(
    "labels", [("entailment", "not_entailment"), ("NOT-ENTAILMENT", "Entailment")]
)
def test_model_of_two_labels_contradicts_nothing(tmp_path: Path, labels: tuple[str, ...]) -> None:
    model = open_folder(make_nli_folder(tmp_path / "model", f"{WORDS} do", labels=labels))
    assert verdicts(model) == [SUPPORTED, NOT_IN_SOURCE, NOT_IN_SOURCE]


@pytest.mark.parametrize("kind", ["int64", "int32"])
@pytest.mark.parametrize(
    "inputs", [INPUTS, INPUTS[::-1], INPUTS[:2], INPUTS[:1], ("input_ids", "token_type_ids")]
)
def test_model_gets_the_inputs_that_it_declares(
    tmp_path: Path, inputs: tuple[str, ...], kind: str
) -> None:
    made = make_nli_folder(tmp_path / "model", f"{WORDS} do", inputs=inputs, kind=kind)
    assert verdicts(open_folder(made)) == [SUPPORTED, CONTRADICTED, NOT_IN_SOURCE]


@pytest.mark.parametrize("name", ["nli.onnx", "onnx/model.onnx", "onnx/model_quantized.onnx"])
def test_model_is_found_as_hugging_face_exports_it(tmp_path: Path, name: str) -> None:
    model = open_folder(make_nli_folder(tmp_path / "model", f"{WORDS} do", model=name))
    assert model.path == tmp_path / "model" / name
    assert verdicts(model)[0] is SUPPORTED


@pytest.mark.parametrize("limit", [48, 512])
def test_claim_at_the_end_of_a_long_passage_is_found(tmp_path: Path, limit: int) -> None:
    model = open_folder(make_nli_folder(tmp_path / "model", WORDS, limit=limit))
    filler = "Each lane has its own timeout on the queue. " * 300
    judgement = judge_one(model, "A queue is stored on disk.", passage(f"{filler}{END}"))
    assert judgement == Judgement(SUPPORTED, END)


@pytest.mark.parametrize("words_before", [0, 10, 17, 18, 19, 20, 23, 24, 30, 500])
def test_claim_anywhere_in_an_endless_sentence_is_found(tmp_path: Path, words_before: int) -> None:
    model = open_folder(make_nli_folder(tmp_path / "model", WORDS, limit=48))
    text = f"{'lane ' * words_before}queue stored on disk {'lane ' * 40}"
    judgement = judge_one(model, "Queue stored on disk.", passage(text))
    assert judgement.verdict is SUPPORTED
    assert "queue stored on disk" in judgement.quote
    assert len(judgement.quote.split()) <= 24  # what the model read at once
    assert is_verbatim(judgement.quote, [passage(text)])


def test_long_headings_leave_room_for_the_sentence(tmp_path: Path) -> None:
    model = open_folder(make_nli_folder(tmp_path / "model", WORDS, limit=48))
    judgement = judge_one(model, "Queue stored on disk.", passage(END, "notes " * 500))
    assert judgement == Judgement(SUPPORTED, END)


def test_pair_longer_than_the_model_reads_is_cut(model: NliModel) -> None:
    (row,) = model.probabilities([("queue " + "lane " * 500, "queue")])
    assert row[NliLabel.ENTAILMENT] > 0.5


def test_model_without_a_mask_computes_each_pair_without_padding(folder: Path) -> None:
    export(make_length_graph)(folder)
    model = open_folder(folder)
    pairs = [("queue " * length, "lane") for length in (1, 30, 7)]
    alone = [row for pair in pairs for row in model.probabilities([pair])]
    assert model.probabilities(pairs) == alone
    assert alone[0] != alone[2]


def test_claim_longer_than_the_model_reads_is_unverified(model: NliModel) -> None:
    judgement = judge_one(model, "A queue is stored on disk. " * 10)
    assert judgement == Judgement(UNVERIFIED, note="the claim is longer than the model reads")


def test_judgement_does_not_depend_on_other_claims(model: NliModel) -> None:
    claims = ["A queue.", "Glow lanes split not a queue.", "Each lane has its own timeout.", "Disk"]
    alone = [judge_one(model, claim) for claim in claims]
    assert judge_by_nli(claims, [PASSAGE], model) == alone
    assert judge_by_nli(claims[::-1], [PASSAGE], model) == alone[::-1]


@pytest.mark.parametrize(
    "hostile",
    ["", " ", "\x00", "\ud800 queue", "[SEP] [CLS] [PAD]", "a" * 100_000, "​" * 999, "🕳️ queue",
     "| a | queue |\n|---|---|\n| 1 | disk |", "```\nqueue\n```", "\u202equeue", "ﬁ ² ½ queue"],
)  # fmt: skip
def test_hostile_text_is_judged_like_any_other(model: NliModel, hostile: str) -> None:
    source = passage(hostile, hostile)
    for judgement in judge_by_nli([hostile, "queue disk"], [source, PASSAGE], model):
        assert not judgement.quote or is_verbatim(judgement.quote, [source, PASSAGE])


@given(st.text(), st.text(), st.text(alphabet="queue lanes.\n;|-#*`1 not"))
def test_every_quote_is_in_a_passage_letter_by_letter(
    model: NliModel, claim: str, context: str, text: str
) -> None:
    source = passage(text, context)
    for judgement in judge_by_nli([claim, text[:40]], [source], model):
        has_quote = judgement.verdict in (SUPPORTED, CONTRADICTED)
        assert has_quote == bool(judgement.quote)
        assert not has_quote or is_verbatim(judgement.quote, [source])


def test_model_is_loaded_once_until_a_file_changes(folder: Path) -> None:
    first = open_folder(folder)
    assert open_folder(folder) is first
    labels = ("entailment", "not_entailment")
    make_nli_folder(folder, WORDS, labels=labels)
    assert judge_one(open_folder(folder), "Each lane has not its own timeout.").verdict is (
        NOT_IN_SOURCE
    )


def test_setting_without_a_value_is_named() -> None:
    with pytest.raises(UsageError, match="No NLI model is set up") as caught:
        open_nli(Settings(nli_model=""))
    assert "FAREGROUND_NLI_MODEL" in caught.value.cure


def remove(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def write(name: str, content: bytes | str) -> Callable[[Path], object]:
    data = content if isinstance(content, bytes) else content.encode()
    return lambda folder: (folder / name).write_bytes(data)


def label(**labels: object) -> Callable[[Path], object]:
    return write("config.json", json.dumps({"id2label": labels}))


def export(graph: Callable[[], onnx.ModelProto]) -> Callable[[Path], object]:
    return lambda folder: onnx.save(graph(), folder / "model.onnx")


def make_small_graph(
    inputs: str = "int64[batch, tokens] input_ids", body: str = "logits = Cast<to = 1>(input_ids)"
) -> onnx.ModelProto:
    return parser.parse_model(
        '<ir_version: 9, opset_import: ["" : 17, "elsewhere" : 1]> '
        f"nli ({inputs}) => (float[batch, labels] logits) {{ {body} }}"
    )


NOT_A_NUMBER = """
    numbers = Cast<to = 1>(input_ids)
    sums = ReduceSum<keepdims = 1>(numbers, axis)
    three = Concat<axis = 1>(sums, sums, sums)
    negative = Neg(three)
    logits = Log(negative)
"""


LENGTH = """
    different = Sub(input_ids, input_ids)
    same = Equal(different, different)
    numbers = Cast<to = 1>(same)
    sums = ReduceSum<keepdims = 1>(numbers, axis)
    nothing = Sub(sums, sums)
    parts = Tanh(sums)
    roots = Sqrt(sums)
    logits = Concat<axis = 1>(roots, nothing, parts)
"""


def make_graph_of(body: str) -> onnx.ModelProto:
    return parser.parse_model(
        '<ir_version: 9, opset_import: ["" : 17]> '
        "nli (int64[batch, tokens] input_ids) => (float[batch, labels] logits) "
        f"<int64[1] axis = {{1}}> {{ {body} }}"
    )


def make_nan_graph() -> onnx.ModelProto:
    return make_graph_of(NOT_A_NUMBER)


def make_length_graph() -> onnx.ModelProto:
    """Return a model whose result depends on the number of tokens, padding included."""
    return make_graph_of(LENGTH)


def panic_tokenizer(folder: Path) -> None:
    """Write a tokenizer on which the tokenizers package panics instead of raising an error."""
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["normalizer"] = {"type": "Precompiled", "precompiled_charsmap": "AAAA"}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (shutil.rmtree, "which is not a folder"),
        (remove("config.json"), "has no file config.json"),
        (remove("tokenizer.json"), "has no file tokenizer.json"),
        (remove("model.onnx"), "has a model.onnx"),
        (lambda folder: (folder / "model.onnx").rename(folder / "a.onnx")
         and shutil.copy(folder / "a.onnx", folder / "b.onnx"), "has 2 .onnx files"),
        (write("model.onnx", b""), "is not an ONNX model"),
        (write("model.onnx", "version https://git-lfs.github.com/spec/v1\n"), "not an ONNX model"),
        (write("model.onnx", b"\x93 no model" * 300), "is not an ONNX model"),
        (write("tokenizer.json", "{}"), "is not a tokenizer"),
        (write("tokenizer.json", b"\xff"), "is not a tokenizer"),
        (panic_tokenizer, "is not a tokenizer"),
        (write("config.json", "["), "config.json is not a JSON object"),
        (write("config.json", "[" * 10**5), "config.json is not a JSON object"),
        (write("config.json", "[]"), "config.json is not a JSON object"),
        (write("config.json", "{}"), "id2label of .* is None"),
        (label(), "id2label"),
        (label(a="entailment", b="neutral", c="contradiction"), "id2label"),
        (label(**{"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}), "LABEL_0"),
        (label(**{"0": "entailment", "1": "entailment", "2": "neutral"}), "id2label"),
        (label(**{"0": "entailment", "2": "not_entailment"}), "id2label"),
        (label(**{"0": ["entailment"], "1": None}), "id2label"),
        (label(**{"0": "entailment", "1": "not_entailment"}), "not one number for each of 2"),
        (export(lambda: make_small_graph("int64[batch, tokens] pixels", "logits = Cast<to=1>"
         "(pixels)")), "has the inputs pixels"),
        (export(lambda: make_small_graph("int64[batch, tokens] attention_mask",
         "logits = Cast<to=1>(attention_mask)")), "lacks the inputs input_ids"),
        (export(lambda: make_small_graph("int64[1, 128] input_ids")), "any number of texts"),
        (export(lambda: make_small_graph("float[batch, tokens] input_ids",
         "logits = Identity(input_ids)")), "tensor.float."),
        (export(make_small_graph), "has the shape"),
        (export(lambda: make_small_graph(body="logits = elsewhere.Run(input_ids)")),
         "is not an ONNX model that can be used"),
        (export(make_nan_graph), "is not a number"),
        (export(lambda: make_graph(limit=3)), "cannot judge a text"),
    ],
)  # fmt: skip
def test_folder_that_cannot_be_used_is_refused_by_its_cause(
    folder: Path, damage: Callable[[Path], object], words: str
) -> None:
    damage(folder)
    with pytest.raises((UsageError, ModelError), match=words) as caught:
        open_folder(folder)
    assert caught.value.cure
    assert str(folder) in caught.value.problem


@pytest.mark.skipif(os.name != "posix", reason="only POSIX has named pipes")
@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "config.json"])
def test_pipe_in_place_of_a_file_of_the_model_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(UsageError, match=name):
        open_folder(folder)


@pytest.mark.parametrize("folder_name", ["\x00", "~nobody-at-all/model"])
def test_path_that_no_folder_can_have_is_refused(tmp_path: Path, folder_name: str) -> None:
    with pytest.raises(UsageError, match=r"cannot be read|which is not a folder"):
        open_nli(Settings(home=tmp_path, nli_model=folder_name))


def put_weights_elsewhere(folder: Path, location: str) -> None:
    """Let a weight of the model be in another file, as the models larger than 2 GB have them."""
    model = onnx.load(folder / "model.onnx")
    positions = next(part for part in model.graph.initializer if part.name == "positions")
    positions.ClearField("float_data")
    positions.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(4 * 64))):
        positions.external_data.add(key=key, value=value)
    (folder / "model.onnx").write_bytes(model.SerializeToString())


def test_weights_in_a_file_beside_the_model_are_read(folder: Path) -> None:
    put_weights_elsewhere(folder, "model.onnx_data")
    (folder / "model.onnx_data").write_bytes(bytes(4 * 64))
    assert judge_one(open_folder(folder), "Glow lanes split a queue.").verdict is SUPPORTED


@pytest.mark.parametrize("way", ["absolute", "above", "link"])
def test_weights_in_a_file_outside_the_folder_are_not_read(folder: Path, way: str) -> None:
    outside = folder.parent / "outside"
    outside.write_bytes(bytes(4 * 64))
    if way == "link":
        (folder / "inside").symlink_to(outside)
    place = {"absolute": str(outside), "above": "../outside", "link": "inside"}[way]
    put_weights_elsewhere(folder, place)
    with pytest.raises(UsageError, match="External data path"):
        open_folder(folder)


def run_python(code: str, home: Path, *prefix: str) -> subprocess.CompletedProcess[str]:
    """Run Python code with a home folder of its own."""
    return subprocess.run(
        [*prefix, sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")},
        check=False,
        timeout=60,
    )


def test_runtime_of_the_model_sends_and_stores_nothing(folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    log = tmp_path / "calls"
    strace = shutil.which("strace")
    trace = (strace, "-f", "-qq", "-o", str(log), "-e", "trace=socket,connect") if strace else ()
    opened = "from pathlib import Path; from tests.answers.check.test_nli import open_folder"
    done = run_python(f"{opened}; print(open_folder(Path({str(folder)!r})).limit)", home, *trace)
    assert (done.returncode, done.stdout) == (0, "64\n"), done.stderr
    assert [path for path in home.rglob("*") if path.is_file()] == []
    if strace:
        assert "AF_INET" not in log.read_text()


@pytest.mark.parametrize("package", ["onnxruntime", "tokenizers"])
def test_missing_package_is_named_with_the_command_that_installs_it(
    settings: Settings, package: str
) -> None:
    code = (
        f"import sys, runpy; sys.modules[{package!r}] = None\n"
        "sys.argv = ['pipeline', 'answers', 'check', '--text', '-', '--nli']\n"
        "runpy.run_module('pipeline', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        input="A queue.",
        env=os.environ
        | {
            "FAREGROUND_HOME": str(settings.home),
            "FAREGROUND_NLI_MODEL": str(make_nli_folder(settings.home / "model", WORDS)),
        },
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert f"package {package}, which is missing" in " ".join(done.stderr.split())
    assert "pip install -r requirements-nli.txt" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@given(st.dictionaries(st.text(), st.none() | st.integers() | st.text() | st.lists(st.text())))
def test_any_configuration_is_used_or_refused(model: NliModel, config: dict[str, object]) -> None:
    labels = {str(number): name for number, name in enumerate(LABELS)}
    folder = model.path.with_name("any")
    shutil.copytree(model.path.parent, folder, ignore=lambda *_: ["any"], dirs_exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"id2label": labels} | config))
    with contextlib.suppress(UsageError, ModelError):
        open_folder(folder)
