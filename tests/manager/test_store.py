"""Directories of machines: whole or not there, found by name, in use or not."""

import os
import time
from pathlib import Path

import pytest

from hospes.base.errors import HospesError
from hospes.base.file_lock import take_lock
from hospes.base.record import write_record
from hospes.manager.look import State, line_of, state_of
from hospes.manager.store import Store
from hospes.spec.kept import Ended, Started
from hospes.spec.machine import MachineSpec

SPEC = MachineSpec(image="tiny", memory="512M", kernel=Path("/k"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_a_machine_is_kept(store: Store) -> None:
    made = store.create("web", lambda _: SPEC)
    assert store.find("web").spec == SPEC
    assert [one.name for one in store.all()] == ["web"]
    assert made.path.stat().st_mode & 0o777 == 0o700
    made.remove()
    assert store.all() == []
    assert os.listdir(store.directory) == []


def test_no_place_yet(store: Store) -> None:
    assert store.all() == []
    with pytest.raises(HospesError, match="there is no machine 'web'"):
        store.find("web")


def test_a_name_is_found(store: Store) -> None:
    first, second = (store.create(None, lambda _: SPEC).name for _ in range(2))
    assert first != second


def test_a_name_is_taken_once(store: Store) -> None:
    store.create("web", lambda _: SPEC)
    with pytest.raises(HospesError, match="there is a machine 'web' already"):
        store.create("web", lambda _: MachineSpec())
    assert store.find("web").spec == SPEC
    assert os.listdir(store.directory) == ["web"]


def test_another_name(store: Store) -> None:
    machine = store.create("web", lambda _: SPEC)
    store.create("other", lambda _: SPEC)
    with pytest.raises(HospesError, match="there is a machine 'other' already"):
        machine.rename("other")
    with pytest.raises(HospesError, match="cannot be called"):
        machine.rename("../other")
    machine.rename("www")
    assert [one.name for one in store.all()] == ["other", "www"]


def test_what_fails_leaves_nothing(store: Store) -> None:
    def fill(directory: Path) -> MachineSpec:
        (directory / "disk0.raw").touch()
        raise HospesError("no")

    with pytest.raises(HospesError, match="no"):
        store.create("web", fill)
    assert os.listdir(store.directory) == []


def test_a_full_disk_is_one_sentence(store: Store) -> None:
    def fill(directory: Path) -> MachineSpec:
        raise OSError(28, "No space left on device")

    with pytest.raises(HospesError, match=r"is full; free some space or set HOSPES_HOME"):
        store.create("web", fill)


def test_a_place_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HospesError, match="cannot be changed"):
        Store(tmp_path / "file").create("web", lambda _: SPEC)


def test_leftovers_go_with_the_next_machine(store: Store) -> None:
    store.directory.mkdir()
    for name in (".1.new", ".2.new", ".web.3.gone", ".4.new", ".5.new"):
        (store.directory / name).mkdir()
        if name != ".2.new":
            (store.directory / name / "lock").touch()
        if name != ".5.new":
            os.utime(store.directory / name, (time.time() - 100,) * 2)
    lock = take_lock(store.directory / ".4.new" / "lock")
    assert lock is not None
    store.create("web", lambda _: SPEC)
    assert sorted(os.listdir(store.directory)) == [".4.new", ".5.new", "web"]
    os.close(lock)


def test_a_machine_in_use_stays(store: Store) -> None:
    machine = store.create("web", lambda _: SPEC)
    lock = take_lock(machine.path / "lock")
    assert lock is not None
    with pytest.raises(HospesError, match="runs; stop it first"):
        machine.remove()
    with pytest.raises(HospesError, match="runs; stop it first"):
        machine.rename("other")
    os.close(lock)
    machine.remove()


def test_states_are_told_by_the_lock(store: Store) -> None:
    machine = store.create("web", lambda _: SPEC)
    assert state_of(machine)[0] is State.CREATED
    write_record(machine.path / "started.json", Started(process=1, when_s=5.0))
    assert state_of(machine) == (State.CRASHED, 5.0, None)
    write_record(machine.path / "ending.json", Ended(kind="guest", exit_code=3, when_s=9.0))
    assert state_of(machine) == (State.STOPPED, 9.0, 3)


def test_a_process_that_does_not_answer(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hospes.manager.link.CONNECT_SECONDS", 0.05)
    machine = store.create("web", lambda _: SPEC)
    write_record(machine.path / "started.json", Started(process=1, when_s=5.0))
    lock = take_lock(machine.path / "lock")
    assert lock is not None
    assert state_of(machine) == (State.SILENT, 5.0, None)
    os.close(lock)


@pytest.mark.parametrize("data", [b"", b"{}}", b'{"cpus": "many"}', b'{"version": 99}'])
def test_a_damaged_machine_is_listed_and_can_be_removed(store: Store, data: bytes) -> None:
    machine = store.create("web", lambda _: SPEC)
    (machine.path / "machine.json").write_bytes(data)
    assert line_of(machine).state == "damaged"
    with pytest.raises(HospesError, match=r"hospes rm web|made by a newer Hospes"):
        _ = machine.spec
    machine.remove()
