"""The README that is written beside a program of Python."""

from __future__ import annotations

from tacit.targets.ports import decoding, input_ports, output_ports, table
from tacit.targets.target import Source

_TEXT = """# {name}

A program of Python that needs NumPy alone, made by Tacit from the binary `{digest}`.
It takes {reads}, and gives {answers}.

| file | what it is |
| --- | --- |
| `{name}.py` | the program |
| `{name}.npz` | its weights |

The first axis of every array is the batch and may have any size. The program takes arrays: to decode pictures, sounds or texts into
them is the caller's business. A NaN among the inputs is read as 0; a wrong shape, or an integer out of its range, raises ValueError.
{integers}
## Inputs

{inputs}

## Outputs

{outputs}

## Example

```python
import numpy as np
import {name}

{example}
{decoding}
```
{others}"""

_INTEGERS = """
The program computes with 8-bit integers; it is the definition of what all int8 builds of this binary give, bit for bit.
"""


def readme(source: Source) -> str:
    """Give the text."""
    inputs, outputs = input_ports(source), output_ports(source)
    given = [f"{port.variable} = np.zeros({(1, *port.shape)}, np.{port.dtype})  # {port.values}" for port in inputs]
    call = f"{source.name}.run({', '.join(port.variable for port in inputs)})"
    given.append(f"scores = {call}" if len(outputs) == 1 else f"scores, *_ = {call}")
    others = [
        f"\n## Entry point `{entry}`\n\n{table(input_ports(source, entry))}\n\n{table(output_ports(source, entry))}\n"
        for entry in source.graphs
        if entry != "main"
    ]
    return _TEXT.format(
        name=source.name,
        digest=source.digest,
        reads=source.signature.input.describe(),
        answers=source.signature.output.describe(),
        integers=_INTEGERS if source.integer else "",
        inputs=table(inputs),
        outputs=table(outputs),
        example="\n".join(given),
        decoding=decoding(source),
        others="".join(others),
    )
