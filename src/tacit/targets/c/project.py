"""The files around the generated C: an example, a Makefile, a CMakeLists.txt and a README for the person who gets the folder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tacit.ir.graph import Buffer
from tacit.ir.integer import IntegerBuffer
from tacit.signature.base import ArraySpec
from tacit.targets.c.emit import CSource, function_name
from tacit.targets.c.isa import Isa
from tacit.targets.c.stack import Stack
from tacit.targets.c.toolchain import LEVEL, SAME_BITS, Compiler, Machine
from tacit.targets.target import Source

_SOFT = """ But floats are computed by the compiler's own library on this machine,
and that does branch: in an int8 program where floats come in and go out, else everywhere."""
_TILES = """A program asks Linux once for the tiles of AMX, as `main.c` does, before it runs this.

"""


@dataclass(frozen=True)
class Project:
    """What the files are written from. machine: None for the machine that builds. stack: None where no compiler tells it."""

    source: Source
    generated: CSource
    isa: Isa
    machine: Machine | None
    stack: Stack | None = None

    @property
    def flags(self) -> str:
        """What every compiler of the gcc family is given."""
        return " ".join([*LEVEL, *self.isa.flags, *(SAME_BITS if self.source.integer else [])])

    def files(self) -> dict[str, str]:
        """Give the text of each file by its name."""
        return {
            "main.c": self._example(),
            "Makefile": self._makefile(),
            "CMakeLists.txt": self._cmake(),
            "README.md": self._readme(),
        }

    def _example(self) -> str:
        name = self.source.name
        upper, graph = name.upper(), self.source.graphs["main"]
        inputs, outputs = graph.of_kind("input"), graph.of_kind("output")
        types = ["int32_t" if buffer.dtype == "int32" else "float" for buffer in inputs]
        specs: Sequence[ArraySpec] = self.source.signature.input.arrays
        declared = [
            f"    static {kind} input_{number}[{upper}_INPUT_{number}_SIZE]; /* fill in: {spec} */"
            for number, (kind, spec) in enumerate(zip(types, specs, strict=True))
        ]
        given = ", ".join([*(f"input_{n}" for n in range(len(inputs))), *(f"output_{n}" for n in range(len(outputs)))])
        return "\n".join(
            [
                f"/* Run {name} once. */",
                "#include <stdio.h>",
                *(["#include <sys/syscall.h>", "#include <unistd.h>"] if self.isa.tiles else []),
                f'#include "{name}.h"',
                "",
                "int main(void)",
                "{",
                *declared,
                *(f"    float output_{number}[{upper}_OUTPUT_{number}_SIZE];" for number in range(len(outputs))),
                "",
                *(["    syscall(SYS_arch_prctl, 0x1023, 18); /* ask Linux once for the tiles of AMX */"] if self.isa.tiles else []),
                f"    {name}_run({given});",
                f"    for (int i = 0; i < {upper}_OUTPUT_0_SIZE; i++)",
                '        printf("%g\\n", (double)output_0[i]);',
                "    return 0;",
                "}",
                "",
            ]
        )

    def _makefile(self) -> str:
        name, hosted = self.source.name, self.machine is None or not self.machine.freestanding
        zig = self.machine is not None
        return f"""# {name}: `make` builds {f"the example {name} and " if hosted else ""}lib{name}.a, `make size` shows what it takes.
ifeq ($(origin CC),default)
CC = {"python3 -m ziglang cc" if zig else "cc"}
endif
ifeq ($(origin AR),default)
AR = {"python3 -m ziglang ar" if zig else "ar"}
endif
CFLAGS ?= {self._compiler_flags()} -Wall -Wextra

all: {f"{name} " if hosted else ""}lib{name}.a

{name}: main.o {name}.o
\t$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

lib{name}.a: {name}.o
\t$(AR) rcs $@ $^

{name}.o: {name}.c {name}.h {name}_weights.bin
\t$(CC) $(CFLAGS) -c -o $@ $<

main.o: main.c {name}.h
\t$(CC) $(CFLAGS) -c -o $@ $<

size: {name}.o
\tsize $^

clean:
\trm -f {name} lib{name}.a {name}.o main.o

