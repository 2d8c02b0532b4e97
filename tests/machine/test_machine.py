"""A machine's life: power-on, ending, pausing, looking inside; on small programs."""

import os
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

import pytest
from tests.machine.bare import BASE, bare_machine, kernel_machine
from tests.waiting import eventually

from hospes.base.errors import HospesError
from hospes.machine.console import Console
from hospes.machine.host_files import HostFiles
from hospes.machine.life import Ending, EndKind, MachineState
from hospes.spec.vm import EngineKind, InterruptKind

POWER_OFF = """
    li t0, TEST
    li t1, PASS
    sw t1, 0(t0)
hang: j hang
"""
COUNT_FOR_EVER = """
again:
    addi a3, a3, 1
    j again
"""
SLEEP_FOR_EVER = """
    csrw mie, x0
again:
    wfi
    j again
"""


def test_the_guest_switches_itself_off(engine: EngineKind) -> None:
    with bare_machine(POWER_OFF, engine=engine) as machine:
        assert machine.state is MachineState.CREATED
        assert machine.run() == Ending(EndKind.GUEST, 0)
        assert machine.state is MachineState.STOPPED


@pytest.mark.parametrize(("value", "code"), [("FAIL", 1), ("(7 << 16) | FAIL", 7)])
def test_failure_gives_an_exit_code(value: str, code: int, engine: EngineKind) -> None:
    with bare_machine(POWER_OFF.replace("PASS", value), engine=engine) as machine:
        assert machine.run().exit_code == code


def test_harts_start_in_machine_mode_with_the_device_tree(engine: EngineKind) -> None:
    source = "mv s0, a0\nmv s1, a1\nlw s2, 0(a1)\ncsrr s3, mhartid\n" + POWER_OFF
    with bare_machine(source, engine=engine) as machine:
        machine.run()
        registers = machine.registers()
    assert (registers.mode, registers["s0"], registers["s3"]) == ("M", 0, 0)
    assert registers["s2"].to_bytes(8, "little")[:4] == bytes.fromhex("d00dfeed")


def test_htif_exit_and_console(engine: EngineKind) -> None:
    source = """
        la t0, tohost
        li t1, 0x0101000000000048
        sd t1, 0(t0)
    1:  ld t1, 0(t0)
        bnez t1, 1b
        la a0, message
        la t1, call
        sd a0, 16(t1)
        sd t1, 0(t0)
    1:  ld t1, 0(t0)
        bnez t1, 1b
        li t1, (42 << 1) | 1
        sd t1, 0(t0)
    hang: j hang
    .balign 64
    tohost: .dword 0
    fromhost: .dword 0
    call: .dword 64, 1, 0, 4
    message: .ascii "ost!"
    """
    with bare_machine(source, symbols=("tohost", "fromhost"), engine=engine) as machine:
        assert machine.run() == Ending(EndKind.GUEST, 42)
        assert machine.console.history == b"Host!"


def test_a_kernel_speaks_through_our_sbi(engine: EngineKind) -> None:
    source = """
        mv s0, a0
        mv s1, a1
        li a0, 3
        la a1, text
        li a2, 0
        li a6, 0
        li a7, 0x4442434E
        ecall
        mv s2, a1
        li a0, 0
        li a1, 1
        li a6, 0
        li a7, 0x53525354
        ecall
    text: .ascii "hi\\n"
    """
    with kernel_machine(source, engine=engine) as machine:
        assert machine.run() == Ending(EndKind.GUEST, 1)
        assert machine.console.history == b"hi\n"
        registers = machine.registers()
        statistics = machine.statistics()
    assert (registers.mode, registers["s0"], registers["s2"]) == ("S", 0, 3)
    assert statistics.hypercalls == {"DBCN": 1, "SRST": 1}
    assert statistics.exits["hypercall"] == 2
    assert statistics.instructions == registers.instret > 10


