"""A firewall as a user asks for it: rules as text, what is refused, and what holds for the rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hospes.base.errors import HospesError
from hospes.spec.firewall import (
    RULES_MAX,
    Carried,
    Direction,
    FirewallSpec,
    Rule,
    Selector,
    Verdict,
    format_rate,
)
from hospes.spec.firewall_rules import (
    firewall_of,
    parse_firewall,
    parse_limit,
    parse_selector,
    parse_selectors,
)

IN, OUT = Direction.IN, Direction.OUT


@pytest.mark.parametrize(
    ("text", "selector"),
    [
        ("in", Selector(IN)),
        ("in:tcp:80", Selector(IN, Carried.TCP, "", 80, 80)),
        ("in:80-90", Selector(IN, None, "", 80, 90)),
        ("out:icmp", Selector(OUT, Carried.ICMP)),
        ("OUT:UDP:DB.Internal:53", Selector(OUT, Carried.UDP, "db.internal", 53, 53)),
        ("out:*.internal", Selector(OUT, None, "*.internal")),
        ("out:*", Selector(OUT)),
        ("out:10.1.2.3", Selector(OUT, None, "10.1.2.3/32")),
        ("out:10.1.2.3/8:22", Selector(OUT, None, "10.0.0.0/8", 22, 22)),
        ("out:tcp:[FD00::1]:443", Selector(OUT, Carried.TCP, "fd00::1/128", 443, 443)),
        ("out:[fd00::/64]", Selector(OUT, None, "fd00::/64")),
        ("out:[fd00::]/64", Selector(OUT, None, "fd00::/64")),
        ("out:0.0.0.0/0", Selector(OUT, None, "0.0.0.0/0")),
        ("out:host", Selector(OUT, None, "host")),
    ],
)
def test_parsing(text: str, selector: Selector) -> None:
    assert parse_selector(text) == selector
    assert parse_selector(str(selector)) == selector


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "has a part that is empty"),
        ("sideways:tcp:80", "'sideways' in the rule 'sideways:tcp:80' is no direction; begin with"),
        ("in:tcp:0", "'0' in the rule 'in:tcp:0' is no port"),
        ("in:tcp:65536", "'65536' .* is no port"),
        ("in:tcp:90-80", "'90-80' .* is no port and no range of ports; choose from 1 to 65535"),
        ("in:tcp:ssh", "'ssh' in the rule 'in:tcp:ssh' is no host; write the port 22"),
        ("in:sctp:80", "'sctp' .* is no protocol of a rule; choose tcp, udp, icmp"),
        ("in:icmp:8", "'icmp' .* has no ports; leave the port out"),
        ("out:1.2.3", "'1.2.3' .* is no address; write it like 10.0.0.7"),
        ("out:10.0.0.0/33", "'10.0.0.0/33' .* is no address"),
        ("out:fd00::1", "put an IPv6 address in brackets, as in"),
        ("out:[nothing]", "is no address"),
        ("out:a..b", "'a..b' .* is neither a protocol, an address, a name nor a port"),
        ("out:ex*mple.com", "is neither"),
        ("out:" + "x" * 64, "is neither"),
        ("out:tcp:10.0.0.1:80:90", "'90' .* is one part too many"),
        ("out:tcp::80", "has a part that is empty"),
    ],
)
def test_what_is_no_rule(text: str, complaint: str) -> None:
    with pytest.raises(HospesError, match=complaint):
        parse_selector(text)


@given(st.text(max_size=40))
def test_any_text_is_a_rule_or_refused(text: str) -> None:
    try:
        selector = parse_selector(text)
    except HospesError:
        return
    assert parse_selector(str(selector)) == selector


@pytest.mark.parametrize(
    ("text", "bits"),
    [("out:10M", 10**7), ("in:500kbit/s", 500_000), ("in:tcp:443:1.5G", 1_500_000_000),
     ("out:2MB", 16 * 10**6), ("out:8000", 8000)],
)  # fmt: skip
def test_rates(text: str, bits: int) -> None:
    assert parse_limit(text).bits_per_second == bits
    assert parse_limit(f"out:{format_rate(bits)}").bits_per_second == bits


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("10M", "lacks a direction or a rate"), ("out:10Mb", "write 10M or 10Mbit for bits, 2MB"),
     ("out:fast", "'fast' in the rule 'out:fast' is no rate"), ("out:1", "out of range")],
)  # fmt: skip
def test_what_is_no_rate(text: str, complaint: str) -> None:
    with pytest.raises(HospesError, match=complaint):
        parse_limit(text)


def test_lists() -> None:
    made = parse_firewall(["deny:in,allow:in:tcp:80, out:*.internal,out:tcp:443", "rate:out:10M"])
    assert made is not None
    assert (made.incoming, made.outgoing) == (Verdict.DENY, None)
    assert made.texts == (
        "deny:in", "allow:in:tcp:80", "allow:out:*.internal", "allow:out:tcp:443", "rate:out:10M",
    )  # fmt: skip
    assert firewall_of(made.texts) == made
    assert (parse_firewall([]), firewall_of(None)) == (None, None)
    assert firewall_of(()) == FirewallSpec()
    with pytest.raises(HospesError, match="says neither allow, deny nor rate; write allow:in:tcp"):
        parse_firewall(["in:tcp:80"])
    with pytest.raises(HospesError, match="has an empty rule; remove a comma"):
        parse_selectors("in:tcp:80,,in")


def test_the_rest() -> None:
    def rests(*texts: str) -> tuple[Verdict, Verdict]:
        made = firewall_of(texts)
        assert made is not None
        return made.rest(IN), made.rest(OUT)

    allow, deny = Verdict.ALLOW, Verdict.DENY
    assert rests() == (deny, allow)
    assert rests("deny:out:tcp:25") == (deny, allow)
    assert rests("allow:out:tcp:443") == (deny, deny)
    assert rests("allow:out", "allow:out:tcp:443") == (deny, allow)
    assert rests("allow:in") == (allow, allow)
    assert rests("deny:out") == (deny, deny)


def test_a_rule_takes_the_place_of_one_on_the_same_and_is_removed() -> None:
    made = firewall_of(["allow:in:tcp:80", "rate:in:tcp:80:1M", "deny:in"])
    made = parse_firewall(["deny:in:tcp:80", "rate:in:tcp:80:2M", "allow:in"], made)
    assert made is not None
    assert made.texts == ("allow:in", "deny:in:tcp:80", "rate:in:tcp:80:2M")
    assert made.without(parse_selector("in:tcp:80")).texts == ("allow:in",)
    assert made.without(parse_selector("in")).incoming is None
    with pytest.raises(HospesError, match="has no rule out:tcp:80; 'hospes firewall NAME' lists"):
        made.without(parse_selector("out:tcp:80"))


def test_there_is_a_limit_to_rules() -> None:
    rules = [Rule(Verdict.ALLOW, Selector(IN, None, "", port, port)) for port in range(1, 300)]
    FirewallSpec(tuple(rules[:RULES_MAX]))
    with pytest.raises(HospesError, match="cannot have 257 rules; put networks and ports together"):
        FirewallSpec(tuple(rules[: RULES_MAX + 1]))
