"""Make each benchmark set into what a person would have: a folder, a CSV file or an `.npz`, from the shared data packs.

    python benchmarks/datasets.py NAME... [--cache DIR]        (no name: lists them)

A set that is in the cache already is not made again. Nothing is downloaded. The packs are described in their own README.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import harness
import numpy as np
from PIL import Image

from tacit_programs.digits import write_images

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
FOLDS = 5
ADULT_COLUMNS = (
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship", "race", "sex",
    "capital-gain", "capital-loss", "hours-per-week", "native-country", "income",
)  # fmt: skip


def default_cache() -> Path:
    """Give the folder that is used when no `--cache` is named: it survives between benchmarks, not between reboots."""
    return Path(tempfile.gettempdir()) / "tacit-benchmark-data"


def make(name: str, cache: Path) -> Path:
    """Give the file or folder of the set `name`, making it when `cache` does not hold it yet."""
    if name not in SETS:
        raise SystemExit(f"expected one of {', '.join(SETS)} - got {name!r}")
    file_name, maker = SETS[name]
    target = cache / file_name
    if target.exists():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    fresh = cache / f".{os.getpid()}-{file_name}"
    maker(fresh, cache)
    os.replace(fresh, target)
    return target


# --- arrays --------------------------------------------------------------------------------------------------------


def _idx(folder: str) -> Callable[[Path, Path], None]:
    def write(target: Path, _: Path) -> None:
        arrays = {}
        for part, file_part in (("train", "train"), ("test", "t10k")):
            source = harness.data_folder() / folder
            images = gzip.decompress((source / f"{file_part}-images-idx3-ubyte.gz").read_bytes())
            labels = gzip.decompress((source / f"{file_part}-labels-idx1-ubyte.gz").read_bytes())
            arrays[f"x_{part}"] = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28)
            arrays[f"y_{part}"] = np.frombuffer(labels, np.uint8, offset=8)
        _save(target, **arrays)

    return write


def _digits(target: Path, _: Path) -> None:
    write_images(target)  # the embedded set as a folder per class, in train/ and test/


def _uci_har(target: Path, _: Path) -> None:
    shutil.copyfile(harness.data_folder() / "uci-har" / "uci_har.npz", target)


def _cifar(train: str) -> Callable[[Path, Path], None]:
    def write(target: Path, _: Path) -> None:
        arrays = {}
        for part, file_name in (("train", train), ("test", "test")):
            arrays[f"x_{part}"], arrays[f"y_{part}"] = _pictures(harness.data_folder() / "cifar10" / f"{file_name}.parquet")
        _save(target, **arrays)

    return write


def _pictures(path: Path) -> tuple[np.ndarray, np.ndarray]:
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path)
    images = [np.asarray(Image.open(io.BytesIO(row["bytes"])).convert("RGB")) for row in table["image"].to_pylist()]
    return np.stack(images), table["label"].to_numpy().astype(np.uint8)


def _save(target: Path, **arrays: np.ndarray) -> None:
    with open(target, "wb") as file:  # an open file, for np.savez would add .npz to the name
        np.savez(file, **arrays)


# --- tables --------------------------------------------------------------------------------------------------------


def sms_rows() -> list[tuple[str, str]]:
    """Give the different messages as (label, text), in the order of the pack.

    403 of the 5,574 are exact copies of others. Tacit keeps one example per content, so the peers are tested on one, too.
    """
    text = gzip.decompress((harness.data_folder() / "sms-spam" / "sms.tsv.gz").read_bytes()).decode("utf8")
    return list({message: (label, message) for label, message in (line.split("\t", 1) for line in text.split("\n") if line)}.values())


def sms_folds() -> np.ndarray:
    """Give the fold int64[message] of each message, stratified by label, seed 0."""
    from sklearn.model_selection import StratifiedKFold

    labels = np.array([label for label, _ in sms_rows()])
    folds = np.empty(len(labels), np.int64)
    for fold, (_, test) in enumerate(StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(labels, labels)):
        folds[test] = fold
    return folds


def _sms(fold: int) -> Callable[[Path, Path], None]:
    def write(target: Path, _: Path) -> None:
        splits = np.where(sms_folds() == fold, "test", "train")
        _table(target, ("label", "text", "split"), ((*row, split) for row, split in zip(sms_rows(), splits, strict=True)))

    return write


def _adult(target: Path, _: Path) -> None:
    rows = []
    for split, name in (("train", "adult.data.gz"), ("test", "adult.test.gz")):
        text = gzip.decompress((harness.data_folder() / "adult" / name).read_bytes()).decode("ascii")
        for line in text.split("\n"):
            cells = [cell.strip() for cell in line.rstrip(".").split(",")]
            if len(cells) == len(ADULT_COLUMNS):
                rows.append(["" if cell == "?" else cell for cell in cells] + [split])
    _table(target, (*ADULT_COLUMNS, "split"), rows)


def _table(target: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with open(target, "w", encoding="utf8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


# --- folders -------------------------------------------------------------------------------------------------------


def _recordings(target: Path, _: Path) -> None:
    with zipfile.ZipFile(harness.data_folder() / "fsdd" / "free-spoken-digit-dataset.zip") as archive:
        archive.extractall(target)


def fsdd_rows() -> list[tuple[str, str, str, int]]:
    """Give (file name, digit, speaker, take) of each of the 3,000 recordings, sorted."""
    with zipfile.ZipFile(harness.data_folder() / "fsdd" / "free-spoken-digit-dataset.zip") as archive:
        names = sorted(Path(name).name for name in archive.namelist() if name.endswith(".wav"))
    parts = [name[:-4].split("_") for name in names]
    return [(name, digit, speaker, int(take)) for name, (digit, speaker, take) in zip(names, parts, strict=True)]


def _fsdd(split_of: Callable[[str, int], str]) -> Callable[[Path, Path], None]:
    def write(target: Path, cache: Path) -> None:
        recordings = make("fsdd-recordings", cache)
        rows = [
            (f"{recordings.name}/recordings/{name}", digit, speaker, split_of(speaker, take)) for name, digit, speaker, take in fsdd_rows()
        ]
        _table(target, ("path", "label", "speaker", "split"), rows)

    return write


def _official(_: str, take: int) -> str:
    return "test" if take < 5 else "train"


def _without(held_out: str) -> Callable[[str, int], str]:
    return lambda speaker, _: "test" if speaker == held_out else "train"


def _trashnet(target: Path, _: Path) -> None:
    source = harness.data_folder() / "trashnet"
    with zipfile.ZipFile(source / "trashnet.zip") as archive:
        paths = {Path(name).name: name for name in archive.namelist() if name.endswith(".jpg")}
        for split in ("train", "val", "test"):
            for line in (source / f"one-indexed-files-notrash_{split}.txt").read_text().splitlines():
                name = line.split()[0]
                folder = target / split / Path(paths[name]).parent.name
                folder.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(archive.read(paths[name]))


def _sign_digits(target: Path, cache: Path) -> None:
    unpacked = cache / f".{os.getpid()}-sign-digits-zip"
    with zipfile.ZipFile(harness.data_folder() / "sign-digits" / "sign-language-digits.zip") as archive:
        archive.extractall(unpacked)
    os.replace(unpacked / "Dataset", target)
    shutil.rmtree(unpacked)


SETS: dict[str, tuple[str, Callable[[Path, Path], None]]] = {
    "mnist": ("mnist.npz", _idx("mnist")),
    "fashion-mnist": ("fashion-mnist.npz", _idx("fashion-mnist")),
    "digits": ("digits", _digits),
    "cifar10-train20k": ("cifar10-train20k.npz", _cifar("train20k")),
    "cifar10-train50k": ("cifar10-train50k.npz", _cifar("train50k_jpeg_q75")),
    "uci-har": ("uci-har.npz", _uci_har),
    **{f"sms-{fold}": (f"sms-{fold}.csv", _sms(fold)) for fold in range(FOLDS)},
    "adult": ("adult.csv", _adult),
    "fsdd-recordings": ("fsdd-recordings", _recordings),
    "fsdd": ("fsdd.csv", _fsdd(_official)),
    **{f"fsdd-without-{speaker}": (f"fsdd-without-{speaker}.csv", _fsdd(_without(speaker))) for speaker in SPEAKERS},
    "trashnet": ("trashnet", _trashnet),
    "sign-digits": ("sign-digits", _sign_digits),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Make benchmark sets from the shared data packs.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(SETS)}; or `all`")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="folder to keep the sets in (default: a temporary one)")
    options = parser.parse_args()
    if not options.names:
        print("\n".join(SETS))
    for name in list(SETS) if options.names == ["all"] else options.names:
        print(make(name, options.cache))


if __name__ == "__main__":
    main()
