"""LLVM behind one door: text to object code, object code to addresses, and its cache on disk."""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import llvmlite
import llvmlite.binding as llvm

OPTIMISATION: Final = 2


class NativeCode:
    """Machine code in memory, by symbol; it lives as long as this object."""

    def __init__(self, object_code: bytes) -> None:
        _initialise()
        empty = llvm.parse_assembly("")
        self._engine = llvm.create_mcjit_compiler(empty, _target_machine())
        self._object = llvm.ObjectFileRef.from_data(object_code)
        self._engine.add_object_file(self._object)
        self._engine.finalize_object()

    def address(self, symbol: str) -> int:
        """The address of an exported function; LookupError if there is none."""
        address = int(self._engine.get_function_address(symbol))
        if not address:
            raise LookupError(f"{symbol} is not in the compiled code")
        return address

    def function(self, symbol: str, *argument_types: Any) -> Callable[..., None]:
        """A callable of C type void(argument_types…) that releases the GIL while it runs."""
        prototype = ctypes.CFUNCTYPE(None, *argument_types)
        called: Callable[..., None] = prototype(self.address(symbol))
        return called


def compile_text(text: str) -> bytes:
    """Optimise a module of LLVM IR for this host; returns the object file."""
    _initialise()
    module = llvm.parse_assembly(text)
    module.verify()
    machine = _target_machine()
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    _optimise(module, machine)
    return bytes(machine.emit_object(module))


def assembly(text: str) -> str:
    """The host assembly that a module of LLVM IR becomes."""
    _initialise()
    module = llvm.parse_assembly(text)
    machine = _target_machine()
    _optimise(module, machine)
    return str(machine.emit_assembly(module))


def host_identity() -> str:
    """What object code depends on besides its source: CPU, features, LLVM and llvmlite."""
    _initialise()
    version = ".".join(str(part) for part in llvm.llvm_version_info)
    features = llvm.get_host_cpu_features().flatten()
    return f"{llvm.get_process_triple()} {llvm.get_host_cpu_name()} {features} " + (
        f"LLVM {version} llvmlite {llvmlite.__version__} O{OPTIMISATION}"
    )


def cache_key(sources: Mapping[str, bytes]) -> str:
    """A name for object code made from these source files on this host."""
    digest = hashlib.sha256(host_identity().encode())
    for name in sorted(sources):
        digest.update(f"\0{name}\0{len(sources[name])}\0".encode())
        digest.update(sources[name])
    return digest.hexdigest()[:32]


def source_files(*packages: Path) -> dict[str, bytes]:
    """The Python files of packages, by path, as the key of what is compiled from them."""
    files = sorted(path for package in packages for path in package.rglob("*.py"))
    return {str(path.relative_to(path.parents[2])): path.read_bytes() for path in files}


def _initialise() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


def _target_machine() -> Any:
    """A fresh target machine: the execution engine takes ownership of the one it is given."""
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=OPTIMISATION,
        reloc="pic",
        codemodel="small",
        jit=True,
    )


def _optimise(module: Any, machine: Any) -> None:
    options = llvm.create_pipeline_tuning_options(speed_level=OPTIMISATION)
    options.loop_unrolling = False
    options.slp_vectorization = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
