from __future__ import annotations

import errno
import os
import shutil
from collections import namedtuple
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry, known_implementations

from tacit.examples.media import MediaWriter
from tacit.examples.media_lists import write_media_list
from tacit.examples.records import Record
from tacit.examples.writing import write_labels
from tacit.ground.errors import ConfigError, InputError, MissingPackage, TacitError, UnknownName
from tacit.history import remotes, transfers
from tacit.history.media_sync import pull_media, push_media
from tacit.history.media_verify import verify_media
from tacit.history.remotes import RemoteError, abandoned, open_remote, unfinished_name

TOML = '[input]\ntype = "image"\n[output]\ntype = "class"\n'


def add(directory: Path, name: str, contents: list[bytes]) -> None:
    """Take an import in, as `tacit new` does."""
    with MediaWriter(directory) as media:
        ids = [media.add(content, "bin") for content in contents]
    write_labels(directory, name, [Record(identity, "a") for identity in ids])
    write_media_list(directory, name, ids)


@pytest.fixture
def program(tmp_path) -> Path:
    """A program directory with two imports, each with a pack."""
    directory = tmp_path / "program"
    directory.mkdir()
    (directory / "tacit.toml").write_text(TOML)
    add(directory, "first", [b"one", b"two"])
    add(directory, "second", [b"two", b"three"])
    return directory


@pytest.fixture
def clone(program, tmp_path) -> Path:
    """What git gives to somebody else: everything but the media."""
    return shutil.copytree(program, tmp_path / "clone", ignore=shutil.ignore_patterns("media"))


@pytest.fixture(params=["folder", "memory"])
def remote(request, tmp_path):
    if request.param == "folder":
        yield str(tmp_path / "remote")
    else:
        MemoryFileSystem.store.clear()
        MemoryFileSystem.pseudo_dirs[:] = [""]
        yield "memory://place/media"


def files(remote: str) -> dict[str, bytes]:
    """Everything on a remote."""
    system, root = fsspec.core.url_to_fs(remote)
    return {path.rpartition("/")[2]: system.cat_file(path) for path in system.ls(root, detail=False)}


def packs(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((directory / "media").iterdir())}


def put(remote: str, name: str, content: bytes) -> None:
    system, root = fsspec.core.url_to_fs(remote)
    system.pipe_file(f"{root}/{name}", content)


def test_there_and_back(program, clone, remote):
    sent = push_media(program, remote=remote, create=True)
    assert sent.met and sorted(sent.moved) == sorted(packs(program)) and sent.there == 0
    assert files(remote) == packs(program)
    again = push_media(program, remote=remote)
    assert again.met and again.moved == () and again.there == 2
    got = pull_media(clone, remote=remote)
    assert got.met and packs(clone) == packs(program) and got.bytes == sum(map(len, packs(program).values()))
    assert pull_media(clone, remote=remote).moved == ()
    assert verify_media(clone, remote=remote, deep=True).faults == ()


def test_only_what_the_labels_of_the_checkout_need_is_fetched(program, clone, remote):
    push_media(program, remote=remote, create=True)
    shutil.rmtree(clone / "labels/second")
    assert len(pull_media(clone, remote=remote).moved) == 1
    assert pull_media(clone, remote=remote, everything=True).there == 1 and packs(clone) == packs(program)


def test_packs_that_no_label_needs_are_sent_when_asked_for(program, remote):
    shutil.rmtree(program / "labels/second")
    sent = push_media(program, remote=remote, create=True)
    assert len(sent.moved) == 1 and "--all sends them" in sent.notes[0]
    assert len(push_media(program, remote=remote, everything=True).moved) == 1 and files(remote) == packs(program)


