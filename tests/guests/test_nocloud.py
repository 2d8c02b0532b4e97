"""Seeds: what is taken, what is refused, and what cloud-init itself makes of them."""

import base64
import email
import gzip
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.guests.ext4.images import have, program

from hospes.base.errors import HospesError
from hospes.guests.nocloud import combine, form_of, make_seed, read_user_data, seed_disk


def public_key(kind: str = "ssh-ed25519", comment: str = "me@here") -> str:
    blob = len(kind).to_bytes(4) + kind.encode() + (32).to_bytes(4) + bytes(range(32))
    return f"{kind} {base64.b64encode(blob).decode()} {comment}"


KEY = public_key()
FORMS = {
    "#cloud-config\nx: 1\n": "text/cloud-config",
    "#!/bin/sh\n": "text/x-shellscript",
    "#include https://x\n": "text/x-include-url",
    "#include-once\nhttps://x\n": "text/x-include-once-url",
    "#cloud-boothook\n": "text/cloud-boothook",
    "#cloud-config-archive\n[]": "text/cloud-config-archive",
    "#part-handler\n": "text/part-handler",
    "## template: jinja\n#cloud-config\n": "text/jinja2",
    'Content-Type: multipart/mixed; boundary="b"\n': "multipart/mixed",
    "MIME-Version: 1.0\n": "multipart/mixed",
    "#something": None,
    "": None,
    "users: []": None,
}


@pytest.mark.parametrize(("text", "form"), FORMS.items(), ids=range(len(FORMS)))
def test_forms(text: str, form: str | None) -> None:
    assert form_of(text.encode()) == form


def file(folder: Path, text: str | bytes) -> Path:
    path = folder / "file"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_keys_alone_are_a_configuration() -> None:
    data = combine(b"", [KEY, KEY])
    head, _, body = data.partition(b"\n")
    assert head == b"#cloud-config"
    assert json.loads(body) == {"disable_root": False, "ssh_authorized_keys": [KEY, KEY]}


def parts(data: bytes) -> list[tuple[str, bytes]]:
    """Type and content of each part of an archive."""
    archive = email.message_from_bytes(data)
    assert archive.is_multipart()
    found = []
    for part in archive.get_payload():
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        found.append((part.get_content_type(), content))
    return found


def test_keys_and_user_data_are_an_archive() -> None:
    script = b"#!/bin/sh\necho \xff\n"
    first, second = parts(combine(script, [KEY]))
    assert first == ("text/x-shellscript", script)
    assert second[0] == "text/cloud-config"
    assert KEY in json.loads(second[1].partition(b"\n")[2])["ssh_authorized_keys"]
    again = parts(combine(combine(script, [KEY]), [public_key(comment="other")]))
    assert [kind for kind, _ in again] == ["text/x-shellscript", *["text/cloud-config"] * 2]
    assert combine(script, []) == script


def test_compressed_user_data_is_unpacked(tmp_path: Path) -> None:
    assert read_user_data(file(tmp_path, gzip.compress(b"#!/bin/sh\n"))) == b"#!/bin/sh\n"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("users: []", "begins like nothing cloud-init knows; let its first line be"),
        ("#!" + "x" * (1 << 20), "has more than 1048576 bytes"),
        (gzip.compress(b"#!" + bytes(1 << 21), mtime=0), "has more than 1048576 bytes"),
        (gzip.compress(b"#!", mtime=0)[:5] + b"????????????", "is damaged"),
    ],
)
def test_user_data_that_is_refused(tmp_path: Path, content: str | bytes, sentence: str) -> None:
    with pytest.raises(HospesError, match=sentence):
        make_seed("x", file(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", "holds a PRIVATE key, which must never"),
        ("PuTTY-User-Key-File-3: ssh-ed25519\n", "holds a PRIVATE key"),
        ("", "is not a public SSH key"),
        ("# only a comment\n", "is not a public SSH key"),
        ("ssh-ed25519 AAAA", "is not a public SSH key"),
        ("ssh-ed25519 %%%%", "is not a public SSH key"),
        (KEY.replace("ssh-ed25519", "ssh-rsa"), "is not a public SSH key"),
        (KEY + "\nnonsense\n", "is not a public SSH key"),
    ],
)
def test_keys_that_are_refused(tmp_path: Path, content: str, sentence: str) -> None:
    with pytest.raises(HospesError, match=sentence):
        make_seed("x", None, [file(tmp_path, content)])


