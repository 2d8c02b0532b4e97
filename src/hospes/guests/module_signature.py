"""The signature at the end of a kernel module (Linux, include/linux/module_signature.h)."""

import struct
from typing import Final

MARK: Final = b"~Module signature appended~\n"
DESCRIPTION: Final = struct.Struct(">BBBBB3xI")


def unsigned(module: bytes) -> bytes:
    """The module without its signature, if it has one.

    A kernel that does not insist on signatures loads it, and says that it did.
    """
    end = len(module) - len(MARK) - DESCRIPTION.size
    if end < 0 or not module.endswith(MARK):
        return module
    _, _, _, signer, key, signature = DESCRIPTION.unpack_from(module, end)
    return module[: max(0, end - signer - key - signature)]
