"""How programs fit together: which reads what, found from their types and the joint program's, or refused with what would fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tacit.ground.errors import InputError, raise_all
from tacit.melding.wires import Atom, Taken, atoms_of, numeric_names
from tacit.signature.base import InputType, Joint, OutputType, Product, Signature
from tacit.signature.outputs import Class, Labels, Number
from tacit.signature.row import Row

#: What can stand between two programs, said in errors.
FITS = (
    "an output fits a `Row`: a class a category column with its names (or a number column, when the classes are called by numbers), "
    "a number a number column, names or labels number columns called like them; it fits a `Vector` or `Series` of as many numbers"
)


@dataclass(frozen=True)
class Leaf:
    """One plain input of the joint program: its name, type, and the place of its first array among all."""

    name: str
    type: InputType
    first: int

    @property
    def arrays(self) -> range:
        """The places of its arrays."""
        return range(self.first, self.first + len(self.type.arrays))


@dataclass(frozen=True)
class Use:
    """One use of a part: of which, under which name, and for each plain input of it the leaf or the outputs that it reads."""

    part: int
    name: str
    inputs: tuple[Leaf | tuple[Taken, ...], ...]


@dataclass(frozen=True)
class Wiring:
    """Uses in the order in which they run, and those whose outputs are the joint output, in its order."""

    uses: tuple[Use, ...]
    ends: tuple[int, ...]
    leaves: tuple[Leaf, ...]

    def describe(self, signatures: Sequence[Signature], names: Sequence[str]) -> list[str]:
        """Say in one line per use what it reads."""
        lines = []
        for use in self.uses:
            sources = []
            for given in use.inputs:
                if isinstance(given, Leaf):
                    sources.append(f"the input `{given.name}`")
                else:
                    sources += [f"{self.uses[item.atom.use].name} as {_way(item)}" for item in given]
            lines.append(f"{use.name}: {names[use.part]} of {', '.join(dict.fromkeys(sources))}")
        return lines


def _way(item: Taken) -> str:
    if isinstance(item.atom.output, Class):
        return {"numbers": "shares of its classes", "value": "the number it is called by", "category": "shares of a category"}[item.way]
    return "numbers between 0 and 1" if isinstance(item.atom.output, Labels) else "a number"


def leaves_of(input_: InputType) -> tuple[Leaf, ...]:
    """Take the input of the joint program apart."""
    parts = input_.parts if isinstance(input_, Product) else (input_,)
    names = input_.names if isinstance(input_, Product) else (input_.kind,)
    leaves, first = [], 0
    for name, part in zip(names, parts, strict=True):
        leaves.append(Leaf(name, part, first))
        first += len(part.arrays)
    return tuple(leaves)


def fit(signatures: Sequence[Signature], names: Sequence[str], joint: Signature) -> Wiring:
    """Find how programs make up the joint one. Raises: InputError that says what fits nowhere, and what would."""
    leaves = leaves_of(joint.input)
    uses: list[Use] = []
    atoms: list[Atom] = []
    waiting = list(range(len(signatures)))
    taken: set[int] = set()
    while waiting:
        placed = []
        for part in waiting:
            open_atoms = [atom for atom in atoms if atom.use not in taken]
            found = _uses_of(part, names[part], signatures[part], leaves, open_atoms)
            for use in found:
                taken |= {item.atom.use for given in use.inputs if not isinstance(given, Leaf) for item in given}
                atoms += atoms_of(len(uses), signatures[part].output, _names(use, names[part]))
                uses.append(use)
            placed += [part] if found else []
            if found:
                break
        if not placed:
            _refuse(waiting, signatures, names, leaves, [atom for atom in atoms if atom.use not in taken])
        waiting = [part for part in waiting if part not in placed]
    read = {given.name for use in uses for given in use.inputs if isinstance(given, Leaf)}
    raise_all(
        [f"nothing reads the input `{leaf.name}`, {leaf.type!r}" for leaf in leaves if leaf.name not in read],
        heading="expected programs that read every input of the joint program",
        fix="name a program for it, too, or leave the input out of the joint program",
    )
    open_uses = [place for place in range(len(uses)) if place not in taken]
    return Wiring(tuple(uses), _ends(open_uses, uses, signatures, names, joint.output), leaves)


def _names(use: Use, part: str) -> tuple[str, ...]:
    """Give the names by which a column can ask for what a use gives: those of what it reads, and of the program."""
    return (*(given.name for given in use.inputs if isinstance(given, Leaf)), part)


def _uses_of(part: int, name: str, signature: Signature, leaves: Sequence[Leaf], atoms: Sequence[Atom]) -> list[Use]:
    """Give the uses of a part: one for each input of its type, or one that reads what others give; none when nothing fits."""
    plain = leaves_of(signature.input)
    if len(plain) == 1:
        own = [leaf for leaf in leaves if same_input(leaf.type, signature.input)]
        if own:
            return [Use(part, name if len(own) == 1 else f"{name}_{leaf.name}", (leaf,)) for leaf in own]
    inputs: list[Leaf | tuple[Taken, ...]] = []
    free, left = list(leaves), list(atoms)
    for slot in plain:
        named = [leaf for leaf in free if same_input(leaf.type, slot.type)]
        leaf = next((leaf for leaf in named if leaf.name == slot.name), named[0] if named else None)
        if leaf is not None:
            free.remove(leaf)
            inputs.append(leaf)
            continue
        found = _assembled(slot.type, left)
        if found is None:
            return []
        left = [atom for atom in left if atom not in [item.atom for item in found]]
        inputs.append(found)
    return [Use(part, name, tuple(inputs))]


def same_input(one: InputType, other: InputType) -> bool:
    """Say whether two input types become the same arrays, with the same meaning."""
    if isinstance(one, Row) and isinstance(other, Row):
        return (one.numbers, one.categories) == (other.numbers, other.categories)
    return one.kind == other.kind and one.arrays == other.arrays


def _assembled(target: InputType, atoms: Sequence[Atom]) -> tuple[Taken, ...] | None:
    """Read an input from outputs, or give None where they don't fit. Every output that is at hand is read."""
    if not atoms:
        return None
    if isinstance(target, Row):
        return _columns(target, atoms)
    if target.kind not in ("vector", "series"):
        return None
    size = 1
    for extent in target.arrays[0].shape:
        size *= extent
    names = getattr(target, "names", ())
    ordered = _by_name(names, atoms) or list(atoms)
    if sum(atom.count for atom in ordered) != size:
        return None
    found, start = [], 0
    for atom in ordered:
        found.append(Taken(atom, "numbers", start))
        start += atom.count
    return tuple(found)


