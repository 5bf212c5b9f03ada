import socket
import threading

import pytest

from tacit.ground.errors import ConfigError
from tacit.search.cluster.address import Where, check_answers, parse_where


@pytest.fixture(autouse=True)
def no_cluster_around(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", Where()),
        (":4", Where(workers=4)),
        ("?workers=2&cpus=3", Where(workers=2, cpus=3)),
        ("://head", Where("head:6379")),
        ("://head:7000/", Where("head:7000")),
        ("://auto", Where("auto")),
        ("://10.0.0.1:6379?workers=8", Where("10.0.0.1:6379", workers=8)),
    ],
)
def test_what_stands_behind_ray(text, where):
    assert parse_where(text) == where


def test_the_address_that_ray_itself_would_take(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:7000")
    assert parse_where("") == Where("head:7000")
    assert parse_where(":2") == Where(workers=2)  # on this machine was said


def test_every_problem_is_named_at_once():
    with pytest.raises(ConfigError) as refused:
        parse_where("://head:port?workers=0&cpu=2")
    text = str(refused.value)
    assert "3 problems" in text and "`workers` expected a number of at least 1, got `0`" in text
    assert "did you mean `cpus`?" in text and "expected HOST:PORT" in text and "try: --on ray," in text


@pytest.mark.parametrize("text", [":", ":0", ":-1", ":four", "://", "://head:0", "://:6379", "x"])
def test_what_is_not_understood(text):
    with pytest.raises(ConfigError, match="expected a place to run on"):
        parse_where(text)


def test_the_port_of_rays_client_is_told_from_that_of_the_cluster():
    with pytest.raises(ConfigError, match="6379"):
        parse_where("://head:10001")


@pytest.fixture
def server():
    """Give the address of a server that says `answer` to whoever comes; None: nothing."""
    opened = []

    def serve(answer):
        listening = socket.create_server(("127.0.0.1", 0))
        opened.append(listening)

        def run():
            connection, _ = listening.accept()
            opened.append(connection)
            connection.recv(64)
            if answer is not None:
                connection.sendall(answer)

        threading.Thread(target=run, daemon=True).start()
        return f"127.0.0.1:{listening.getsockname()[1]}"

    yield serve
    for one in opened:
        one.close()


def test_a_server_of_rays_kind_passes(server):
    check_answers(server(bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])))


def test_another_server_is_told_from_it(server):
    with pytest.raises(ConfigError, match="expected a Ray cluster, got another server"):
        check_answers(server(b"HTTP/1.0 400 Bad request\r\n\r\n"))


def test_nobody_there_and_nothing_said(server, monkeypatch):
    free = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{free.getsockname()[1]}"
    free.close()
    with pytest.raises(ConfigError, match="expected a Ray cluster that answers, got none") as refused:
        check_answers(address)
    assert "ray start --head" in str(refused.value) and "--on ray" in str(refused.value)
    monkeypatch.setattr("tacit.search.cluster.address._SECONDS", 0.1)
    with pytest.raises(ConfigError, match=r"nothing came within 0\.1 seconds"):
        check_answers(server(None))
