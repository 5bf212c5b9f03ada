"""Codes are unique, stable in form, and documented."""

import re
from pathlib import Path

from tacit.instruments.linting.checks import CHECKS, all_checks, all_codes

PAGE = Path(__file__).resolve().parents[4] / "docs" / "howto" / "lint.md"


def test_every_code_is_one_checks_own():
    codes = [code for check in all_checks().values() for code in check.codes]
    assert len({code.code for code in codes}) == len({code.name for code in codes}) == len(codes) == len(all_codes())
    assert all(re.fullmatch(r"TL\d{3}", code.code) and re.fullmatch(r"[a-z]+(-[a-z]+)*", code.name) for code in codes)
    assert all(code.title and code.help and code.fix for code in codes)


def test_every_check_is_a_row():
    files = {path.stem for path in Path(__file__).resolve().parents[4].joinpath("src/tacit/instruments/linting").glob("*.py")}
    assert {CHECKS.rows()[name].partition(":")[0].rpartition(".")[2] for name in CHECKS} <= files


def test_the_page_has_the_table_of_codes():
    text = PAGE.read_text(encoding="utf-8")
    missing = [
        code.code
        for code in all_codes().values()
        if f"| {code.code} | `{code.name}` | {code.severity} | {code.title}. {code.help} |" not in text
    ]
    assert missing == [], "docs/howto/lint.md does not say what the code says"
    assert set(re.findall(r"TL\d{3}", text.split("## Codes")[1])) <= set(all_codes()) | {"TL102"}