def _by_name(names: Sequence[str], atoms: Sequence[Atom]) -> list[Atom] | None:
    """Put numbers in the order in which a vector names them."""
    ordered = [next((atom for atom in atoms if name in atom.names and atom.count == 1), None) for name in names]
    return [atom for atom in ordered if atom is not None] if ordered and all(atom is not None for atom in ordered) else None


def _columns(row: Row, atoms: Sequence[Atom]) -> tuple[Taken, ...] | None:
    """Give every column of a row an output: by name where one is called like the column, in order otherwise."""
    slots: list[tuple[str, str, int]] = [(name, "category", place) for place, (name, _) in enumerate(row.categories)]
    slots += [(name, "number", place) for place, name in enumerate(row.numbers)]
    runs = _runs(row, atoms)
    found = [Taken(atom, "numbers", start) for atom, start in runs]
    covered = {start + step for atom, start in runs for step in range(atom.count)}
    left = [atom for atom in atoms if atom not in [own for own, _ in runs]]
    open_slots = [slot for slot in slots if slot[1] == "category" or slot[2] not in covered]
    for by_name in (True, False):
        for slot in list(open_slots):
            fitting = [atom for atom in left if (not by_name or slot[0] in atom.names) and _way_into(row, slot, atom)]
            if fitting:
                way = _way_into(row, slot, fitting[0]) or ""
                found.append(Taken(fitting[0], way, slot[2]))
                open_slots.remove(slot)
                left.remove(fitting[0])
    if open_slots or left:
        return None
    return tuple(sorted(found, key=lambda item: (item.way == "category", item.place)))


