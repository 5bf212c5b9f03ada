"""Write the figures of the documents from `results/*.json`, between a line that says which and ``<!-- end -->``.

``<!-- from benchmarks/results -->``: a row for each figure that has a target (docs/figures.md).
``<!-- from benchmarks/results summed up -->``: a row for each record, which names what was missed (the READMEs).
``<!-- from benchmarks/results/targets.json -->``: a row for each network that ran beside the peers.
``<!-- from benchmarks/results/scoreboard.json -->``: a row for each domain program and for what it stands beside.

    python benchmarks/tables.py            writes them
    python benchmarks/tables.py --check    says whether they are up to date; exit code 1 when they are not

What was missed shows too. Nobody types a number.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
DOCUMENTS = {ROOT / "README.md": "en", ROOT / "README.zh-CN.md": "zh", ROOT / "docs" / "figures.md": "en"}
BLOCK = re.compile(r"(<!-- from benchmarks/results -->\n).*?(<!-- end -->)", re.DOTALL)
SUMMARY = re.compile(r"(<!-- from benchmarks/results summed up -->\n).*?(<!-- end -->)", re.DOTALL)
SPEEDS = re.compile(r"(<!-- from benchmarks/results/targets.json -->\n).*?(<!-- end -->)", re.DOTALL)
SCORES = re.compile(r"(<!-- from benchmarks/results/scoreboard.json -->\n).*?(<!-- end -->)", re.DOTALL)

HEADINGS = {"en": ("case", "figure", "target", "measured", "runs", "met"), "zh": ("项目", "指标", "目标", "实测", "次数", "达标")}
SUMMARY_HEADINGS = {
    "en": ("case", "targets", "met", "not met (measured, target)"),
    "zh": ("项目", "目标数", "达标", "未达标（实测，目标）"),
}
TOTAL = {"en": "all", "zh": "合计"}
MET = {"en": {True: "yes", False: "no", None: "not measured"}, "zh": {True: "是", False: "否", None: "未测"}}
MACHINE = {
    "en": (
        "Mean ± standard deviation over the runs. Measured on {cpu}, {cores} cores, {ram_gib} GiB; each file in"
        " `benchmarks/results/` holds its machine, versions, command and every value."
    ),
    "zh": (
        "均值 ± 多次运行的标准差。测量环境：{cpu}，{cores} 核，{ram_gib} GiB 内存；"
        "`benchmarks/results/` 中的每个文件都记录了机器、版本、命令与每一个数值。"
    ),
}

#: Columns of the table of speeds after the name: heading per language, and how a row of the record fills it.
SPEED_NAME = {"en": "network or program", "zh": "网络或程序"}
MICROSECONDS = (("ORT", "ONNX Runtime, µs"), ("C", "C, µs"), ("ORT int8", "ONNX Runtime int8, µs"), ("C int8", "C int8, µs"))
TIMES = {
    "ORT / C": {"en": "C against ONNX Runtime", "zh": "C 对 ONNX Runtime"},
    "ORT int8 / C int8": {"en": "int8 against its int8", "zh": "int8 对其 int8"},
    "ORT / C int8": {"en": "int8 against its floats", "zh": "int8 对其浮点"},
    "onnx2c / C": {"en": "C against onnx2c", "zh": "C 对 onnx2c"},
}
SPEED_NOTE = {
    "en": (
        "Time of one call on one example, one thread; `×`: how many times faster, median of the ratios of rounds that took turns"
        " (quartiles). ONNX Runtime {version}; its int8 is the fastest of its configurations, chosen per row by measurement. {cpu}, {isa}."
    ),
    "zh": (
        "单线程、单样本一次调用的时间；`×` 为快多少倍：轮流执行的各轮比值的中位数（四分位数）。"
        "ONNX Runtime {version}；其 int8 取各种配置中实测最快者。{cpu}，{isa}。"
    ),
}

#: Columns of the scoreboard of domain programs.
SCORE_HEADINGS = {
    "en": ("program", "data", "contestant", "metric", "score", "made in, s", "per answer, µs", "size, kB", "MMACs"),
    "zh": ("程序", "数据", "参赛者", "指标", "得分", "制作耗时，秒", "单次回答，µs", "大小，kB", "MMAC"),
}
KINDS = {
    "en": {"predecessor": "predecessor: {}", "program": "program: {}", "peer": "peer: {}"},
    "zh": {"predecessor": "前身：{}", "program": "程序：{}", "peer": "同类：{}"},
}
LOWER = {"en": "{} (lower is better)", "zh": "{}（越低越好）"}
SCORE_NOTE = {
    "en": "`tacit scoreboard`: each pair from one run on the same test data. Times are seconds of the processor, one thread. {cpu}.",
    "zh": "`tacit scoreboard`：每组都在同一次运行、同一份测试数据上得出。时间为单线程的处理器时间。{cpu}。",
}


@dataclass(frozen=True)
class Row:
    """One figure with a target. measured: what the target is about (the mean, unless it says max, min ...), or None.

    spread: standard deviation over `runs`, or None.
    """

    case: str
    figure: str
    target: str
    measured: float | None
    spread: float | None
    runs: int
    met: bool | None


def records(folder: Path = RESULTS) -> list[dict[str, Any]]:
    """Read every record that has targets, in order of its name."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    return [record for record in found if record.get("target")]