.PHONY: all size clean
"""

    def _compiler_flags(self) -> str:
        if self.machine is None:
            return self.flags
        flags = Compiler(("zig", "cc"), zig=True).flags(self.isa, integer=self.source.integer, machine=self.machine)
        return " ".join(flags)

    def _cmake(self) -> str:
        name = self.source.name
        return f"""cmake_minimum_required(VERSION 3.10)
project({name} C)

# In a program of yours: add_subdirectory(...), then target_link_libraries(yours PRIVATE {name}).
add_library({name} STATIC {name}.c)
target_include_directories({name} PUBLIC ${{CMAKE_CURRENT_SOURCE_DIR}})
target_compile_options({name} PRIVATE {self.flags} -Wa,-I${{CMAKE_CURRENT_SOURCE_DIR}})
set_source_files_properties({name}.c PROPERTIES OBJECT_DEPENDS ${{CMAKE_CURRENT_SOURCE_DIR}}/{name}_weights.bin)

if(CMAKE_SOURCE_DIR STREQUAL CMAKE_CURRENT_SOURCE_DIR)
  add_executable({name}_example main.c)
  target_link_libraries({name}_example PRIVATE {name})
endif()
"""

    def _stack(self) -> str:
        if self.stack is None:
            return ""
        bounded = "" if self.stack.bounded else ", or more"
        return f"Stack: {self.stack.call} bytes for a call{bounded}, {self.stack.greatest} of them in the largest function.\n"

    def _readme(self) -> str:
        name, upper = self.source.name, self.source.name.upper()
        kind = "8-bit integers; every machine computes the same bits" if self.source.integer else "float32"
        made_for = self.isa.name if self.machine is None else f"{self.machine.title}, {self.isa.name}"
        rows = [_row(entry, graph.of_kind("input"), graph.of_kind("output")) for entry, graph in self.source.graphs.items()]
        bytes_of = ", ".join(f"{function_name(name, entry)} {count}" for entry, count in self.generated.arena_bytes.items())
        return f"""# {name}

`{self.source.signature}` as freestanding C, made by Tacit from the program with the digest `{self.source.digest[:16]}`.
Arithmetic: {kind}. Made for: {made_for}. Weights: {self.generated.weight_bytes} bytes. Arena, in bytes: {bytes_of}.
{self._stack()}
```c
#include "{name}.h"
{name}_run(input, output);            /* one static arena: not from two threads at once */
{name}_run_in(arena, input, output);  /* {upper}_ARENA_BYTES of yours: 64-byte aligned, zero before the first use */
```

{chr(10).join(rows)}

Inputs are the numbers as they are stored (a byte of a picture is 0 to 255, as a float), row by row; outputs are scores. A NaN reads
as 0. An integer input must be within its range: it picks rows of a table, and nothing checks it. No function allocates, calls a
library, or takes a branch that depends on data.{_SOFT if self.machine is not None and self.machine.soft_floats else ""}

| file | what it is |
|---|---|
| `{name}.h`, `{name}.c` | the program |
| `{name}_weights.bin` | its weights, put into the object file by `#embed` or the assembler's `.incbin` |
| `main.c` | an example |
| `Makefile`, `CMakeLists.txt` | flags: `{self.flags}` |
| `machine.json` | what the program was made for |
| `parity.json` | how the program was held against the interpreter of Tacit when it was built |

{_TILES if self.isa.tiles else ""}With a compiler that knows neither `#embed` nor `.incbin`, define
`TACIT_WEIGHTS_ELSEWHERE` and place the weights as the array `{name}_weights`, 64-byte aligned.
"""


def _row(entry: str, inputs: Sequence[Buffer | IntegerBuffer], outputs: Sequence[Buffer | IntegerBuffer]) -> str:
    given = [f"`input_{number}` {_shape(buffer, buffer.dtype == 'int32')}" for number, buffer in enumerate(inputs)]
    made = [f"`output_{number}` {_shape(buffer, False)}" for number, buffer in enumerate(outputs)]
    return f"- `{entry}`: {', '.join(given)} -> {', '.join(made)}"


def _shape(buffer: Buffer | IntegerBuffer, integers: bool) -> str:
    kind = "int32_t" if integers else "float"
    return f"{kind}[{math.prod(buffer.shape)}], {buffer.name} {list(buffer.shape)}"
