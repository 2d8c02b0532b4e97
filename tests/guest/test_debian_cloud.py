"""A Debian that carries cloud-init does what a seed says: the image is built, and then booted."""

from collections.abc import Iterator

import pytest
from tests.guest import images
from tests.guest.debian import PATIENT, hospes, in_guest
from tests.guests.test_nocloud import KEY
from tests.worker.homes import own_home

from hospes.guests.store import Image

pytestmark = [pytest.mark.guest, pytest.mark.soak]

IMAGE = "debian-cloud"
NAME = "seeded"
USER_DATA = """#cloud-config
write_files:
  - path: /etc/wished
    content: granted
    permissions: '0640'
users:
  - default
  - name: ada
    shell: /bin/bash
runcmd:
  - [sh, -c, "echo $(id -un) >/root/ran"]
"""


@pytest.fixture(scope="module")
def image() -> Image:
    """Built once into the cache: some minutes."""
    return images.image(IMAGE)


@pytest.fixture(scope="module")
def seeded(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A machine with user data and a key."""
    place = tmp_path_factory.mktemp("seed")
    (place / "user-data").write_text(USER_DATA)
    (place / "key.pub").write_text(f"{KEY}\n")
    with pytest.MonkeyPatch.context() as patch, own_home(place / "home", patch):
        done = hospes(
            "run", "--name", NAME, "-d", IMAGE, "--append", PATIENT,
            "--user-data", str(place / "user-data"), "--ssh-key", str(place / "key.pub"),
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (0, f"{NAME}\n"), done
        yield NAME
        done = hospes("stop", NAME)
        assert done.returncode == 0, done


def test_what_the_user_data_says_is_done(seeded: str) -> None:
    assert "status: done" in in_guest(seeded, "cloud-init status --wait")
    assert in_guest(seeded, "cat /etc/wished; stat -c %a /etc/wished") == "granted640\n"
    assert in_guest(seeded, "cat /root/ran") == "root\n"
    assert in_guest(seeded, "id -un ada") == "ada\n"
    assert in_guest(seeded, "hostname") == f"{NAME}\n"


def test_the_owner_of_the_key_may_come_in(seeded: str) -> None:
    kind, key = KEY.split()[:2]
    assert f"{kind} {key}" in in_guest(seeded, "cat /root/.ssh/authorized_keys")
    assert in_guest(seeded, "systemctl is-active ssh; ls /etc/ssh | grep -c _key.pub").startswith(
        "active\n"
    )


def test_a_second_boot_does_nothing_twice(seeded: str) -> None:
    """Last. The instance is the same, so what is done once per instance is not done again."""
    in_guest(seeded, "rm /root/ran")
    assert hospes("stop", seeded).returncode == 0
    assert hospes("start", seeded).returncode == 0
    assert "status: done" in in_guest(seeded, "cloud-init status --wait")
    assert in_guest(seeded, "ls /root; cat /etc/wished") == "granted"
