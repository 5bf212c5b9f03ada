"""The index gives the places of np.searchsorted: on nasty keys, for every type, by every instruction set, while keys are inserted."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import tacit
from tacit_programs.index import compile, load
from tacit_programs.index.compiled import PATHS, NativePieces, NativeTree, fast_path, merge
from tacit_programs.index.index import Index
from tacit_programs.index.network import binary_of, places_by
from tacit_programs.index.pieces import Bisection, Pieces, Shape, fitted
from tacit_programs.index.predecessor import BTree, standing
from tacit_programs.index.program import PROGRAM
from tacit_programs.index.sets import SETS, generated, keys_of, ranges
from tacit_programs.index.structure import CHOICES, choose, sample_queries
from tacit_programs.index.texts import TextRun, texts_of

U64 = np.uint64
MOST = 2**64 - 1
COUNTS = (0, 1, 9, 15, 16, 17, 33, 1000, 4099)


def nasty(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    few = max(1, count // 100)
    outliers = random.integers(0, 10**6, count, U64)
    outliers[:few] = U64(MOST) - random.integers(0, 5, few, U64)[: len(outliers[:few])]
    sets = {
        "uniform": random.integers(0, MOST, count, U64, endpoint=True),
        "lognormal": generated("lognormal", count),
        "fractal": generated("fractal", count),
        "Zipf": np.minimum(random.zipf(1.3, count), 2**62).astype(U64),
        "all equal": np.full(count, 12345, U64),
        "all greatest": np.full(count, MOST, U64),
        "all zero": np.zeros(count, U64),
        "powers of two": U64(1) << random.integers(0, 64, count, U64),
        "outliers near 2^64": outliers,
        "one ulp apart": np.float64(1.5).view(U64) + random.integers(0, 20, count, U64) + (random.integers(0, 5, count, U64) << U64(50)),
        "sequential": np.arange(count, dtype=U64) + U64(7),
        "both ends": np.where(random.random(count) < 0.5, U64(0), U64(MOST - 99)) + random.integers(0, 100, count, U64),
    }
    return {name: np.sort(keys) for name, keys in sets.items()}


def queries_for(keys: np.ndarray, many: int = 400) -> np.ndarray:
    random = np.random.default_rng(1)
    some = random.choice(keys, many) if len(keys) else np.zeros(0, U64)
    with np.errstate(over="ignore"):
        near = [some, some + U64(1), some - U64(1), some + random.integers(0, 999, len(some), U64)]
    return np.concatenate([*near, random.integers(0, MOST, many, U64), np.array([0, 1, MOST - 1, MOST], U64)])


def places(structure, queries: np.ndarray, right: bool) -> np.ndarray:
    found = np.full(len(queries), -1, np.int64)
    structure.lookup(queries, right, found)
    return found


def same_as_numpy(structure, keys: np.ndarray, queries: np.ndarray) -> list[str]:
    wrong = []
    for right in (False, True):
        expected = np.searchsorted(keys, queries, "right" if right else "left")
        if not np.array_equal(places(structure, queries, right), expected):
            wrong.append(f"batch, right={right}")
        if [structure.find(int(query), right) for query in queries[::97]] != expected[::97].tolist():
            wrong.append(f"single, right={right}")
    return wrong


# --- structures ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", COUNTS)
def test_every_structure_and_instruction_set_gives_the_places_of_numpy(count):
    wrong = []
    for name, keys in nasty(count).items():
        queries = queries_for(keys)
        made = {"numpy": Pieces(keys, 8), "bisection": Bisection(keys)}
        for path in [path for path, number in PATHS.items() if number >= 0]:
            made |= {f"pieces of {n}, {path}": NativePieces(keys, n, path=path) for n in (8, 32)}
            made[f"tree, {path}"] = NativeTree(keys, path=path)
        wrong += [f"{name}, {label}: {what}" for label, structure in made.items() for what in same_as_numpy(structure, keys, queries)]
    assert not wrong


def test_the_checker_sees_a_wrong_structure():
    keys = generated("uniform", 1000)
    other = keys.copy()
    other[500] += U64(1)
    assert same_as_numpy(NativeTree(other), keys, queries_for(keys)) or same_as_numpy(NativeTree(other), keys, keys)


def test_keys_need_not_begin_at_a_line_of_the_cache():
    for lead in range(9):
        keys = np.arange(3 * 5000, dtype=U64)[lead:] * U64(11)
        queries = queries_for(keys)
        assert not same_as_numpy(NativeTree(keys), keys, queries) + same_as_numpy(NativePieces(keys, 8), keys, queries)


@pytest.mark.parametrize("cells", [1, 3, 8, 16, 64])
def test_layer_table_and_definition_have_the_same_bits(cells):
    for keys in (generated("lognormal", 20_000), ranges()[::7].copy()):
        learned = NativePieces(keys, 8).shape
        width = learned.cells / learned.scale
        base = (learned.low, learned.high, learned.logarithm, learned.origin, cells / width)
        shapes = [fitted(Shape(*base, np.zeros(cells + 1), learned.pieces, layer), keys) for layer in (True, False)]
        queries = queries_for(keys)
        inputs = shapes[0].inputs(queries)
        assert np.array_equal(shapes[0].outputs(inputs), shapes[0].outputs_of_layer(inputs))
        starts = [Pieces(keys, shape=shapes[0]).starts]
        starts += [NativePieces(keys, shape=shape, path=path).starts for shape in shapes for path in ("scalar", "avx2", "avx512")]
        assert all(np.array_equal(starts[0], other) for other in starts[1:])
        assert np.all(np.diff(shapes[0].outputs(shapes[0].inputs(keys))) >= 0)


def test_a_damaged_start_position_is_seen_by_the_comparison():
    keys = generated("uniform", 5000)
    pieces = NativePieces(keys, 8)
    pieces.starts[100:200] = pieces.starts[50]
    assert same_as_numpy(pieces, keys, keys)


def test_the_network_leads_to_the_same_places():
    for keys in (generated("uniform", 30_000), generated("lognormal", 30_000)):
        index = compile(keys, structure="pieces of 8")
        pieces = NativePieces(keys, 8)
        binary = index.binary()
        assert binary == binary_of(pieces.shape) and len(binary.graphs["main"].instructions) == 2
        queries = queries_for(keys)
        assert np.array_equal(places_by(binary, pieces.shape, pieces.starts, keys, queries), index.lookup(queries))


def test_a_tree_has_no_network():
    with pytest.raises(tacit.TacitError, match="expected an index that was learned, got a tree"):
        compile([1, 2, 3]).binary()


def test_the_faster_structure_is_chosen_on_keys_that_are_easy_and_hard():
    _, _, smooth = choose(generated("uniform", 300_000))
    choice, _, fractal = choose(generated("fractal", 300_000))
    assert set(smooth) == set(fractal) == set(CHOICES)
    assert choice.name == "tree"
    assert smooth["pieces of 32"]["bytes per key"] < 0.14 and smooth["tree"]["bytes per key"] < 0.51


def test_runs_are_merged_as_sorting_would():
    random = np.random.default_rng(3)
    for a, b in ((0, 0), (0, 5), (5, 0), (1000, 1000), (3, 100)):
        one, other = (np.sort(random.integers(0, 50, n, U64)) for n in (a, b))
        assert np.array_equal(merge(one, other), np.sort(np.concatenate([one, other])))


def test_the_b_tree_gives_the_places_of_numpy():
    for count in (0, 1, 30, 31, 5000):
        for keys in nasty(count).values():
            queries = queries_for(keys)
            for full in (30, 20):
                assert np.array_equal(BTree(keys, full=full)(queries), np.searchsorted(keys, queries))


def test_queries_of_the_clock_are_half_keys():
    keys = generated("uniform", 10_000)
    share = np.isin(sample_queries(keys, 4000, seed=0), keys).mean()
    assert 0.45 < share < 0.55


MOMENTS = np.array(["1969-07-20", "2000-01-01", "2000-01-01", "2026-11-28"], "datetime64[s]")


# --- use -----------------------------------------------------------------------------------------------------------


def test_unsorted_keys_are_sorted_and_their_order_kept():
    for keys in (np.array([30, 10, 20, 10]), ["c", "a", "b", "a"]):
        index = compile(keys, sorted=False)
        assert index.order.tolist() == [1, 3, 2, 0]
        assert index.keys.tolist() == sorted(keys)
        with pytest.raises(tacit.TacitError, match="expected an index of keys that came sorted"):
            index.insert(keys[:1])


def test_ranges_are_slices():
    index = compile([10, 20, 20, 30])
    assert index.range(20, 30) == slice(1, 3) and index.range(20, 30, inclusive=True) == slice(1, 4)
    assert index.range(high=20) == slice(0, 1) and index.range(20) == slice(1, 4) and index.range(30, 10) == slice(3, 3)
    assert 20 in index and 21 not in index


@pytest.mark.parametrize("structure", [*CHOICES, None])
def test_inserted_keys_count_at_once(structure):
    random = np.random.default_rng(0)
    keys = np.sort(random.integers(0, 10**6, 6000, U64))
    index, whole = compile(keys, structure=structure), keys
    for batch in (1, 1, 3, 500, 2, 7000, 1, 40, 1):
        fresh = random.integers(0, 10**6, batch, U64)
        index.insert(int(fresh[0]) if batch == 1 else fresh)
        whole = np.sort(np.concatenate([whole, fresh]))
        queries = np.concatenate([fresh, random.integers(0, 10**6 + 5, 500, U64)])
        for side in ("left", "right"):
            assert np.array_equal(index.lookup(queries, side), np.searchsorted(whole, queries, side))
        assert np.array_equal(index.contains(queries), np.isin(queries, whole)) and len(index) == len(whole)
    assert len(index.stats()["runs"]) > 1 and np.array_equal(index.keys, whole)
    index.merge()
    assert index.stats()["runs"] == [len(whole)] and np.array_equal(index.lookup(whole), np.searchsorted(whole, whole))


def test_inserted_strings_and_moments_count_at_once():
    words = compile(["b", "d", "dd"])
    words.insert(["a", "d", "e"])
    words.insert("")
    assert words.keys.tolist() == ["", "a", "b", "d", "d", "dd", "e"] and words.lookup("d", "right") == 5
    moments = compile(MOMENTS)
    moments.insert(np.array(["2010-01-01"], "datetime64[D]"))
    assert moments.lookup(MOMENTS[3]) == 4


@pytest.mark.parametrize(
    ("keys", "new"), [([1, 2], 1.5), ([1, 2], "a"), (np.array([1], U64), -1), ([1], 2**63), (["a"], 1), ([1.5], np.nan)]
)
def test_keys_of_another_type_are_not_inserted(keys, new):
    index = compile(keys)
    with pytest.raises(tacit.TacitError):
        index.insert(new)
    assert len(index) == len(keys)


def test_readers_see_the_keys_of_one_moment_while_one_inserts():
    index = compile(np.arange(0, 40_000, 2, dtype=U64))
    wrong: list[str] = []
    done = threading.Event()

    def read() -> None:
        asked = np.array([0, 40_000, 10**9], U64)
        while not done.is_set():
            before = len(index)
            found = index.lookup(asked)
            if found[0] != 0 or found[1] != 20_000 or not before <= found[2] <= len(index) or found[2] % 100:
                wrong.append(str(found))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for turn in range(60):
        index.insert(np.arange(100, dtype=U64) + U64(50_000 + 100 * turn))
    done.set()
    for reader in readers:
        reader.join()
    assert not wrong and len(index) == 26_000


@pytest.mark.parametrize(
    "index",
    [
        compile(ranges()[:9000], structure="pieces of 8"),
        compile(ranges()[:50], structure="tree"),
        compile([2.5, -1.0, 3.0], sorted=False),
        compile(MOMENTS),
        compile(["a", "b", "ß"]),
        compile([]),
    ],
    ids=repr,
)
def test_an_index_is_saved_and_read(tmp_path, index: Index):
    index.save(tmp_path / "it.index")
    again = load(tmp_path / "it.index")
    assert again.keys.tolist() == index.keys.tolist() and again.kind == index.kind
    assert np.array_equal(again.lookup(index.keys), index.lookup(index.keys))
    assert (
        (again.order is None) == (index.order is None) and np.array_equal(again.order or 0, index.order or 0)
        if index.order is None
        else True
    )
    ours, theirs = index.stats(), again.stats()
    assert ours["learned"] == theirs["learned"] and ours["structure"] == theirs["structure"]


def test_damaged_files_are_refused(tmp_path):
    path = tmp_path / "it.index"
    compile(ranges()[:5000], structure="pieces of 8").save(path)
    whole = path.read_bytes()
    damaged = [whole[:-1], whole[:100], b"", b"hello", whole + b"x"]
    for at in np.random.default_rng(0).integers(0, len(whole), 60).tolist():
        damaged.append(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
    for data in damaged:
        path.write_bytes(data)
        with pytest.raises(tacit.TacitError):
            load(path)
    with pytest.raises(tacit.TacitError, match="expected a file that can be read"):
        load(tmp_path / "none.index")
    with pytest.raises(tacit.TacitError, match="could not write the index"):
        compile([1]).save(tmp_path / "no" / "it.index")


def test_without_a_compiler_numpy_gives_the_same(tmp_path):
    code = (
        "import numpy as np; from tacit_programs.index import compile, load; from tacit_programs.index.compiled import fast_path\n"
        "keys = np.sort(np.random.default_rng(0).integers(0, 10**6, 6000, np.uint64)); index = compile(keys)\n"
        "asked = np.arange(0, 10**6, 777, dtype=np.uint64); assert fast_path() == 'numpy'\n"
        "assert np.array_equal(index.lookup(asked), np.searchsorted(keys, asked)); index.insert(asked); index.insert(5)\n"
        "whole = np.sort(np.concatenate([keys, asked, np.array([5], np.uint64)]))\n"
        "assert np.array_equal(index.lookup(asked, 'right'), np.searchsorted(whole, asked, 'right'))\n"
        "assert index.lookup(5) == np.searchsorted(whole, 5)\n"
        "words = compile(['aaaaaaaaaaaa', 'aaaaaaaaaaab', 'b'])\n"
        "assert words.lookup(['aaaaaaaaaaab', 'aaaaaaaaaaaa\\0']).tolist() == [1, 1]\n"
        "index.save('it.index'); assert np.array_equal(load('it.index').keys, whole)\n"
    )
    env = {**os.environ, "PATH": str(tmp_path), "CC": "", "XDG_CACHE_HOME": str(tmp_path), "TACIT_CC": ""}
    blocked = "import sys; sys.modules['ziglang'] = None\n"
    done = subprocess.run([sys.executable, "-c", blocked + code], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_holds_the_keys_is_told():
    stats = compile(generated("uniform", 50_000)).stats()
    assert stats["keys"] == 50_000 and stats["type"] == "uint64" and stats["instructions"] == fast_path()
    assert set(stats["measured"]) == set(CHOICES)


def test_first_bytes_are_those_after_what_all_begin_with():
    run = TextRun(texts_of([b"prefix-a", b"prefix-b", b"prefix-c"]), CHOICES["tree"])
    assert run.head == b"prefix-" and run.codes.tolist() == [ord(c) << 56 for c in "abc"]


# --- the domain program --------------------------------------------------------------------------------------------


def test_a_directory_of_keys_becomes_an_index(tmp_path):
    reporter = tacit.Reporter()
    directory = PROGRAM.write(tmp_path / "index", "ipv4-ranges", reporter=reporter)
    options = {"minutes": None, "steps": None, "seed": 0, "resume": False, "output": None, "reporter": reporter}
    path = PROGRAM.compile(directory, **options)
    assert path == directory / "index.index" and np.array_equal(load(path).keys, ranges())
    (directory / "words.txt").write_text("b\na\n")
    settings = '[program]\nname = "words"\n[index]\nkeys = "words.txt"\nsorted = false\nstructure = "tree"\n'
    (directory / "tacit.toml").write_text(settings)
    assert load(PROGRAM.compile(directory, **options)).order.tolist() == [1, 0]
    (directory / "tacit.toml").write_text('[index]\nkeys = 3\nsort = true\nstructure = "hash"\n')
    with pytest.raises(tacit.TacitError) as caught:
        PROGRAM.compile(directory, **options)
    assert all(word in str(caught.value) for word in ("unknown `index.sort`", "expected str, got 3", "got 'hash'"))


def test_predecessors_and_the_index_stand_in_one_table(tmp_path):
    rows = list(PROGRAM.standings("ipv4-ranges", minutes=None, steps=None, seed=0, folder=tmp_path, reporter=tacit.Reporter()))
    assert [row.kind for row in rows] == ["predecessor"] * 3 + ["program"]
    assert rows[3].score < min(row.score for row in rows[:3])


def test_a_wrong_contestant_gets_no_row():
    keys = generated("uniform", 1000)
    with pytest.raises(tacit.TacitError, match="got another place - by liar"):
        standing("liar", "peer", lambda asked: np.searchsorted(keys, asked) + 1, keys, np.searchsorted(keys, keys))


def test_every_set_has_a_source_or_is_made():
    assert next(iter(SETS.values())) is None
    for name, source in SETS.items():
        if source is None:
            keys = keys_of(name)
            assert keys.dtype == U64 and (keys[1:] >= keys[:-1]).all()
        else:
            assert source.licence and source.packs
