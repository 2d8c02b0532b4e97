"""Builds the engine's native code: every handler, the decoder, the run-time functions."""

from __future__ import annotations

from hospes.compiler.module import Module
from hospes.compiler.vocabulary import BITS
from hospes.engine.threaded import attend, code, parcels, straddle
from hospes.engine.threaded.decoder import Decoder
from hospes.engine.threaded.dispatch import PARTS
from hospes.engine.threaded.floats import FLOATS
from hospes.engine.threaded.fuse import fusion_of
from hospes.engine.threaded.host import host_text
from hospes.engine.threaded.ops import csr_operations, operations_of
from hospes.engine.threaded.state import EngineState
from hospes.engine.threaded.variants import compile_operation
from hospes.engine.threaded.words import WORDS
from hospes.isa.instruction_set import InstructionSet

RUN_TIME = (
    attend.attend,
    attend.deliver_trap,
    attend.deliver_illegal,
    code.fetch,
    parcels.decode_op,
    parcels.instruction_bits,
    straddle.decode_straddle,
)
"""The run-time functions that the fixed parts call."""


def engine_text(instructions: InstructionSet) -> str:
    """The whole engine as one module of LLVM IR, exporting `enter`."""
    module = Module(EngineState, {**BITS, **WORDS, **FLOATS})
    for function in RUN_TIME:
        module.require(function)
    special = csr_operations(instructions.insns)
    operations = [*special, *operations_of(instructions.insns)]
    symbols = {operation.name: compile_operation(module, operation) for operation in operations}
    for name, part in PARTS.items():
        module.define(name, part())
    fusion = fusion_of(operations, symbols)
    module.define("fusion", fusion.compile(module))
    module.define("decoder", Decoder(operations, symbols, fusion).text())
    module.define("host", host_text())
    return module.text()
