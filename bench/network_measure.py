"""Measurements of one program's user-mode network: streams, connections, pings."""

import re
from collections.abc import Mapping
from typing import Final

from bench.guest import PROMPT, LinuxGuest
from bench.measure import Measure, Samples, run_command
from bench.network_programs import (
    CONNECTIONS,
    GUEST_ADDRESS,
    HOST_ADDRESS,
    STREAM_BYTES,
    network_program,
)
from bench.process import MachineProcess
from bench.programs import Program
from bench.workloads import SCRIPT
from hospes.base.errors import HospesError
from hospes.guests.tree import Entry, regular

SEND: Final = "n_send"
RECEIVE: Final = "n_receive"
CONNECT: Final = "n_connect"
PING: Final = "n_ping"
PINGS: Final = 200
UNITS: Final = {"send": STREAM_BYTES, "receive": STREAM_BYTES, "connect": CONNECTIONS}
KEYS: Final = {"send": SEND, "receive": RECEIVE, "connect": CONNECT}

WAIT_FOR_CARD: Final = "until [ -e /sys/class/net/eth0 ]; do sleep 0.1; done"
CONFIGURE: Final = f"ip link set eth0 up && ip addr add {GUEST_ADDRESS} dev eth0"
# The first answer comes after ARP has found the address.
SETTLE: Final = f"ping -c 3 -i 0.1 {HOST_ADDRESS}"
PING_COMMAND: Final = f"ping -q -c {PINGS} -i 0.01 {HOST_ADDRESS}"
AVERAGE: Final = re.compile(rb"min/avg/max = [\d.]+/([\d.]+)/[\d.]+ ms")


def network_files(ports: Mapping[str, int]) -> list[Entry]:
    """The guest's programs."""
    return [
        regular(f"bench-{name}", network_program(name, port), 0o755)
        for name, port in ports.items()
    ]


def measure_network(guest: LinuxGuest) -> Measure:
    """All of it in one boot."""

    def measure(program: Program, samples: Samples) -> None:
        command = program.linux(guest, f"{guest.append} hospes.network")
        with MachineProcess([*command, *program.nat]) as process:
            process.wait_for(PROMPT)
            run_command(process, f". /{SCRIPT}; {WAIT_FOR_CARD}; {CONFIGURE}; {SETTLE}")
            for name, count in UNITS.items():
                before = process.cpu_seconds()
                seconds = run_command(process, f"/bench-{name}")
                cpu = process.cpu_seconds() - before
                samples.add(KEYS[name], seconds / count, cpu)
            start = len(process.output)
            run_command(process, PING_COMMAND)
            found = AVERAGE.search(bytes(process.output[start:]))
            if found is None:
                raise HospesError("ping told no average; see that it works by hand")
            samples.add(PING, float(found[1]) / 1000)

    return measure
