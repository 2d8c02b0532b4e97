"""A stand-in for the host: what the protocols asked of it, and connections that a test steers."""

from collections.abc import Callable

from hospes.network.limits import Limits
from hospes.network.nat import Nat
from hospes.network.plan import Plan
from hospes.network.published import Publication
from hospes.network.resolvers import Resolvers
from hospes.network.statistics import Statistics
from hospes.network.tcp import Connection
from hospes.network.tcp_state import Phase
from hospes.network.udp_flow import Peer, UdpFlow

SECOND = 1_000_000_000


class FakeHost:
    """Takes all that is pending at once; `received` is by connection."""

    def __init__(self) -> None:
        self.asked: list[tuple[Connection, bytes, int]] = []
        self.received: dict[Connection, bytes] = {}
        self.finished: set[Connection] = set()
        self.sent: list[tuple[UdpFlow, bytes, int, bytes]] = []
        self.ended: list[UdpFlow] = []
        self.answers: list[tuple[Publication, Peer, bytes]] = []
        self.echoes: list[tuple[bytes, int, bytes]] = []
        self.own: set[bytes] = set()
        self.takes = True

    def is_own(self, address: bytes) -> bool:
        return address in self.own

    def connect(self, connection: Connection, target: bytes, port: int) -> None:
        self.asked.append((connection, target, port))

    def serve(self, connection: Connection) -> None:
        if self.takes and connection.pending:
            data = b"".join(connection.pending)
            self.received[connection] = self.received.get(connection, b"") + data
            connection.taken(len(data), 0)
        if connection.phase is not Phase.CLOSED and connection.finish_due:
            self.finished.add(connection)
            connection.host_finished(0)

    def send(self, flow: UdpFlow, target: bytes, port: int, data: bytes) -> None:
        self.sent.append((flow, target, port, data))

    def end(self, flow: UdpFlow) -> None:
        self.ended.append(flow)

    def answer(self, publication: Publication, client: Peer, data: bytes) -> None:
        self.answers.append((publication, client, data))

    def echo(self, target: bytes, number: int, data: bytes) -> None:
        self.echoes.append((target, number, data))


class Net:
    """A Nat with its stand-in, and the frames it has sent to the guest."""

    def __init__(
        self,
        plan: Plan | None = None,
        limits: Limits | None = None,
        resolvers: str = "8.8.8.8",
        station_of: Callable[[bytes], int] = lambda mac: 0,
    ) -> None:
        self.host, self.frames, self.now = FakeHost(), list[bytes](), SECOND
        self.statistics = Statistics()
        packed = [bytes(map(int, each.split("."))) for each in resolvers.split()]
        self.resolvers = Resolvers(packed)
        self.nat = Nat(
            plan or Plan(), limits or Limits(), self.frames.append, self.host, self.resolvers,
            lambda count: bytes(range(1, count + 1)), self.statistics, station_of=station_of,
        )  # fmt: skip

    def send(self, *frames: bytes) -> None:
        for frame in frames:
            self.nat.frame(frame, self.now)
        self.nat.settle(self.now)

    def pass_time(self, ns: int) -> None:
        self.now += ns
        self.nat.tick(self.now, guest_waits=False)

    def take(self) -> list[bytes]:
        taken = list(self.frames)
        self.frames.clear()
        return taken
