"""The public face, without a guest: what may be asked for, and that it loads lazily."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.machine.bare import executable

import hospes
from hospes.api import Machine, Result, describe
from hospes.base.errors import HospesError
from hospes.guests.store import Image, Manifest
from hospes.spec.disk import DiskSpec
from hospes.spec.net import NO_NETWORK
from hospes.spec.vm import EngineKind, VmSpec

EMPTY = Path("/dev/null")


def run_python(script: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout


def test_importing_the_package_loads_nothing_else() -> None:
    script = "import sys, hospes; print([m for m in sys.modules if m.startswith('hospes.')])"
    assert run_python(script) == "[]\n"


def test_the_package_offers_its_names() -> None:
    assert hospes.Machine is Machine
    assert hospes.HospesError is HospesError
    assert hospes.__version__[0].isdigit()
    assert "Machine" in dir(hospes)
    with pytest.raises(AttributeError, match="no attribute 'machinery'"):
        _ = hospes.machinery


def test_a_machine_is_made_without_llvm_on_the_reference_engine() -> None:
    script = "import sys; from hospes import Machine; print('llvmlite' in sys.modules)"
    assert run_python(script) == "False\n"


def test_describe_a_kernel() -> None:
    spec = describe(kernel="k", initrd="i", append="quiet", memory="2G", cpus=3, engine="reference")
    assert spec == VmSpec(
        kernel=Path("k"), initrd=Path("i"), append="quiet", memory_bytes=2 << 30, cpus=3,
        engine=EngineKind.REFERENCE,
    )  # fmt: skip


def test_describe_an_image_with_a_root_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = Manifest(
        name="own", recipe="", release="13", packages=(), files={}, memory_bytes=1 << 29,
        append="root=LABEL=root", disk="disk.qcow2",
    )  # fmt: skip
    image = Image(tmp_path, manifest)
    monkeypatch.setattr("hospes.guests.catalogue.ensure", lambda *_, **__: image)
    spec = describe("own", append="quiet", disks=["size=1G"])
    assert spec.append == "root=LABEL=root quiet"
    assert spec.disks == (DiskSpec(base=tmp_path / "disk.qcow2"), DiskSpec(size_bytes=1 << 30))
    assert (spec.kernel, spec.memory_bytes) == (tmp_path / "kernel", 1 << 29)


def test_describe_firmware() -> None:
    assert describe(bios="b", memory=1 << 20) == VmSpec(bios=Path("b"), memory_bytes=1 << 20)


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({"image": "nonsense"}, "no image 'nonsense'"),
        ({"image": None}, "nothing to boot"),
        ({"kernel": "k", "memory": "much"}, "'much' is not a size"),
        ({"kernel": "k", "cpus": 0}, "0 CPUs"),
        ({"kernel": "k", "engine": "steam"}, "no engine 'steam'"),
        ({"initrd": "i", "bios": "b"}, "of no use without a kernel"),
    ],
)
def test_refusals_are_one_sentence(wanted: dict[str, object], sentence: str) -> None:
    with pytest.raises(HospesError, match=sentence):
        describe(**wanted)  # type: ignore[arg-type]


def test_a_spec_says_all() -> None:
    with pytest.raises(HospesError, match="leave memory out"):
        Machine(VmSpec(bios=EMPTY), memory="1G")


def test_missing_files_are_named() -> None:
    with pytest.raises(HospesError, match=r"kernel /no/such/file does not exist"):
        Machine(kernel="/no/such/file")


def test_a_bare_metal_program_through_the_api(tmp_path: Path) -> None:
    source = "li t0, TEST\nli t1, (9 << 16) | FAIL\nsw t1, 0(t0)\nhang: j hang\n"
    image = tmp_path / "program.bin"
    image.write_bytes(executable(source, 0x8000_0000).segments[0].data)
    with Machine(bios=image, memory="1M", engine="reference") as machine:
        assert machine.wait(20).exit_code == 9
        assert machine.stats.instructions > 0
        assert machine.registers()["t0"] == 0x10_0000


def test_commands_need_a_guest_that_lives(tmp_path: Path) -> None:
    image = tmp_path / "program.bin"
    image.write_bytes(executable("again: j again\n", 0x8000_0000).segments[0].data)
    with Machine(bios=image, memory="1M", engine="reference") as machine:
        begun = time.monotonic()
        with pytest.raises(HospesError, match="did not get ready"):
            machine.run("true", timeout=0.2)
        assert time.monotonic() - begun < 5
        machine.stop()
        with pytest.raises(HospesError, match="stopped"):
            machine.run("true")


def test_results_are_text_and_bytes() -> None:
    result = Result(0, b"caf\xc3\xa9 \xff", b"")
    assert result.stdout == "café \N{REPLACEMENT CHARACTER}"
    assert result.stderr == ""


def test_describe_a_network() -> None:
    spec = describe(kernel="k", network="nat", publish=["8080:80", "5353:53/udp"])
    assert spec.network.kind == "nat"
    assert [tuple(published) for published in spec.network.publish] == [
        ("127.0.0.1", 8080, 80, "tcp"), ("127.0.0.1", 5353, 53, "udp"),
    ]  # fmt: skip
    assert describe(kernel="k").network == NO_NETWORK
    assert describe(kernel="k", network=spec.network).network == spec.network
    with pytest.raises(ValueError, match="says itself what is published"):
        describe(kernel="k", network=spec.network, publish=["9:9"])
    asked = describe(kernel="k", network="nat", capture="out.pcap", allow_host=True).network
    assert (asked.capture, asked.allow_host) == (Path("out.pcap"), True)
    with pytest.raises(HospesError, match="add --network nat"):
        describe(kernel="k", publish=["8080:80"])