def test_reset_is_a_power_cycle(engine: EngineKind) -> None:
    source = """
        la t2, counter
        lw t3, 0(t2)
        addi t3, t3, 1
        sw t3, 0(t2)
        li t0, RTC
        lw t4, 0(t0)
        li t0, TEST
        li t1, RESET
        sw t1, 0(t0)
    hang: j hang
    counter: .word 0
    """
    with bare_machine(source, engine=engine) as machine:
        machine.start()
        assert eventually(lambda: machine.restarts >= 3)
        machine.stop()
        assert machine.wait(10).kind is EndKind.USER
        assert machine.registers()["t3"] in (0, 1)
    with bare_machine(source, restart=False, engine=engine) as machine:
        assert machine.run() == Ending(EndKind.GUEST, 0)


def test_pause_resume_and_looking_inside(engine: EngineKind) -> None:
    with bare_machine(COUNT_FOR_EVER, engine=engine) as machine:
        machine.start()
        assert eventually(lambda: machine.registers()["a3"] > 100)
        assert machine.state is MachineState.RUNNING
        machine.pause()
        assert machine.state is MachineState.PAUSED
        first = machine.registers()
        time.sleep(0.05)
        assert machine.registers() == first
        assert machine.read(BASE, 4) == bytes.fromhex("93861600")
        machine.write(BASE + 0x1000, b"abc")
        assert machine.read(BASE + 0x1000, 3) == b"abc"
        with pytest.raises(HospesError, match="not in RAM"):
            machine.read(0x1000, 4)
        machine.resume()
        assert eventually(lambda: machine.registers()["a3"] > first["a3"])


def test_time_stands_still_in_a_pause(engine: EngineKind) -> None:
    source = "again:\n csrr a3, time\n j again\n"
    with bare_machine(source, engine=engine) as machine:
        machine.start()
        assert eventually(lambda: machine.registers()["a3"] > 0)
        machine.pause()
        before = machine.registers()["a3"]
        time.sleep(0.5)
        machine.resume()
        assert eventually(lambda: machine.registers()["a3"] > before)
        machine.pause()
        assert machine.registers()["a3"] - before < 4_000_000


@pytest.mark.parametrize(
    "source",
    [COUNT_FOR_EVER, SLEEP_FOR_EVER, "csrw mtvec, x0\n.word 0\n", "li t0, 8\njr t0\n"],
    ids=["spin", "sleep", "trap-loop", "jump-to-nowhere"],
)
def test_a_guest_gone_mad_can_be_paused_and_stopped(source: str, engine: EngineKind) -> None:
    with bare_machine("csrw mie, x0\n" + source, engine=engine) as machine:
        machine.start()
        time.sleep(0.05)
        begun = time.monotonic()
        machine.pause()
        machine.resume()
        machine.stop()
        assert machine.wait(5).kind is EndKind.USER
        assert time.monotonic() - begun < 2


def test_sleeping_costs_no_processor_time(engine: EngineKind) -> None:
    with bare_machine(SLEEP_FOR_EVER, engine=engine) as machine:
        machine.start()
        assert eventually(lambda: machine.statistics().exits.get("wfi", 0) > 0)
        before = time.process_time()
        time.sleep(0.5)
        assert time.process_time() - before < 0.05
        assert machine.statistics().time["idle"] > 0.3


def test_a_timer_wakes_a_sleeping_hart(engine: EngineKind) -> None:
    source = """
        la t0, handler
        csrw mtvec, t0
        li t0, CLINT + 0xBFF8
        ld t1, 0(t0)
        li t2, 500000
        add t1, t1, t2
        li t0, CLINT + 0x4000
        sd t1, 0(t0)
        li t0, 0x80
        csrw mie, t0
        csrsi mstatus, 8
    again: wfi
        j again
    .balign 4
    handler:
        csrr s0, mcause
    """ + POWER_OFF
    with bare_machine(source, engine=engine) as machine:
        begun = time.monotonic()
        assert machine.run().exit_code == 0
        assert 0.045 < time.monotonic() - begun < 2
        assert machine.registers()["s0"] == 1 << 63 | 7


