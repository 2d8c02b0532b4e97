"""LLVM behind one door: text to object code, and object code to addresses."""

from __future__ import annotations

from typing import Any, Final

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
