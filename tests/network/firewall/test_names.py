"""Rules by name: opened by what the network's name servers answer, for as long as that is good."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.network.firewall.wall import (
    DNS4,
    SERVER6,
    Wall,
    answer,
    ask,
    knock,
    question,
    record,
    reply,
    syn,
    tell,
)
from tests.network.frames import ACK, GATEWAY4, GUEST4, GUEST6, WORLD4, WORLD6, icmp6, ip, udp

from hospes.base.errors import GuestError
from hospes.network.dns_answer import parse_answer
from hospes.network.firewall.names import ADDRESSES_MAX, NAMES_MAX, QUESTIONS_MAX, Names

EVIL = bytes((6, 6, 6, 6))
A, CNAME, AAAA = 1, 5, 28


def resolve(wall: Wall, name: str, address: bytes = WORLD4, seconds: int = 300) -> None:
    assert wall.out(ask(question(name))) == 1
    assert wall.into(tell(answer(name, record(name, A, seconds, address)))) == 1


def test_a_name_opens_what_it_was_resolved_to() -> None:
    wall = Wall("allow:out:tcp:db.internal:5432")
    assert wall.out(syn(5432)) == 0
    resolve(wall, "DB.internal")
    assert wall.out(syn(5432)) == 1
    assert wall.out(syn(22), syn(5432, GATEWAY4)) == 0
    assert wall.into(reply(5432)) == 1


def test_wildcards_are_for_all_below_a_name() -> None:
    wall = Wall("allow:out:*.internal")
    for name, passes in (("a.internal", 1), ("a.b.internal", 1)):
        fresh = Wall("allow:out:*.internal")
        resolve(fresh, name)
        assert fresh.out(syn(80)) == passes
    for name in ("internal", "notinternal", "a.internal.evil"):
        assert wall.out(ask(question(name))) == 0


def test_the_guest_may_ask_only_for_what_is_allowed_by_name() -> None:
    wall = Wall("allow:out:*.internal")
    assert wall.out(ask(question("secret.evil"))) == 0
    assert wall.told() != []
    assert wall.out(ask(question("db.internal"))) == 1
    assert wall.out(ask(question("secret.evil"))) == 0
    assert wall.out(ask(question("db.internal"), EVIL)) == 0
    assert wall.out(ask(b"\0" * 5)) == 0
    assert wall.out(udp((GUEST4, 5353), (DNS4, 54), question("db.internal"))) == 0
    assert wall.into(tell(answer("db.internal"))) == 1
    assert Wall("allow:out:tcp:443").out(ask(question("db.internal"))) == 0
    assert Wall("allow:out:*.internal,out:udp:53").out(ask(question("any.evil"))) == 1


def test_aliases_are_followed() -> None:
    wall = Wall("allow:out:www.good")
    wall.out(ask(question("www.good")))
    records = [
        record("www.good", CNAME, 300, b"\3cdn\4wide\0"),
        record("CDN.wide", CNAME, 300, b"\1x\4wide\0"),
        record("x.wide", A, 300, WORLD4),
        record("y.wide", A, 300, EVIL),
    ]
    wall.into(tell(answer("www.good", *records)))
    assert (wall.out(syn(80)), wall.out(syn(80, EVIL))) == (1, 0)


def test_an_answer_is_about_the_question_alone() -> None:
    """Who serves evil.example adds an address for a name that is none of his."""
    wall = Wall("allow:out:*.good,out:udp:53")
    wall.out(ask(question("x.evil")))
    wall.into(tell(answer("x.evil", record("x.evil", A, 9, EVIL), record("a.good", A, 9, EVIL))))
    alias = record("x.evil", CNAME, 9, b"\1a\4good\0")
    wall.out(ask(question("x.evil", number=8)))
    wall.into(tell(answer("x.evil", alias, record("a.good", A, 9, EVIL), number=8)))
    assert wall.out(syn(80, EVIL)) == 0


def test_it_is_good_for_its_time_and_a_connection_for_its_own() -> None:
    wall = Wall("allow:out:db.internal")
    resolve(wall, "db.internal", seconds=300)
    wall.out(syn(5432))
    wall.into(reply(5432))
    wall.out(syn(5432, flags=ACK))
    wall.wait(299)
    assert wall.out(syn(80)) == 1
    wall.wait(2)
    assert wall.out(syn(81)) == 0
    assert wall.out(syn(5432, flags=ACK)) == 1
    wall.change("allow:out:db.internal,in:tcp:22")
    assert wall.out(syn(5432, flags=ACK)) == 1
    wall.change("allow:out:other.internal")
    assert wall.out(syn(5432, flags=ACK)) == 0


@pytest.mark.parametrize(("seconds", "good"), [(0, 60), (59, 60), (1 << 31, 86400)])
def test_a_time_has_bounds(seconds: int, good: int) -> None:
    wall = Wall("allow:out:db.internal")
    resolve(wall, "db.internal", seconds=seconds)
    wall.wait(good - 1)
    assert wall.out(syn(80)) == 1
    wall.wait(2)
    assert wall.out(syn(81)) == 0


def test_the_guest_cannot_forge_an_answer() -> None:
    wall = Wall("allow:out:*.internal,out:udp")
    good = record("db.internal", A, 300, EVIL)
    forged = answer("db.internal", good)
    wall.out(ask(question("db.internal")))
    wall.out(udp((GUEST4, 53), (GUEST4, 5353), forged), udp((DNS4, 53), (GUEST4, 5353), forged))
    wall.into(tell(forged, EVIL))
    wall.into(tell(answer("db.internal", good, number=8)))
    wall.into(tell(answer("db.internal", good, kind=AAAA)))
    wall.into(tell(forged, own=5354))
    wall.into(tell(answer("db.internal", good, flags=0x8183)))
    assert wall.out(syn(80, EVIL)) == 0


def test_an_answer_counts_once_and_soon() -> None:
    wall = Wall("allow:out:*.internal")
    resolve(wall, "db.internal")
    wall.into(tell(answer("db.internal", record("db.internal", A, 300, EVIL))))
    assert wall.out(syn(80, EVIL)) == 0
    wall.out(ask(question("db.internal", number=9)))
    wall.wait(16)
    wall.into(tell(answer("db.internal", record("db.internal", A, 300, EVIL), number=9)))
    assert wall.out(syn(80, EVIL)) == 0


def test_names_for_who_comes_in_and_who_is_denied() -> None:
    wall = Wall("allow:in:tcp:friend.lan:22", "deny:out:*.ads")
    resolve(wall, "friend.lan")
    resolve(wall, "x.ads", EVIL)
    assert (wall.into(knock(22)), wall.into(knock(22, EVIL))) == (1, 0)
    assert (wall.out(syn(80, EVIL)), wall.out(syn(80))) == (0, 1)


def dhcp(kind: int, number: bytes, *options: bytes) -> bytes:
    head = bytes((kind, 1, 6, 0)) + number + bytes(228) + bytes.fromhex("63825363")
    return head + b"".join(options) + b"\xff"


DISCOVER = udp((bytes(4), 68), (b"\xff" * 4, 67), dhcp(1, b"1234"))


def offer(number: bytes, server: bytes) -> bytes:
    option = bytes((6, 4)) + server
    return udp((GATEWAY4, 67), (GUEST4, 68), dhcp(2, number, b"\0\0", option))


def test_servers_are_those_that_dhcp_has_told_of() -> None:
    wall = Wall("allow:out:*.internal", servers=None)
    assert wall.out(ask(question("db.internal"))) == 0
    assert wall.into(offer(b"1234", EVIL)) == 0
    assert wall.out(DISCOVER) == 1
    assert wall.into(offer(b"9999", EVIL), offer(b"1234", DNS4)) == 2
    assert wall.out(ask(question("db.internal"), EVIL)) == 0
    resolve(wall, "db.internal")
    assert wall.out(syn(80)) == 1


def test_a_network_that_knows_its_servers_need_not_be_told() -> None:
    wall = Wall("allow:out:*.internal")
    wall.out(DISCOVER)
    wall.into(offer(b"1234", EVIL))
    assert wall.out(ask(question("db.internal"), EVIL)) == 0
    wall.firewall.reset()
    resolve(wall, "db.internal")


def test_servers_are_those_that_routers_tell_of() -> None:
    wall = Wall("allow:out:*.internal", servers=None)
    link_local = bytes.fromhex("fe80" + "0" * 27 + "2")
    rest = bytes(12) + struct.pack(">BBHI", 25, 3, 0, 9) + SERVER6
    told = ip(link_local, GUEST6, 58, icmp6(link_local, GUEST6, 134, 0, rest))
    asked = udp((GUEST6, 9), (SERVER6, 53), question("db.internal", AAAA))
    far = told[:33] + b"\x40" + told[34:]
    assert (wall.into(far), wall.out(asked)) == (0, 0)
    assert (wall.into(told), wall.out(asked)) == (1, 1)
    found = answer("db.internal", record("db.internal", AAAA, 300, WORLD6), kind=AAAA)
    wall.into(udp((SERVER6, 53), (GUEST6, 9), found))
    assert (wall.out(syn(80, WORLD6)), wall.out(syn(80))) == (1, 0)


def test_servers_are_those_of_dhcpv6() -> None:
    wall = Wall("allow:out:*.internal", servers=None)
    link_local = bytes.fromhex("fe80" + "0" * 27 + "9")
    everyone = bytes.fromhex("ff020000000000000000000000010002")
    told = udp((link_local, 547), (GUEST6, 546), b"\7abc" + struct.pack(">HH", 23, 16) + SERVER6)
    assert wall.into(told) == 0
    assert wall.out(udp((link_local, 546), (everyone, 547), b"\1abc")) == 1
    assert wall.into(told) == 1
    assert wall.out(udp((GUEST6, 9), (SERVER6, 53), question("db.internal"))) == 1


def test_what_is_known_is_bounded() -> None:
    names = Names()
    for number in range(2 * QUESTIONS_MAX):
        names.asked(DNS4, GUEST4, 9, question(f"n{number}.x", number=number))
    assert names.questions == QUESTIONS_MAX
    for number in range(ADDRESSES_MAX + 300):
        name, address = f"n{number}.x", struct.pack(">I", number + 1)
        names.asked(DNS4, GUEST4, 9, question(name))
        names.answered(DNS4, GUEST4, 9, answer(name, record(name, A, 9, address)))
        names.asked(DNS4, GUEST4, 9, question(name))
        names.answered(DNS4, GUEST4, 9, answer(name, record(name, A, 9, WORLD4)))
    assert len(names) == ADDRESSES_MAX
    assert len(names.of(WORLD4)) == NAMES_MAX


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80), st.integers(0, 200), st.binary(max_size=4))
def test_an_answer_of_any_kind_is_read_or_refused(noise: bytes, at: int, patch: bytes) -> None:
    good = answer("a.b", record("a.b", CNAME, 5, b"\xc0\x0c"), record("a.b", A, 5, WORLD4))
    damaged = good[:at] + patch + good[at + len(patch) :]
    for message in (noise, damaged, good[:at]):
        try:
            parse_answer(message)
        except GuestError:
            continue


def test_aliases_in_a_circle_end() -> None:
    circle = [record("a.b", CNAME, 5, b"\1b\1b\0"), record("b.b", CNAME, 5, b"\1a\1b\0")]
    assert parse_answer(answer("a.b", *circle)).addresses == ()
