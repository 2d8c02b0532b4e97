"""The table of connections: which give way when it is full."""

from hospes.network.firewall.flows import Flow, FlowTable, Phase
from hospes.network.firewall.states import ACK, SYN, follow
from hospes.network.packet import TCP
from hospes.spec.firewall import Direction


def flow(number: int) -> Flow:
    keys = b"out%d" % number, b"in%d" % number
    return Flow(Direction.OUT, TCP, bytes(4), 80, keys)


def settled(table: FlowTable, number: int, used_ns: int = 0) -> Flow:
    """One whose opener has reacted to an answer."""
    made = flow(number)
    table.add(made)
    follow(table, made, SYN | ACK, by_opener=False)
    follow(table, made, ACK, by_opener=True)
    assert made.phase is Phase.SETTLED
    made.until_ns = used_ns + made.patience_ns
    return made


def test_who_is_not_answered_gives_way_before_who_is() -> None:
    table = FlowTable(4)
    good, young = [settled(table, number) for number in range(2)], [flow(8), flow(9)]
    for one in young:
        table.add(one)
    for number in range(20, 30):
        table.add(flow(number))
    assert len(table) == 4
    assert all(table.outgoing.get(one.keys[0]) is one for one in good)
    assert not any(one.keys[0] in table.outgoing for one in young)


def test_among_the_settled_the_one_silent_for_longest() -> None:
    table = FlowTable(3)
    for number, used_ns in enumerate((30, 10, 20)):
        settled(table, number, used_ns)
    table.add(flow(9))
    assert set(table.incoming) == {b"in0", b"in2", b"in9"}


def test_an_opener_alone_is_never_settled() -> None:
    table, made = FlowTable(), flow(1)
    table.add(made)
    for _ in range(5):
        follow(table, made, SYN, by_opener=True)
    follow(table, made, SYN | ACK, by_opener=False)
    follow(table, made, SYN, by_opener=True)
    assert made.phase is Phase.ANSWERED


def test_one_with_the_same_packets_takes_the_place_of_another() -> None:
    table = FlowTable()
    first, second = flow(1), flow(1)
    table.add(first)
    table.add(second)
    assert (len(table), table.outgoing[b"out1"]) == (1, second)
