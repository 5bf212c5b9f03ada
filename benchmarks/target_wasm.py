"""How fast a program is as WebAssembly in wasmtime, beside its native C: with vectors of 128 bits and without.

A call from Python into wasmtime has a price of its own, measured by a function that gives a constant and taken off.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import contestants
import numpy as np
import wasmtime
from contestants import Contestant
from target_subjects import Subject

from tacit.ir.graph import Graph
from tacit.ir.integer import IntegerGraph
from tacit.targets.target import Source
from tacit.targets.wasm.compilation import compile_modules

MOST_TIMES, STRETCH = "<= 6", "<= 150"
NOTHING = "wasmtime, a call that computes nothing, us"


def opened(module: bytes, graph: Graph | IntegerGraph, *, name: str) -> list[Contestant]:
    """Give the contestant of a module and one that calls a function which only gives an address: the price of a call."""
    store = wasmtime.Store()
    exports: Any = wasmtime.Instance(store, wasmtime.Module(store.engine, module), []).exports(store)
    memory = np.frombuffer(exports["memory"].get_buffer_ptr(store), np.uint8)

    def views(kind: str) -> tuple[np.ndarray, ...]:
        found = []
        for place, buffer in enumerate(graph.of_kind("input" if kind == "input" else "output")):
            address = exports[f"{kind}_{place}"](store)
            dtype = np.int32 if kind == "input" and buffer.dtype == "int32" else np.float32
            found.append(memory[address : address + 4 * buffer.size].view(dtype))
        return tuple(found)

    def calls(function: Any) -> Callable[[int], None]:
        def run(count: int) -> None:
            for _ in range(count):
                function(store)

        return run

    running = Contestant(name, calls(exports["run"]), views("input"), views("output"), keep=(store, exports))
    return [running, Contestant(NOTHING, calls(exports["input_0"]), (), ())]


def wasm(
    subject: Subject, our_c: Callable[..., Contestant], integer_source: Callable[[Subject], Source], bench: Any
) -> tuple[dict[str, Any], dict[str, str]]:
    """Give the figures and targets of floats and int8: times the native floats, and microseconds of int8."""
    arrays = subject.draw(1, 0)
    native = our_c(subject.source, bench, bench.folder(subject.name, "wasm"), name="C")
    native.answer(arrays)
    runners, floor = [native], []
    for kind, source in (("floats", subject.source), ("int8", integer_source(subject))):
        modules = compile_modules(source)
        for title, module in ((kind, modules.vectors), (f"{kind} without vectors", modules.plain)):
            running, nothing = opened(module, source.graphs["main"], name=title)
            error = contestants.relative_error(running.answer(arrays), native.answer(arrays))
            if not error <= (1e-4 if kind == "floats" else 0.2):
                raise ValueError(f"expected WebAssembly to compute what the C does, relative error {error:.3g} - {title}")
            runners.append(running)
            floor = [nothing]
    times = contestants.take_turns([*runners, *floor], rounds=bench.rounds)
    for runner in runners[1:]:  # the price of wasmtime's interface of Python is not WebAssembly's; our C has no such price here
        times[runner.name] = [whole - call for whole, call in zip(times[runner.name], times[NOTHING], strict=True)]
    ratio = {runner.name: contestants.ratio(times, runner.name, "C")[1] for runner in runners[1:]}
    spent = {runner.name: contestants.microseconds(times, runner.name) for runner in runners[1:]}
    title, taken = f"WASM over native floats, net {subject.name}", f"WASM int8, net {subject.name}, us"
    figures: dict[str, Any] = {
        title: {name: ratio[name] for name in ("floats", "int8")},
        f"{title}, without vectors": {name: ratio[name] for name in ratio if name not in ("floats", "int8")},
        taken: spent["int8"],
        f"WASM, net {subject.name}, us": spent,
        NOTHING: contestants.microseconds(times, NOTHING),
    }
    return figures, {title: f"max {MOST_TIMES}", taken: STRETCH}
