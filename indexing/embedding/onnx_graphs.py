"""Embedding models as ONNX graphs: what is exported of them for queries, and its weights in eight bits."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from recommender.errors import RecommenderError

BLOCK = 32
"""Weights that share a scale."""
LARGE = 4_096
"""Numbers from which a matrix is worth storing in fewer bits."""
TO_A_FILE = 1_024
"""Bytes from which numbers lie in the file of weights, which is mapped into memory."""
OPSET, IR, BLOCKS_OPSET = 20, 10, 1
INTEGERS_8_BIT = 4
"""Of the operator for blocks: multiply in eight bits, too."""


class NotUnderstood(RecommenderError):
    """A model that is made of parts of which it is not known what they do, so that an export might do something else."""


def graph_of(model: Any) -> tuple[Any, str, int]:
    """The ONNX graph of a sentence-transformers `model`, its tokenizer as JSON, and the most tokens that it takes.

    Inputs are `input_ids` and, where it takes them, `attention_mask` and `token_type_ids`, of shape (1, t); the output `vector` has shape
    (1, d), of any length. Raises `NotUnderstood`.
    """
    names = [type(module).__name__ for module in model]
    if names[-1:] == ["Normalize"]:
        names.pop()
    if names == ["StaticEmbedding"]:
        return _static(model[0])
    if names == ["Transformer", "Pooling"]:
        return _transformer(model)
    raise NotUnderstood(f"a chain of {', '.join(names)}; understood are Transformer, Pooling and StaticEmbedding, and Normalize after them")


STATIC_MOST = 512


def _static(module: Any) -> tuple[Any, str, int]:
    """The mean of the tokens' vectors."""
    from onnx import TensorProto, helper, numpy_helper

    weights = module.embedding.weight.detach().float().numpy()
    if module.embedding.mode != "mean":
        raise NotUnderstood(f"an embedding bag of mode {module.embedding.mode}; understood is mean")
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["weights", "input_ids"], ["tokens"], axis=0),
            helper.make_node("ReduceMean", ["tokens", "axes"], ["vector"], keepdims=0),
        ],
        "static",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, "tokens"])],
        [helper.make_tensor_value_info("vector", TensorProto.FLOAT, [1, weights.shape[1]])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.array([1], dtype=np.int64), "axes")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    return made, module.tokenizer.to_str(), STATIC_MOST


def _transformer(model: Any) -> tuple[Any, str, int]:
    """Token vectors by the network, and of them the mean or the first."""
    import torch

    transformer, pooling = model[0], model[1]
    mode = pooling.pooling_mode
    if mode not in ("mean", "cls"):
        raise NotUnderstood(f"pooling {mode}; understood are mean and cls")
    if not pooling.include_prompt:
        raise NotUnderstood("pooling that leaves out the prompt")
    if transformer.do_lower_case:
        raise NotUnderstood("text that is lowered before its tokenizer")
    network, tokenizer = transformer.model, transformer.tokenizer
    if not getattr(tokenizer, "is_fast", False):
        raise NotUnderstood(f"the tokenizer {type(tokenizer).__name__}, which has no form of its own for the tokenizers library")
    names = [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in tokenizer.model_input_names]
    most = min(model.max_seq_length or 512, 512)
    # Other implementations choose among paths by looks at the mask that an export freezes.
    network.set_attn_implementation("eager")

    class Exported(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, *given: Any) -> Any:
            inputs = dict(zip(names, given, strict=True))
            tokens = self.network(**inputs).last_hidden_state
            if mode == "cls":
                return tokens[:, 0]
            counted = inputs["attention_mask"].unsqueeze(-1).to(tokens.dtype)
            return (tokens * counted).sum(1) / counted.sum(1).clamp(min=1e-9)

    ids = torch.tensor([tokenizer("a text of some tokens")["input_ids"]])
    sample = tuple(torch.zeros_like(ids) if name == "token_type_ids" else torch.ones_like(ids) for name in names)
    sample = (ids, *sample[1:])
    tokens = torch.export.Dim("tokens", min=2, max=most)
    with warnings.catch_warnings(), torch.no_grad():
        # The exporter warns of its own future.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            Exported().eval(),
            sample,
            input_names=names,
            output_names=["vector"],
            dynamic_shapes=(tuple({1: tokens} for _ in names),),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    return program.model_proto, tokenizer.backend_tokenizer.to_str(), most


