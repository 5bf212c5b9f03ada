"""Trace a module with `torch.export` for one example, and find the line of the module behind every operation."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tacit.ground.errors import LoweringError
from tacit.signature.base import ArraySpec


@dataclass(frozen=True)
class Traced:
    """A flat graph of torch operations for one example (a batch of 1), and the constants its placeholders stand for."""

    nodes: tuple[torch.fx.Node, ...]
    inputs: tuple[torch.fx.Node, ...]
    constants: dict[torch.fx.Node, torch.Tensor]
    names: dict[torch.fx.Node, str]
    outputs: tuple[Any, ...]


def sample_arrays(inputs: Sequence[ArraySpec], *, batch: int, seed: int = 0) -> tuple[torch.Tensor, ...]:
    """Draw random arrays as the binary's boundary would give them: float32, or int32 below `limit`."""
    generator = torch.Generator().manual_seed(seed)
    drawn: list[torch.Tensor] = []
    for spec in inputs:
        shape = (batch, *spec.shape)
        if spec.limit is not None:
            drawn.append(torch.randint(0, spec.limit, shape, generator=generator, dtype=torch.int32))
        elif spec.dtype == "uint8":
            drawn.append(torch.randint(0, 256, shape, generator=generator).float())
        elif spec.dtype == "int16":
            drawn.append((torch.randn(shape, generator=generator) * 8000).round().clamp(-32768, 32767))
        else:
            drawn.append(torch.randn(shape, generator=generator))
    return tuple(drawn)


def as_tuple(value: Any) -> tuple[torch.Tensor, ...]:
    """Give the outputs of a module as a tuple."""
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def trace(module: torch.nn.Module, inputs: Sequence[ArraySpec]) -> Traced:
    """Export `module` in evaluation mode. Raises: LoweringError when torch can't trace it (control flow on data)."""
    arguments = sample_arrays(inputs, batch=1)
    module.eval()
    logger = logging.getLogger("torch")
    level = logger.level
    try:
        logger.setLevel(logging.CRITICAL)
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()), torch.no_grad():
            warnings.simplefilter("ignore")
            exported = torch.export.export(module, arguments, strict=False)
    except Exception as error:
        raise LoweringError(
            f"expected a module whose forward is a straight line, but torch can't trace {type(module).__name__} - at {_where(error)}",
            cause=_first_line(error),
            fix="write the forward without `if`, `while` or `.item()` on values of tensors; a choice can be a product with 0 or 1",
        ) from error
    finally:
        logger.setLevel(level)
    return _flatten(exported)


def _flatten(exported: torch.export.ExportedProgram) -> Traced:
    exported.graph.eliminate_dead_code()
    signature = exported.graph_signature
    constants: dict[torch.fx.Node, torch.Tensor] = {}
    names: dict[torch.fx.Node, str] = {}
    inputs: list[torch.fx.Node] = []
    held = {**signature.inputs_to_parameters, **signature.inputs_to_buffers, **signature.inputs_to_lifted_tensor_constants}
    for node in exported.graph.nodes:
        if node.op != "placeholder":
            continue
        name = held.get(node.name)
        if name is None:
            inputs.append(node)
        else:
            tensor = exported.state_dict[name] if name in exported.state_dict else exported.constants[name]
            constants[node], names[node] = tensor.detach(), name
    nodes = tuple(node for node in exported.graph.nodes if node.op not in ("placeholder", "output") and node.meta.get("val") is not None)
    output = next(node for node in exported.graph.nodes if node.op == "output")
    return Traced(nodes, tuple(inputs), constants, names, tuple(output.args[0]))


def source_of(node: torch.fx.Node) -> str:
    """Say where an operation comes from: ``net.py:12 blocks.0.norm (LayerNorm)``."""
    parts = [part for part in (line_of(node), module_of(node)) if part]
    return " ".join(parts) or node.name


def line_of(node: torch.fx.Node) -> str:
    """Give ``file:line`` of the person's own code, the innermost frame outside torch."""
    frames = re.findall(r'File "([^"]+)", line (\d+)', node.meta.get("stack_trace") or "")
    own = [(file, line) for file, line in frames if "/torch/" not in file.replace("\\", "/")]
    file, line = own[-1] if own else ("", "")
    return f"{Path(file).name}:{line}" if file else ""


def module_of(node: torch.fx.Node) -> str:
    """Give ``path (Class)`` of the innermost module that the operation belongs to."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    if not stack:
        return ""
    path, kind = stack[-1]
    kind_name = (kind if isinstance(kind, str) else kind.__name__).rpartition(".")[2]
    return f"{path} ({kind_name})" if path else f"({kind_name})"


def _where(error: BaseException) -> str:
    frames = re.findall(r'File "([^"]+)", line (\d+), in forward', str(error))
    traceback = error.__traceback__
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if traceback.tb_frame.f_code.co_name == "forward" and "/torch/" not in file:
            frames.append((file, str(traceback.tb_lineno)))
        traceback = traceback.tb_next
    own = [(file, line) for file, line in frames if "/torch/" not in file]
    return f"{Path(own[-1][0]).name}:{own[-1][1]}" if own else "`forward`"


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"torch says: {lines[0][:200]}" if lines else f"torch says: {type(error).__name__}"
