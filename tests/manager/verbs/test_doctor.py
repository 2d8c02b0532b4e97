"""`doctor`: when a host is unfit."""

from hospes.manager.host import Probe
from hospes.manager.manager import Manager
from hospes.manager.verbs.doctor import Examination, doctor


def test_llvm_is_here() -> None:
    examination = doctor(Manager())
    assert {c.name: c.present for c in examination.capabilities}["LLVM"]
    assert examination.exit_code == 0


def test_only_a_missing_requirement_is_a_failure() -> None:
    optional = Probe("a", lambda: "", "x", "y").examine()
    required = Probe("b", lambda: "", "x", "y", required=True).examine()
    assert Examination((optional,)).exit_code == 0
    assert Examination((optional, required)).exit_code == 1
