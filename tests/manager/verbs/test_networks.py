"""Networks by the verbs, and bare-metal machines in them."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.machine.test_networks import free_port
from tests.manager.verbs.test_machines import refusal, rows
from tests.ui.programs import SAY, bare_metal, command, hospes
from tests.worker.homes import switches_of, workers_of

from hospes.base.errors import HospesError
from hospes.manager.manager import Manager
from hospes.manager.verbs import networks

SECONDS = 20.0


@pytest.fixture
def words(home: Path, tmp_path: Path) -> list[str]:
    """Those for a machine of the network lab, which is there."""
    assert hospes("network", "create", "lab", "--subnet", "10.7.0.0/24").stdout == "lab\n"
    program = bare_metal(tmp_path / "idle.bin", SAY + "wfi\nj .")
    small = ["--bios", str(program), "--engine", "reference", "--memory", "16M"]
    return ["run", "-d", *small, "--network", "switch:lab"]


def inspected(name: str = "lab") -> dict:
    return json.loads(hospes("network", "inspect", name).stdout)


def eventually(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_life(home: Path, words: list[str]) -> None:
    port = free_port()
    assert hospes(*words, "--name", "web", "--publish", f"{port}:80").stdout == "web\n"
    assert hospes(*words, "--name", "db").stdout == "db\n"
    assert [row[-2] for row in rows()] == ["10.7.0.3", "10.7.0.2"]
    assert "db, web" in hospes("network", "ls").stdout
    told = inspected()
    assert told["gateway"] == "10.7.0.1"
    assert [one["name"] for one in told["machines"]] == ["web", "db"]
    assert told["machines"][0]["published"] == [f"127.0.0.1:{port}:80/tcp"]
    assert told["machines"][0]["mac"] in hospes("network", "inspect", "lab").stdout
    assert "10.7.0.2" in hospes("inspect", "web").stdout
    assert "in use by db, web; stop that first" in refusal("network", "rm", "lab")
    assert f":{port}" in hospes("port", "ls", "web").stdout
    other = free_port()
    hospes("port", "add", "db", f"{other}:22")
    socket.create_connection(("127.0.0.1", other), SECONDS).close()
    hospes("stop", "-f", "web", "db")
    eventually(lambda: not switches_of(home))
    assert inspected()["machines"] == []
    hospes("start", "db")
    assert rows()[0][-2] == "10.7.0.3"
    hospes("rm", "-f", "web", "db")
    assert hospes("network", "rm", "lab").returncode == 0
    assert "no network 'lab'; make it with 'hospes network create lab'" in refusal(*words)
    assert list((home / "networks").glob("*")) == [home / "networks" / ".making"]


@pytest.mark.soak
def test_several_start_at_once(home: Path, words: list[str]) -> None:
    names = ["one", "two", "three"]
    started = [
        subprocess.Popen(command(*words, "--name", name), stdout=subprocess.PIPE) for name in names
    ]
    assert sorted(each.communicate(timeout=60)[0] for each in started) == [
        b"one\n", b"three\n", b"two\n",
    ]  # fmt: skip
    assert len(switches_of(home)) == 1
    assert sorted(one["name"] for one in inspected()["machines"]) == sorted(names)


def test_killed_processes_leave_nothing(home: Path, words: list[str]) -> None:
    hospes(*words, "--name", "web")
    [switch] = switches_of(home)
    os.kill(switch, signal.SIGKILL)
    eventually(lambda: [one["name"] for one in inspected()["machines"]] == ["web"])
    assert switches_of(home) not in ([switch], [])
    os.kill(workers_of(home)[0], signal.SIGKILL)
    eventually(lambda: not switches_of(home))
    assert not (home / "networks" / "lab" / "socket").exists()
    assert hospes("start", "web").returncode == 0
    assert rows()[0][-2] == "10.7.0.2"


def test_a_port_in_use_and_a_name_twice(home: Path, words: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        said = refusal(*words, "--publish", f"{port}:80")
    assert f"127.0.0.1:{port} cannot be published: another program has it" in said
    assert hospes("ps", "-aq").stdout == ""
    eventually(lambda: not switches_of(home))


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("lab", {}, "is a network 'lab' already; remove it with 'hospes network rm lab'"),
        ("x", {"subnet": "10.7.0.128/25"}, "overlaps with 10.7.0.0/24 of the network 'lab'"),
        ("x", {"subnet": "10.0.0.0/8"}, "overlaps with 10.7.0.0/24 of the network 'lab'"),
        ("x", {"subnet": "10.9.0.0/31"}, "is too small"),
        ("X", {}, "a network cannot be called 'X'"),
        ("x", {"dns": True, "no_dns": True}, "leave out --dns or --no-dns"),
        ("x", {"lease": ["web"]}, "'web' is not a lease"),
        ("x", {"lease": ["a=10.64.0.2", "a=10.64.0.3"]}, "two leases"),
        ("x", {"isolated": True, "allow_host": True}, "leave out --isolated or --allow-host"),
    ],
)
def test_what_cannot_be_made(home: Path, name: str, options: dict, sentence: str) -> None:
    networks.create(Manager(), "lab", subnet="10.7.0.0/24")
    with pytest.raises(HospesError) as caught:
        networks.create(Manager(), name, **options)
    assert sentence in str(caught.value)
    assert [one.name for one in networks.ls(Manager())] == ["lab"]


def test_subnets_are_found(home: Path) -> None:
    for name in ("a", "b", "c"):
        networks.create(Manager(), name)
    found = [networks.inspect(Manager(), name) for name in ("a", "b", "c")]
    assert len({one.subnet for one in found}) == len({one.ipv6 for one in found}) == 3


def test_the_hosts_own_networks_are_left_alone(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    routes = tmp_path / "route"
    routes.write_text(
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t010000C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "eth0\t0000400A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
    )
    monkeypatch.setattr("hospes.manager.networks.ROUTES", routes)
    with pytest.raises(HospesError, match=r"overlaps with 10.64.0.0/16 of this host's device eth0"):
        networks.create(Manager(), "lab", subnet="10.64.3.0/24")
    networks.create(Manager(), "lab")
    assert networks.inspect(Manager(), "lab").subnet == "10.65.0.0/24"


@pytest.mark.parametrize("verb", ["rm", "inspect"])
def test_no_such_network(home: Path, verb: str) -> None:
    assert "no network 'x'; make it with" in refusal("network", verb, "x")
    assert hospes("network", "ls").stdout.strip() == ""