def test_a_program_without_lists_gets_them_by_a_push(program, clone, remote):
    for directory in (program, clone):
        for path in directory.glob("labels/*/media.txt"):
            path.unlink()
    with pytest.raises(InputError, match="expected lists of media"):
        pull_media(clone, remote=remote)
    sent = push_media(program, remote=remote, create=True)
    assert sent.written == ("labels/first/media.txt", "labels/second/media.txt") and "commit it" in "\n".join(sent.parts())
    assert len(pull_media(clone, remote=remote, everything=True).moved) == 2


def test_an_empty_remote_is_no_remote_unless_it_is_new(program, remote, tmp_path):
    (tmp_path / "remote").mkdir()
    for call in (push_media, pull_media, verify_media):
        with pytest.raises(RemoteError, match="expected a remote that holds media, found nothing there"):
            call(program, remote=remote)


def test_a_pack_with_other_bytes_is_not_sent(program, remote):
    push_media(program, remote=remote, create=True)
    add(program, "third", [b"four"])
    (new,) = set(packs(program)) - set(files(remote))
    content = bytearray(packs(program)[new])
    content[35] ^= 1
    (program / "media" / new).write_bytes(content)
    with pytest.raises(InputError, match=new):
        push_media(program, remote=remote)
    assert new not in files(remote) and not any("part" in name for name in files(remote))


def test_a_pack_with_other_bytes_on_the_remote_is_not_put_in_place(program, clone, remote):
    push_media(program, remote=remote, create=True)
    bad, good = sorted(packs(program))
    content = bytearray(packs(program)[bad])
    content[35] ^= 1
    put(remote, bad, bytes(content))
    with pytest.raises(InputError, match=bad):
        pull_media(clone, remote=remote)
    assert list(packs(clone)) == [good]
    assert verify_media(program, remote=remote).met  # sizes alone don't tell
    (fault,) = verify_media(program, remote=remote, deep=True).faults
    assert (fault.kind, fault.name) == ("damaged", bad)


def test_a_pack_without_end_is_not_fetched_to_its_end(program, clone, remote):
    push_media(program, remote=remote, create=True)
    bad, good = sorted(packs(program))
    put(remote, bad, packs(program)[bad] + bytes(60_000_000))
    with pytest.raises(InputError, match="got more"):
        pull_media(clone, remote=remote)
    assert list(packs(clone)) == [good]


def test_a_torn_pack_on_the_remote_is_found_and_sent_anew(program, clone, remote):
    push_media(program, remote=remote, create=True)
    bad = min(packs(program))
    put(remote, bad, packs(program)[bad][:50])
    with pytest.raises(InputError, match="got 50"):
        pull_media(clone, remote=remote)
    (fault,) = verify_media(program, remote=remote).faults
    assert (fault.kind, fault.name) == ("damaged", bad)
    sent = push_media(program, remote=remote)
    assert sent.moved == (bad,) and "sent again" in sent.notes[0] and files(remote) == packs(program)


def test_what_is_nowhere_is_named_and_the_rest_is_sent(program, remote):
    push_media(program, remote=remote, create=True)
    add(program, "third", [b"four"])
    add(program, "fourth", [b"five"])
    lost = max(set(packs(program)) - set(files(remote)))
    (program / "media" / lost).unlink()
    sent = push_media(program, remote=remote)
    assert not sent.met and sent.missing == (f"{lost} is neither here nor on the remote",) and len(sent.moved) == 1
    got = pull_media(program, remote=remote)
    assert not got.met and got.missing == (f"{lost} is not on the remote",)


def test_a_damaged_pack_here_is_found_and_fetched_anew(program, remote):
    push_media(program, remote=remote, create=True)
    whole = packs(program)
    torn, changed = sorted(whole)
    (program / "media" / torn).write_bytes(whole[torn][:20])
    (program / "media" / changed).write_bytes(whole[changed].replace(b"t", b"T"))
    (program / "media/notes.txt").write_text("mine")
    verdict = verify_media(program, remote=remote)
    assert not verdict.met and [(fault.kind, fault.name) for fault in verdict.faults] == [
        ("damaged", torn),
        ("damaged", changed),
        ("unknown", "notes.txt"),
    ]
    assert "tacit media pull --deep" in "\n".join(verdict.parts())
    assert pull_media(program, remote=remote).moved == (torn,)
    assert pull_media(program, remote=remote, deep=True).moved == (changed,)
    assert verify_media(program, remote=remote).met and packs(program) == {**whole, "notes.txt": b"mine"}