def in_eight_bits(model: Any) -> Any:
    """A copy of the graph `model` whose large matrices are integers of eight bits: those that are multiplied with in blocks of `BLOCK` with
    a scale each, and those of which rows are taken with a scale for each row."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    there = {each.name: each for each in graph.initializer}
    nodes, added, gone = [], [], set()

    def large(name: str) -> npt.NDArray[np.float32] | None:
        given = there.get(name)
        if given is None or given.data_type != TensorProto.FLOAT or len(given.dims) != 2 or np.prod(given.dims) < LARGE:
            return None
        return numpy_helper.to_array(given)

    for node in graph.node:
        at = {"MatMul": 1, "Gather": 0}.get(node.op_type, -1)
        weights = large(node.input[at]) if at >= 0 else None
        if weights is None:
            nodes.append(node)
            continue
        name, out = node.input[at], list(node.output)
        gone.add(name)
        first = f"{name}_bits" not in there
        bits: npt.NDArray[np.generic]
        if node.op_type == "MatMul":
            bits, scales = _blocks(weights)
            kept = {"K": weights.shape[0], "N": weights.shape[1], "bits": 8, "block_size": BLOCK, "accuracy_level": INTEGERS_8_BIT}
            nodes.append(
                helper.make_node("MatMulNBits", [node.input[0], f"{name}_bits", f"{name}_scales"], out, domain="com.microsoft", **kept)
            )
        else:
            bits, scales = _rows(weights)
            steps = [f"{out[0]}_{step}" for step in ("bits", "scale", "float")]
            nodes += [
                helper.make_node("Gather", [f"{name}_bits", node.input[1]], steps[:1], axis=0),
                helper.make_node("Gather", [f"{name}_scales", node.input[1]], steps[1:2], axis=0),
                helper.make_node("Cast", steps[:1], steps[2:], to=TensorProto.FLOAT),
                helper.make_node("Mul", [steps[2], steps[1]], out),
            ]
        if first:
            there[f"{name}_bits"] = numpy_helper.from_array(bits, f"{name}_bits")
            added += [there[f"{name}_bits"], numpy_helper.from_array(scales, f"{name}_scales")]
    left = {name for node in nodes for name in node.input}
    kept_tensors = [each for each in graph.initializer if each.name not in gone or each.name in left] + added
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept_tensors)
    graph.node.extend(nodes)
    made.opset_import.append(helper.make_opsetid("com.microsoft", BLOCKS_OPSET))
    return made


def _blocks(weights: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """`weights`, shape (k, n), as the operator for blocks has them: shape (n, blocks, `BLOCK`), zero being 128, and scales (n, blocks)."""
    k, n = weights.shape
    blocks = -(-k // BLOCK)
    padded = np.zeros((blocks * BLOCK, n), dtype=np.float32)
    padded[:k] = weights
    cut = padded.T.reshape(n, blocks, BLOCK)
    scales = _scales(cut)
    return (np.rint(cut / scales) + 128).astype(np.uint8), scales[..., 0]


def _rows(weights: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """`weights`, shape (n, d), as integers, and the scale of each row, shape (n, 1)."""
    scales = _scales(weights)
    return np.rint(weights / scales).astype(np.int8), scales


def _scales(numbers: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    largest = np.abs(numbers).max(axis=-1, keepdims=True) / np.float32(127)
    scales: npt.NDArray[np.float32] = np.where(largest > 0, largest, 1).astype(np.float32)
    return scales


def write_graph(model: Any, folder: Path, file: str, weights_file: str) -> None:
    """Write a graph into the existing `folder`, large numbers into a file of their own, and nothing of where and when it was made."""
    import onnx

    for part in _parts(model):
        part.doc_string = ""
        if hasattr(part, "metadata_props"):
            del part.metadata_props[:]
    del model.graph.value_info[:]
    onnx.save(model, str(folder / file), save_as_external_data=True, location=weights_file, size_threshold=TO_A_FILE)
    if not (folder / weights_file).exists():
        # Of a model so small that all of it stands in the graph.
        (folder / weights_file).write_bytes(b"none\n")


def _parts(model: Any) -> Sequence[Any]:
    graph = model.graph
    assert not model.functions
    return [model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output]
