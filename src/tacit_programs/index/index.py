"""The index: where a query stands among sorted keys, exactly, for keys and for what lies between them."""

from __future__ import annotations

import threading
from os import PathLike
from typing import Any, Literal

import numpy as np

import tacit
from tacit_programs.index.compiled import aligned, fast_path
from tacit_programs.index.files import read_index, write_index
from tacit_programs.index.keys import MOST_KEYS, Kind, array_of, codes_of, kind_of, query_code, refuse_disorder, wrong_type
from tacit_programs.index.network import binary_of
from tacit_programs.index.numbers import NumberStore, Run
from tacit_programs.index.structure import CHOICES, Choice, choice_named, choose
from tacit_programs.index.texts import TextRun, TextStore, texts_of, to_bytes
from tacit_programs.index.texts import refuse_disorder as refuse_disorder_of_texts

Side = Literal["left", "right"]


class Index:
    """Sorted keys that are looked up, counted and added to. Made by `compile` or `load`.

    Positions are those of ``np.searchsorted``: among all keys in order, from 0 to ``len(index)``. An answer holds for the keys at one
    moment: any number of threads may look keys up while one inserts; two that insert wait for one another.
    """

    def __init__(self, store: NumberStore | TextStore, *, order: np.ndarray | None = None, evidence: dict[str, Any] | None = None) -> None:
        """Wrap a store of keys. order: where each sorted key was among the keys that were given. evidence: what was measured."""
        self._store = store
        self._writing = threading.Lock()
        self._evidence = evidence or {}
        #: int64[key]: where each sorted key was among unsorted ones; None for keys that came sorted.
        self.order = order

    def __len__(self) -> int:
        return len(self._store)

    def __repr__(self) -> str:
        return f"<Index of {len(self):,} keys of {self.kind}, {self._store.choice.name}>"

    @property
    def kind(self) -> str:
        """Name the type of the keys, such as ``uint64``, ``datetime64[ns]`` or ``str``."""
        return self._store.kind.name

    @property
    def keys(self) -> np.ndarray:
        """Give all keys in order. Inserted keys are merged first; of uint64 it is no copy otherwise, so it can't be written to."""
        return self._store.keys()

    def lookup(self, queries: Any, side: Side = "left") -> Any:
        """Give where queries stand: how many keys are below (``side="right"``: not above) each.

        One query gives an int, a list or an array int64[query]. Raises: TacitError for queries of another type than the keys, and for NaN.
        """
        right = _is_right(side)
        store = self._store
        place = store.find(queries, right)
        if place is not None:
            return place
        one, values = self._queries(queries)
        places = store.lookup(values, right)
        return int(places[0]) if one else places

    def contains(self, queries: Any) -> Any:
        """Tell whether queries are keys: a bool for one query, bool[query] for a list or an array."""
        one, values = self._queries(queries)
        found = self._store.contains(values)
        return bool(found[0]) if one else found

    def __contains__(self, query: Any) -> bool:
        return bool(self.contains(query))

    def range(self, low: Any = None, high: Any = None, *, inclusive: bool = False) -> slice:
        """Give the slice of the sorted keys with low <= key < high; with `inclusive`, key <= high. None: no limit.

        >>> from tacit_programs.index import compile
        >>> index = compile([10, 20, 20, 30])
        >>> index.keys[index.range(20, 30)].tolist()
        [20, 20]
        """
        store = self._store
        begin = 0 if low is None else self._place(store, low, False)
        end = len(store) if high is None else self._place(store, high, inclusive)
        return slice(begin, max(begin, end))

    def insert(self, keys: Any) -> None:
        """Add a key or a list of keys, in any order. The next lookup counts them.

        They lie in runs of their own, which are merged as they grow; on average a key is merged a few times.
        Raises: TacitError for keys of another type, and where `order` would no longer hold.
        """
        if self.order is not None:
            raise tacit.TacitError("expected an index of keys that came sorted, got one with an `order`", fix="compile(np.sort(keys))")
        _, values = self._queries(keys, where="keys")
        with self._writing:
            kind = self._store.kind
            if kind_of(values, where="keys") != kind and len(values):
                values = _converted(values, kind)
            if len(self) + len(values) > MOST_KEYS:
                raise too_many(len(self) + len(values))
            if len(values):
                self._store = self._store.inserted(values)

    def merge(self) -> None:
        """Merge what was inserted into one run, and choose its structure again by measuring."""
        with self._writing:
            store = self._store.merged()
            if isinstance(store, NumberStore):
                choice, structure, measured = choose(store.runs[0].codes)
                store = NumberStore(store.kind, choice, (Run(store.runs[0].codes, structure),))
                self._evidence = {"measured": measured}
            self._store = store

    def stats(self) -> dict[str, Any]:
        """Give what holds the keys and what it costs: JSON values.

        ``measured``: nanoseconds per lookup and bytes per key of each structure that was tried when the index was compiled.
        """
        store = self._store
        return {
            "keys": len(store),
            "type": store.kind.name,
            "structure": store.choice.name,
            "learned": _learned(store),
            "bytes per key": store.bytes / max(len(store), 1),
            "bytes": store.bytes,
            "bytes of keys": store.key_bytes,
            "runs": [len(run) for run in store.runs],
            "instructions": fast_path(),
            **self._evidence,
        }

    def binary(self) -> tacit.Binary:
        """Give what was learned as a network of one input, lowered: from a query, scaled, to the piece it lies in.

        Raises: TacitError where nothing was learned, for the static tree was faster, and without PyTorch.
        """
        shape = getattr(self._store.runs[0].structure, "shape", None)
        if shape is None:
            raise tacit.TacitError(
                "expected an index that was learned, got a tree", cause="it was faster", fix='compile(keys, structure="pieces of 8")'
            )
        return binary_of(shape)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the keys and what was learned into one file, a safetensors file with a seal. Inserted keys are merged first."""
        store = self._store.merged()
        write_index(path, store, self.order, self._evidence)

    def _queries(self, values: Any, *, where: str = "queries") -> tuple[bool, np.ndarray]:
        """Give whether one value came, and an array of what came."""
        if type(values) is np.ndarray and values.ndim == 1 and values.dtype.kind in "ui" and not self._store.kind.is_text:
            return False, values  # the common cases, at once
        if query_code(values, self._store.kind) is not None:
            return True, np.array([values], self._store.kind.dtype)
        one = isinstance(values, str | bytes) or not (hasattr(values, "__len__") or hasattr(values, "__iter__"))
        one = one or (isinstance(values, np.ndarray) and values.ndim == 0)
        array = array_of([values[()] if isinstance(values, np.ndarray) else values] if one else values, where=where)
        if not len(array):
            return one, np.zeros(0, object if self._store.kind.is_text else self._store.kind.dtype)
        if (array.dtype.kind == "O") != self._store.kind.is_text:
            raise wrong_type(kind_of(array, where=where).name, self._store.kind)
        return one, array

    def _place(self, store: NumberStore | TextStore, value: Any, right: bool) -> int:
        place = store.find(value, right)
        return int(store.lookup(self._queries(value)[1], right)[0]) if place is None else place


def compile(keys: Any, *, sorted: bool = True, structure: str | None = None) -> Index:
    """Make an index of keys: integers, floats, moments, durations, str or bytes, in a list, an array, or a column of pandas or Arrow.

    sorted: whether the keys come in order; with False they are sorted, and `Index.order` says where each was. structure: a row of
    `CHOICES` (``pieces of 8``, ``pieces of 32``, ``tree``); without it each is built and timed on these keys, and the smallest that is
    nearly the fastest is kept. uint64 keys are not copied: don't write to the array afterwards.
    Raises: TacitError for NaN or gaps, keys of several types, keys out of order (the first place), and for more than 4,000,000,000 keys.

    >>> compile([10, 20, 20, 30]).lookup([20, 25], side="right").tolist()
    [3, 3]
    """
    chosen = None if structure is None else choice_named(structure)
    array = array_of(keys, where="keys")
    kind = kind_of(array, where="keys")
    if len(array) > MOST_KEYS:
        raise too_many(len(array))
    return _of_texts(array, kind, sorted, chosen) if kind.is_text else _of_numbers(array, kind, sorted, chosen)


def load(path: str | PathLike[str]) -> Index:
    """Read an index that `Index.save` wrote. Raises: TacitError for a file that is damaged, or no index."""
    store, order, evidence = read_index(path)
    return Index(store, order=order, evidence=evidence)


def too_many(count: int) -> tacit.TacitError:
    """Give the error for more keys than positions have bits."""
    return tacit.TacitError(f"expected at most {MOST_KEYS:,} keys, got {count:,} - at `keys`", fix="an index for each half of the keys")


def _of_numbers(array: np.ndarray, kind: Kind, sorted: bool, chosen: Choice | None) -> Index:
    codes, order = codes_of(array, kind, where="keys"), None
    if sorted:
        refuse_disorder(codes, kind)
    else:
        order = np.argsort(codes, kind="stable")
        codes = codes[order]
    if codes.ctypes.data % codes.itemsize:
        copy = aligned(len(codes), np.uint64)
        copy[:] = codes
        codes = copy
    if chosen is None:
        chosen, built, measured = choose(codes)
        return Index(NumberStore(kind, chosen, (Run(codes, built),)), order=order, evidence={"measured": measured})
    return Index(NumberStore(kind, chosen, (Run(codes, chosen.build(codes)),)), order=order)


def _of_texts(array: np.ndarray, kind: Kind, sorted: bool, chosen: Choice | None) -> Index:
    strings, order = to_bytes(array.tolist(), kind, where="keys"), None
    if sorted:
        refuse_disorder_of_texts(strings, kind)
    else:
        order = np.array(sorted_places(strings), np.int64)
        strings = [strings[place] for place in order.tolist()]
    texts = texts_of(strings)
    run = TextRun(texts, chosen or CHOICES["tree"])
    if chosen is None:
        chosen, run.structure, measured = choose(run.codes)
        return Index(TextStore(kind, chosen, (run,)), order=order, evidence={"measured": measured})
    return Index(TextStore(kind, chosen, (run,)), order=order)


def sorted_places(strings: list[bytes]) -> list[int]:
    """Give the places of strings in their order, equal ones as they came."""
    return sorted(range(len(strings)), key=strings.__getitem__)


def _converted(values: np.ndarray, kind: Kind) -> np.ndarray:
    """Give keys to insert in the dtype of the index. Raises: TacitError where a value would change."""
    with np.errstate(all="ignore"):
        converted = values.astype(kind.dtype) if not kind.is_text else values
    same = values.dtype.kind == converted.dtype.kind or (values.dtype.kind in "ui" and kind.dtype.kind in "uif")
    if kind.is_text or not same or not _unchanged(values, converted):
        raise tacit.TacitError(f"expected keys of {kind.name}, got {values.dtype} - at `keys`", fix=f"convert them to {kind.name}")
    return converted


def _unchanged(values: np.ndarray, converted: np.ndarray) -> bool:
    """Tell whether a conversion changed no value; of integers there and back can hide that a sign was lost."""
    same = np.array_equal(converted.astype(values.dtype), values)
    return same and (values.dtype.kind in "mM" or np.array_equal(converted < 0, values < 0))


def _is_right(side: str) -> bool:
    if side not in ("left", "right"):
        raise tacit.TacitError(f"expected `left` or `right`, got `{side!s:.40}` - at `side`", fix='side="left"')
    return side == "right"


def _learned(store: NumberStore | TextStore) -> dict[str, Any] | None:
    """Say what stage 1 of the longest run is, where there is one."""
    shape = getattr(store.runs[0].structure, "shape", None)
    if shape is None:
        return None
    return {"units": shape.cells, "pieces": shape.pieces, "input": "logarithm" if shape.logarithm else "line", "as layer": shape.layer}
