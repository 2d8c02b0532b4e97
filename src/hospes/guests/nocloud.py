"""Seeds for cloud-init's NoCloud source: disks labelled CIDATA that say what a user wants."""

import email
import hashlib
import json
import re
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.encoders import encode_base64
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from pathlib import Path
from types import MappingProxyType
from typing import Final

from hospes.base.errors import HospesError, os_reason
from hospes.guests.fat import make_fat
from hospes.guests.ssh_key import read_public_keys
from hospes.guests.store import Manifest
from hospes.spec.disk import DiskFormat, DiskSpec

LABEL: Final = "CIDATA"
SERIAL: Final = "cloud-init-seed"
USER_DATA_BYTES_MAX: Final = 1 << 20
GZIP_MAGIC: Final = b"\x1f\x8b"
CLOUD_CONFIG: Final = "text/cloud-config"
ARCHIVE: Final = "multipart/mixed"
# What the first line may begin with (the longer of two that agree first), and what it then is.
FORMS: Final = MappingProxyType(
    {
        "#cloud-config-archive": "text/cloud-config-archive",
        "#cloud-config-jsonp": "text/cloud-config-jsonp",
        "#cloud-config": CLOUD_CONFIG,
        "#cloud-boothook": "text/cloud-boothook",
        "#include-once": "text/x-include-once-url",
        "#include": "text/x-include-url",
        "#part-handler": "text/part-handler",
        "## template: jinja": "text/jinja2",
        "#!": "text/x-shellscript",
        "content-type: multipart": ARCHIVE,
        "mime-version:": ARCHIVE,
    }
)

_HOST_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def make_seed(
    host_name: str,
    user_data: Path | None = None,
    ssh_keys: Sequence[Path] = (),
    network_config: Path | None = None,
) -> bytes:
    """A seed's volume. The same wishes give the same seed, so a guest knows itself again."""
    if not _HOST_NAME.fullmatch(host_name):
        raise HospesError(f"a guest cannot be called {host_name!r}; use letters, digits and -")
    keys = [key for path in ssh_keys for key in read_public_keys(path)]
    wishes = read_user_data(user_data) if user_data is not None else b""
    data = combine(wishes, keys)
    identity = hashlib.sha256(host_name.encode() + b"\0" + data).hexdigest()[:16]
    files = {
        "user-data": data,
        "meta-data": f"instance-id: iid-{identity}\nlocal-hostname: {host_name}\n".encode(),
    }
    if network_config is not None:
        files["network-config"] = _read(network_config, "network configuration")
    return make_fat(LABEL, files)


def read_user_data(path: Path) -> bytes:
    """User data in a form that cloud-init knows; gzip is taken off."""
    data = _read(path, "user data")
    if data.startswith(GZIP_MAGIC):
        data = _unzipped(data, path)
    if form_of(data) is None:
        raise HospesError(
            f"user data {path} begins like nothing cloud-init knows; let its first line be "
            "#cloud-config, or #! and a shell"
        )
    return data


def form_of(data: bytes) -> str | None:
    """The MIME type of user data by its first line; None if cloud-init would not know it."""
    first = data[:64].decode("utf-8", "replace").lstrip().lower()
    return next((kind for mark, kind in FORMS.items() if first.startswith(mark)), None)


def combine(user_data: bytes, keys: Sequence[str]) -> bytes:
    """User data that also lets the owners of these keys in as root.

    Two configurations cannot be joined as texts; cloud-init takes an archive of both.
    """
    if not keys:
        return user_data or b"#cloud-config\n{}\n"
    ours = _key_config(keys, merge=bool(user_data))
    if not user_data:
        return ours
    form = form_of(user_data) or CLOUD_CONFIG
    if form == ARCHIVE:
        archive = email.message_from_bytes(user_data)
        if not archive.is_multipart():
            raise HospesError("the user data is a MIME archive without parts; add one or leave out")
    else:
        mark = hashlib.sha256(user_data).hexdigest()[:24]
        archive = MIMEMultipart(boundary=f"=={mark}==")
        archive.attach(_part(form, user_data))
    archive.attach(_part(CLOUD_CONFIG, ours))
    return archive.as_bytes()


def check_image(manifest: Manifest) -> None:
    """HospesError unless cloud-init in an image would look at a seed."""
    if not manifest.cloud_init:
        raise HospesError(
            f"the image {manifest.name!r} has no cloud-init, so nothing would be done; leave out "
            "--user-data and --ssh-key, or take an image that has it, such as 'debian-cloud'"
        )


@contextmanager
def seed_disk(volume: bytes) -> Iterator[DiskSpec]:
    """A seed as a read-only disk; its file is gone afterwards, when a machine has it open."""
    with tempfile.TemporaryDirectory(prefix="hospes-") as place:
        path = Path(place) / "seed"
        path.write_bytes(volume)
        yield DiskSpec(path, DiskFormat.RAW, read_only=True, serial=SERIAL)


def _key_config(keys: Sequence[str], *, merge: bool) -> bytes:
    """A cloud-config; JSON is YAML too, and has no surprises in what keys' comments may say."""
    wanted: dict[str, object] = {"disable_root": False, "ssh_authorized_keys": list(keys)}
    if merge:
        # Keys that the user's own configuration lists stay.
        wanted["merge_how"] = "list(append)+dict(recurse_array,no_replace)+str()"
    return b"#cloud-config\n" + json.dumps(wanted, indent=1).encode() + b"\n"


def _part(kind: str, content: bytes) -> MIMENonMultipart:
    part = MIMENonMultipart(*kind.split("/"))
    part.set_payload(content)
    encode_base64(part)
    return part


def _read(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(USER_DATA_BYTES_MAX + 1)
    except OSError as error:
        reason = os_reason(error)
        raise HospesError(f"{what} {path} cannot be read: {reason}; check the path") from None
    if len(data) > USER_DATA_BYTES_MAX:
        raise _too_long(path, what)
    return data


def _unzipped(data: bytes, path: Path) -> bytes:
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        plain = unpacker.decompress(data, USER_DATA_BYTES_MAX + 1)
    except zlib.error as error:
        raise HospesError(f"user data {path} is damaged ({error}); compress it again") from None
    if len(plain) > USER_DATA_BYTES_MAX:
        raise _too_long(path, "user data")
    return plain


def _too_long(path: Path, what: str) -> HospesError:
    return HospesError(
        f"{what} {path} has more than {USER_DATA_BYTES_MAX} bytes; have it fetch the rest"
    )
