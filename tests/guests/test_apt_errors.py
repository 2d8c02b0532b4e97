"""Each way in which apt fails, as it says it, and what the user is told."""

import pytest

from hospes.guests.apt_errors import IndexMismatchError, apt_error

CASES = [
    (
        "Err:1 http://m.invalid/debian trixie InRelease\n  Could not connect to m.invalid:80\n"
        "W: GPG error: http://m.invalid/debian trixie InRelease: The following signatures couldn't "
        "be verified because the public key is not available: NO_PUBKEY 6ED0E7B82643E131\n",
        "signature could not be verified, so nothing was taken",
    ),
    (
        "E: The repository 'http://m.invalid/debian trixie InRelease' is not signed.\n",
        "signature could not be verified",
    ),
    (
        "W: Failed to fetch http://m.invalid/InRelease  Temporary failure resolving 'm.invalid'\n"
        "E: Some index files failed to download.\n",
        "cannot be reached",
    ),
    (
        "E: Unable to locate package nonsuch\n",
        "has no such package: Unable to locate package nonsuch.",
    ),
    ("E: You don't have enough free space in /cache/\n", "The disk with the cache /c is full"),
    (
        "E: Write error - write (28: No space left on device)\n",
        "The disk with the cache /c is full",
    ),
    ("E: Release file for http://m.invalid is expired (invalid since 1d)\n", "machine's clock"),
    ("E: The repository 'x' does not have a Release file.\n", "does not hold Debian for riscv64"),
    ("E: Could not get lock /c/lists/lock. It is held by process 7\n", "Another apt-get"),
    ("E: Something new went wrong\n", "apt-get failed: Something new went wrong."),
    ("", "apt-get failed: it gave no reason."),
]


@pytest.mark.parametrize(("output", "sentence"), CASES)
def test_sentences(output: str, sentence: str) -> None:
    message = str(apt_error(output, "/c"))
    assert sentence in message
    assert "\n" not in message
    assert message.endswith(".")


def test_only_a_mismatch_may_be_tried_elsewhere() -> None:
    mismatch = "E: Failed to fetch x  File has unexpected size (5 != 6). Mirror sync in progress?\n"
    assert isinstance(apt_error(mismatch, "/c"), IndexMismatchError)
    unsigned = "W: GPG error: x: The following signatures were invalid: BADSIG 12\n"
    assert not isinstance(apt_error(mismatch + unsigned, "/c"), IndexMismatchError)
