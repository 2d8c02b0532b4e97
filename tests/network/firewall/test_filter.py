"""What passes a firewall: connections, their answers and errors, fragments, and what is refused."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.network.firewall.wall import SECOND, Wall, inbound, knock, reply, syn
from tests.network.frames import (
    ACK,
    FIN,
    GATEWAY4,
    GATEWAY6,
    GUEST4,
    GUEST6,
    GUEST_MAC,
    PLAIN,
    RST,
    SYN,
    WORLD4,
    WORLD6,
    ethernet,
    icmp4,
    icmp6,
    ip,
    see,
    tcp,
    udp,
)

from hospes.network.firewall.flows import FLOWS_MAX
from hospes.network.fragments import HELD_BYTES_MAX

WORLDS = (WORLD4, WORLD6)
ECHO = {4: (8, 0), 16: (128, 129)}


def ping(remote: bytes, kind: int, number: int = 9, *, back: bool = False) -> bytes:
    guest = GUEST4 if len(remote) == 4 else GUEST6
    pair = (remote, guest) if back else (guest, remote)
    rest = number.to_bytes(2, "big") + b"\0\1data"
    if len(remote) == 4:
        return ip(*pair, 1, icmp4(kind, 0, rest))
    return ip(*pair, 58, icmp6(*pair, kind, 0, rest))


@pytest.mark.parametrize("remote", WORLDS)
def test_answers_pass_and_strangers_do_not(remote: bytes) -> None:
    wall = Wall("deny:in")
    assert wall.into(reply(443, remote)) == 0
    assert wall.out(syn(443, remote)) == 1
    assert wall.into(reply(443, remote)) == 1
    assert wall.out(syn(443, remote, flags=ACK)) == 1
    assert wall.into(reply(443, remote, own=40001)) == 0
    assert wall.into(reply(444, remote)) == 0
    assert wall.into(knock(22, remote)) == 0
    assert wall.told() == []
    assert wall.firewall.for_network == []
    assert wall.counts()["deny in (all else)"] == (4, 0)
    assert wall.counts()["allow out (all else)"] == (3, 0)


@pytest.mark.parametrize("remote", WORLDS)
def test_rules_by_protocol_and_port(remote: bytes) -> None:
    wall = Wall("allow:in:tcp:80,in:8000-8009", "deny:in:tcp:8005")
    assert [wall.into(knock(port, remote)) for port in (79, 80, 81, 8000, 8005, 8009)] == [
        0, 1, 0, 1, 0, 1,
    ]  # fmt: skip
    guest = GUEST4 if len(remote) == 4 else GUEST6
    assert wall.into(udp((remote, 9), (guest, 80), b"x")) == 0
    assert wall.into(udp((remote, 9), (guest, 8001), b"x")) == 1
    assert wall.out(udp((guest, 8001), (remote, 9), b"y")) == 1
    assert wall.counts()["allow in tcp:80"] == (1, 0)


def test_rules_by_address() -> None:
    wall = Wall("allow:out:93.184.216.0/24:443,out:[2001:db8::/32]")
    assert wall.out(syn(443), syn(443, WORLD6), syn(80, WORLD6)) == 3
    assert wall.out(syn(80), syn(443, bytes((93, 184, 217, 1))), syn(443, GATEWAY6)) == 0


def test_a_denial_comes_first_wherever_it_stands() -> None:
    wall = Wall("allow:out:tcp:25", "deny:out:93.184.216.34", "allow:out:93.184.0.0/16")
    assert wall.out(syn(25)) == 0
    assert wall.out(syn(25, GATEWAY4)) == 1


@pytest.mark.parametrize("remote", WORLDS)
def test_the_guest_is_told_at_once_what_may_not_go_out(remote: bytes) -> None:
    wall = Wall("deny:out")
    assert wall.out(syn(443, remote)) == 0
    [told] = wall.told()
    assert told.valid
    assert (told.source, told.destination_mac) == (remote, GUEST_MAC)
    assert told.tcp[:3] == (0, 1001, RST | ACK)
    assert wall.out(tcp((GUEST4, 1), (WORLD4, 2), 5, 77, ACK, data=b"x")) == 0
    [told] = wall.told()
    assert told.tcp[:3] == (77, 0, RST)
    guest = GUEST4 if len(remote) == 4 else GUEST6
    assert wall.out(udp((guest, 9), (remote, 9), b"x")) == 0
    [told] = wall.told()
    assert told.valid
    assert told.payload[:2] == (bytes((3, 13)) if len(remote) == 4 else bytes((1, 1)))
    assert wall.out(ping(remote, ECHO[len(remote)][0])) == 0
    assert len(wall.told()) == 1


def test_nobody_is_told_of_resets_errors_and_what_is_for_many() -> None:
    wall = Wall("deny:out")
    quoted = ip(WORLD4, GUEST4, 17, bytes(8))[26:]
    assert wall.out(
        syn(443, flags=RST),
        ip(GUEST4, WORLD4, 1, icmp4(3, 3, bytes(4) + quoted)),
        udp((GUEST4, 9), (bytes((224, 0, 0, 251)), 5353), b"x"),
        udp((GUEST4, 9), (b"\xff" * 4, 9), b"x"),
        udp((bytes(4), 9), (WORLD4, 9), b"x"),
        ethernet(0x0800, syn(443)[26:], b"\xff" * 6),
    ) == 0  # fmt: skip
    assert wall.told() == []


def test_refusals_are_few() -> None:
    wall = Wall("deny:out")
    wall.out(*(syn(443, own=port) for port in range(1, 5000)))
    assert len(wall.told()) == 100
    wall.wait(0.05)
    wall.out(*(syn(443, own=port) for port in range(1, 5000)))
    assert len(wall.told()) == 50


def test_who_opens_to_a_closed_port_is_told_where_it_is_the_host() -> None:
    wall = Wall("deny:in", tells=True)
    assert wall.into(knock(22), udp((WORLD4, 9), (GUEST4, 9), b"x")) == 0
    [told] = map(see, wall.firewall.for_network)
    assert (told.source, told.destination, told.tcp[2]) == (GUEST4, WORLD4, RST | ACK)


@pytest.mark.parametrize("remote", WORLDS)
def test_pings(remote: bytes) -> None:
    wall, (ask, answer) = Wall("deny:in"), ECHO[len(remote)]
    assert wall.into(ping(remote, answer, back=True)) == 0
    assert wall.out(ping(remote, ask)) == 1
    assert wall.into(ping(remote, answer, back=True)) == 1
    assert wall.into(ping(remote, ask, back=True)) == 0
    assert wall.into(ping(remote, answer, 10, back=True)) == 0
    assert Wall("allow:in:icmp").into(ping(remote, ask, back=True)) == 1


def test_errors_about_what_was_let_through_pass() -> None:
    wall = Wall("deny:in")
    wall.out(syn(443), udp((GUEST4, 9), (WORLD4, 7), b"x"), ping(WORLD4, 8))
    router = bytes((192, 0, 2, 1))

    def error(packet: bytes, kind: int = 3, target: bytes = GUEST4) -> bytes:
        return ip(router, target, 1, icmp4(kind, 4, bytes(4) + packet[26:54]))

    about = [syn(443), udp((GUEST4, 9), (WORLD4, 7), b"x"), ping(WORLD4, 8)]
    assert wall.into(*map(error, about)) == 3
    assert wall.into(error(syn(443), kind=11)) == 1
    assert wall.into(error(syn(443), kind=5)) == 0
    assert wall.into(error(syn(444)), error(ping(WORLD4, 8, 10)), error(ping(WORLD4, 0))) == 0
    assert wall.into(error(reply(443))) == 0
    assert wall.into(error(syn(443), target=GATEWAY4)) == 0
    assert wall.into(error(syn(443))[:60]) == 0


def test_errors_of_ipv6_pass() -> None:
    wall = Wall("deny:in")
    wall.out(syn(443, WORLD6))
    for sent, passes in ((syn(443, WORLD6), 1), (syn(80, WORLD6), 0)):
        message = icmp6(GATEWAY6, GUEST6, 2, 0, bytes((0, 0, 5, 0)) + sent[26:])
        assert wall.into(ip(GATEWAY6, GUEST6, 58, message)) == passes


def test_the_guest_tells_of_errors_where_it_may_send_nothing_else() -> None:
    wall = Wall("deny:out", "allow:in:udp:7")
    asked = udp((WORLD4, 9), (GUEST4, 7), b"x")
    assert wall.into(asked) == 1
    assert wall.out(ip(GUEST4, WORLD4, 1, icmp4(3, 3, bytes(4) + asked[26:54]))) == 1
    assert wall.out(ip(GUEST4, WORLD4, 1, icmp4(3, 3, bytes(4) + knock(7)[26:54]))) == 0


def test_a_message_of_icmp_opens_nothing() -> None:
    wall = Wall("deny:in")
    assert wall.out(ip(GUEST4, WORLD4, 1, icmp4(13, 0, bytes(16)))) == 1
    assert wall.into(ip(WORLD4, GUEST4, 1, icmp4(5, 0, bytes(28)))) == 0
    assert len(wall.firewall.flows) == 0


def test_other_protocols_have_no_ports() -> None:
    wall = Wall("deny:in", "deny:out:80")
    assert wall.into(ip(WORLD4, GUEST4, 47, bytes(20))) == 0
    assert wall.out(ip(GUEST4, WORLD4, 47, bytes(20))) == 1
    assert wall.into(ip(WORLD4, GUEST4, 47, bytes(20))) == 1


@pytest.mark.parametrize("given", [ip(GUEST4, WORLD4, 6, bytes(10)), PLAIN, PLAIN + bytes(13)])
def test_what_is_malformed_goes_nowhere(given: bytes) -> None:
    wall = Wall("allow:in", "allow:out")
    assert (wall.out(given), wall.into(given)) == (0, 0)
    assert wall.counts()["deny in/out (malformed)"] == (2, 0)


def test_frames_that_carry_no_ip_follow_the_rest() -> None:
    strange = ethernet(0x88B5, bytes(46))
    assert (Wall("allow:out:80").out(strange), Wall().out(strange)) == (0, 1)
    assert (Wall().into(strange), Wall("allow:in").into(strange)) == (0, 1)


def test_a_tag_hides_nothing() -> None:
    wall = Wall("deny:out:tcp:25")
    for tags in (b"\x81\0\0\5", b"\x88\xa8\0\7\x81\0\0\5"):
        hidden, seen = (each[:24] + tags + each[24:] for each in (syn(25), syn(443)))
        assert (wall.out(hidden), wall.out(seen)) == (0, 1)
        [told] = wall.firewall.for_guest
        assert told[24 : 24 + len(tags)] == tags
        wall.firewall.for_guest.clear()
        answer = reply(443)
        assert wall.into(answer) == 0
        assert wall.into(answer[:24] + tags + answer[24:]) == 1


def test_more_tags_than_anybody_reads_go_nowhere() -> None:
    frame = syn(443)
    assert Wall().out(frame[:24] + b"\x81\0\0\5" * 3 + frame[24:]) == 0


def test_nothing_hides_behind_a_fragments_header() -> None:
    """TCP behind options of IPv6 behind a fragment's header, of a packet that is whole."""
    wall, hidden = Wall("deny:out:tcp:25"), syn(25, WORLD6)
    content = b"\6\0\1\4\0\0\0\0" + hidden[66:]
    assert wall.out(ip(GUEST6, WORLD6, 60, content)) == 0
    assert wall.out(ip(GUEST6, WORLD6, 44, b"\x3c\0\0\0\0\0\0\7" + content)) == 0
    assert wall.out(ip(GUEST6, WORLD6, 44, b"\6\0\0\0\0\0\0\7" + hidden[66:])) == 0
    assert wall.counts()["deny in/out (malformed)"] == (1, 0)
    assert wall.counts()["deny out tcp:25"] == (2, 0)


