"""Networks that machines share, as a user asks for them."""

import msgspec
import pytest

from hospes.base.errors import HospesError
from hospes.spec.lan import LanSpec, bridge_called, parse_lease, parse_subnet

IPV6 = "fd00:7::/64"


def test_a_network_is_a_value() -> None:
    leases = {"web": "10.7.0.10", "02:00:00:00:00:01": "10.7.0.11"}
    spec = LanSpec(subnet="10.7.0.0/24", ipv6=IPV6, leases=leases, strict=True)
    assert msgspec.json.decode(msgspec.json.encode(spec), type=LanSpec) == spec
    assert parse_lease("Web=10.7.0.10") == ("web", "10.7.0.10")
    assert str(parse_subnet("192.168.0.0/30")) == "192.168.0.0/30"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("10.7.0.0", "'10.7.0.0' is not a subnet; write an address and a length, like 10.7.0.0/24"),
        ("lab", "'lab' is not a subnet"),
        ("10.7.0.0/33", "is not a subnet"),
        ("10.7.0/24", "is not a subnet"),
        ("fd00::/64", "is not a subnet"),
        ("", "'' is not a subnet"),
        ("10.7.0.5/24", "the subnet 10.7.0.5/24 begins at 10.7.0.0; write 10.7.0.0/24"),
        ("10.7.0.0/31", "the subnet 10.7.0.0/31 is too small; choose one from /8 to /30"),
        ("0.0.0.0/0", "the subnet 0.0.0.0/0 is too large; choose one from /8 to /30"),
        ("127.1.0.0/16", "its addresses are the loopback's"),
        ("224.0.0.0/8", "its addresses are for multicast"),
        ("169.254.0.0/16", "its addresses are for links"),
        ("240.0.0.0/8", "its addresses are reserved"),
        ("0.0.0.0/8", "its addresses are nobody's"),
    ],
)
def test_subnets_that_cannot_be(text: str, sentence: str) -> None:
    with pytest.raises(HospesError) as caught:
        LanSpec(subnet=text, ipv6=IPV6)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("leases", "sentence"),
    [
        ({"web": "10.8.0.2"}, "the address 10.8.0.2 for web is not in 10.7.0.0/24; choose another"),
        ({"web": "10.7.0.1"}, "the address 10.7.0.1 for web is the gateway's; choose another"),
        ({"web": "10.7.0.0"}, "is not in"),
        ({"web": "10.7.0.255"}, "is not in"),
        ({"web": "fd00::1"}, "'fd00::1' is not an address for web; write it like 10.7.0.2"),
        ({"-": "10.7.0.2"}, "a machine cannot be called '-'"),
        ({"01:00:00:00:00:00": "10.7.0.2"}, "not the address of a single card"),
        ({"a": "10.7.0.2", "b": "10.7.0.2"}, "the address 10.7.0.2 is for a and for b; give one"),
    ],
)
def test_leases_that_cannot_be(leases: dict, sentence: str) -> None:
    with pytest.raises(HospesError) as caught:
        LanSpec(subnet="10.7.0.0/24", ipv6=IPV6, leases=leases)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("text", ["web", "=10.7.0.2", "web=", ""])
def test_what_is_no_lease(text: str) -> None:
    with pytest.raises(HospesError, match="is not a lease; write it like web="):
        parse_lease(text)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"subnet": "10.7.0.0/30"}, "the subnet 10.7.0.0/30 is too small for a bridge; choose one"),
        ({"leases": {"web": "10.7.0.2"}}, "the address 10.7.0.2 for web is the name server's"),
        ({"leases": {"web": "10.7.0.1"}}, "the address 10.7.0.1 for web is the gateway's"),
    ],
)
def test_bridges_that_cannot_be(values: dict, sentence: str) -> None:
    with pytest.raises(HospesError) as caught:
        LanSpec(**{"subnet": "10.7.0.0/24", "ipv6": IPV6, "bridge": "hp-lab"} | values)
    assert sentence in str(caught.value)


def test_names_of_bridges_fit() -> None:
    assert bridge_called("lab") == "hp-lab"
    assert bridge_called("twelveletter") == "hp-twelveletter"
    names = ["x" * 31, "x" * 30, "thirteenlette", "thirteenlettf"]
    called = [bridge_called(name) for name in names]
    assert {len(one) for one in called} == {15}
    assert len(set(called)) == len(names)


def test_isolated_and_yet_with_the_host() -> None:
    with pytest.raises(HospesError, match="leave out --isolated or --allow-host"):
        LanSpec(subnet="10.7.0.0/24", ipv6=IPV6, isolated=True, allow_host=True)