def test_typed_input_wakes_a_sleeping_hart(engine: EngineKind) -> None:
    source = """
        la t0, handler
        csrw stvec, t0
        li t0, 0xC000000
        li t1, 1
        sw t1, 40(t0)
        li t0, 0xC002080
        li t1, 1 << 10
        sw t1, 0(t0)
        li t0, UART
        li t1, 1
        sb t1, 1(t0)
        li t0, 1 << 9
        csrw sie, t0
        csrsi sstatus, 2
    again: wfi
        j again
    .balign 4
    handler:
        li t0, UART
        lbu s0, 0(t0)
    """ + POWER_OFF
    with kernel_machine(source, engine=engine, interrupts=InterruptKind.PLIC) as machine:
        machine.start()
        time.sleep(0.1)
        machine.console.feed(b"K")
        assert machine.wait(10).exit_code == 0
        assert machine.registers()["s0"] == ord("K")


def test_a_slow_reader_of_the_console_loses_nothing(engine: EngineKind) -> None:
    count = 20_000 if engine is EngineKind.REFERENCE else 600_000
    source = f"""
        li t0, UART
        li t1, {count}
        li t2, 0
    1:  sb t2, 0(t0)
        addi t2, t2, 1
        addi t1, t1, -1
        bnez t1, 1b
    """
    read_end, write_end = os.pipe()
    with bare_machine(source + POWER_OFF, engine=engine) as machine:
        files = HostFiles(machine.console, machine.loop, None, write_end)
        machine.start()
        time.sleep(0.5)
        got = bytearray()

        def read() -> None:
            while len(got) < count:
                got.extend(os.read(read_end, 65536))

        reader = threading.Thread(target=read)
        reader.start()
        machine.wait(60)
        files.close()
        reader.join(10)
    os.close(read_end)
    os.close(write_end)
    same = got == bytes(index & 0xFF for index in range(count))
    assert (len(got), same) == (count, True)


class Refusing:
    """A reader that takes nothing for a while."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.got = bytearray()
        self.open = False

    def write(self, data: bytes) -> int:
        self.got += data if self.open else b""
        return len(data) if self.open else 0

    def input_taken(self) -> None:
        pass

    def take_from_now_on(self) -> None:
        self.open = True
        self.console.room_again()


def test_what_was_written_before_power_off_waits_for_its_reader(engine: EngineKind) -> None:
    source = "li t0, UART\nli t1, 77\nsb t1, 0(t0)\n"
    with bare_machine(source + POWER_OFF, engine=engine) as machine:
        reader = Refusing(machine.console)
        machine.console.attach(reader)
        threading.Timer(0.5, reader.take_from_now_on).start()
        machine.start()
        machine.wait(60)
        assert bytes(reader.got) == b"M"


def test_a_program_that_forgets_to_close_still_ends() -> None:
    script = (
        "from tests.machine.bare import bare_machine\n"
        "machine = bare_machine('again: j again')\n"
        "machine.start()\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, timeout=60, check=False)
    assert done.returncode == 0


def test_everything_is_given_back(engine: EngineKind) -> None:
    threads, files = threading.active_count(), len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with bare_machine(COUNT_FOR_EVER, engine=engine) as machine:
            machine.start()
            _ = machine.loop
            time.sleep(0.02)
        assert machine.state is MachineState.STOPPED
    assert threading.active_count() == threads
    assert len(os.listdir("/proc/self/fd")) == files


def test_an_engine_goes_with_its_machine(engine: EngineKind) -> None:
    with bare_machine(POWER_OFF, engine=engine) as machine:
        assert machine._system is not None
        engines = weakref.ref(machine._system.engines.engine(engine))
        machine.run()
        assert engines() is None


def test_a_stopped_machine_says_so(engine: EngineKind) -> None:
    with bare_machine(POWER_OFF, engine=engine) as machine:
        machine.run()
        with pytest.raises(HospesError, match="cannot be started again"):
            machine.run()
        with pytest.raises(HospesError, match="has stopped"):
            machine.read(BASE, 4)


def test_an_error_inside_reaches_who_waits(
    monkeypatch: pytest.MonkeyPatch, engine: EngineKind
) -> None:
    def fail(self: object) -> bool:
        raise HospesError("broken on purpose")

    monkeypatch.setattr("hospes.machine.system.System.turn", fail)
    with bare_machine(COUNT_FOR_EVER, engine=engine) as machine:
        machine.start()
        with pytest.raises(HospesError, match="broken on purpose"):
            machine.wait(5)
        assert machine.ending is not None
        assert machine.ending.kind is EndKind.ERROR
