"""Debian's kernel boots with every paging mode, much and little memory, several harts, and the
stock firmware; its log has no trouble in it that QEMU's run of the same does not have."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from tests.guest.kernel_log import COMMAND, NOT_OURS, troubles
from tests.guest.pair import Pair, pair

from hospes.api import EndKind, describe
from hospes.guests.store import Image

pytestmark = pytest.mark.guest

OPENSBI: Final = Path("/usr/lib/riscv64-linux-gnu/opensbi/generic")
COMMAND_SECONDS: Final = 120
SATP_MODES: Final = {"sv39": 8, "sv48": 9, "sv57": 10}



@dataclass(frozen=True)
class Setting:
    """A machine to boot, and what its kernel should find."""

    append: str = ""
    mmu: str = "sv57"
    memory: str = "256M"
    cpus: int = 1
    firmware: str | None = None

    def __str__(self) -> str:
        words = [self.firmware or "own", self.mmu, self.memory, f"cpus{self.cpus}"]
        return "-".join(words)

    @property
    def memory_kib(self) -> int:
        """The machine's memory as /proc/meminfo counts."""
        return int(self.memory[:-1]) << {"M": 10, "G": 20}[self.memory[-1]]


SETTINGS: Final = (
    Setting(),
    Setting("no5lvl", "sv48", "128M"),
    Setting("no4lvl", "sv39", "512M", cpus=2),
    Setting(memory="4G", cpus=4),
    Setting(firmware="fw_jump.elf"),
    Setting(memory="1G", cpus=2, firmware="fw_dynamic.bin"),
)


@pytest.fixture(scope="module", params=SETTINGS, ids=str)
def setting(request: pytest.FixtureRequest) -> Setting:
    assert isinstance(request.param, Setting)
    if request.param.firmware and not OPENSBI.exists():
        pytest.skip(f"there is no {OPENSBI}: install Debian's package opensbi")
    return request.param


@pytest.fixture(scope="module")
def booted(
    tiny: Image, setting: Setting, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    spec = describe(
        None,
        bios=OPENSBI / setting.firmware if setting.firmware else None,
        kernel=tiny.kernel,
        initrd=tiny.initrd,
        append=f"{tiny.manifest.append} hospes.agent=hvc0 {setting.append}".strip(),
        memory=setting.memory,
        cpus=setting.cpus,
    )
    with pair(spec, tmp_path_factory.mktemp("peer")) as both:
        yield both


def test_paging_has_the_mode_asked_for(booted: Pair, setting: Setting) -> None:
    ours, theirs = booted.run("grep mmu /proc/cpuinfo", COMMAND_SECONDS)
    assert ours == theirs
    assert ours.stdout == f"mmu\t\t: {setting.mmu}\n" * setting.cpus
    booted.ours.pause()
    modes = {booted.ours.registers(n)["satp"] >> 60 for n in range(setting.cpus)}
    booted.ours.resume()
    assert modes == {SATP_MODES[setting.mmu]}


def test_all_memory_is_there_and_usable(booted: Pair, setting: Setting) -> None:
    ours, theirs = booted.run("grep MemTotal /proc/meminfo", COMMAND_SECONDS)
    total, judge = (int(result.stdout.split()[1]) for result in (ours, theirs))
    assert total < setting.memory_kib
    assert total == pytest.approx(judge, rel=0.04)
    last = 0x8000_0000 + (setting.memory_kib << 10) - 1
    found = booted.ours.run("grep 'System RAM' /proc/iomem", COMMAND_SECONDS).stdout
    assert f"-{last:08x} : System RAM" in found
    part = min(total // 3072, 64)
    command = f"dd if=/dev/zero of=/tmp/part bs=1M count={part} && wc -c </tmp/part; rm /tmp/part"
    assert booted.ours.run(command, COMMAND_SECONDS).stdout == f"{part << 20}\n"


def test_all_harts_are_online_and_work(booted: Pair, setting: Setting) -> None:
    command = """
        cat /sys/devices/system/cpu/online
        for hart in $(seq 0 $(($(nproc) - 1))); do
            taskset $((1 << hart)) sh -c '
                busybox sha256sum /bin/busybox
                cut -d " " -f 39 /proc/$$/stat'
        done
        grep -c '^processor' /proc/cpuinfo"""
    ours, theirs = booted.run(command, COMMAND_SECONDS)
    assert ours == theirs
    assert ours.stdout.endswith(f"\n{setting.cpus - 1}\n{setting.cpus}\n")


def test_the_kernel_complains_of_nothing(booted: Pair) -> None:
    ours, theirs = booted.run(COMMAND, COMMAND_SECONDS)
    assert "Linux version" in ours.stdout
    assert "Linux version" in theirs.stdout
    assert troubles(ours.stdout) - troubles(theirs.stdout) - NOT_OURS.keys() == set()


def test_firmware_is_the_one_asked_for(booted: Pair, setting: Setting) -> None:
    ours, _ = booted.run("dmesg | grep 'SBI '", COMMAND_SECONDS)
    own = "SBI implementation ID=0x1 " not in ours.stdout
    assert own == (setting.firmware is None)
    for banner in (r"OpenSBI v", r"Domain0 Next Address      : 0x0000000080200000"):
        assert (banner in booted.ours.console_output) == (not own)
    for extension in ("TIME", "IPI", "RFENCE", "SRST"):
        assert f"SBI {extension} extension detected" in ours.stdout


def test_it_switches_itself_off(booted: Pair) -> None:
    """The last test of each guest."""
    ending = booted.ours.poweroff(COMMAND_SECONDS)
    assert (ending.kind, ending.exit_code) == (EndKind.GUEST, 0)