def fragments(frame: bytes, size: int = 16) -> list[bytes]:
    """An IPv4 packet in pieces."""
    data = frame[46:]
    return [
        ip(frame[38:42], frame[42:46], frame[35], data[at : at + size],
           more=at >> 3 | (0x2000 if at + size < len(data) else 0))
        for at in range(0, len(data), size)
    ]  # fmt: skip


def test_fragments_wait_for_each_other() -> None:
    wall = Wall("allow:out:udp:53,out:tcp:80")
    good, bad = (udp((GUEST4, 9), (WORLD4, port), bytes(30)) for port in (53, 54))
    pieces = fragments(good)
    random.Random(1).shuffle(pieces)
    assert [wall.out(each) for each in pieces] == [0, 0, 3]
    assert [wall.out(each) for each in fragments(bad)] == [0, 0, 0]
    assert wall.counts()["allow out udp:53"] == (3, 0)
    assert wall.counts()["deny out (all else)"] == (3, 0)


def test_a_header_is_not_written_over_by_a_fragment() -> None:
    """RFC 1858, section 4: the second piece begins inside the first and changes the port."""
    wall = Wall("allow:out:tcp:80")
    good, bad = fragments(syn(80))[0], fragments(syn(23))
    assert wall.out(good, ip(GUEST4, WORLD4, 6, syn(23)[46:][8:], more=1)) == 0
    assert wall.out(bad[1]) == 0


