"""A folder that virtiofsd serves: the real one where it is installed, and others that go wrong."""

import os
import signal
import stat
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import closing
from errno import EACCES, ENOENT, ENOSYS, ENOTCONN, EPERM, EROFS
from pathlib import Path

import pytest
from tests.folders.test_rootless import as_user
from tests.folders.virtiofsd import back_end
from tests.folders.virtiofsd.fuse_client import (
    CREATE,
    FORGET,
    INIT,
    LOOKUP,
    MKDIR,
    OPEN,
    FailedError,
    ask,
    create,
    init,
    lookup,
    read,
    write,
)
from tests.folders.virtiofsd.processes import running
from tests.waiting import eventually

from hospes.base.errors import HospesError
from hospes.base.programs import find_program
from hospes.folders.virtiofsd import process, session
from hospes.folders.virtiofsd.folder import VirtiofsdFolder

USER = 12345
SLOTS = 8


class Outside:
    """What a folder says and how often it rings."""

    def __init__(self) -> None:
        self.remarks: list[str] = []
        self.rung = threading.Event()

    def open(self, folder: Path, *, read_only: bool = False) -> VirtiofsdFolder:
        return VirtiofsdFolder(
            folder, read_only=read_only, slots=SLOTS, message_bytes=1 << 18, ring=self.rung.set,
            report=self.remarks.append,
        )  # fmt: skip


@pytest.fixture
def outside() -> Outside:
    return Outside()


@pytest.fixture
def real() -> None:
    if not find_program("virtiofsd"):
        pytest.skip("virtiofsd is not installed")


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a back end of a sort in virtiofsd's place."""
    monkeypatch.setattr(process, "may_make_namespaces", lambda: True)

    def install(sort: str) -> None:
        program = tmp_path / "bin" / "virtiofsd"
        program.parent.mkdir(exist_ok=True)
        words = f'{sys.executable} {back_end.__file__} "{sort}"'
        program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    return install