def test_what_is_missing_is_found(program, remote):
    push_media(program, remote=remote, create=True)
    gone = min(packs(program))
    (program / "media" / gone).unlink()
    assert [(fault.kind, fault.place, fault.name) for fault in verify_media(program).faults] == [("missing", "media", gone)]
    put(remote, "readme.txt", b"mine")
    fsspec.core.url_to_fs(remote)[0].rm_file(f"{fsspec.core.url_to_fs(remote)[1]}/{gone}")
    found = verify_media(program, remote=remote)
    assert [(fault.kind, fault.name) for fault in found.faults] == [("missing", gone), ("missing", gone), ("unknown", "readme.txt")]


# --- settings ------------------------------------------------------------------------------------------------------


def test_the_remote_of_the_program_is_relative_to_it(program, clone, tmp_path):
    for directory in (program, clone):
        (directory / "tacit.toml").write_text(TOML + '[media]\nremote = "../remote"\n')
    assert push_media(program, create=True).met and files(str(tmp_path / "remote")) == packs(program)
    assert pull_media(clone).met and verify_media(clone, deep=True).remote and verify_media(clone, local=True).remote is None


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("", "none is named"),
        ('[media]\nremote = ""\n', "expected a text in quotes for `remote`"),
        ('[media]\nremot = "x"\n', "did you mean `remote`"),
        ('[media]\nremote = "media"\n', "got its folder `media` itself"),
        ('[media]\nremote = "memory://x"\n[media.options]\nsecret = "abc"\nclient = {auth_token = "abc"}\n', "client.auth_token"),
        ('[media]\nremote = "hf://datasets/x"\n[media.options]\nendpoint = "https://evil.example"\n', "[media.options] endpoint"),
        ('[media]\nremote = "memory://x"\n[media.options]\ncolour = ["red"]\n', None),
    ],
)
def test_settings_that_can_not_be_meant(program, section, said):
    (program / "tacit.toml").write_text(TOML + section)
    with pytest.raises(TacitError if said is None else ConfigError) as caught:
        push_media(program)
    assert (said or "") in str(caught.value) and "abc" not in str(caught.value)


def test_no_program_directory(tmp_path):
    with pytest.raises(ConfigError, match="expected a program directory"):
        verify_media(tmp_path)


def test_protocols_that_can_not_be_had(program, monkeypatch):
    with pytest.raises(UnknownName, match="got `s33`") as caught:
        push_media(program, remote="s33://bucket/path")
    assert "did you mean `s3" in str(caught.value)
    monkeypatch.setitem(known_implementations, "hf", {"class": "no_such_package.System", "err": "Install it"})
    monkeypatch.delitem(_registry, "hf", raising=False)
    with pytest.raises(MissingPackage) as missing:
        push_media(program, remote="hf://datasets/me/media")
    assert str(missing.value).endswith("try: pip install huggingface_hub")


def test_secrets_in_a_url_are_not_shown(program):
    remote = open_remote("memory://tom:pass@host/x", base=Path())
    assert remote.shown == "memory://***@host/x"


# --- remotes that fail ---------------------------------------------------------------------------------------------


class Failing(MemoryFileSystem):
    """Memory that is no whole-object store and fails when told to."""

    protocol = "failing"
    uploads = 0
    error: Exception | None = None
    every = 1

    @classmethod
    def _strip_protocol(cls, path):
        return MemoryFileSystem._strip_protocol(str(path).replace("failing://", "memory://"))

    def put_file(self, lpath, rpath, **options):
        type(self).uploads += 1
        if self.error is not None and self.uploads % self.every == 0:
            self.pipe_file(rpath, Path(lpath).read_bytes()[:10])
            raise self.error
        super().put_file(lpath, rpath, **options)


