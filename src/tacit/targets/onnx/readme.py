"""The README that is written beside a model."""

from __future__ import annotations

from tacit.targets.ports import decoding, input_ports, output_ports, table
from tacit.targets.target import Source

_TEXT = """# {name}

An ONNX model, made by Tacit from the binary `{digest}`.
It takes {reads}, and gives {answers}.

| file | what it is |
| --- | --- |
{files}

The first axis of every array is the batch and may have any size. The model takes arrays: to decode pictures, sounds or texts into them
is the caller's business; the metadata entry `signature` says as JSON what a value is made of. `digest` names the binary, `evidence` is
what was measured when it was compiled. A NaN among the inputs is read as 0, and in
`{name}.onnx` so is minus infinity.
{integers}
## Inputs

{inputs}

## Outputs

{outputs}

## Python

```python
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("{name}.onnx", providers=["CPUExecutionProvider"])
{example}
print(session.get_modelmeta().custom_metadata_map["digest"])
{decoding}
```
{others}"""

_INTEGERS = """
## Integers

`{name}.onnx` is quantised with QuantizeLinear and DequantizeLinear (QDQ), which runtimes turn into their integer kernels. They round
in floating point, so now and then a number differs by one step from the program's definition. `{name}_exact.onnx` computes with
integers as the definition does and gives the same bits everywhere; it is slower.
"""


def readme(source: Source) -> str:
    """Give the text."""
    name, inputs = source.name, input_ports(source)
    files = {f"{name}.onnx": "the model, in 8-bit integers with float rounding" if source.integer else "the model, in float32"}
    if source.integer:
        files[f"{name}_exact.onnx"] = "the same in integer arithmetic, bit for bit"
    others = []
    for entry in source.graphs:
        if entry != "main":
            files[f"{name}_{entry}.onnx"] = f"the entry point `{entry}`"
            files |= {f"{name}_{entry}_exact.onnx": f"the entry point `{entry}` bit for bit"} if source.integer else {}
            tables = f"{table(input_ports(source, entry))}\n\n{table(output_ports(source, entry))}"
            others.append(f"\n## Entry point `{entry}`\n\n{tables}\n")
    given = [f"{port.variable} = np.zeros({(1, *port.shape)}, np.{port.dtype})  # {port.values}" for port in inputs]
    feeds = ", ".join(f'"{port.name}": {port.variable}' for port in inputs)
    outputs = output_ports(source)
    call = f'(scores,) = session.run(["{outputs[0].name}"], {{{feeds}}})'
    return _TEXT.format(
        name=name,
        digest=source.digest,
        reads=source.signature.input.describe(),
        answers=source.signature.output.describe(),
        files="\n".join(f"| `{file}` | {what} |" for file, what in files.items()),
        integers=_INTEGERS.format(name=name) if source.integer else "",
        inputs=table(inputs),
        outputs=table(outputs),
        example="\n".join([*given, call]),
        decoding=decoding(source),
        others="".join(others),
    )
