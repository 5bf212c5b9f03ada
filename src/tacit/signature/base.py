"""What every type of an input or an output can do, and the algebra of types: ``input >> output`` and ``a * b``.

A type owns the way from a person's value to fixed arrays and back. It needs NumPy and Pillow alone. It is a frozen
dataclass whose fields are JSON values (tuples become lists), so `to_json` and `from_json` need no code in the types.
The signature and the products stand here too, because the operators make them.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from tacit.ground.errors import ConfigError, InputError, raise_all
from tacit.ground.tables import did_you_mean
from tacit.signature.checks import what_came


@dataclass(frozen=True)
class ArraySpec:
    """One array that a type becomes: its name, its shape without a batch axis, its dtype as it is *stored*.

    Stored arrays (dtype uint8, int16, float32) become float32 at the binary's boundary; int32 arrays stay integers
    and index rows of an embedding, with values in ``0 <= value < limit``.

    `normalise`: the axes along which a mean and a deviation of their own are fitted on the training examples, over
    all other axes and the batch (``()``: one pair for the whole array; None: the values are used as they are).
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    axes: tuple[str, ...]
    limit: int | None = None
    normalise: tuple[str, ...] | None = None

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(f'{axis}={size}' for axis, size in zip(self.axes, self.shape, strict=True))}]"


class Type(abc.ABC):
    """Common to inputs and outputs."""

    kind: ClassVar[str]

    def to_json(self) -> dict[str, Any]:
        """Give ``{"type": kind, field: value, ...}`` of JSON values."""
        fields = {field.name: _json(getattr(self, field.name)) for field in dataclasses.fields(self)}  # type: ignore[arg-type]
        return {"type": self.kind, **fields}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """Build from the fields of `to_json` (without ``type``); lists become tuples. Raises: ConfigError for bad values."""
        cls.check_fields(fields)
        return cls(**{key: _tuples(value) for key, value in fields.items()})

    @classmethod
    def check_fields(cls, fields: Mapping[str, Any]) -> None:
        """Refuse unknown and missing fields. Raises: ConfigError that names all of them."""
        known = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
        problems = [f"unknown field `{name}`, {did_you_mean(name, known)}" for name in fields if name not in known]
        problems += [
            f"missing field `{field.name}`"
            for field in dataclasses.fields(cls)  # type: ignore[arg-type]
            if field.name not in fields and field.default is dataclasses.MISSING
        ]
        raise_all(problems, heading=f"expected the fields of the type `{cls.kind}`", error=ConfigError)

    def __repr__(self) -> str:
        required, given = [], []
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if field.default is dataclasses.MISSING:
                required.append(repr(value))
            elif value != field.default:
                given.append(f"{field.name}={value!r}")
        return f"{type(self).__name__}({', '.join([*required, *given])})"

    @abc.abstractmethod
    def describe(self) -> str:
        """Say in one line what the type is, for cards and tables."""


