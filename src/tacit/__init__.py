"""Tacit: the Software 2.0 toolchain.

Examples and a goal go in, a small, portable, tested program comes out::

    program = tacit.read("cats")             # a program directory; `tacit.new` makes one from what you have
    binary = tacit.compile(program)          # a Binary: call it with what you have
    binary.save("cats.tacit")
    tacit.load("cats.tacit")("tom.png")      # 'cat'

Every name below is reached on first use, so importing Tacit costs nothing and running a binary never meets torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tacit.ground.tables import resolve

if TYPE_CHECKING:
    from tacit.acting.measuring import measure_match as match
    from tacit.acting.measuring import opponent_of as opponent
    from tacit.acting.measuring import player_of as player
    from tacit.binary.binary import Binary
    from tacit.binary.loading import load
    from tacit.binary.streaming import listen
    from tacit.builder import build
    from tacit.compiler import compile
    from tacit.directory.adopting import adopt
    from tacit.directory.labelling import export_labels, import_labels, set_labels
    from tacit.directory.making import new_program as new
    from tacit.directory.reading import read_program as read
    from tacit.domains.data import DataSource, Download
    from tacit.domains.measuring import standing_of, time_per_answer
    from tacit.domains.program import DomainProgram, domain_program
    from tacit.domains.scoring import scoreboard
    from tacit.domains.standing import Standing
    from tacit.examples.examples import Examples
    from tacit.goals.goal import Goal
    from tacit.ground.budget import Budget
    from tacit.ground.errors import TacitError
    from tacit.ground.progress import Reporter
    from tacit.history.finding_changes import label_changes
    from tacit.history.media_sync import pull_media, push_media
    from tacit.history.media_verify import verify_media
    from tacit.history.merging import merge_labels
    from tacit.instruments.behaviour.comparing import diff
    from tacit.instruments.bisecting.searching import bisect
    from tacit.instruments.blaming.answer import blame
    from tacit.instruments.blaming.commit import blame_commit
    from tacit.instruments.compile_report import report
    from tacit.instruments.doctor import check
    from tacit.instruments.forecasting import preview
    from tacit.instruments.inspection import inspect
    from tacit.instruments.linting.running import lint
    from tacit.instruments.model_card import card
    from tacit.instruments.testing import test
    from tacit.lowering.lower import lower_module as lower
    from tacit.melding.meld import meld
    from tacit.melding.splitting import split
    from tacit.program import Program
    from tacit.resizing.resize import resize
    from tacit.signature.audio import Audio
    from tacit.signature.base import Signature
    from tacit.signature.image import Image
    from tacit.signature.outputs import Class, Labels, Number
    from tacit.signature.row import Row
    from tacit.signature.series import Series
    from tacit.signature.symbols import Symbols
    from tacit.signature.text import Text
    from tacit.signature.vector import Vector
    from tacit.skeletons.choices import between, choice
    from tacit.targets.c.sources import native_library

__version__ = "0.1.0"

#: Name -> where it is. No name here is also the name of a file or folder of the package.
_NAMES = {
    # what a person writes down
    "Image": "tacit.signature.image:Image",
    "Audio": "tacit.signature.audio:Audio",
    "Series": "tacit.signature.series:Series",
    "Text": "tacit.signature.text:Text",
    "Row": "tacit.signature.row:Row",
    "Vector": "tacit.signature.vector:Vector",
    "Class": "tacit.signature.outputs:Class",
    "Number": "tacit.signature.outputs:Number",
    "Labels": "tacit.signature.outputs:Labels",
    "Symbols": "tacit.signature.symbols:Symbols",
    "Signature": "tacit.signature.base:Signature",
    "Examples": "tacit.examples.examples:Examples",
    "choice": "tacit.skeletons.choices:choice",
    "between": "tacit.skeletons.choices:between",
    "Goal": "tacit.goals.goal:Goal",
    "Budget": "tacit.ground.budget:Budget",
    "Program": "tacit.program:Program",
    # what comes out
    "Binary": "tacit.binary.binary:Binary",
    # verbs
    "new": "tacit.directory.making:new_program",
    "read": "tacit.directory.reading:read_program",
    "adopt": "tacit.directory.adopting:adopt",
    "compile": "tacit.compiler:compile",
    "preview": "tacit.instruments.forecasting:preview",
    "build": "tacit.builder:build",
    "resize": "tacit.resizing.resize:resize",
    "meld": "tacit.melding.meld:meld",
    "split": "tacit.melding.splitting:split",
    "lower": "tacit.lowering.lower:lower_module",
    "load": "tacit.binary.loading:load",
    "player": "tacit.acting.measuring:player_of",
    "opponent": "tacit.acting.measuring:opponent_of",
    "match": "tacit.acting.measuring:measure_match",
    "inspect": "tacit.instruments.inspection:inspect",
    "listen": "tacit.binary.streaming:listen",
    "test": "tacit.instruments.testing:test",
    "diff": "tacit.instruments.behaviour.comparing:diff",
    "bisect": "tacit.instruments.bisecting.searching:bisect",
    "lint": "tacit.instruments.linting.running:lint",
    "blame": "tacit.instruments.blaming.answer:blame",
    "blame_commit": "tacit.instruments.blaming.commit:blame_commit",
    "check": "tacit.instruments.doctor:check",
    "card": "tacit.instruments.model_card:card",
    "report": "tacit.instruments.compile_report:report",
    "set_labels": "tacit.directory.labelling:set_labels",
    "import_labels": "tacit.directory.labelling:import_labels",
    "export_labels": "tacit.directory.labelling:export_labels",
    "label_changes": "tacit.history.finding_changes:label_changes",
    "merge_labels": "tacit.history.merging:merge_labels",
    "push_media": "tacit.history.media_sync:push_media",
    "pull_media": "tacit.history.media_sync:pull_media",
    "verify_media": "tacit.history.media_verify:verify_media",
    # domain programs
    "DomainProgram": "tacit.domains.program:DomainProgram",
    "DataSource": "tacit.domains.data:DataSource",
    "Download": "tacit.domains.data:Download",
    "Standing": "tacit.domains.standing:Standing",
    "domain_program": "tacit.domains.program:domain_program",
    "scoreboard": "tacit.domains.scoring:scoreboard",
    "standing_of": "tacit.domains.measuring:standing_of",
    "time_per_answer": "tacit.domains.measuring:time_per_answer",
    "native_library": "tacit.targets.c.sources:native_library",
    # seams
    "Reporter": "tacit.ground.progress:Reporter",
    "TacitError": "tacit.ground.errors:TacitError",
}

__all__ = [
    "Audio",
    "Binary",
    "Budget",
    "Class",
    "DataSource",
    "DomainProgram",
    "Download",
    "Examples",
    "Goal",
    "Image",
    "Labels",
    "Number",
    "Program",
    "Reporter",
    "Row",
    "Series",
    "Signature",
    "Standing",
    "Symbols",
    "TacitError",
    "Text",
    "Vector",
    "__version__",
    "adopt",
    "between",
    "bisect",
    "blame",
    "blame_commit",
    "build",
    "card",
    "check",
    "choice",
    "compile",
    "diff",
    "domain_program",
    "export_labels",
    "import_labels",
    "inspect",
    "label_changes",
    "lint",
    "listen",
    "load",
    "lower",
    "match",
    "meld",
    "merge_labels",
    "native_library",
    "new",
    "opponent",
    "player",
    "preview",
    "pull_media",
    "push_media",
    "read",
    "report",
    "resize",
    "scoreboard",
    "set_labels",
    "split",
    "standing_of",
    "test",
    "time_per_answer",
    "verify_media",
]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module `tacit` has no attribute `{name}`")
    value = globals()[name] = resolve(_NAMES[name])
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES})