def test_fragments_are_bounded() -> None:
    wall = Wall()
    for number in range(500):
        frame = bytearray(ip(GUEST4, WORLD4, 17, bytes(64), more=0x2000))
        frame[30:32] = number.to_bytes(2, "big")
        frame[36:38] = b"\0\0"
        frame += bytes(60000)
        wall.out(bytes(frame))
    held = wall.firewall._fragments
    assert all(each.held <= HELD_BYTES_MAX for each in held.values())


def test_a_connection_ends() -> None:
    wall = Wall("deny:in")
    wall.out(syn(443))
    wall.into(reply(443))
    wall.out(syn(443, flags=ACK))
    wall.wait(7000)
    assert wall.into(reply(443, flags=ACK)) == 1
    wall.out(syn(443, flags=ACK | FIN))
    assert wall.into(reply(443, flags=ACK | FIN)) == 1
    assert wall.out(syn(443, flags=ACK)) == 1
    wall.wait(119)
    assert wall.into(reply(443, flags=ACK)) == 1
    wall.wait(121)
    assert wall.into(reply(443, flags=ACK)) == 0


def test_a_closed_connection_lets_no_other_in() -> None:
    wall = Wall("deny:in")
    wall.out(syn(443))
    wall.into(reply(443))
    wall.out(syn(443, flags=ACK), syn(443, flags=RST))
    assert wall.into(reply(443, flags=SYN)) == 0
    assert wall.out(syn(443)) == 1
    assert wall.into(reply(443)) == 1