@pytest.mark.usefixtures("real")
class TestReal:
    """With the host's own virtiofsd."""

    def test_files_are_read_written_and_made(self, outside: Outside, tmp_path: Path) -> None:
        (tmp_path / "greeting").write_text("hello\n")
        with closing(outside.open(tmp_path)) as folder:
            init(folder)
            assert read(folder, "greeting") == b"hello\n"
            data = os.urandom(100_000)
            assert write(folder, *create(folder, "made"), data) == len(data)
            assert (tmp_path / "made").read_bytes() == data
            with pytest.raises(FailedError) as raised:
                lookup(folder, "none")
            assert raised.value.errno == ENOENT
            assert ask(folder, FORGET, bytes(8), room=0) == b""
        assert outside.rung.is_set()
        assert outside.remarks == []

    @pytest.mark.parametrize("name", ["a, b", "back\\slash", "tab\tand 'quote'"])
    def test_a_folder_of_any_name(self, outside: Outside, tmp_path: Path, name: str) -> None:
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("x")
        with closing(outside.open(tmp_path / name)) as folder:
            init(folder)
            assert read(folder, "file") == b"x"

    def test_one_that_is_read_only(self, outside: Outside, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        with closing(outside.open(tmp_path, read_only=True)) as folder:
            init(folder)
            assert read(folder, "file") == b"x"
            node = lookup(folder, "file")
            for opcode, body in ((CREATE, bytes(16) + b"new\0"), (MKDIR, bytes(8) + b"new\0"),
                                 (OPEN, b"\2" + bytes(7)), (OPEN, bytes((0, 2)) + bytes(6))):
                with pytest.raises(FailedError) as raised:
                    ask(folder, opcode, body, node=node if opcode == OPEN else 1)
                assert raised.value.errno == EROFS
        assert os.listdir(tmp_path) == ["file"]
        assert (tmp_path / "file").read_text() == "x"

    def test_nothing_is_left(self, outside: Outside, tmp_path: Path) -> None:
        fds = os.listdir("/proc/self/fd")
        folder = outside.open(tmp_path)
        init(folder)
        assert running(tmp_path)
        folder.close()
        assert os.listdir("/proc/self/fd") == fds
        assert not running(tmp_path)
        folder.close()

    def test_a_reset_forgets_all(self, outside: Outside, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        with closing(outside.open(tmp_path)) as folder:
            folder.reset()
            init(folder)
            node, handle = create(folder, "other")
            folder.reset()
            folder.reset()
            with pytest.raises(FailedError) as raised:
                write(folder, node, handle, b"late")
            assert raised.value.errno == ENOTCONN
            init(folder)
            assert read(folder, "file") == b"x"
        assert (tmp_path / "other").read_bytes() == b""
        assert outside.remarks == []

    def test_one_that_is_killed_is_told_and_starts_anew_at_the_next_mount(
        self, outside: Outside, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text("x")
        with closing(outside.open(tmp_path)) as folder:
            init(folder)
            for number in running(tmp_path):
                os.kill(int(number), 9)
            assert eventually(lambda: bool(outside.remarks))
            [remark] = outside.remarks
            assert remark == (
                f"virtiofsd, which shares {tmp_path}, has ended: it hangs up; unmount the folder "
                "in the guest and mount it again, or restart the guest"
            )
            with pytest.raises(FailedError) as raised:
                lookup(folder, "file")
            assert raised.value.errno == ENOTCONN
            init(folder)
            assert read(folder, "file") == b"x"

    def test_a_user_without_privileges(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        if os.geteuid() != 0:
            pytest.skip("becoming another user needs root")
        with tempfile.TemporaryDirectory() as name:
            shared = Path(name)
            os.chown(shared, USER, USER)
            (shared / "others").write_text("x")
            (shared / "others").chmod(0o600)

            # What is imported late is imported now: that user may not read this Python's files.
            Outside().open(shared).close()

            def act() -> None:
                outside = Outside()
                with closing(outside.open(shared)) as folder:
                    init(folder)
                    assert write(folder, *create(folder, "mine"), b"data") == 4
                    with pytest.raises(FailedError) as raised:
                        read(folder, "others")
                    assert raised.value.errno in {EACCES, EPERM}
                assert outside.remarks == []

            as_user(act)
            made = (shared / "mine").stat()
            assert (made.st_uid, made.st_gid, made.st_size) == (USER, USER, 4)
            assert stat.S_IMODE(made.st_mode) == 0o644


def test_without_it_there_is_one_sentence(
    outside: Outside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "find_program", lambda name: "")
    with pytest.raises(HospesError, match="virtiofsd is not installed; install it"):
        outside.open(tmp_path)
    with pytest.raises(HospesError, match=r"there is no folder .*/none to share"):
        outside.open(tmp_path / "none")


@pytest.mark.parametrize(
    ("sort", "sentence"),
    [
        ("does not start", "Failed to open /somewhere: nobody is home; see"),
        ("refuses", "it refuses SET_MEM_TABLE; see"),
        ("hangs up", "it hangs up at SET_MEM_TABLE; see"),
        ("nonsense", "it answers GET_FEATURES with what is no answer; see"),
        ("old", "it is too old; see"),
    ],
)
def test_one_that_does_not_start_is_told(
    fake, outside: Outside, tmp_path: Path, sort: str, sentence: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(session, "LAST_WORDS_SECONDS", 0.3)
    fake(sort)
    fds = os.listdir("/proc/self/fd")
    with pytest.raises(HospesError) as raised:
        outside.open(tmp_path)
    assert str(raised.value).startswith(f"virtiofsd does not start for {tmp_path}: {sentence}")
    assert os.listdir("/proc/self/fd") == fds
    assert not running(tmp_path)


@pytest.mark.parametrize(
    ("sort", "reason"),
    [
        ("dies", "no memory is left"),
        ("lies", "it answers a message that there is not"),
        ("overflows", "it writes longer answers than there is room for"),
    ],
)
def test_one_that_goes_wrong_later_is_told(
    fake, outside: Outside, tmp_path: Path, sort: str, reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(session, "LAST_WORDS_SECONDS", 2.0 if sort == "dies" else 0.3)
    fake(sort)
    with closing(outside.open(tmp_path)) as folder:
        for _ in range(2):
            with pytest.raises(FailedError) as raised:
                ask(folder, LOOKUP, b"x\0")
            assert raised.value.errno == ENOTCONN
        [remark] = outside.remarks
        assert f"has ended: {reason}; unmount the folder" in remark
        assert not running(tmp_path)
        fake("sound")
        with pytest.raises(FailedError) as raised:
            ask(folder, INIT, bytes(16))
        assert raised.value.errno == ENOSYS
    assert not running(tmp_path)


def test_what_is_under_way_at_a_reset_fails(fake, outside: Outside, tmp_path: Path) -> None:
    fake("silent")
    with closing(outside.open(tmp_path)) as folder:
        answers: list[bytes] = []
        header = memoryview(bytes(40))
        for _ in range(SLOTS):
            folder.ask(1, [header], 16, answers.append)
        assert answers == []
        folder.reset()
        assert len(answers) == SLOTS
        assert {int.from_bytes(answer[4:8], "little", signed=True) for answer in answers} == {
            -ENOTCONN
        }
        folder.wait()
    assert outside.remarks == []


def test_one_that_ends_with_all_it_can_take_under_way(
    fake, outside: Outside, tmp_path: Path
) -> None:
    fake("silent")
    with closing(outside.open(tmp_path)) as folder:
        answers: list[bytes] = []
        for _ in range(SLOTS):
            folder.ask(1, [memoryview(bytes(40))], 16, answers.append)
        for number in running(tmp_path):
            os.kill(int(number), 9)
        folder.wait()
        with pytest.raises(FailedError) as raised:
            ask(folder, LOOKUP, b"x\0")
        assert raised.value.errno == ENOTCONN
        assert len(answers) == SLOTS


def test_a_full_counter_holds_nobody_up(fake, outside: Outside, tmp_path: Path) -> None:
    fake("sound")
    with closing(outside.open(tmp_path)) as folder:
        made = folder._session
        assert made is not None
        os.kill(made._process.pid, signal.SIGSTOP)
        os.eventfd_write(made._kicks[1], (1 << 64) - 2)
        os.eventfd_write(made._calls[1], 1)
        answers: list[bytes] = []
        folder.ask(1, [memoryview(bytes(40))], 16, answers.append)
        os.kill(made._process.pid, signal.SIGCONT)
        folder.wait()
        assert len(answers) == 1


def test_waiting_is_for_all_that_was_asked(fake, outside: Outside, tmp_path: Path) -> None:
    fake("sound")
    with closing(outside.open(tmp_path)) as folder:
        answers: list[bytes] = []
        for count in range(1, 200):
            folder.ask(count % 2, [memoryview(bytes(40))], 64, answers.append)
            if count % SLOTS == 0:
                folder.wait()
                assert len(answers) == count


def test_one_that_cannot_be_started_anew_is_told(
    fake, outside: Outside, tmp_path: Path
) -> None:
    fake("sound")
    shared = tmp_path / "shared"
    shared.mkdir()
    with closing(outside.open(shared)) as folder:
        with pytest.raises(FailedError):
            ask(folder, INIT, bytes(16))
        folder.reset()
        fake("does not start")
        with pytest.raises(FailedError) as raised:
            ask(folder, INIT, bytes(16))
        assert raised.value.errno == ENOTCONN
        [remark] = outside.remarks
        assert "virtiofsd does not start for" in remark


def test_reasons() -> None:
    assert process.reason("") == ""
    assert process.reason("[2025-05-01T10:00:00Z INFO  virtiofsd] Waiting for vhost-user\n") == ""
    stamped = "[2025-05-01T10:00:00Z ERROR virtiofsd] Error creating sandbox: Operation failed."
    assert process.reason(f"{stamped}\n") == "Error creating sandbox: Operation failed"
    assert process.reason("[ID: 00000001] unshare: Operation not permitted\n") == (
        "unshare: Operation not permitted"
    )


def test_both_kinds_are_told_the_same(tmp_path: Path) -> None:
    first = process.Program("/v", is_first_kind=True).arguments(Path("/a,b"), 7)
    other = process.Program("/v", is_first_kind=False).arguments(Path("/a,b"), 7)
    assert first == [
        "/v", "--fd=7", "-o",
        "source=/a\\,b,sandbox=namespace,cache=auto,xattr,log_level=err",
    ]  # fmt: skip
    assert other == [
        "/v", "--fd=7", "--shared-dir=/a,b", "--sandbox=namespace", "--cache=auto", "--xattr",
        "--log-level=error",
    ]  # fmt: skip
