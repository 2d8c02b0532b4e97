"""A stock guest behind a firewall: what its programs and its clients see, from start to reset."""

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from functools import partial

import pytest
from tests.guest.test_network import CONFIGURE, GUEST_PORT, SECONDS, Handler
from tests.machine.test_networks import free_port

from hospes import Machine
from hospes.guests.store import Image

pytestmark = [pytest.mark.guest, pytest.mark.usefixtures("tiny")]
SERVE = f"nc -l -p {GUEST_PORT} -e sh -c 'read line; echo got $line'"
HEARD = f"until netstat -ltn | grep -q :{GUEST_PORT}; do :; done"
LISTEN = f"({SERVE} &) >/dev/null 2>&1 </dev/null; {HEARD}"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """That of a web server on the host's loopback."""
    place = tmp_path_factory.mktemp("www")
    (place / "page").write_text("page\n")
    handler = partial(Handler, directory=str(place))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made.server_address[1]
        made.shutdown()


def ask(port: int) -> bytes:
    """What a client of a published port gets."""
    with closing(socket.create_connection(("127.0.0.1", port), SECONDS)) as client:
        client.settimeout(SECONDS)
        client.sendall(b"hello\n")
        return client.makefile("rb").read()


def test_rules_hold_and_change(tiny: Image, port: int) -> None:
    published = free_port()
    with Machine(
        "tiny", network="nat", allow_host=True, publish=[f"{published}:{GUEST_PORT}"],
        firewall="deny:in,allow:out:*.internal",
    ) as vm:  # fmt: skip
        get = f"wget -q -T 60 -O - http://10.0.2.2:{port}/page"
        assert "inet 10.0.2.15/24" in vm.run(CONFIGURE, SECONDS, check=True).stdout
        assert "keeps closed; open it with 'allow:in:tcp:8000'" in vm.remarks[0]
        refused = vm.run(get, SECONDS)
        assert (refused.exit_code, "Connection refused" in refused.stderr) == (1, True)
        assert vm.run("nslookup secret.example", SECONDS).exit_code == 1
        assert "10.0.2.2" in vm.run("nslookup host.internal", SECONDS, check=True).stdout
        assert vm.run(get, SECONDS, check=True).stdout == "page\n"
        vm.run(LISTEN, SECONDS, check=True)
        with pytest.raises(ConnectionResetError):
            ask(published)
        vm.set_firewall(f"allow:in:tcp:{GUEST_PORT}")
        assert ask(published) == b"got hello\n"
        assert vm.firewall is not None
        counts = {(row.verdict, row.direction, row.rule): row for row in vm.firewall.rows}
        assert counts["allow", "in", f"tcp:{GUEST_PORT}"].packets >= 6
        assert counts["allow", "out", "*.internal"].bytes > 500
        assert counts["deny", "out", "(all else)"].packets >= 2
        vm.set_firewall(reset=True)
        assert vm.firewall is None
        vm.run(LISTEN, SECONDS, check=True)
        assert ask(published) == b"got hello\n"


def test_a_pulled_cable_and_a_reset_of_the_guest(tiny: Image) -> None:
    """The guest sees the one, and whom it has connected to sees the other."""
    with socket.create_server(("127.0.0.1", 0)) as listening, Machine(
        "tiny", network="nat", allow_host=True
    ) as vm:
        vm.run(CONFIGURE, SECONDS, check=True)
        vm.set_link(False)
        carrier = "until grep -q {} /sys/class/net/eth0/carrier; do :; done"
        vm.run(carrier.format(0), SECONDS, check=True)
        assert vm.run("ping -c 1 -W 1 10.0.2.2", SECONDS).exit_code == 1
        vm.set_link(True)
        vm.run(carrier.format(1), SECONDS, check=True)
        assert vm.run("ping -c 2 -W 9 10.0.2.2", SECONDS).exit_code == 0
        number = listening.getsockname()[1]
        vm.run(f"(sleep 999 | nc 10.0.2.2 {number} &) >/dev/null 2>&1 </dev/null", SECONDS)
        listening.settimeout(SECONDS)
        with closing(listening.accept()[0]) as client:
            client.settimeout(SECONDS)
            vm.run("(sleep 0.2; reboot -f) >/dev/null 2>&1 </dev/null &", SECONDS)
            with pytest.raises(ConnectionResetError):
                client.recv(1)