def rows(folder: Path = RESULTS) -> Iterator[Row]:
    """Give a row for each figure with a target."""
    for record in records(folder):
        for figure, target in record["target"].items():
            value = record["figures"].get(figure)
            many = value if isinstance(value, Mapping) else {"mean": value, "n": 0 if value is None else 1}
            statistic, *_ = target["wanted"].split()
            measured, spread = (many[statistic], None) if statistic in many else (many.get("mean"), many.get("std"))
            yield Row(record["name"], figure, target["wanted"], measured, spread, many.get("n", 1), target["met"])


def number(value: float) -> str:
    """Write a figure with four digits that say something.

    >>> number(0.98765), number(12345.6), number(3)
    ('0.9877', '12,346', '3')
    """
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4f}" if 0 < abs(value) < 1 else f"{value:.4g}"


def summary(language: str, folder: Path = RESULTS) -> str:
    """Write one row per record: how many targets, how many met, and each that was not; the sum of all below."""
    lines = ["| " + " | ".join(SUMMARY_HEADINGS[language]) + " |", "|" + " --- |" * len(SUMMARY_HEADINGS[language])]
    by_case: dict[str, list[Row]] = {}
    for row in rows(folder):
        by_case.setdefault(row.case, []).append(row)
    for case, found in by_case.items():
        missed = [row for row in found if not row.met]
        named = "; ".join(f"{row.figure} ({_measured(row, language)}, {_wanted(row)})" for row in missed)
        lines.append(_line(case, str(len(found)), str(len(found) - len(missed)), named))
    every = [row for found in by_case.values() for row in found]
    return "\n".join([*lines, _line(TOTAL[language], str(len(every)), str(sum(bool(row.met) for row in every)), "")]) + "\n"


