"""Which remote the media of a program directory belong to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tacit.directory.reading import is_program, read_section
from tacit.directory.schema import TOML
from tacit.examples.media import MEDIA
from tacit.ground.errors import ConfigError, raise_all
from tacit.history.remotes import FolderRemote, Remote, open_remote

_SECRETS = ("secret", "password", "passwd", "token", "key", "credential", "passphrase")
#: Words in options that say where to: whoever writes `tacit.toml` could have your token for a hub sent to a machine of theirs.
_ELSEWHERE = ("endpoint", "url", "proxy", "host", "session", "sock")
#: S3 signs requests with the secret key and never sends it.
_SIGNED = ("s3", "s3a")


def remote_of(directory: Path, url: str | None = None) -> Remote | None:
    """Give the remote that `url` or else `tacit.toml` names, None when neither does.

    A folder in `tacit.toml` is relative to the program directory, one in `url` to the working folder.
    Raises: ConfigError for no program directory, options with secrets or addresses in `tacit.toml`, a remote that is the folder of
    media itself; UnknownName, MissingPackage for a protocol.
    """
    if not is_program(directory):
        raise ConfigError(
            f"expected a program directory with a `{TOML}`, there is none - at `{directory}`", fix="give the path of a program directory"
        )
    settings = read_section(directory, "media")
    options = settings.get("options", {})
    raise_all(
        [f"[media.options] {name}" for name in _named(options, _SECRETS)],
        heading=f"expected options without secrets, for git keeps them for ever - at `{directory / TOML}`",
        fix="take them out, and give them by the environment or the service's own file of credentials",
        error=ConfigError,
    )
    wanted = url or settings.get("remote")
    if wanted is None:
        return None
    raise_all(
        [] if wanted.partition("://")[0] in _SIGNED else [f"[media.options] {name}" for name in _named(options, _ELSEWHERE)],
        heading=f"expected options that don't say to which machine credentials are sent - at `{directory / TOML}`",
        fix="take them out; where you trust them, give them by the environment: HF_ENDPOINT, FSSPEC_<PROTOCOL>_<OPTION> ...",
        error=ConfigError,
    )
    remote = open_remote(wanted, base=Path() if url else directory, options=options)
    if isinstance(remote, FolderRemote) and _within(remote.folder, directory / MEDIA):
        raise ConfigError(
            f"expected a remote beside the program's own media, got its folder `{MEDIA}` itself - at `{remote.shown}`",
            fix="give another folder, on another disk if this one may be lost",
        )
    return remote


def required_remote(directory: Path, url: str | None = None) -> Remote:
    """Give the remote as `remote_of`. Raises: ConfigError also when none is named."""
    remote = remote_of(directory, url)
    if remote is None:
        raise ConfigError(
            f"expected a remote for the media, none is named - at `{directory / TOML}`",
            fix='write  [media]  and  remote = "FOLDER or s3://bucket/path ..."  there, or give --remote',
        )
    return remote


def _named(options: Mapping[str, Any], words: Sequence[str]) -> Iterator[str]:
    """Give the options with one of the words in their name, those within others included."""
    for name, value in options.items():
        if any(word in name.lower() for word in words):
            yield name
        elif isinstance(value, Mapping):
            yield from (f"{name}.{inner}" for inner in _named(value, words))


def _within(folder: Path, media: Path) -> bool:
    return folder.resolve().is_relative_to(media.resolve())
