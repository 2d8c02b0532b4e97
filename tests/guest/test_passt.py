"""A stock kernel behind passt, in a network namespace of the test's own."""

import pytest
from tests.guest.test_bridge import SERVE
from tests.guest.test_network import CONFIGURE
from tests.network.namespace import needs_namespaces
from tests.network.test_passt import needs_passt, routed
from tests.network.test_tap import SECONDS

from hospes.guests.store import Image

BOOT = f"""{SERVE}
CONFIGURE = {CONFIGURE!r}
with (
    socket.create_server(("127.0.0.1", 9000)) as listening,
    Machine("tiny", network="passt", publish=["8080:80"], allow_host=True) as vm,
):
    print("address", "inet 10.9.0.7/24" in vm.run(CONFIGURE, 120, check=True).stdout)
    thread = threading.Thread(target=serve, args=(listening,), daemon=True)
    thread.start()
    vm.run("dd if=/dev/urandom of=/tmp/data bs=1M count=1", 120, check=True)
    digest = vm.run("sha256sum /tmp/data", 120).stdout.split()[0]
    # The gateway's address stands for the host.
    vm.run("nc 10.9.0.1 9000 -e dd if=/tmp/data bs=64k", 120, check=True)
    thread.join(120)
    print("sent", got == [digest])
    vm.run("(nc -l -p 80 -e sh -c 'read line; cat /tmp/data' &) >/dev/null 2>&1; "
           "until netstat -ltn | grep -q :80; do :; done", 120, check=True)
    taken = hashlib.sha256()
    with socket.create_connection(("127.0.0.1", 8080)) as client:
        # Before late 2023, passt completed no handshake until the client had spoken.
        client.sendall(b"go\\n")
        while data := client.recv(1 << 20):
            taken.update(data)
    print("published", taken.hexdigest() == digest)
    print("remarks", vm.remarks)
"""


@needs_passt
@needs_namespaces
@pytest.mark.guest
def test_it_has_the_hosts_address_and_reaches_it_and_is_reached(tiny: Image) -> None:
    with routed() as namespace:
        process = namespace.start(BOOT)
        said, errors = process.communicate("", timeout=8 * SECONDS)
    assert said.splitlines() == [
        "address True", "sent True", "published True", "remarks ()",
    ], errors  # fmt: skip