def test_silence_ends_it_sooner_where_nobody_has_answered() -> None:
    wall = Wall("deny:in")
    datagram, back = (udp(*pair, b"x") for pair in (
        ((GUEST4, 9), (WORLD4, 7)), ((WORLD4, 7), (GUEST4, 9)),
    ))  # fmt: skip
    wall.out(datagram, syn(443))
    wall.wait(29)
    assert wall.into(back) == 1
    wall.wait(31)
    assert wall.into(back) == 0
    assert wall.into(reply(443)) == 0
    wall.out(datagram)
    wall.into(back)
    wall.out(datagram)
    wall.wait(170)
    assert wall.into(back) == 1


def test_another_firewall_is_good_for_connections_that_exist() -> None:
    wall = Wall("allow:in:tcp:22")
    wall.into(knock(22))
    wall.out(syn(443), tcp((GUEST4, 22), (WORLD4, 50000), 1, 1, SYN | ACK))
    wall.change("deny:in", "deny:out:tcp:443")
    assert wall.into(knock(22, flags=ACK), reply(443)) == 0
    assert wall.out(syn(443, flags=ACK)) == 0
    wall.change("allow:in:tcp:22")
    assert wall.into(knock(22, flags=ACK)) == 1


def test_counts_stay_with_their_rules() -> None:
    wall = Wall("allow:in:tcp:22")
    wall.into(knock(22))
    wall.change("allow:in:tcp:22,in:tcp:80")
    assert wall.counts()["allow in tcp:22"] == (1, 0)


