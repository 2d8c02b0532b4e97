"""Shared folders in a whole Debian: mounted by systemd, and a project cloned and built there."""

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.guest import images
from tests.guest.debian import BOOT_SECONDS, PATIENT

from hospes.api import Machine
from hospes.base.programs import find_program
from hospes.guests.store import Image

pytestmark = [pytest.mark.guest, pytest.mark.soak]

IMAGE = "folders-test"
PACKAGES = ("git", "make", "gcc", "libc6-dev")
MODULES = 40
# A project of some files, committed elsewhere; cloned into the folder, built, run, and looked at.
PROJECT = """
set -e
export HOME=/root
git config --global user.name test; git config --global user.email test@example.org
git config --global init.defaultBranch main
rm -rf /root/project; mkdir /root/project; cd /root/project; git init -q .
for n in $(seq {count}); do
	echo "int part$n(int x) {{ return x + $n; }}" >part$n.c
	echo "int part$n(int);" >>parts.h
	calls="$calls x = part$n(x);"
done
printf '#include <stdio.h>\\n#include "parts.h"\\nint main(void) {{ int x = 0; %s ' "$calls" >main.c
printf '%s\\n' 'printf("%d ", x); return 0; }}' >>main.c
printf 'OBJECTS = $(patsubst %%.c,%%.o,$(wildcard *.c))\\nall: program\\n' >Makefile
printf 'program: $(OBJECTS)\\n\\t$(CC) -o $@ $^\\n$(OBJECTS): parts.h\\n' >>Makefile
printf '*.o\\nprogram\\n' >.gitignore
ln -s main.c link.txt; git add .; git commit -qm first
cd {place}; git clone -q /root/project work; cd work
make -s -j2; ./program; echo; test -z "$(git status --porcelain)"
echo '/* more */' >>part1.c; git commit -qam second; git gc -q; git fsck --strict
make -s; make -q; ./program; echo; install -m 4755 program installed
stat -c '%a %u' installed; readlink link.txt; git log --oneline | wc -l
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("shared")
    place.chmod(0o755)  # Which daemon may enter.
    return place


@pytest.fixture(scope="module")
def vm(debian: Image, place: Path) -> Iterator[Machine]:
    volumes = [f"{place}:/src", f"{place}:/data/reading:ro"]
    with Machine("debian", volumes=volumes, append=PATIENT) as machine:
        yield machine
    assert machine.remarks == ()


def run(vm: Machine, command: str) -> str:
    return vm.run(command, BOOT_SECONDS, check=True).stdout


def test_systemd_mounts_them_before_services_start(vm: Machine, place: Path) -> None:
    (place / "greeting").write_text("hello\n")
    assert run(vm, "cat /src/greeting /data/reading/greeting") == "hello\nhello\n"
    assert run(vm, "systemctl is-system-running --wait").strip() == "running"
    assert run(vm, "systemctl is-active src.mount data-reading.mount").split() == ["active"] * 2
    before = run(vm, "systemctl show -p Before --value src.mount").split()
    assert "local-fs.target" in before
    assert vm.run("touch /data/reading/x", BOOT_SECONDS).exit_code == 1


def test_root_unpacks_an_archive_as_elsewhere(vm: Machine, place: Path) -> None:
    script = """
    set -e; cd /src; mkdir tree; tar -C / -cf - etc usr/bin | tar -C tree -xpf -
    tar -C / -cf - etc usr/bin | tar -C tree -df - && echo same
    chown -R daemon:daemon tree/etc; stat -c %U tree/etc/passwd; rm -r tree; ls -A
    """
    # Symbolic links belong to the folder's user, which is root.
    assert run(vm, script).splitlines()[-3:] == ["same", "daemon", "greeting"]
    assert [path.name for path in place.iterdir()] == ["greeting"]


def test_users_of_the_guest_are_told_apart(vm: Machine, place: Path) -> None:
    script = """
    cd /src; echo root >mine; install -o daemon -m 600 /dev/null theirs
    su daemon -s /bin/sh -c 'echo x >theirs && cat theirs; echo y >mine; touch new'
    """
    done = vm.run(script, BOOT_SECONDS)
    assert done.stdout == "x\n"
    assert done.stderr.count("Permission denied") == 2
    assert (place / "theirs").stat().st_uid == os.geteuid()


@pytest.mark.parametrize("options", ["rw", "virtiofs"])
def test_a_project_is_cloned_and_built(place: Path, options: str) -> None:
    if options == "virtiofs" and not find_program("virtiofsd"):
        pytest.skip("virtiofsd is not installed")
    images.image(IMAGE, PACKAGES)
    folder = place / f"project-{options}"
    folder.mkdir()
    with Machine(IMAGE, volumes=[f"{folder}:/src:{options}"], append=PATIENT) as vm:
        assert run(vm, "systemctl is-active src.mount").strip() == "active"
        lines = run(vm, PROJECT.format(count=MODULES, place="/src")).splitlines()
    total = str(MODULES * (MODULES + 1) // 2)
    assert [line.strip() for line in lines] == [total, total, "4755 0", "main.c", "2"]
    work = folder / "work"
    # Our own server keeps the power of such a program in the guest.
    mode = 0o4755 if options == "virtiofs" else 0o755
    assert stat.S_IMODE((work / "installed").stat().st_mode) == mode
    if shutil.which("git"):
        checked = subprocess.run(
            ["git", "-c", f"safe.directory={work}", "-C", work, "fsck", "--strict"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert checked.returncode == 0, checked.stderr
