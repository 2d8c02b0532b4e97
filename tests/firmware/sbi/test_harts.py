"""IPI, RFENCE, HSM and timers: what one hart does to others."""

import pytest
from tests.firmware.sbi.sbi_platform import FakePlatform

from hospes.base.bits import U64_MAX
from hospes.firmware.sbi.call import HartState

TIME, IPI, RFENCE, HSM = 0x54494D45, 0x735049, 0x52464E43, 0x48534D
ALL = U64_MAX
SSIP, STIP = 1 << 1, 1 << 5


def test_set_timer_programs_the_comparator(platform: FakePlatform) -> None:
    hart = platform.harts[0]
    hart.mie = STIP
    assert platform.ecall(TIME, 0, 5000) == (0, 0)
    assert (hart.stimecmp, hart.timer_due, hart.poll) == (5000, 0, 0)
    platform.ecall(TIME, 0, 1000)
    assert (hart.timer_due, hart.poll) == (STIP, 1)
    platform.ecall(TIME, 0, ALL)
    assert hart.timer_due == 0


def test_legacy_set_timer(platform: FakePlatform) -> None:
    platform.ecall(0, 99, 77)
    assert platform.harts[0].stimecmp == 77


@pytest.mark.parametrize(
    ("mask", "base", "reached"),
    [(0b101, 0, [0, 2]), (0b11, 1, [1, 2]), (0, ALL, [0, 1, 2]), (0, 0, []), (0, 9, [])],
)
def test_ipi_reaches_the_masked_harts(
    trio: FakePlatform, mask: int, base: int, reached: list[int]
) -> None:
    assert trio.ecall(IPI, 0, mask, base) == (0, 0)
    assert [hart.hartid for hart in trio.harts if hart.mip & SSIP] == reached
    assert trio.woken == reached


def test_ipi_to_a_missing_hart_is_refused_whole(trio: FakePlatform) -> None:
    assert trio.ecall(IPI, 0, 0b1001, 0)[0] == -3
    assert trio.ecall(IPI, 0, 1, 1 << 63)[0] == -3
    assert not trio.woken


def test_remote_fence_i(trio: FakePlatform) -> None:
    assert trio.ecall(RFENCE, 0, 0b110, 0) == (0, 0)
    assert [port.log for port in trio.ports] == [[], [("flush_code",)], [("flush_code",)]]


def test_remote_sfence_of_a_short_range_goes_page_by_page(trio: FakePlatform) -> None:
    trio.ecall(RFENCE, 1, 0b10, 0, 0x1800, 0x1000)
    assert trio.ports[1].log == [("flush_tlb_page", 0x1000), ("flush_tlb_page", 0x2000)]


@pytest.mark.parametrize("extent", [(0, 0), (0x5000, ALL), (0, 1 << 30)])
def test_remote_sfence_of_much_drops_everything(
    trio: FakePlatform, extent: tuple[int, int]
) -> None:
    assert trio.ecall(RFENCE, 1, 0b10, 0, *extent) == (0, 0)
    assert trio.ports[1].log == [("flush_tlb",)]


def test_remote_sfence_of_an_address_space(trio: FakePlatform) -> None:
    trio.ecall(RFENCE, 2, 0b100, 0, 0, ALL, 7)
    assert trio.ports[2].log == [("flush_tlb_asid", 7)]


def test_range_that_wraps_is_an_invalid_address(trio: FakePlatform) -> None:
    assert trio.ecall(RFENCE, 1, 1, 0, ALL - 0xFFF, 0x2000)[0] == -5


def test_hypervisor_fences_are_not_offered(trio: FakePlatform) -> None:
    assert trio.ecall(RFENCE, 3, 1, 0)[0] == -2


def test_hart_start_hands_over_in_supervisor_mode(trio: FakePlatform) -> None:
    hart = trio.harts[2]
    hart.satp, hart.instret = 8 << 60, 99
    assert trio.ecall(HSM, 0, 2, 0x8000_1000, 0xBEEF) == (0, 0)
    assert trio.hart_states[2] == HartState.STARTED
    assert (hart.pc, hart.mode, hart.satp, hart.x[10], hart.x[11]) == (
        0x8000_1000, 1, 0, 2, 0xBEEF,
    )  # fmt: skip
    assert hart.instret == 99
    assert hart.medeleg & (1 << 9) == 0
    assert hart.medeleg & 0xB1FF == 0xB1FF
    assert hart.mcounteren & hart.scounteren == 7  # U-mode reads cycle, time and instret
    assert trio.woken == [2]
    assert ("flush_tlb",) in trio.ports[2].log


def test_hart_start_refusals(trio: FakePlatform) -> None:
    assert trio.ecall(HSM, 0, 3, 0x8000_0000)[0] == -3
    assert trio.ecall(HSM, 0, 0, 0x8000_0000)[0] == -6
    assert trio.ecall(HSM, 0, 1, 0x1000_0000)[0] == -5
    assert trio.ecall(HSM, 0, 1, 0x8000_0001)[0] == -5


def test_hart_stop_and_status(trio: FakePlatform) -> None:
    assert trio.ecall(HSM, 2, 0) == (0, HartState.STARTED)
    assert trio.ecall(HSM, 2, 1) == (0, HartState.STOPPED)
    assert trio.ecall(HSM, 2, 3)[0] == -3
    trio.ecall(HSM, 1)
    assert trio.hart_states[0] == HartState.STOPPED


def test_retentive_suspend_returns_when_woken(platform: FakePlatform) -> None:
    assert platform.ecall(HSM, 3, 0) == (0, 0)
    assert platform.hart_states[0] == HartState.SUSPENDED
    assert platform.harts[0].pc == 0x8020_0004


def test_non_retentive_suspend_resumes_elsewhere(platform: FakePlatform) -> None:
    hart = platform.harts[0]
    hart.mie = 0x222
    platform.ecall(HSM, 3, 0x8000_0000, 0x8000_2000, 5)
    assert platform.hart_states[0] == HartState.SUSPENDED
    assert (hart.pc, hart.x[11], hart.mie) == (0x8000_2000, 5, 0x222)


@pytest.mark.parametrize(
    ("kind", "error"), [(1, -3), (0x1000_0000, -2), (0x9000_0000, -2), (1 << 32, -3)]
)
def test_suspend_kinds(platform: FakePlatform, kind: int, error: int) -> None:
    assert platform.ecall(HSM, 3, kind)[0] == error
    assert platform.hart_states[0] == HartState.STARTED
