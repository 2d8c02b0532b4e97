"""Messages there and back, and what is no message."""

import msgspec
import pytest

from hospes.base import asking
from hospes.base.errors import HospesError, PortBusy
from hospes.worker import messages
from hospes.worker.messages import PortInfo


@pytest.mark.parametrize(
    "request_",
    [
        messages.Info(),
        messages.Stop(),
        messages.Wait(),
        messages.Console(lines=-1),
        messages.Port("org.qemu.guest_agent.0"),
        messages.Done(),
        messages.Guard(("deny:in", "allow:in:tcp:80")),
        messages.Guard(None),
        messages.Firewall(),
        messages.SetLink(up=False),
        messages.LinkUp(),
    ],
)
def test_requests_there_and_back(request_: messages.AnyRequest) -> None:
    assert messages.unpack_request(asking.pack_request(request_)) == request_


@pytest.mark.parametrize(
    "data",
    [b"", b"\xc1", b"\x80", msgspec.msgpack.encode({"verb": "fly"}), b"\x93\x01\x02\x03",
             b"\x82\xa4verb\xa4info\xa1z" + b"\x91" * 9000, b"\x81\xa4verb\xa4\xff\xff\xff\xff"]
)  # fmt: skip
def test_no_request(data: bytes) -> None:
    with pytest.raises(HospesError, match="does not understand the request"):
        messages.unpack_request(data)


def test_what_a_request_quotes_is_on_one_line() -> None:
    with pytest.raises(HospesError) as caught:
        messages.unpack_request(msgspec.msgpack.encode({"verb": "in\nfo\x1b"}))
    assert "in?fo?" in str(caught.value)


def test_a_value_there_and_back() -> None:
    info = PortInfo(opening=b"\x00\xff", abandoned=True)
    reply = messages.unpack_reply(asking.pack_value(info))
    assert reply.error == ""
    assert msgspec.msgpack.decode(reply.value, type=PortInfo) == info


def test_an_error_says_whose_it_is() -> None:
    reply = messages.unpack_reply(asking.pack_error(PortBusy("taken")))
    assert (reply.error, reply.kind) == ("taken", "PortBusy")


def test_no_reply() -> None:
    with pytest.raises(HospesError, match="is no reply"):
        messages.unpack_reply(b"\xc1")


def test_a_value_nested_too_deeply_is_no_reply() -> None:
    with pytest.raises(HospesError, match="is no reply"):
        messages.unpack_reply(b"\x81\xa5value" + b"\x91" * 9000)