class InputType(Type):
    """An input: reads what a person has into arrays of fixed shape."""

    #: Names of the augmentations (`tacit.search.augmentation`) that are safe for this type without being asked.
    augmentations: ClassVar[tuple[str, ...]] = ()
    #: Key of the default skeleton in `tacit.skeletons`.
    skeleton: ClassVar[str]

    @property
    @abc.abstractmethod
    def arrays(self) -> tuple[ArraySpec, ...]:
        """The arrays that `read` gives, in order."""

    @property
    def numeric_arrays(self) -> tuple[ArraySpec, ...]:
        """The arrays whose mean and deviation are fitted on the training examples."""
        return tuple(spec for spec in self.arrays if spec.normalise is not None)

    @abc.abstractmethod
    def read(self, value: Any) -> tuple[np.ndarray, ...]:
        """Turn a person's value (path, bytes, PIL image, array, string, dict row ...) into the arrays of `arrays`.

        Raises: InputError, naming what was expected and what came.
        """

    @abc.abstractmethod
    def show(self, arrays: Sequence[np.ndarray]) -> str:
        """Describe a value in one line of text for a terminal."""

    def picture(self, arrays: Sequence[np.ndarray]) -> np.ndarray | None:
        """Draw a value as uint8[row, column, 3] of any size; None for a type that is better shown as words."""
        return None

    def read_all(self, values: Sequence[Any], *, names: Sequence[str] | None = None) -> tuple[np.ndarray, ...]:
        """Read many values into arrays with a leading axis `example`.

        `names` says in errors which value is meant (default: ``value 0``, ``value 1`` ...).
        Raises: InputError that names every value that could not be read.
        """
        stacked = tuple(np.zeros((len(values), *spec.shape), spec.dtype) for spec in self.arrays)
        problems = []
        for row, value in enumerate(values):
            try:
                for target, array in zip(stacked, self.read(value), strict=True):
                    target[row] = array
            except InputError as error:
                problems.append(f"{names[row] if names else f'value {row}'}: {error.message}")
        raise_all(problems, heading=f"expected values of the type {self!r}")
        return stacked

    def __rshift__(self, output: OutputType) -> Signature:
        if not isinstance(output, OutputType):
            raise ConfigError(
                f"expected an output type on the right of `>>`, got {what_came(output)} - at `{self!r} >> ...`",
                fix='`Image(28, 28, 1) >> Class("cat", "dog")`',
            )
        return Signature(self, output)

    def __mul__(self, other: InputType) -> Product:
        if not isinstance(other, InputType):
            raise ConfigError(f"expected an input type on both sides of `*`, got {what_came(other)} - at `{self!r} * ...`")
        return Product(_parts(self) + _parts(other))


class OutputType(Type):
    """An output: labels to targets for training, scores back to a person's value."""

    #: Keys of the default loss (`tacit.search.losses`) and metric (`tacit.goals`).
    loss: ClassVar[str]
    metric: ClassVar[str]

    @property
    @abc.abstractmethod
    def width(self) -> int:
        """How many scores the binary gives."""

    @property
    @abc.abstractmethod
    def target(self) -> ArraySpec:
        """The array that `encode` gives (shape without a batch axis)."""

    @abc.abstractmethod
    def encode(self, label: Any) -> np.ndarray:
        """Turn one label (a class name, a number, a list of names) into a target. Raises: InputError."""

    @abc.abstractmethod
    def decode(self, scores: np.ndarray) -> Any:
        """Turn float32[width] scores into a person's value (a `str`, a `float`, a list of `str`)."""

    @abc.abstractmethod
    def label(self, target: np.ndarray) -> Any:
        """Turn a target back into the label that `encode` would take."""

    def __mul__(self, other: OutputType) -> Joint:
        if not isinstance(other, OutputType):
            raise ConfigError(f"expected an output type on both sides of `*`, got {what_came(other)} - at `{self!r} * ...`")
        return Joint(_parts(self) + _parts(other))


@dataclass(frozen=True)
class Signature:
    """An input type and an output type; made by ``input >> output``."""

    input: InputType
    output: OutputType

    def __str__(self) -> str:
        return f"{self.input} >> {self.output}"

    def __repr__(self) -> str:
        return str(self)

    def to_json(self) -> dict[str, Any]:
        """Give a JSON value from which `tacit.signature.types.signature_from_json` rebuilds the signature."""
        return {"input": self.input.to_json(), "output": self.output.to_json()}


