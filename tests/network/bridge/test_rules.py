"""What is said to ip and nft of a bridged network."""

from hospes.network.bridge.rules import addressing, removal, ruleset
from hospes.network.lan.directory import bridge_mac, plan_of
from hospes.spec.lan import LanSpec

SPEC = {"subnet": "10.7.0.0/24", "ipv6": "fd00:7::/64", "bridge": "hp-lab"}
WHOLE = """\
table inet hospes-lab
delete table inet hospes-lab
table inet hospes-lab {
	chain forward {
		type filter hook forward priority filter; policy accept;
		iifname "hp-lab" oifname "hp-lab" accept
		oifname "hp-lab" ct state established,related accept
		oifname "hp-lab" reject with icmpx admin-prohibited
		iifname "hp-lab" ip saddr != 10.7.0.0/24 drop
		iifname "hp-lab" ip6 saddr != fd00:7::/64 drop
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr 10.7.0.0/24 oifname != "hp-lab" masquerade
		ip6 saddr fd00:7::/64 oifname != "hp-lab" masquerade
	}

	chain before {
		return comment "ipv4/ip_forward=0"
	}
}
"""


def told(*before: str, **wishes: bool) -> str:
    spec = LanSpec(**SPEC, **wishes)
    return ruleset("lab", spec, plan_of(spec), before)


def test_a_network_that_reaches_the_host() -> None:
    assert told("ipv4/ip_forward=0", allow_host=True) == WHOLE


def test_a_network_that_does_not() -> None:
    text = told()
    assert 'iifname "hp-lab" ip daddr 10.7.0.1 icmp type echo-request accept' in text
    assert text.count('iifname "hp-lab" reject') == 1
    assert "169.254.0.0/16" in text
    assert "fd00:ec2::254" in text
    assert text.endswith("\tchain before {\n\t}\n}\n")


def test_an_isolated_network_has_no_way_out() -> None:
    text = told(isolated=True)
    assert "masquerade" not in text
    assert "before" not in text
    assert text.count('\toifname "hp-lab" reject') == 1
    assert text.count('iifname "hp-lab" reject') == 2


def test_only_our_own_table_is_named() -> None:
    for text in (told(), told(isolated=True), told(allow_host=True), removal("lab")):
        tables = [line for line in text.splitlines() if "table " in line]
        assert {line.rstrip(" {") for line in tables} <= {
            "table inet hospes-lab", "delete table inet hospes-lab",
        }  # fmt: skip


def test_addresses() -> None:
    spec = LanSpec(**SPEC)
    assert addressing(spec, plan_of(spec), ipv6=True).splitlines() == [
        "link set dev hp-lab addrgenmode none",
        "address replace 10.7.0.1/24 broadcast 10.7.0.255 dev hp-lab",
        "address replace fe80::2/64 dev hp-lab nodad",
        "address replace fd00:7::1/64 dev hp-lab nodad",
        "link set dev hp-lab up",
    ]
    assert addressing(spec, plan_of(spec), ipv6=False).splitlines() == [
        "address replace 10.7.0.1/24 broadcast 10.7.0.255 dev hp-lab",
        "link set dev hp-lab up",
    ]


def test_each_network_has_a_bridge_of_its_own_address() -> None:
    one, other = (LanSpec(**SPEC | {"ipv6": f"fd00:{n}::/64"}) for n in (1, 2))
    assert bridge_mac(one) == bridge_mac(one) != bridge_mac(other)
    assert not bridge_mac(one)[0] & 1
    assert plan_of(one).router_mac == bridge_mac(one) != plan_of(one).mac
