"""Call stacks: frame by frame, each with the method that found it.

Methods, in the order in which they are tried: frames of exceptions and signals, call frame information, ARM's exception tables,
frame pointers and link registers as the instructions of the function show them, and a search of the stack for return addresses,
which may be wrong and is marked "?".
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xemu.debug.dwarf_forms import DAMAGE
from xemu.debug.frames import EMPTY, Frame, StackShape, State, Step
from xemu.debug.location import Context, UnavailableError, compute, read_register

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from xemu.debug.architectures import Architecture
    from xemu.debug.cfi import CallFrames, Fde, Rule
    from xemu.debug.lines import Call, Place
    from xemu.debug.symbols import Module, Modules, ReadMemory

__all__ = ["Frame", "Unwinding", "backtrace", "frame_register"]

LIMIT = 256
MAX_SCAN = 1024            # bytes of the stack that the last method looks through
MAX_CHAIN = 1 << 20        # bytes between two frame pointers that make sense


class Unwinding:
    """A call stack, unwound as far as one looks: iterate once. `reason` says afterwards why it ended."""

    def __init__(self, registers: Mapping[str, int], read_memory: ReadMemory, modules: Modules, *,
                 architecture: Architecture | None = None) -> None:  # fmt: skip
        self.memory, self.modules = _no_wrap(read_memory), modules
        chosen = architecture or modules.architecture
        if chosen is None:
            raise ValueError("an architecture, or a module that has one")
        self.architecture: Architecture = chosen
        self.registers = dict(registers)
        self.code, self.signals = _readers(chosen.name)
        self.reason = ""

    def __iter__(self) -> Iterator[Frame]:
        return self.frames()

    def frames(self, limit: int = LIMIT) -> Iterator[Frame]:
        """Yield the frames, newest first; at most `limit`."""
        arch = self.architecture
        pc = self.registers.get(arch.pc)
        if pc is None or arch.sp not in self.registers:
            self.reason = "no registers"
            return
        mode = arch.mode_of(self.registers)
        if not any(name in self.registers for name, _ in arch.thumb):
            mode = self.modules.mode_at(pc) or mode
        state: State | None = State(self.registers, exact=True, method="registers", mode=mode)
        level = 0
        while state is not None:
            step = self.step(state, level)
            for frame in self._named(state, step, level):
                if level >= limit:
                    self.reason = f"the limit of {limit} frames"
                    return
                yield frame
                level += 1
            self.reason = step.reason
            following = step.caller
            if following is not None and (why := self._wrong(state, following, step, level)):
                self.reason, following = why, None
            state = following

    # -- one step ----------------------------------------------------------------------------------------------------------
    def step(self, state: State, level: int = 0) -> Step:
        """Find the caller of a frame."""
        arch = self.architecture
        pc = state.registers[arch.pc]
        if (special := self._special(state, pc)) is not None:
            return special
        module = self.modules.at(pc if state.exact else pc - 1)
        reasons: list[str] = []
        for method in (self._cfi, self._exidx, self._by_code, self._chain):
            try:
                step = method(state, pc, module, level)
                if state.exact and method == self._cfi and step is not None and not self._sensible(step):
                    step = self._leaving(state, pc) or step
            except UnavailableError as error:
                reasons.append(str(error))
                continue
            except DAMAGE as error:
                if module is not None:
                    module.elf.note(f"unwinding at {pc:#x}: {error}")
                continue
            if step is not None:
                return step
        found = self._scan(state, level)
        return found or Step(None, None, reasons[0] if reasons else "nothing says who called")

    def _special(self, state: State, pc: int) -> Step | None:
        """Return what an exception or a signal interrupted."""
        if self.signals is not None:
            return self._signal(state, pc)
        if not self.architecture.thumb:
            return None
        from xemu.debug import arm_frames

        registers = state.registers
        if arm_frames.is_exception_return(pc, registers):
            found = arm_frames.unstack_exception(pc, registers, self.memory)
            if found is None:
                return Step(None, None, "the exception's frame cannot be read")
            return Step(found.cfa, State(found.registers, exact=True, method="exception", mode="thumb"), "", found.name)
        number = arm_frames.signal_trampoline(pc, self.memory, thumb=state.mode == "thumb") if "cpsr" in registers else None
        if number is not None:
            found = arm_frames.unstack_signal(number, registers, self.memory)
            if found is None:
                return Step(None, None, "the signal's frame cannot be read")
            mode = "thumb" if found.registers["cpsr"] & 0x20 else "arm"
            return Step(found.cfa, State(found.registers, exact=True, method="signal", mode=mode), "", found.name)
        return None

    def _signal(self, state: State, pc: int) -> Step | None:
        """Return what a signal interrupted, from Linux's frame."""
        arch = self.architecture
        assert self.signals is not None
        if self.signals.signal_trampoline(pc, self.memory, arch) is None:
            return None
        found = self.signals.unstack_signal(state.registers, self.memory, arch)
        if found is None:
            return Step(None, None, "the signal's frame cannot be read")
        return Step(found[arch.sp], State(found, exact=True, method="signal", mode=state.mode), "", "signal")

    def _sensible(self, step: Step) -> bool:
        """Whether a table's answer may be right: GCC describes no epilogues of ARMv6-M code."""
        caller = step.caller
        if caller is None or not self.architecture.thumb:
            return step.reason in ("", "LR as reset left it")
        target = caller.registers[self.architecture.pc]
        return self._plausible(target | (caller.mode == "thumb"), caller.mode)

    def _leaving(self, state: State, pc: int) -> Step | None:
        """Return the caller of a function that does nothing any more but tidy up and return."""
        arch = self.architecture
        if self.code is not None:
            found = self.code.epilogue(state.registers, self.memory, pc, arch)
            return self._finish(state, found, found[arch.sp], "epilogue") if found is not None else None
        if not arch.thumb:
            return None
        from xemu.debug import arm_prologue

        found = arm_prologue.epilogue(state.registers, self.memory, pc, thumb=state.mode == "thumb")
        return self._finish(state, found, found["sp"], "epilogue") if found is not None else None

    def _finish(self, state: State, found: dict[str, int], cfa: int, method: str, saved: Mapping[str, int] = EMPTY) -> Step:
        """Make the caller's state from the registers that were found, among them the return address as PC."""
        arch = self.architecture
        target = found.pop(arch.pc, None)
        if not target:
            return Step(cfa, None, "the return address is 0" if target == 0 else "the return address is not known")
        holder = self.modules.at(target)
        if holder is not None and not holder.is_code(target):
            return Step(cfa, None, f"the return address {target:#x} is not in code")
        keep = {name: value for name, value in state.registers.items() if name in arch.saved or name in _CONTROL}
        found = keep | {name: value for name, value in found.items() if name in arch.saved or name == arch.link or name in _CONTROL}
        if found.get(arch.link) == target:
            del found[arch.link]                       # it held the return address; the call changed it
        found[arch.sp] = cfa & arch.mask
        mode = state.mode
        if arch.thumb:
            from xemu.debug import arm_frames

            if target == arm_frames.NO_RETURN:
                return Step(cfa, None, "LR as reset left it")
            if not arm_frames.is_exception_return(target, state.registers):
                mode = "thumb" if target & 1 else "arm" if "xpsr" not in found else "thumb"
                target &= ~1 if target & 1 else ~3
                for name, mask in arch.thumb:
                    if name in found:
                        found[name] = found[name] & ~mask | (mask if mode == "thumb" else 0)
        found[arch.pc] = target
        places = {name: place for name, place in {**state.saved, **saved}.items() if name in found}
        return Step(cfa, State(found, exact=False, method=method, mode=mode, saved=places))

    # -- call frame information --------------------------------------------------------------------------------------------
    def _cfi(self, state: State, pc: int, module: Module | None, _level: int) -> Step | None:
        if module is None:
            return None
        address = (pc if state.exact else pc - 1) - module.bias
        for frames in module.call_frames:
            fde = module.guard(frames.name, lambda frames=frames: frames.find(address), None)  # type: ignore[misc]
            if fde is not None and (pc - module.bias - (not state.exact)) >= fde.start:
                return self._apply(state, module, frames, fde, address)
        return None

    def _apply(self, state: State, module: Module, frames: CallFrames, fde: Fde, address: int) -> Step:
        arch = self.architecture
        row = frames.row_at(fde, address)
        context = Context(arch, state.registers, self.memory, module.bias, numbers=arch.eh_numbers if frames.eh else {})
        if row.cfa.kind == "expression":
            cfa = compute(row.cfa.expression, context)
        elif row.cfa.kind == "register":
            cfa = context.register(row.cfa.value) + row.cfa_offset & arch.mask
        else:
            raise UnavailableError("no rule for the frame's address")
        returns = fde.cie.return_register
        rule = row.rules.get(returns)
        if rule is not None and rule.kind == "undefined":
            return Step(cfa, None, "the first function of its thread")
        found: dict[str, int] = {arch.sp: cfa}
        lost: set[str] = set()
        saved: dict[str, int] = {}
        for number, how in row.rules.items():
            name = arch.dwarf.get(context.numbers.get(number, number))
            value = self._recover(how, name or "", cfa, context) if name else None
            if name and value is not None:
                found[name] = value
                if how.kind == "offset":
                    saved[name] = cfa + how.value & arch.mask
            elif name and how.kind != "same":
                lost.add(name)
        target = found.get(context.register_name(returns))
        if target is None and (rule is None or rule.kind == "same"):
            target = context.register(returns)
        if target is None:
            raise UnavailableError("the return address cannot be read")
        found[arch.pc] = target
        known = {name: value for name, value in state.registers.items() if name not in lost}
        step = self._finish(state._replace(registers=known), dict(found), found[arch.sp], "cfi", saved)
        if fde.cie.signal and step.caller is not None:
            everything = {**known, **found, **step.caller.registers}
            return Step(cfa, State(everything, exact=True, method="signal", mode=step.caller.mode), "", "signal")
        return Step(cfa, step.caller, step.reason)

    def _recover(self, rule: Rule, name: str, cfa: int, context: Context) -> int | None:
        """Return the caller's register by its rule; None if it cannot be known."""
        arch = self.architecture
        try:
            match rule.kind:
                case "offset":
                    return self._load(cfa + rule.value & arch.mask, arch.register_bytes(name))
                case "value":
                    return cfa + rule.value & arch.mask
                case "register":
                    return context.register(rule.value)
                case "expression":
                    return self._load(compute(rule.expression, context, initial=cfa), arch.register_bytes(name))
                case "value_expression":
                    return compute(rule.expression, context, initial=cfa)
                case "same":
                    return context.registers.get(name)
        except UnavailableError:
            pass
        return None

    def _load(self, address: int, size: int) -> int | None:
        data = self.memory(address, size)
        return None if data is None else self.architecture.number(data)

    # -- ARM's exception tables --------------------------------------------------------------------------------------------
    def _exidx(self, state: State, pc: int, module: Module | None, _level: int) -> Step | None:
        table = module.unwind_table if module is not None else None
        if module is None or table is None:
            return None
        from xemu.debug import exidx

        address = (pc if state.exact else pc - 1) - module.bias
        entry = table.find(address)
        if entry is None:
            return None
        if state.exact and (step := self._inexact(state, pc, module, entry[0] + module.bias)):
            return step
        codes = table.codes(entry)
        if codes is None:                              # the first function, or one in C or assembler: instructions may say it
            return self._by_code(state, pc, module, _level) or Step(None, None, "the function says that it cannot be unwound")
        try:
            done = exidx.Unwinder(state.registers, self.memory, self.architecture.order).run(codes)
        except exidx.RefusedError:
            return Step(None, None, "the function says that it cannot be unwound")
        if state.method != "registers" and not state.exact and done.registers.get("pc") is None:
            return None
        return self._finish(state, dict(done.registers), done.cfa, "exidx", done.saved)

    def _inexact(self, state: State, pc: int, module: Module, start: int) -> Step | None:
        """Return the caller where tables are wrong because the frame is not set up, or no more: in a prologue or an epilogue."""
        from xemu.debug import arm_prologue

        thumb = state.mode == "thumb"
        function = module.function(pc)
        start = max(start, function.start) if function else start
        if (step := self._leaving(state, pc)) is not None:
            return step
        ahead = arm_prologue.prologue(self.memory, start, start + arm_prologue.MAX_PROLOGUE, thumb=thumb)
        if ahead is None or pc >= ahead.end:
            return None if pc > start else self._by_shape(state, StackShape(), "link register")
        shape = arm_prologue.prologue(self.memory, start, pc, thumb=thumb)
        return self._by_shape(state, shape, "prologue" if pc > start else "link register") if shape else None

    # -- the function's instructions ---------------------------------------------------------------------------------------
    def _by_code(self, state: State, pc: int, module: Module | None, _level: int) -> Step | None:
        """Read the function's prologue; in a function that has not touched the stack, the link register has it."""
        arch = self.architecture
        if self.code is not None:
            return self._by_own_code(state, pc, module)
        if not arch.thumb:
            return self._at_entry(state, pc, module)
        from xemu.debug import arm_prologue

        thumb = state.mode == "thumb"
        if state.exact and (step := self._leaving(state, pc)) is not None:
            return step
        stub = module.stub_start(pc) if state.exact and module is not None else None
        if stub is not None:
            shape = arm_prologue.prologue(self.memory, stub, pc, thumb=thumb)
            return self._by_shape(state, shape, "link register") if shape is not None else None
        function = module.function(pc if state.exact else pc - 1) if module else None
        if function is not None and (function.end > pc or function.end == function.start):
            start = function.start
        else:
            return self._guess(state, pc, thumb=thumb)
        shape = arm_prologue.prologue(self.memory, start, pc, thumb=thumb)
        if shape is None:
            return None
        if "lr" not in shape.saved:
            return self._by_shape(state, shape, "link register") if state.exact and arch.link in state.registers else None
        return self._by_shape(state, shape, "prologue" if shape.certain else "prologue?")

    def _by_own_code(self, state: State, pc: int, module: Module | None) -> Step | None:
        """Read an epilogue, or the function's prologue; where nobody knows its start, one is looked for."""
        arch = self.architecture
        assert self.code is not None
        if state.exact and (step := self._leaving(state, pc)) is not None:
            return step
        function = module.function(pc if state.exact else pc - 1) if module else None
        known = function is not None and (function.end > pc - (not state.exact) or function.end == function.start)
        start = function.start if function is not None and known else self.code.find_start(self.memory, pc, arch)
        if start is None:
            return None
        shape = self.code.prologue(self.memory, start, pc, arch)
        if shape is None:
            return None
        if arch.link and arch.link not in shape.saved:
            if not state.exact:                        # it has called somebody: what is read is not its beginning
                return None
            method = "link register" if known else "link register?"
        else:
            method = "link register" if start == pc else "prologue" if shape.certain and known else "prologue?"
        step = self._by_shape(state, shape, method)
        target = step.caller.registers[arch.pc] if step is not None and step.caller is not None else None
        return step if not method.endswith("?") or (target is not None and self._plausible(target, state.mode)) else None

    def _guess(self, state: State, pc: int, *, thumb: bool) -> Step | None:
        """Do the same for a function whose start nobody knows: the nearest PUSH of LR, or what is behind the last return."""
        from xemu.debug import arm_prologue

        start = arm_prologue.find_start(self.memory, pc, thumb=thumb)
        behind = arm_prologue.last_return(self.memory, pc, thumb=thumb)
        if state.exact and behind is not None and (start is None or start < behind) and "lr" in state.registers:
            leaf = arm_prologue.prologue(self.memory, behind, pc, thumb=thumb)
            if leaf is not None and self._plausible(state.registers["lr"], state.mode):
                return self._by_shape(state, leaf, "link register?")
        shape = arm_prologue.prologue(self.memory, start, pc, thumb=thumb) if start is not None else None
        step = self._by_shape(state, shape, "prologue?") if shape is not None and "lr" in shape.saved else None
        if step is not None and step.caller is not None:
            target = step.caller.registers["pc"] | (step.caller.mode == "thumb")
            if self._plausible(target, state.mode):
                return step
        if state.exact and self._plausible(state.registers.get("lr", 0), state.mode):
            return self._by_shape(state, StackShape(), "link register?")
        return None

    def _at_entry(self, state: State, pc: int, module: Module | None) -> Step | None:
        """Return the caller at a function's first instruction, where nothing has been stored yet."""
        arch, registers = self.architecture, state.registers
        function = module.function(pc) if module else None
        if not state.exact or function is None or function.start != pc:
            return None
        if arch.link:
            return self._finish(state, {**registers, arch.pc: registers[arch.link]}, registers[arch.sp], "link register")
        target = self._load(registers[arch.sp], arch.address_bytes)
        if target is None:
            return None
        return self._finish(state, {**registers, arch.pc: target}, registers[arch.sp] + arch.address_bytes, "link register")

    def _by_shape(self, state: State, shape: StackShape, method: str) -> Step | None:
        """Take the caller's registers from where a prologue, or the call, stored them."""
        arch, registers = self.architecture, state.registers
        cfa = registers[arch.sp] + shape.depth
        if shape.frame is not None and shape.frame[0] in registers:
            cfa = registers[shape.frame[0]] + shape.frame[1]
        cfa &= arch.mask
        found = {arch.sp: cfa}
        saved = {name: cfa - below & arch.mask for name, below in shape.saved.items()}
        for name, address in saved.items():
            value = self._load(address, arch.register_bytes(name))
            if value is None:
                return None
            found[name] = value
        target = found.get(arch.link, registers.get(arch.link)) if arch.link else found.get(arch.pc)
        if target is None:
            return None
        return self._finish(state, {**found, arch.pc: target}, cfa, method, saved)

    # -- chains and searches -----------------------------------------------------------------------------------------------
    def _chain(self, state: State, _pc: int, _module: Module | None, _level: int) -> Step | None:
        """Follow the frame pointer: the caller's, then the return address; GCC for ARM has them one word lower."""
        arch = self.architecture
        if arch.back_link:
            return self._back_chain(state)
        base, sp = state.registers.get(arch.frame, 0), state.registers[arch.sp]
        if not sp <= base < sp + MAX_CHAIN or base % arch.address_bytes:
            return None
        for low in (base, base - 4) if arch.thumb else (base,):
            older, target = self._load(low, arch.address_bytes), self._load(low + arch.address_bytes, arch.address_bytes)
            if older is None or target is None or not self._plausible(target, state.mode):
                continue
            if older and not base < older < base + MAX_CHAIN:
                continue
            cfa = low + 2 * arch.address_bytes
            return self._finish(state, {arch.frame: older, arch.pc: target}, cfa, "frame pointer")
        return None

    def _back_chain(self, state: State) -> Step | None:
        """Follow what every frame begins with: the caller's stack pointer, in whose frame the return address is."""
        arch, sp = self.architecture, state.registers[self.architecture.sp]
        older = self._load(sp, arch.address_bytes)
        if older == 0:
            return Step(None, None, "the first frame")
        if older is None or not sp < older < sp + MAX_CHAIN or older % arch.address_bytes:
            return None
        target = self._load(older + arch.back_link, arch.address_bytes)
        if target is None or not self._plausible(target, state.mode):
            return None
        return self._finish(state, {arch.pc: target}, older, "back chain")

    def _scan(self, state: State, _level: int) -> Step | None:
        """Search the stack for a return address."""
        arch = self.architecture
        sp = state.registers[arch.sp]
        if sp % arch.address_bytes or state.method.startswith("stack"):
            return None
        data = None
        size = MAX_SCAN
        while data is None and size >= 16:
            data = self.memory(sp, size)
            size //= 2
        if data is None:
            return None
        for at in range(0, len(data) - arch.address_bytes + 1, arch.address_bytes):
            target = arch.number(data[at : at + arch.address_bytes])
            if self._plausible(target, state.mode):
                cfa = sp + at + arch.address_bytes
                step = self._finish(state, {arch.pc: target}, cfa, "stack?")
                kept = {name: value for name, value in step.caller.registers.items() if name in (arch.pc, arch.sp, *_CONTROL)} \
                    if step.caller else {}  # fmt: skip
                return Step(cfa, step.caller._replace(registers=kept) if step.caller else None, step.reason)
        return None

    def _plausible(self, target: int, mode: str) -> bool:
        """Whether a word may be a return address: behind a call, in code."""
        arch = self.architecture
        if self.code is not None:
            inside = self.modules.at(target - 1) if target else None
            return (inside.is_code(target - 1) if inside is not None else not len(self.modules)) and \
                self.code.is_call_before(self.memory, target, arch)
        if not arch.thumb:
            return bool(target) and self.modules.function(target - 1) is not None
        from xemu.debug import arm_prologue

        thumb = bool(target & 1)
        if "xpsr" in self.registers and target >= 0xFFFF_FF00 and target | 1 != 0xFFFF_FFFF:
            return True                                # EXC_RETURN
        if target & 3 == 2 or (mode == "thumb" and "xpsr" in self.registers and not thumb):
            return False
        address = target & ~1
        if len(self.modules) and (module := self.modules.at(address)) is None:
            return False
        if len(self.modules) and module is not None and module.mode_at(address) == "data":
            return False
        return arm_prologue.is_call_before(self.memory, address, thumb=thumb)

    def _wrong(self, state: State, caller: State, step: Step, level: int) -> str:
        """Return why a caller cannot be: the stack grows downwards."""
        arch = self.architecture
        before, after = state.registers[arch.sp], caller.registers[arch.sp]
        if step.entered:
            return ""
        if after < before:
            return "the stack goes the wrong way"
        if after == before and level > 1 and not state.exact:
            return "the stack does not go on"
        if after % arch.address_bytes:
            return "the stack is not aligned"
        return ""

    # -- names -------------------------------------------------------------------------------------------------------------
    def _named(self, state: State, step: Step, level: int) -> Iterator[Frame]:
        """Yield the frame, preceded by one for each call that was inlined in it."""
        arch = self.architecture
        registers = state.registers
        pc, sp = registers[arch.pc], registers[arch.sp]
        lookup = pc if state.exact else pc - 1
        frame = Frame(level, pc, sp, step.cfa, "", 0, None, None, registers, state.method, state.mode, lookup=lookup, saved=state.saved)
        if step.entered and step.caller and step.caller.method == "exception":
            yield replace(frame, function=step.entered, exception=True)
            return
        if step.entered:
            yield replace(frame, function="signal handler called", signal=True, module=self.modules.at(pc), lookup=pc)
            return
        module = self.modules.at(lookup)
        if module is None:
            yield frame
            return
        place = module.place(lookup)
        source = module.source_function(lookup)
        function = module.function(lookup)
        name = source.name if source and source.name else function.name if function else ""
        start = source.start + module.bias if source else function.start if function else pc
        frame = replace(frame, module=module)
        for call in module.calls_at(lookup) if source else ():
            first = call.ranges[0][0] + module.bias if call.ranges else pc
            yield replace(frame, level=level, function=call.name, offset=max(0, pc - first), place=place, inline=True, call=call)
            level += 1
            place = _call_place(call, place)
        yield replace(frame, level=level, function=name, offset=pc - start, place=place)


