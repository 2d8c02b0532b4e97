"""Answers between our processes."""

import msgspec

from hospes.base.asking import Reply, pack_error
from hospes.base.errors import HospesError, PortBusy


def test_a_complaint_is_one_line() -> None:
    said = pack_error(PortBusy("the port\nx  is open\n"))
    reply = msgspec.msgpack.decode(said, type=Reply)
    assert (reply.complaint, reply.kind) == ("the port x is open", "PortBusy")
    said = pack_error(HospesError("there is no port"))
    assert msgspec.msgpack.decode(said, type=Reply).complaint == "there is no port"
