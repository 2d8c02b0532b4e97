"""A stock kernel on a bridge of the host's, in a network namespace of the test's own."""

import pytest
from tests.network.namespace import needs_namespaces
from tests.network.test_tap import SECONDS, bridged

from hospes.guests.store import Image

SERVE = """
import hashlib, socket, threading
from hospes import Machine
got = []
def serve(listening):
    connection = listening.accept()[0]
    digest = hashlib.sha256()
    while data := connection.recv(1 << 20):
        digest.update(data)
    got.append(digest.hexdigest())
"""
"""What a test's own process begins with: who takes what a guest sends, and notes its digest."""
BOOT = f"""{SERVE}
with socket.create_server(("10.9.0.1", 9000)) as listening, Machine("tiny", network="NET") as vm:
    thread = threading.Thread(target=serve, args=(listening,), daemon=True)
    thread.start()
    vm.run("ip link set eth0 up; ip addr add 10.9.0.8/24 dev eth0", 60, check=True)
    print(vm.run("ping -c 2 -i 0.2 10.9.0.1", 60).stdout)
    vm.run("dd if=/dev/urandom of=/tmp/data bs=1M count=4", 60, check=True)
    digest = vm.run("sha256sum /tmp/data", 60).stdout.split()[0]
    vm.run("nc 10.9.0.1 9000 -e dd if=/tmp/data bs=64k", 60, check=True)
    thread.join(60)
    print(got == [digest])
"""


@needs_namespaces
@pytest.mark.guest
@pytest.mark.soak
def test_it_is_a_station_there(tiny: Image) -> None:
    with bridged() as namespace:
        process = namespace.start(BOOT.replace("NET", "bridge:br0"))
        said, errors = process.communicate("", timeout=4 * SECONDS)
        assert "2 packets received" in said, errors
        assert said.endswith("True\n")