@pytest.fixture
def failing(monkeypatch):
    fsspec.register_implementation("failing", Failing, clobber=True)
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]
    monkeypatch.setattr(transfers, "WAITS", (0.0, 0.0, 0.0))
    Failing.uploads, Failing.error, Failing.every = 0, None, 1
    return "failing://place"


def test_a_line_that_breaks_now_and_then(program, failing):
    Failing.error, Failing.every = ConnectionResetError("broken"), 2
    assert push_media(program, remote=failing, create=True).met
    assert Failing.uploads > 2
    whole = {name: content for name, content in files(failing).items() if not name.endswith(".part")}
    assert whole == packs(program)


def test_a_remote_that_is_away_leaves_no_torn_file_under_a_name(program, failing):
    Failing.error = ConnectionResetError("broken")
    with pytest.raises(RemoteError, match="it is away") as caught:
        push_media(program, remote=failing, create=True)
    assert "ConnectionResetError: broken" in str(caught.value) and caught.value.exit_code == 2
    assert all(name.endswith(".part") for name in files(failing))
    Failing.error = None
    assert push_media(program, remote=failing).met
    assert {name: content for name, content in files(failing).items() if not name.endswith(".part")} == packs(program)
    assert all(fault.kind == "unknown" for fault in verify_media(program, remote=failing).faults)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError("access denied"), "it was refused"),
        (OSError(errno.EROFS, "Read-only file system"), "it is read-only"),
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (FileNotFoundError("The bucket does not exist"), "there is nothing"),
    ],
)
def test_a_remote_that_refuses(program, failing, error, said):
    Failing.error = error
    with pytest.raises(RemoteError, match=said) as caught:
        push_media(program, remote=failing, create=True)
    assert "try: " in str(caught.value) and Failing.uploads <= 2


def test_a_folder_that_can_not_be_written(program, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    push_media(program, remote=str(tmp_path / "remote"), create=True)
    add(program, "third", [b"four"])
    before = files(str(tmp_path / "remote"))
    monkeypatch.setattr(remotes.os, "replace", refuse)
    with pytest.raises(RemoteError, match="it is read-only"):
        push_media(program, remote=str(tmp_path / "remote"))
    assert files(str(tmp_path / "remote")) == before


def test_no_room_is_said_before_anything_is_fetched(program, clone, remote, monkeypatch):
    push_media(program, remote=remote, create=True)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: namedtuple("Usage", "total used free")(100, 90, 10))
    with pytest.raises(TacitError, match=r"expected room for .* of media, 0 kB are free"):
        pull_media(clone, remote=remote)
    assert packs(clone) == {}


# --- what killed processes leave -----------------------------------------------------------------------------------


def test_unfinished_files_of_processes_that_are_gone_are_taken_away(program, clone, tmp_path):
    remote = tmp_path / "remote"
    push_media(program, remote=str(remote), create=True)
    mine = unfinished_name("0" * 24 + ".zip")
    gone = mine.replace(f"-{os.getpid()}-", f"-{2**22 - 1}-")  # above what Linux gives by default
    other = gone.replace(gone.split(".")[3][:8], "0" * 8)
    assert abandoned([mine, gone, other, "readme.txt"]) == [gone]
    (clone / "media").mkdir()
    for folder in (remote, clone / "media"):
        for name in (mine, gone, other):
            (folder / name).write_bytes(b"half")
    assert pull_media(clone, remote=str(remote)).met
    for folder in (remote, clone / "media"):
        assert {name for name in os.listdir(folder) if name.endswith(".part")} == {mine, other}
    assert [fault.kind for fault in verify_media(clone).faults] == ["unknown"] * 2
