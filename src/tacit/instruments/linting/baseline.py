"""A baseline: findings that are known and accepted, so that only new ones are reported."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tacit.ground.errors import InputError
from tacit.ground.files import write_atomic
from tacit.instruments.linting.finding import Finding

FORMAT = 1


@dataclass(frozen=True)
class Baseline:
    """fingerprints: of the findings that are known, each with its code (see `Finding.fingerprint`)."""

    fingerprints: Mapping[str, str] = field(default_factory=dict)

    def holds(self, finding: Finding) -> bool:
        """Tell whether a finding is known."""
        return self.fingerprints.get(finding.fingerprint) == finding.code


def read_baseline(path: Path) -> Baseline:
    """Read a baseline. Raises: InputError when it is not there, or is none."""
    fix = f"tacit lint --write-baseline {path}"
    try:
        document = json.loads(path.read_bytes().decode())
        known = document["findings"]
        if document["format"] != FORMAT or not all(isinstance(known[key]["code"], str) for key in known):
            raise InputError(f"expected a baseline of the format {FORMAT}, got {document['format']} - at `{path}`", fix=fix)
        return Baseline({key: known[key]["code"] for key in known})
    except OSError as error:
        raise InputError(f"expected a baseline, got nothing that can be read - at `{path}`", cause=error.strerror, fix=fix) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"expected a baseline, got a file that is none - at `{path}`", cause=str(error), fix=fix) from error


def write_baseline(path: Path, findings: Iterable[Finding]) -> int:
    """Write the findings as known, one a line so that a review shows what was accepted; give how many. Raises: TacitError."""
    lines = {
        finding.fingerprint: json.dumps({"code": finding.code, "message": finding.message}, ensure_ascii=False)
        for finding in sorted(findings, key=lambda finding: (finding.code, finding.fingerprint))
    }
    known = ",\n".join(f'    "{fingerprint}": {line}' for fingerprint, line in lines.items())
    write_atomic(path, f'{{\n  "format": {FORMAT},\n  "findings": {{\n{known}\n  }}\n}}\n')
    return len(lines)
