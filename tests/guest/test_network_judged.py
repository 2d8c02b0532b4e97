"""A session that was written down, opened by somebody else's dissector: tshark."""

import http.server
import json
import shutil
import subprocess
import threading
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from tests.guest.test_network import CONFIGURE, SECONDS, Handler

from hospes import Machine
from hospes.guests.store import Image

pytestmark = [
    pytest.mark.guest,
    pytest.mark.skipif(
        shutil.which("tshark") is None,
        reason="there is no tshark to judge with: install it with 'apt-get install tshark'",
    ),
]

CHECKED = ("ip", "tcp", "udp")
GOOD = {"1", "Good"}
FIELDS = ("_ws.malformed", "_ws.expert.severity", "_ws.expert.message", "frame.protocols")
STATUSES = tuple(f"{name}.checksum.status" for name in (*CHECKED, "icmp", "icmpv6"))
ERROR = 0x00800000
"""The severity of what tshark counts as a protocol's error."""


@pytest.fixture(scope="module")
def session(tiny: Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DHCP, names, pings (one in fragments), a download, a refusal and IPv6."""
    place = tmp_path_factory.mktemp("session")
    (place / "data").write_bytes(bytes(range(256)) * 4096)
    handler = partial(Handler, directory=str(place))
    capture = place / "out.pcap"
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with Machine("tiny", network="nat", allow_host=True, capture=capture) as vm:
            vm.run(CONFIGURE, SECONDS, check=True)
            vm.run("ping -c 2 -i 0.2 10.0.2.2 && ping -c 1 -s 4000 10.0.2.2", SECONDS, check=True)
            vm.run("nslookup host.internal", SECONDS, check=True)
            port = server.server_address[1]
            vm.run(f"wget -q -O /dev/null http://10.0.2.2:{port}/data", SECONDS, check=True)
            vm.run(f"head -c 300000 /dev/zero | nc -w 5 10.0.2.2 {port}", SECONDS)
            assert vm.run("nc -w 2 10.0.2.2 1 </dev/null", SECONDS).exit_code == 1
            ready = "until ip -6 addr show dev eth0 | grep -q fd00; do sleep 0.2; done"
            vm.run(f"{ready}; ping -6 -c 2 -i 0.2 fd00::2", SECONDS, check=True)
        server.shutdown()
    return capture


def dissect(capture: Path) -> list[dict[str, list[str]]]:
    """For each frame, the values of the fields that it has."""
    check = [word for name in CHECKED for word in ("-o", f"{name}.check_checksum:TRUE")]
    wanted = [word for field in (*FIELDS, *STATUSES) for word in ("-e", field)]
    done = subprocess.run(
        ["tshark", "-r", str(capture), *check, "-T", "json", *wanted],
        capture_output=True, text=True, check=True, timeout=SECONDS,
    )  # fmt: skip
    return [each["_source"]["layers"] for each in json.loads(done.stdout)]


def test_nothing_is_malformed_and_every_checksum_is_right(session: Path) -> None:
    frames = dissect(session)
    kinds = Counter(kind for each in frames for kind in each["frame.protocols"][0].split(":"))
    for kind in ("arp", "dhcp", "dns", "icmp", "icmpv6", "tcp", "http"):
        assert kinds[kind] > 0, kind
    seen = Counter[str]()
    for each in frames:
        assert "_ws.malformed" not in each
        severities = [int(value, 0) for value in each.get("_ws.expert.severity", ())]
        assert max(severities, default=0) < ERROR, each
        for status in STATUSES:
            values = each.get(status, [])
            seen[status] += len(values)
            assert set(values) <= GOOD, each
    assert min(seen[status] for status in STATUSES) > 0


def test_the_judge_finds_a_wrong_checksum(session: Path, tmp_path: Path) -> None:
    """The same session with one octet of the download changed."""
    damaged = tmp_path / "damaged.pcap"
    data = bytearray(session.read_bytes())
    data[data.index(bytes(range(256)))] ^= 0xFF
    damaged.write_bytes(data)
    found = {value for each in dissect(damaged) for value in each.get("tcp.checksum.status", ())}
    assert found - GOOD