def test_missing_files_and_bad_names(tmp_path: Path) -> None:
    for make in (
        lambda: make_seed("x", tmp_path / "absent"),
        lambda: make_seed("x", None, [tmp_path / "absent"]),
        lambda: make_seed("x", None, [], tmp_path / "absent"),
    ):
        with pytest.raises(HospesError, match="absent cannot be read: no such file"):
            make()
    for name in ("", "-x", "a b", "a" * 64, "a\nb"):
        with pytest.raises(HospesError, match="a guest cannot be called"):
            make_seed(name)


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_keys_that_ssh_makes(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "key"
    program("ssh-keygen", "-q", "-t", kind, "-N", "", "-f", path)
    make_seed("x", None, [path.with_suffix(".pub")])
    with pytest.raises(HospesError, match=f"usually {path}.pub"):
        make_seed("x", None, [path])


@pytest.mark.skipif(not have("mcopy"), reason="mtools are not installed")
def test_the_files_of_a_seed(tmp_path: Path) -> None:
    network = tmp_path / "net"
    network.write_text("version: 2\n")
    volume = make_seed("web-1", file(tmp_path, "#!/bin/sh\n"), [], network)
    with seed_disk(volume) as disk:
        assert disk.path is not None
        assert disk.read_only
        for name in ("user-data", "meta-data", "network-config"):
            program("mcopy", "-n", "-i", disk.path, f"::{name}", tmp_path / name)
        path = disk.path
    assert not path.exists()
    assert (tmp_path / "user-data").read_text() == "#!/bin/sh\n"
    assert (tmp_path / "network-config").read_text() == "version: 2\n"
    first, second = (tmp_path / "meta-data").read_text().splitlines()
    assert first.startswith("instance-id: iid-")
    assert second == "local-hostname: web-1"
    assert make_seed("web-1", tmp_path / "file", [], network) == volume
    assert make_seed("web-2", tmp_path / "file", [], network) != volume


MERGE = """
import json, sys
from cloudinit import handlers, helpers, user_data, util
from cloudinit.handlers.cloud_config import CloudConfigPartHandler
paths = helpers.Paths({"cloud_dir": sys.argv[1], "run_dir": sys.argv[1]})
message = user_data.UserDataProcessor(paths).process(sys.stdin.buffer.read())
config = CloudConfigPartHandler(paths)
config.handle_part(None, handlers.CONTENT_START, None, None, None, None)
for part in message.walk():
    if part.get_content_type() == "text/cloud-config":
        payload = util.fully_decoded_payload(part)
        config.handle_part(None, "text/cloud-config", "part", payload, "once", dict(part))
print(json.dumps(config.cloud_buf))
"""


def test_cloud_init_itself_finds_the_keys_and_the_configuration(tmp_path: Path) -> None:
    """Debian's cloud-init on the system's Python, fed with the archive."""
    python = "/usr/bin/python3"
    known = subprocess.run([python, "-c", "import cloudinit"], capture_output=True, check=False)
    if known.returncode:
        pytest.skip("cloud-init is not installed")
    user = "#cloud-config\nssh_authorized_keys: [theirs]\npackages: [nginx]\n"
    for wishes, keys in ((user.encode(), ["theirs", KEY]), (b"", [KEY])):
        done = subprocess.run(
            [python, "-c", MERGE, str(tmp_path)],
            input=combine(wishes, [KEY]),
            capture_output=True,
            check=True,
            timeout=60,
        )
        merged = json.loads(done.stdout.splitlines()[-1])
        assert merged["ssh_authorized_keys"] == keys
        assert merged["disable_root"] is False
        assert ("packages" in merged) == bool(wishes)
