"""What stands behind `ray` in ``--on``: a Ray of one's own, or the address of a cluster; and whether that answers."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from urllib.parse import parse_qsl

from tacit.ground.errors import ConfigError, raise_all
from tacit.ground.tables import did_you_mean

#: The ports on which `ray start --head` listens: for nodes and drivers, and for Ray's client.
PORT, CLIENT_PORT = 6379, 10001
_SECONDS = 4.0
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])  # RFC 9113, section 3.4, with empty settings
_SETTINGS = 4
_EXAMPLES = "--on ray, --on ray:4, --on ray://HOST:6379, --on 'ray://HOST:6379?workers=8&cpus=2'"


@dataclass(frozen=True)
class Where:
    """Where to run. address: of a cluster (None: a Ray of this command's own). workers: how many (None: one per `cpus` that there are)."""

    address: str | None = None
    workers: int | None = None
    cpus: int = 1


def parse_where(text: str) -> Where:
    """Read what stands behind `ray`.

    >>> parse_where(":4"), parse_where("://10.0.0.1?workers=8").address
    (Where(address=None, workers=4, cpus=1), '10.0.0.1:6379')

    Without an address `RAY_ADDRESS` counts, as everywhere with Ray. Raises: ConfigError naming every problem.
    """
    text, _, query = text.partition("?")
    problems = []
    numbers: dict[str, int] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key not in ("workers", "cpus"):
            problems.append(f"`{key}` is not known: {did_you_mean(key, ['workers', 'cpus'])}")
        elif not value.isascii() or not value.isdigit() or int(value) < 1:
            problems.append(f"`{key}` expected a number of at least 1, got `{value}`")
        else:
            numbers[key] = int(value)
    address = os.environ.get("RAY_ADDRESS") or None
    if text.startswith("://"):
        address = text[3:].rstrip("/")
        if not address:
            problems.append("expected HOST:PORT behind `ray://`, got nothing")
    elif text.startswith(":") and text[1:].isascii() and text[1:].isdigit() and int(text[1:]) >= 1:
        address, numbers["workers"] = None, int(text[1:])
    elif text:
        problems.append(f"expected a number of workers or an address behind `ray`, got `{text}`")
    if address is not None:
        address, problem = _whole(address.removeprefix("ray://"))
        problems += [problem] if problem else []
    raise_all(problems, heading=f"expected a place to run on, got `ray{text}` - at `--on`", fix=_EXAMPLES, error=ConfigError)
    return Where(address, numbers.get("workers"), numbers.get("cpus", 1))


def _whole(address: str) -> tuple[str, str | None]:
    """Give an address with its port, and what is wrong with it."""
    if address == "auto":
        return address, None
    host, colon, port = address.rpartition(":")
    if not colon:
        return f"{address}:{PORT}", None
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        return address, f"expected HOST:PORT behind `ray://`, got `{address}`"
    if int(port) == CLIENT_PORT:
        return address, f"port {CLIENT_PORT} is that of Ray's client; Tacit joins at the port of the cluster, {PORT} unless it was set"
    return address, None


def check_answers(address: str) -> None:
    """Refuse an address where no server of Ray's kind answers within seconds; Ray itself would wait for two minutes.

    Raises: ConfigError.
    """
    host, _, port = address.rpartition(":")
    fix = f"`ray start --head` on that machine, and `ray start --address={address}` on this one; or --on ray, on this machine alone"
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS) as connection:
            connection.settimeout(_SECONDS)
            connection.sendall(_PREFACE)
            answer = connection.recv(9)
    except OSError as error:
        cause = str(error) if str(error) != "timed out" else f"nothing came within {_SECONDS:g} seconds"
        raise ConfigError(f"expected a Ray cluster that answers, got none - at `ray://{address}`", cause=cause, fix=fix) from error
    if len(answer) < 4 or answer[3] != _SETTINGS:
        raise ConfigError(f"expected a Ray cluster, got another server - at `ray://{address}`", fix=fix)