_CONTROL = {"cpsr", "xpsr", "msp", "psp", "control"}


def _readers(name: str) -> tuple[Any, Any]:
    """Return what reads an architecture's code and its frames of signals; None where that is done here, or not at all."""
    if name in ("x86_64", "i386"):
        from xemu.debug import x86_frames, x86_prologue

        return x86_prologue, x86_frames
    if name in ("ppc", "ppc64", "ppc64le"):
        from xemu.debug import ppc_frames, ppc_prologue

        return ppc_prologue, ppc_frames
    return None, None


def _call_place(call: Call, place: Place | None) -> Place | None:
    from xemu.debug.lines import Place

    return Place(call.file, call.line, 0, place.start if place else 0, place.end if place else 0) if call.file else place


def _no_wrap(read_memory: ReadMemory) -> ReadMemory:
    """Return a reader for which addresses that make no sense are missing ones."""

    def read(address: int, length: int, /) -> bytes | None:
        if address < 0 or length < 0 or address >> 64:
            return None
        return read_memory(address, length)

    return read


def backtrace(registers: Mapping[str, int], read_memory: ReadMemory, modules: Modules, *, limit: int = LIMIT,
              architecture: Architecture | None = None) -> list[Frame]:  # fmt: skip
    """Return the call stack, newest frame first, at most `limit` frames (inlined calls count)."""
    return list(Unwinding(registers, read_memory, modules, architecture=architecture).frames(limit))


def frame_register(frame: Frame, architecture: Architecture, name: str) -> int:
    """Return a register of a frame; UnavailableError if it is not known there."""
    return read_register(architecture, frame.registers, name)
