"""A folder with a tiny NLI model that compares words, as Hugging Face exports real ones.

It entails a claim if the premise has all its words, contradicts it if one of them says "not"
besides, and is neutral otherwise. Inputs longer than its positions make it fail, as with a model
that was trained.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import parser
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

LABELS = ("entailment", "contradiction", "neutral")
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
MARKS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "not")  # ids 0 to 4; the other words follow
_COLUMNS = {"entailment": 0, "contradiction": 1, "neutral": 2, "not_entailment": 2}


def make_nli_folder(
    folder: Path,
    words: str,
    *,
    labels: Sequence[str] = LABELS,
    inputs: Sequence[str] = INPUTS,
    model: str = "model.onnx",
    limit: int = 64,
    kind: str = "int64",
) -> Path:
    """Write a model, its tokenizer and its configuration, and return the folder.

    Args:
        words: Texts with every word that the model knows.
        labels: In the order in which the model computes them, as config.json writes them.
        inputs: The inputs that it declares.
        model: The name of its file, within the folder.
        limit: Most tokens that it reads.
        kind: The type of its inputs.
    """
    path = folder / model
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = [_COLUMNS[label.lower().strip().replace("-", "_")] for label in labels]
    onnx.save(make_graph(columns, inputs, limit, kind), path)
    make_tokenizer(words).save(str(folder / "tokenizer.json"))
    config: dict[str, Any] = {
        "id2label": {str(number): label for number, label in enumerate(labels)},
        "max_position_embeddings": limit,
        "pad_token_id": 0,
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def make_tokenizer(words: str) -> Tokenizer:
    """Return a tokenizer of whole words, in lower case and without punctuation."""
    known = sorted(set(re.findall(r"\w+", words.lower())) - {"not"})
    vocabulary = {word: number for number, word in enumerate([*MARKS, *known])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, "[UNK]"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace(Regex(r"[^\w\s]"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return tokenizer


def make_graph(
    columns: Sequence[int] = (0, 1, 2),
    inputs: Sequence[str] = INPUTS,
    limit: int = 64,
    kind: str = "int64",
) -> onnx.ModelProto:
    """Return the model; `columns` orders entailment (0), contradiction (1) and neutral (2)."""
    declared = ", ".join(f"{kind}[batch, tokens] {name}" for name in inputs)
    real = "Greater(mask, zero)" if "attention_mask" in inputs else "Greater(ids, zero)"
    mask = "attention_mask" if "attention_mask" in inputs else "input_ids"
    if "token_type_ids" in inputs:
        within = "types = Cast<to = 7>(token_type_ids)"
    else:  # what follows the first [SEP] is the claim
        within = "seps = Cast<to = 7>(is_sep) types = CumSum<exclusive = 1>(seps, axis)"
    graph = f"""
        <ir_version: 9, opset_import: ["" : 17]>
        nli ({declared}) => (float[batch, labels] logits)
        <int64 zero = {{0}}, int64 unknown = {{1}}, int64 sep = {{3}}, int64 negation = {{4}},
         int64 axis = {{1}}, int64[1] first = {{1}}, int64[1] second = {{2}}, int64 one = {{1}},
         float f_one = {{1}}, float f_two = {{2}}, float f_four = {{4}}, float f_eight = {{8}},
         int64[{len(columns)}] columns = {{{", ".join(map(str, columns))}}},
         float[{limit}] positions = {{{", ".join(["0"] * limit)}}}>
        {{
            ids = Cast<to = 7>(input_ids)
            mask = Cast<to = 7>({mask})
            real = {real}
            is_sep = Equal(ids, sep)
            {within}
            of_claim = Greater(types, zero)
            of_premise = Not(of_claim)
            is_known = Greater(ids, negation)
            is_unknown = Equal(ids, unknown)
            is_word = Or(is_known, is_unknown)
            known_of_premise = And(is_known, of_premise)
            premise = And(known_of_premise, real)
            word_of_claim = And(is_word, of_claim)
            claim = And(word_of_claim, real)
            rows = Unsqueeze(ids, second)
            others = Unsqueeze(ids, first)
            same = Equal(rows, others)
            premise_rows = Unsqueeze(premise, second)
            both = And(same, premise_rows)
            hits = Cast<to = 1>(both)
            present = ReduceMax<axes = [1], keepdims = 0>(hits)
            absent = Sub(f_one, present)
            claim_words = Cast<to = 1>(claim)
            absent_words = Mul(absent, claim_words)
            missing = ReduceSum<keepdims = 1>(absent_words, first)
            is_negation = Equal(ids, negation)
            negations = Cast<to = 1>(is_negation)
            sides = Cast<to = 1>(of_claim)
            twice = Mul(sides, f_two)
            signs = Sub(twice, f_one)
            signed = Mul(negations, signs)
            balance = ReduceSum<keepdims = 1>(signed, first)
            turned = Abs(balance)
            a = Mul(missing, f_four)
            b = Mul(turned, f_eight)
            c = Mul(turned, f_four)
            neutral = Sub(missing, missing)
            d = Sub(f_two, a)
            entailment = Sub(d, b)
            e = Sub(c, a)
            contradiction = Sub(e, f_two)
            all = Concat<axis = 1>(entailment, contradiction, neutral)
            ordered = Gather<axis = 1>(all, columns)
            zeros = Sub(ids, ids)
            ones = Add(zeros, one)
            places = CumSum<exclusive = 1>(ones, axis)
            embedded = Gather(positions, places)
            nothing = ReduceSum<keepdims = 1>(embedded, first)
            logits = Add(ordered, nothing)
        }}
    """
    return parser.parse_model(graph)
