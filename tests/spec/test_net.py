"""Networks as a user asks for them."""

import msgspec
import pytest

from hospes.base.errors import HospesError
from hospes.spec.net import (
    NO_NETWORK,
    NetworkKind,
    NetworkSpec,
    Publication,
    TransportKind,
    mac_bytes,
    mac_from,
    parse_attachment,
    parse_network,
    parse_publication,
)

TCP, UDP = TransportKind.TCP, TransportKind.UDP


@pytest.mark.parametrize(
    ("text", "published"),
    [
        ("8080:80", Publication("127.0.0.1", 8080, 80)),
        ("5353:53/udp", Publication("127.0.0.1", 5353, 53, UDP)),
        ("1:65535/TCP", Publication("127.0.0.1", 1, 65535, TCP)),
        ("0.0.0.0:8080:80", Publication("0.0.0.0", 8080, 80)),
        ("[::1]:2222:22", Publication("::1", 2222, 22)),
        ("[::]:53:53/udp", Publication("::", 53, 53, UDP)),
    ],
)
def test_parsing(text: str, published: Publication) -> None:
    assert parse_publication(text) == published
    address, host, guest, protocol = published
    assert NetworkSpec(NetworkKind.NAT, publish=(published,)).publish[0].protocol == protocol
    assert (address, host, guest) == published[:3]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "does not say what to publish; write it like 8080:80"),
        ("80", "'80' does not say what to publish"),
        ("a:b", "'a:b' does not say"),
        ("8080:80/", "does not say"),
        ("::1:80:80", "does not say"),
        ("8080:80/sctp", "'sctp' in '8080:80/sctp' is not published; choose tcp or udp"),
        ("0:80", "there is no port 0; choose one from 1 to 65535"),
        ("80:65536", "there is no port 65536"),
        (f"80:{'9' * 5000}", "there is no port 65536"),
        ("localhost:80:80", "'localhost' is not an address of the host; write it like 127.0.0.1"),
        (":80:80", "'' is not an address"),
        ("[]:80:80", "'' is not an address"),
        ("\N{ARABIC-INDIC DIGIT EIGHT}0:80", "does not say"),
    ],
)
def test_what_cannot_be_published(text: str, sentence: str) -> None:
    with pytest.raises(HospesError) as caught:
        parse_publication(text)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"kind": "ethernet"}, "'ethernet' is not a kind of network; choose none, nat, "),
        ({"publish": (Publication("127.0.0.1", 80, 80),)}, "add --network nat"),
        ({"kind": "nat", "mac": "02:00"}, "'02:00' is not a card's address; write it like 02:"),
        ({"kind": "nat", "mac": "01:00:00:00:00:01"}, "not the address of a single card"),
        ({"kind": "nat", "mac": "00:00:00:00:00:00"}, "not the address of a single card"),
        ({"kind": "nat", "publish": (Publication("127.0.0.1", 80, 0),)}, "there is no port 0"),
        (
            {"kind": "nat", "publish": (Publication("::", 80, 1), Publication("::", 80, 2))},
            "port 80 of :: is published twice; choose another",
        ),
    ],
)
def test_what_cannot_be(values: dict, sentence: str) -> None:
    with pytest.raises(HospesError) as caught:
        NetworkSpec(**values)
    assert sentence in str(caught.value)


def test_one_port_for_both_transports() -> None:
    both = (Publication("::", 53, 53), Publication("::", 53, 53, UDP))
    spec = NetworkSpec(NetworkKind.NAT, publish=both)
    assert msgspec.json.decode(msgspec.json.encode(spec), type=NetworkSpec) == spec


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [("nat", "nat", ""), ("switch:lab", "switch", "lab"), ("bridge:br-0.5", "bridge", "br-0.5")],
)
def test_networks_by_name(text: str, kind: str, name: str) -> None:
    assert parse_attachment(text) == (NetworkKind(kind), name)
    assert NetworkSpec(NetworkKind(kind), name=name).text == text


def spec_of(text: str) -> NetworkSpec:
    kind, name = parse_attachment(text)
    return NetworkSpec(kind, name=name)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("switch", "which switch is not said; write it like switch:lab"),
        ("tap", "which tap is not said; write it like tap:tap0"),
        ("switch:", "'switch:' has no name behind the colon; write it like switch:lab"),
        ("nat:lab", "a network of kind nat has no name; leave out 'lab'"),
        ("switch:No", "a network cannot be called 'No'"),
        ("switch:../x", "a network cannot be called '../x'"),
        ("bridge:sixteen-letters-", "a bridge cannot be called"),
        ("tap:a/b", "a tap cannot be called 'a/b'; use up to 15 characters without spaces and /"),
        ("tap:..", "a tap cannot be called '..'"),
    ],
)
def test_names_that_cannot_be(text: str, sentence: str) -> None:
    with pytest.raises(HospesError) as caught:
        spec_of(text)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"kind": "bridge", "name": "br0", "publish": (Publication("127.0.0.1", 80, 80),)},
            "port 80 cannot be published on bridge:br0, where the guest has an address of its own",
        ),
        (
            {"kind": "switch", "name": "lab", "allow_host": True},
            "leave out --allow-host, which 'hospes network create' takes",
        ),
        (
            {
                "kind": "passt",
                "publish": (Publication("127.0.0.1", 8080, 80), Publication("::1", 8080, 80)),
            },
            "port 8080 of ::1 is published twice; choose another port of the host",
        ),
        ({"kind": "passt", "name": "lab"}, "a network of kind passt has no name"),
    ],
)
def test_wishes_of_another_kind(values: dict, sentence: str) -> None:
    with pytest.raises(HospesError) as caught:
        NetworkSpec(**values)
    assert sentence in str(caught.value)


def test_passt_takes_what_nat_does() -> None:
    both = (Publication("::", 53, 53), Publication("::", 53, 53, UDP))
    assert NetworkSpec(NetworkKind.PASST, publish=both, allow_host=True).text == "passt"


def test_kinds() -> None:
    assert (parse_network("NAT"), parse_network("none")) == (NetworkKind.NAT, NetworkKind.NONE)
    assert NO_NETWORK.kind is NetworkKind.NONE


def test_addresses_of_cards() -> None:
    assert mac_bytes("02:00:00:aB:cD:eF") == bytes.fromhex("020000abcdef")
    seen = {mac_from(b"%d" % n) for n in range(200)}
    assert len(seen) == 200
    assert all(mac_bytes(mac)[0] & 3 == 2 for mac in seen)
    assert mac_from(b"web") == mac_from(b"web")