def test_published_ports_are_reached_unless_it_is_said_that_nothing_is() -> None:
    def published() -> set[tuple[int, int]]:
        return {(6, 80)}

    assert Wall("deny:out:tcp:25", published=published).into(knock(80), knock(81)) == 1
    assert Wall("deny:in", published=published).into(knock(80)) == 0
    assert Wall("deny:in", "allow:in:tcp:80", published=published).into(knock(80)) == 1
    assert Wall("deny:in:tcp:80", published=published).into(knock(80)) == 0


def test_many_connections_harm_nobody_but_their_guest() -> None:
    wall = Wall("allow:in:tcp:22")
    wall.into(knock(22))
    wall.out(tcp((GUEST4, 22), (WORLD4, 50000), 1, 1, SYN | ACK))
    wall.into(knock(22, flags=ACK))
    for remote in range(5):
        wall.out(*(syn(443, bytes((8, 8, 8, remote)), own) for own in range(1, 8000)))
    flows = wall.firewall.flows
    assert len(flows) == len(flows.outgoing) == len(flows.incoming) == FLOWS_MAX
    assert flows.evicted == 5 * 7999 + 1 - FLOWS_MAX
    assert wall.into(knock(22, flags=ACK)) == 1
    wall.wait(3600)
    wall.out(syn(80))
    assert len(flows) == 2


def test_a_reset_forgets_connections() -> None:
    wall = Wall("deny:in")
    wall.out(syn(443))
    wall.firewall.reset()
    assert wall.into(reply(443)) == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30), st.binary(max_size=12)), max_size=40),
       st.sampled_from([(), ("deny:in",), ("allow:in", "deny:out"), ("allow:out:*.x,in:tcp",)]))
def test_nothing_raises_and_each_frame_passes_once_or_not(
    steps: list[tuple[bool, int, bytes]], texts: tuple[str, ...]
) -> None:
    """Frames that are nearly right: a byte is changed, the end is cut off."""
    wall = Wall(*texts, flows_max=8)
    some = [syn(443), knock(80), reply(443), ping(WORLD4, 8), syn(1, WORLD6), ping(WORLD6, 128)]
    some += fragments(syn(80))
    for outwards, which, noise in steps:
        frame = bytearray(some[which % len(some)])
        for at, value in zip(noise[::2], noise[1::2], strict=False):
            frame[at % len(frame)] = value
        given = bytes(frame[: len(frame) - which % 3])
        passed = wall.out(given) if outwards else wall.into(given)
        assert 0 <= passed <= 1 + len(fragments(syn(80)))
        assert len(wall.firewall.flows) <= 8
        wall.wait(which)


def test_what_passes_is_what_came() -> None:
    wall, frames = Wall("deny:in"), [syn(443), syn(80, WORLD6)]
    assert wall.firewall.outgoing(frames, wall.now) == frames
    assert wall.firewall.incoming([inbound(reply(443))], wall.now) == [inbound(reply(443))]
    assert wall.now % SECOND == 0