@dataclass(frozen=True, repr=False)
class Product(InputType):
    """Several inputs at once, made by ``a * b``; takes a tuple in the order of the parts, or a dict by their names.

    `names`: one per part; when not given, the kinds of the parts, numbered where they repeat (``image1``, ``image2``).
    The arrays of a part called `image` are called ``image.pixels`` and so on.
    """

    kind: ClassVar[str] = "product"
    skeleton: ClassVar[str] = "product"

    parts: tuple[InputType, ...]
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", _names_of_parts(self.parts, self.names))

    @classmethod
    def from_parts(cls, parts: Sequence[Type], names: Sequence[str]) -> Product:
        """Build from parts that are already types. Raises: ConfigError when a part is not an input."""
        inputs = tuple(part for part in parts if isinstance(part, InputType))
        if len(inputs) != len(parts):
            raise ConfigError("expected the parts of a product to be input types, got an output type among them")
        return cls(inputs, tuple(names))

    def __repr__(self) -> str:
        return " * ".join(map(repr, self.parts))

    def describe(self) -> str:
        """Say in one line what the type is."""
        return "; and ".join(part.describe() for part in self.parts)

    @property
    def arrays(self) -> tuple[ArraySpec, ...]:
        """The arrays of all parts in order, each with the name of its part in front."""
        return tuple(
            dataclasses.replace(spec, name=f"{name}.{spec.name}")
            for name, part in zip(self.names, self.parts, strict=True)
            for spec in part.arrays
        )

    def read(self, value: Any) -> tuple[np.ndarray, ...]:
        """Read a tuple in the order of the parts or a dict by their names. Raises: InputError that names every bad part."""
        values = _values_of_parts(value, self.names)
        problems: list[str] = []
        arrays: list[np.ndarray] = []
        for name, part, item in zip(self.names, self.parts, values, strict=True):
            try:
                arrays.extend(part.read(item))
            except InputError as error:
                problems.append(f"`{name}`: {error.message}")
        raise_all(problems, heading=f"expected {self.describe()}")
        return tuple(arrays)

    def show(self, arrays: Sequence[np.ndarray]) -> str:
        """Show every part."""
        return "; ".join(part.show(own) for part, own in zip(self.parts, self.divide(arrays), strict=True))

    def picture(self, arrays: Sequence[np.ndarray]) -> np.ndarray | None:
        """Draw the parts that have a picture side by side."""
        drawn = [part.picture(own) for part, own in zip(self.parts, self.divide(arrays), strict=True)]
        pictures = [picture for picture in drawn if picture is not None]
        if not pictures:
            return None
        tallest = max(len(picture) for picture in pictures)
        equal = []
        for picture in pictures:
            factor = max(1, tallest // len(picture))
            larger = picture.repeat(factor, axis=0).repeat(factor, axis=1)
            equal.append(np.pad(larger, ((0, tallest - len(larger)), (0, 2), (0, 0)), constant_values=255))
        return np.concatenate(equal, axis=1)

    def divide(self, arrays: Sequence[Any]) -> tuple[tuple[Any, ...], ...]:
        """Share a flat sequence of arrays out among the parts."""
        shares, at = [], 0
        for part in self.parts:
            count = len(part.arrays)
            shares.append(tuple(arrays[at : at + count]))
            at += count
        return tuple(shares)


@dataclass(frozen=True, repr=False)
class Joint(OutputType):
    """Several outputs at once, made by ``a * b``; a label is a tuple or a dict by name, and so is what `decode` gives (a dict).

    Scores and targets of the parts stand one after the other: scores float32[width], target float32[target], a class
    being the float of its number.
    """

    kind: ClassVar[str] = "joint"
    loss: ClassVar[str] = "joint"
    metric: ClassVar[str] = "joint"

    parts: tuple[OutputType, ...]
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", _names_of_parts(self.parts, self.names))

    @classmethod
    def from_parts(cls, parts: Sequence[Type], names: Sequence[str]) -> Joint:
        """Build from parts that are already types. Raises: ConfigError when a part is not an output."""
        outputs = tuple(part for part in parts if isinstance(part, OutputType))
        if len(outputs) != len(parts):
            raise ConfigError("expected the parts of a joint output to be output types, got an input type among them")
        return cls(outputs, tuple(names))

    def __repr__(self) -> str:
        return " * ".join(map(repr, self.parts))

    def describe(self) -> str:
        """Say in one line what the type is."""
        return "; and ".join(part.describe() for part in self.parts)

    @property
    def width(self) -> int:
        """The scores of all parts together."""
        return sum(part.width for part in self.parts)

    @property
    def target(self) -> ArraySpec:
        """The targets of all parts, flattened one after the other."""
        return ArraySpec("target", (sum(_flat_size(part) for part in self.parts),), "float32", ("target",))

    def divide_scores(self, scores: np.ndarray) -> tuple[np.ndarray, ...]:
        """Share the last axis of float32[..., width] out among the parts."""
        return _divide(scores, [part.width for part in self.parts])

    def divide_targets(self, targets: np.ndarray) -> tuple[np.ndarray, ...]:
        """Share the last axis of float32[..., target] out among the parts, each as its own `target` says."""
        pieces = _divide(targets, [_flat_size(part) for part in self.parts])
        lead = targets.shape[:-1]
        return tuple(
            piece.reshape(lead + part.target.shape).astype(part.target.dtype) for part, piece in zip(self.parts, pieces, strict=True)
        )

    def encode(self, label: Any) -> np.ndarray:
        """Encode every part of a tuple or dict. Raises: InputError."""
        values = _values_of_parts(label, self.names)
        return np.concatenate([np.ravel(part.encode(value)).astype(np.float32) for part, value in zip(self.parts, values, strict=True)])

    def decode(self, scores: np.ndarray) -> dict[str, Any]:
        """Give ``{name of part: its value}``."""
        pieces = self.divide_scores(np.asarray(scores))
        return {name: part.decode(piece) for name, part, piece in zip(self.names, self.parts, pieces, strict=True)}

    def label(self, target: np.ndarray) -> dict[str, Any]:
        """Give ``{name of part: its label}``."""
        pieces = self.divide_targets(np.asarray(target))
        return {name: part.label(piece) for name, part, piece in zip(self.names, self.parts, pieces, strict=True)}


def _json(value: Any) -> Any:
    if isinstance(value, Type):
        return value.to_json()
    return [_json(item) for item in value] if isinstance(value, tuple | list) else value


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value


def _parts(value: Any) -> tuple[Any, ...]:
    return value.parts if isinstance(value, Product | Joint) else (value,)


def _names_of_parts(parts: Sequence[Type], names: Sequence[str]) -> tuple[str, ...]:
    if len(parts) < 2:
        raise ConfigError(f"expected at least two parts, got {len(parts)} - at a product of types")
    if not names:
        kinds = [part.kind for part in parts]
        return tuple(kind if kinds.count(kind) == 1 else f"{kind}{kinds[: at + 1].count(kind)}" for at, kind in enumerate(kinds))
    if len(names) != len(parts) or len(set(names)) != len(names):
        raise ConfigError(f"expected {len(parts)} different names, got {', '.join(names)} - at a product of types")
    return tuple(names)


def _values_of_parts(value: Any, names: Sequence[str]) -> list[Any]:
    if isinstance(value, Mapping):
        problems = [f"unknown part `{name}`, {did_you_mean(str(name), list(names))}" for name in value if name not in names]
        problems += [f"missing part `{name}`" for name in names if name not in value]
        raise_all(problems, heading=f"expected a dict with {', '.join(f'`{name}`' for name in names)}")
        return [value[name] for name in names]
    if isinstance(value, tuple | list) and len(value) == len(names):
        return list(value)
    raise InputError(f"expected a tuple of {len(names)} values ({', '.join(names)}) or a dict, got {what_came(value)}")


def _flat_size(part: OutputType) -> int:
    return int(np.prod(part.target.shape, dtype=int))


def _divide(array: np.ndarray, sizes: Sequence[int]) -> tuple[np.ndarray, ...]:
    return tuple(np.split(array, np.cumsum(sizes)[:-1], axis=-1))
