"""Several harts: they take turns, start, interrupt and stop each other."""

from tests.machine.bare import bare_machine, kernel_machine

from hospes.spec.vm import EngineKind

OFF = """
    li t0, TEST
    li t1, PASS
    sw t1, 0(t0)
hang: j hang
"""


def test_all_harts_enter_firmware_and_share_memory(engine: EngineKind) -> None:
    source = """
        la t0, count
        li t1, 1
        amoadd.w x0, t1, (t0)
        bnez a0, wait
    1:  lw t2, 0(t0)
        li t3, 4
        bne t2, t3, 1b
    """ + OFF + """
    wait: wfi
        j wait
    count: .word 0
    """
    with bare_machine(source, cpus=4, engine=engine) as machine:
        assert machine.run().exit_code == 0
        assert [machine.registers(n)["a0"] for n in range(1, 4)] == [1, 2, 3]


def test_harts_start_and_interrupt_each_other_through_the_sbi(engine: EngineKind) -> None:
    source = """
        li a0, 1
        la a1, second
        li a2, 77
        li a6, 0
        li a7, 0x48534D
        ecall
        la t0, flag
    1:  lw t1, 0(t0)
        beqz t1, 1b
        li a0, 2
        li a1, 0
        li a6, 0
        li a7, 0x735049
        ecall
    1:  lw t1, 0(t0)
        li t2, 2
        bne t1, t2, 1b
    1:  li a0, 1
        li a6, 2
        li a7, 0x48534D
        ecall
        li t0, 1
        bne a1, t0, 1b
    """ + OFF + """
    second:
        mv s0, a0
        mv s1, a1
        la t0, woken
        csrw stvec, t0
        csrwi sie, 2
        csrsi sstatus, 2
        la t0, flag
        li t1, 1
        sw t1, 0(t0)
    1:  wfi
        j 1b
    .balign 4
    woken:
        csrr s2, scause
        la t0, flag
        li t1, 2
        sw t1, 0(t0)
        li a6, 1
        li a7, 0x48534D
        ecall
    flag: .word 0
    """
    with kernel_machine(source, cpus=2, engine=engine) as machine:
        assert machine.run().exit_code == 0
        registers = machine.registers(1)
        assert (registers["s0"], registers["s1"], registers["s2"]) == (1, 77, 1 << 63 | 1)


def test_suspend_returns_on_an_interrupt(engine: EngineKind) -> None:
    source = """
        csrwi sie, 0
        li t0, 1 << 5
        csrw sie, t0
        csrr a0, time
        li t1, 200000
        add a0, a0, t1
        mv s2, a0
        li a6, 0
        li a7, 0x54494D45
        ecall
        li a0, 0
        li a6, 3
        li a7, 0x48534D
        ecall
        mv s0, a0
        csrr s1, time
        sltu s3, s1, s2
    """ + OFF
    with kernel_machine(source, engine=engine) as machine:
        assert machine.run().exit_code == 0
        registers = machine.registers()
        assert (registers["s0"], registers["s3"]) == (0, 0)
        assert machine.statistics().time["idle"] > 0.01


def test_a_message_to_an_interrupt_file_is_an_interrupt_of_that_hart(engine: EngineKind) -> None:
    """What Linux does for an interrupt between harts, with AIA; the receiver waits in a wfi."""
    source = """
    .equ FILE_OF_HART_1, 0x28001000
        li a0, 1
        la a1, second
        li a6, 0
        li a7, 0x48534D
        ecall
        la t0, flag
    1:  lw t1, 0(t0)
        beqz t1, 1b
        li t2, FILE_OF_HART_1
        li t3, 200
        sw t3, 0(t2)
    1:  lw t1, 0(t0)
        li t2, 2
        bne t1, t2, 1b
    """ + OFF + """
    second:
        la t0, woken
        csrw stvec, t0
        li t0, 0x70
        csrw 0x150, t0
        csrwi 0x151, 1
        li t0, 0xC6
        csrw 0x150, t0
        li t0, 1 << 8
        csrw 0x151, t0
        li t0, 1 << 9
        csrw sie, t0
        csrsi sstatus, 2
        la t0, flag
        li t1, 1
        sw t1, 0(t0)
    1:  wfi
        j 1b
    .balign 4
    woken:
        csrr s0, scause
        csrr s1, 0xDB0
        csrrw s2, 0x15C, x0
        csrr s3, sip
        la t0, flag
        li t1, 2
        sw t1, 0(t0)
    1:  j 1b
    flag: .word 0
    """
    with kernel_machine(source, cpus=2, engine=engine) as machine:
        assert machine.run().exit_code == 0
        registers = machine.registers(1)
        assert [registers[name] for name in ("s0", "s1", "s2", "s3")] == [
            1 << 63 | 9, 9 << 16 | 1, 200 << 16 | 200, 0
        ]
        assert machine.statistics().devices["imsic"] == 1


def test_a_stopped_hart_keeps_its_interrupt_file(engine: EngineKind) -> None:
    """The file is the IMSIC's: starting the hart anew does not touch it, and sees what waits."""
    source = """
        li t0, 0x28001000
        li t1, 5
        sw t1, 0(t0)
        li a0, 1
        la a1, second
        li a6, 0
        li a7, 0x48534D
        ecall
    1:  j 1b
    second:
        li t0, 0x80
        csrw 0x150, t0
        csrr s0, 0x151
    """ + OFF
    with kernel_machine(source, cpus=2, engine=engine) as machine:
        assert machine.run().exit_code == 0
        assert machine.registers(1)["s0"] == 1 << 5