def _runs(row: Row, atoms: Sequence[Atom]) -> list[tuple[Atom, int]]:
    """Find outputs of several names whose names number columns stand side by side for."""
    found = []
    for atom in atoms:
        names = getattr(atom.output, "names", None)
        if names is None or len(names) != atom.count:
            continue
        for wanted in (names, *([f"{own}_{name}" for name in names] for own in atom.names)):
            if wanted[0] in row.numbers:
                start = row.numbers.index(wanted[0])
                if tuple(wanted) == row.numbers[start : start + atom.count]:
                    found.append((atom, start))
                    break
    return found


def _way_into(row: Row, slot: tuple[str, str, int], atom: Atom) -> str | None:
    """Say how an output gets into a column, or None when it does not fit."""
    _, kind, place = slot
    if kind == "category":
        fits = isinstance(atom.output, Class) and set(atom.output.names) & set(row.categories[place][1])
        return "category" if fits and len(fits) * 2 > len(row.categories[place][1]) else None
    if isinstance(atom.output, Number):
        return "numbers"
    return "value" if numeric_names(atom.output) is not None else None


def _ends(
    open_uses: Sequence[int], uses: Sequence[Use], signatures: Sequence[Signature], names: Sequence[str], output: OutputType
) -> tuple[int, ...]:
    """Find the uses whose outputs are those of the joint program, in its order."""
    wanted = output.parts if isinstance(output, Joint) else (output,)
    given = [signatures[uses[place].part].output for place in open_uses]
    if len(given) == 1 and same_output(given[0], output):
        return tuple(open_uses)
    ordered, left = [], list(open_uses)
    for part in wanted:
        match = next((place for place in left if same_output(signatures[uses[place].part].output, part)), None)
        if match is None:
            break
        ordered.append(match)
        left.remove(match)
    if len(ordered) < len(wanted) or left:
        shown = ", ".join(f"`{uses[place].name}` gives {signatures[uses[place].part].output!r}" for place in open_uses)
        raise InputError(
            f"expected programs that end in {output!r}, the output of the joint program, got others: {shown}",
            cause="classes have to have the same names" if isinstance(output, Class) else None,
            fix="give the program that decides last, or joint examples labelled as it answers",
        )
    return tuple(ordered)


def same_output(one: OutputType, other: OutputType) -> bool:
    """Say whether one output can stand for another: the same names in whatever order, a number in whatever scale."""
    if isinstance(one, Joint) and isinstance(other, Joint):
        return len(one.parts) == len(other.parts) and all(map(same_output, one.parts, other.parts))
    if isinstance(one, Class | Labels) and type(one) is type(other):
        return sorted(one.names) == sorted(other.names)
    return isinstance(one, Number) and isinstance(other, Number)


def _refuse(
    waiting: Sequence[int], signatures: Sequence[Signature], names: Sequence[str], leaves: Sequence[Leaf], atoms: Sequence[Atom]
) -> None:
    """Say why programs can't be placed. Raises: InputError."""
    if len(waiting) > 1 and all(_fed_by_others(part, waiting, signatures) for part in waiting):
        cycle = " >> ".join(f"`{names[part]}`" for part in (*waiting, waiting[0]))
        raise InputError(
            f"expected programs one of which reads the joint program's input, got a cycle: {cycle}",
            cause=f"its inputs are {', '.join(repr(leaf.type) for leaf in leaves)}",
            fix="give the program that reads them, too",
        )
    there = [f"the input `{leaf.name}`: {leaf.type!r}" for leaf in leaves]
    there += [f"what `{atom.names[-1]}` gives: {atom.output!r}" for atom in atoms]
    problems = [f"`{names[part]}` reads {_spelt(signatures[part].input)}, and there is {'; '.join(there)}" for part in waiting]
    raise_all(problems, heading="expected programs whose inputs are at hand", fix=FITS)


def _spelt(input_: InputType) -> str:
    return f"{input_!r}: {input_.describe()}"


def _fed_by_others(part: int, waiting: Sequence[int], signatures: Sequence[Signature]) -> bool:
    others = [atom for other in waiting if other != part for atom in atoms_of(other, signatures[other].output, ("",))]
    return any(_assembled(slot.type, [atom]) for slot in leaves_of(signatures[part].input) for atom in others) or any(
        _assembled(slot.type, others) for slot in leaves_of(signatures[part].input)
    )