def _line(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _wanted(row: Row) -> str:
    return row.target.replace(">=", "≥").replace("<=", "≤")


def _measured(row: Row, language: str) -> str:
    return MET[language][None] if row.measured is None else number(row.measured)


def table(language: str, folder: Path = RESULTS) -> str:
    """Write the table in one language, a line about the machine below it."""
    lines = ["| " + " | ".join(HEADINGS[language]) + " |", "|" + " --- |" * len(HEADINGS[language])]
    for row in rows(folder):
        measured = "" if row.measured is None else number(row.measured) + (f" ± {number(row.spread)}" if row.spread is not None else "")
        lines.append(_line(row.case, row.figure, _wanted(row), measured, str(row.runs), MET[language][row.met]))
    seen = [record["machine"] for record in records(folder)]
    machines = {(machine["cpu"], machine["cores"], round(machine["ram_gib"])) for machine in seen}
    notes = [MACHINE[language].format(cpu=cpu, cores=cores, ram_gib=ram) for cpu, cores, ram in sorted(machines)]
    return "\n".join([*lines, "", *notes]) + "\n"


def speeds(language: str, folder: Path = RESULTS) -> str:
    """Write the table of speeds beside the peers; nothing but its head where nothing was measured."""
    headings = [SPEED_NAME[language], "MFLOP", *(title for _, title in MICROSECONDS), *(title[language] for title in TIMES.values())]
    lines = ["| " + " | ".join(headings) + " |", "|" + " --- |" * len(headings)]
    path = folder / "targets.json"
    if not path.exists():
        return "\n".join(lines) + "\n"
    record = json.loads(path.read_text(encoding="utf-8"))
    for row in record["runs"]:
        cells = [row["name"] if row["program"] else f"{row['name']}: {row['title']}", number(row["mflop"])]
        cells += [number(row["us"][name]) if name in row["us"] else "" for name, _ in MICROSECONDS]
        cells += [_times(row["ratios, quartiles"].get(pair)) for pair in TIMES]
        lines.append(_line(*cells))
    note = SPEED_NOTE[language].format(
        version=record["versions"].get("onnxruntime", "?"), cpu=record["machine"]["cpu"], isa=record["figures"]["instruction set"]
    )
    return "\n".join([*lines, "", note]) + "\n"


def scoreboard(language: str, folder: Path = RESULTS) -> str:
    """Write the table of domain programs beside their predecessors; nothing but its head where nothing was measured."""
    lines = ["| " + " | ".join(SCORE_HEADINGS[language]) + " |", "|" + " --- |" * len(SCORE_HEADINGS[language])]
    path = folder / "scoreboard.json"
    if not path.exists():
        return "\n".join(lines) + "\n"
    record = json.loads(path.read_text(encoding="utf-8"))
    for row in record["runs"]:
        metric = row["metric"] if row["higher_is_better"] else LOWER[language].format(row["metric"])
        budget = [f"{value:,} {name}" for name in ("minutes", "steps") if (value := row["settings"][name]) is not None]
        contestant = ", ".join([row["contestant"], *(budget if row["kind"] == "program" else [])])
        named = (row["program"], row["data"], KINDS[language][row["kind"]].format(contestant), metric, number(row["score"]))
        costs = (("made_in", 1.0), ("microseconds", 1.0), ("bytes", 1e-3), ("macs", 1e-6))
        lines.append(_line(*named, *("" if row[key] is None else number(row[key] * scale) for key, scale in costs)))
    return "\n".join([*lines, "", SCORE_NOTE[language].format(cpu=record["machine"]["cpu"])]) + "\n"


def _times(quartiles: list[float] | None) -> str:
    if quartiles is None:
        return ""
    low, middle, high = (f"{value:.3g}" for value in quartiles)
    return f"{middle}× ({low}–{high})"


def written(text: str, language: str, folder: Path = RESULTS) -> str:
    """Give the text of a document with its tables written anew."""
    text = BLOCK.sub(lambda match: match[1] + table(language, folder) + match[2], text)
    text = SUMMARY.sub(lambda match: match[1] + summary(language, folder) + match[2], text)
    text = SCORES.sub(lambda match: match[1] + scoreboard(language, folder) + match[2], text)
    return SPEEDS.sub(lambda match: match[1] + speeds(language, folder) + match[2], text)


def main() -> int:
    """Write the tables, or check them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit code 1 when a table is out of date")
    check = parser.parse_args().check
    stale = 0
    for path, language in DOCUMENTS.items():
        before = path.read_text(encoding="utf-8")
        after = written(before, language)
        if before != after:
            stale += 1
            print(f"{path.relative_to(ROOT)}: {'out of date' if check else 'written'}")
            if not check:
                path.write_text(after, encoding="utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
