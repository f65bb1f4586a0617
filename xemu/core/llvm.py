"""LLVM through llvmlite: text in, object out. Imported only where something must be compiled."""

from __future__ import annotations

from functools import cache
from typing import Any

import llvmlite.binding as llvm

from xemu.core import host
from xemu.core.lower import METADATA

HANDLER_PASSES = ("sroa", "simplifycfg")
ATTRIBUTES = 'attributes #0 = { nounwind "no-jump-tables"="true" "target-cpu"="%s" }\n'
MORE_METADATA = '!10 = !{!"branch_weights", i32 1, i32 2000}\n!11 = !{!"branch_weights", i32 60, i32 1}\n'


@cache
def machine(opt: int) -> Any:
    """Return the host's target machine at a code generation level."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.initialize_native_asmparser()           # inline assembly is not empty everywhere
    llvm.set_option("xemu", "-disable-lsr")
    # LLVM 22 for x86 makes `mov ax, [rax - 1]`, a load into a part of the register with the address, one that clears the rest
    llvm.set_option("xemu", "-fixup-byte-word-insts=0")
    target = llvm.Target.from_triple(host.triple())
    features = llvm.get_host_cpu_features().flatten()
    return target.create_target_machine(opt=opt, cpu=llvm.get_host_cpu_name(), features=features, codemodel="small", reloc="pic")


def compile_text(text: str, *, passes: tuple[str, ...] = HANDLER_PASSES, opt: int = 2) -> bytes:
    """Compile a module's text to an ELF object. Raises RuntimeError with LLVM's message when the text is wrong."""
    tm = machine(opt)
    full = f'target triple = "{host.triple()}"\n{text}\n{METADATA}{MORE_METADATA}{ATTRIBUTES % llvm.get_host_cpu_name()}'
    module = llvm.parse_assembly(full)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    builder = llvm.create_pass_builder(tm, options)
    fm = llvm.create_new_function_pass_manager()
    for name in passes:
        _add(fm, name)
    for f in module.functions:
        if not f.is_declaration:
            fm.run(f, builder)
    blob: bytes = tm.emit_object(module)
    return blob


def _add(manager: Any, name: str) -> None:
    method = {"sroa": "add_sroa_pass", "instcombine": "add_instruction_combine_pass", "simplifycfg": "add_simplify_cfg_pass",
              "newgvn": "add_new_gvn_pass", "dse": "add_dead_store_elimination_pass", "adce": "add_aggressive_dce_pass",
              "sccp": "add_sccp_pass", "jump-threading": "add_jump_threading_pass"}[name]
    getattr(manager, method)()
