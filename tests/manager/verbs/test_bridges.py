"""Networks that are bridges of the host, by the verbs, in a namespace that is left as it was."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.network.bridge.hosts import Host, host, needs_bridges
from tests.ui.programs import SAY, bare_metal
from tests.worker.homes import switches_of, workers_of

from hospes.base.errors import HospesError
from hospes.manager.manager import Manager
from hospes.manager.verbs import networks
from hospes.network.bridge import host_bridge

SECONDS = 30.0


@pytest.fixture
def made(home: Path) -> Iterator[Host]:
    """A host that is in the end as it was at first."""
    with host() as made:
        made.run("nft", "add table inet of_another; add chain inet of_another idle")
        before = made.state()
        yield made
        for machine in made.hospes("ps", "-aq").stdout.split():
            made.hospes("rm", "-f", machine)
        for line in made.hospes("network", "ls").stdout.splitlines()[1:]:
            said = made.hospes("network", "rm", line.split()[0])
            assert said.returncode == 0, said
        assert made.state() == before
        assert list((home / "networks").glob("*")) in ([], [home / "networks" / ".making"])


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """Those for a machine of the network lab."""
    program = bare_metal(tmp_path / "idle.bin", SAY + "wfi\nj .")
    small = ["--bios", str(program), "--engine", "reference", "--memory", "16M"]
    return ["run", "-d", *small, "--network", "switch:lab"]


def eventually(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def inspected(made: Host) -> dict:
    return json.loads(made.hospes("network", "inspect", "lab").stdout)


@needs_bridges
def test_a_life(made: Host, home: Path, words: list[str]) -> None:
    subnet = ("--bridge", "--subnet", "10.7.0.0/24")
    assert made.hospes("network", "create", "lab", *subnet).stdout == "lab\n"
    assert made.devices() == {"lo", "up0", "hp-lab"}
    assert "inet hospes-lab" in made.run("nft", "list", "tables")
    said = made.hospes(*words, "--name", "web", "--publish", "8080:80")
    assert said.stdout == "web\n", said
    told = inspected(made)
    assert (told["kind"], told["bridge"], told["gateway"]) == ("bridge", "hp-lab", "10.7.0.1")
    [machine] = told["machines"]
    assert (machine["name"], machine["address"]) == ("web", "10.7.0.3")
    port = "hp" + machine["mac"].replace(":", "")
    assert made.devices() == {"lo", "up0", "hp-lab", "hospes0", port}
    assert f"{machine['mac']} dev {port} sticky" in made.run("bridge", "fdb")
    assert machine["published"] == ["127.0.0.1:8080:80/tcp"]
    assert "bridge hp-lab" in made.hospes("network", "ls").stdout
    assert "in use by web; stop that first" in made.refusal("network", "rm", "lab")
    made.hospes("rm", "-f", "web")
    eventually(lambda: made.devices() == {"lo", "up0", "hp-lab"})


@needs_bridges
def test_killed_processes_and_a_host_started_anew(
    made: Host, home: Path, words: list[str]
) -> None:
    made.hospes("network", "create", "lab", "--bridge")
    made.hospes(*words, "--name", "web")
    [switch] = switches_of(home)
    os.kill(switch, signal.SIGKILL)
    eventually(lambda: switches_of(home) not in ([], [switch]))
    eventually(lambda: [one["name"] for one in inspected(made)["machines"]] == ["web"])
    for process in workers_of(home) + switches_of(home):
        os.kill(process, signal.SIGKILL)
    eventually(lambda: made.devices() == {"lo", "up0", "hp-lab"})
    # What a host that is started anew has not any more.
    made.run("ip", "link", "delete", "hp-lab")
    made.run("nft", "delete table inet hospes-lab")
    for setting in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        made.run("sh", "-c", f"echo 0 >/proc/sys/net/{setting}")
    assert made.hospes("start", "web").returncode == 0
    assert "hp-lab" in made.devices()
    assert "inet hospes-lab" in made.run("nft", "list", "tables")
    assert made.run("cat", "/proc/sys/net/ipv4/ip_forward") == "1\n"


@needs_bridges
@pytest.mark.soak
def test_several_share_the_hosts_settings(made: Host) -> None:
    forwards = ("cat", "/proc/sys/net/ipv4/ip_forward")
    made.hospes("network", "create", "alone", "--bridge", "--isolated")
    assert made.run(*forwards) == "0\n"
    for name in ("lab", "other"):
        made.hospes("network", "create", name, "--bridge")
    made.hospes("network", "rm", "lab")
    assert made.run(*forwards) == "1\n"
    made.hospes("network", "rm", "other")
    assert made.run(*forwards) == "0\n"
    # Gone already, but for the record.
    made.run("ip", "link", "delete", "hp-alone")


@needs_bridges
def test_what_is_not_ours_stays(made: Host) -> None:
    made.run("ip", "link", "add", "hp-lab", "type", "bridge")
    said = made.refusal("network", "create", "lab", "--bridge")
    assert "his host has a device hp-lab already, which is not this network's" in said
    assert made.hospes("network", "ls").stdout.strip() == ""
    assert "hp-lab" in made.devices()
    made.run("ip", "link", "delete", "hp-lab")


def test_without_the_right(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_bridge, "may_manage_networks", lambda: False)
    with pytest.raises(HospesError, match=r"'lab' is a bridge.*\(CAP_NET_ADMIN\); run as root"):
        networks.create(Manager(), "lab", bridge=True)
    assert networks.ls(Manager()) == ()


@pytest.mark.parametrize(("program", "package"), [("nft", "nftables"), ("ip", "iproute2")])
def test_without_a_program(
    home: Path, monkeypatch: pytest.MonkeyPatch, program: str, package: str
) -> None:
    monkeypatch.setattr(host_bridge, "may_manage_networks", lambda: True)
    monkeypatch.setattr(host_bridge, "find_program", lambda name: name * (name != program))
    with pytest.raises(HospesError, match=f"need {program}, .*'apt-get install {package}'"):
        networks.create(Manager(), "lab", bridge=True)
    assert networks.ls(Manager()) == ()
