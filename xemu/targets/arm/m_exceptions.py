"""Exception entry by SVC and exception return, as far as they need no decision of the machine's. ARMv7-M ARM B1.5.6, B1.5.8.

The machine keeps the cell FAST: 1 where the stack is 8-byte aligned at entry, code is privileged, no MPU, no SLEEPONEXIT; 2 where
that is so and somebody wants to see exceptions entered: then only those returns are made here that enter none. What
is not covered here (floating-point frames, something pending, masks, nesting in unusual order) goes to the machine's own
description of the same in Python. Both count as no instruction of their own.
"""

from __future__ import annotations

from xemu.core.bits import Bits, cat, const, mux, zext
from xemu.core.record import RegNo, when
from xemu.targets.arm.layout import EXCEPTION_RETURN_WORD, RETURN, UNMASKED
from xemu.targets.arm.m_isa import V6_M, m16, m_row

SVCALL, PENDSV = 11, 14
FRAME = 32
RETURN_TO_HANDLER, RETURN_TO_MAIN, RETURN_TO_PROCESS = 0xFFFFFFF0, 0xFFFFFFF8, 0xFFFFFFFC     # as the program counter shows them


def xpsr(cpu, padding: Bits) -> Bits:
    """Return xPSR as it is stacked outside IT blocks; `padding` is bit 9."""
    return cat(cpu.nzcv, cpu.Q, const(0, 2), const(1, 1), const(0, 4), cpu.GE, const(0, 6), padding, cpu.IPSR)


@m_row(m16, V6_M, "1101 1111 imm8", "svc #{imm8}")
def SVC(cpu, imm8):
    """SVC, T1. From Thread mode with nothing masked or active the exception is entered here. ARMv7-M ARM A7.7.175, B1.5.6."""
    fast = (cpu.FAST == 1) & (cpu.IPSR == 0) & (cpu.NACTIVE == 0) & (cpu.ITSTATE == 0) & (cpu.PRIMASK == 0) & (cpu.BASEPRI == 0)
    fast = fast & (cpu.FAULTMASK == 0) & (cpu.CONTROL[2] == 0)
    with when(~fast):
        cpu.trap("syscall", zext(imm8, 32))
    with when(fast):
        old = cpu.R[13]
        frame = (old - FRAME) & -8
        cpu.probe(frame, FRAME, write=True)
        vector = cpu.mem_read(cpu.VTOR + 4 * SVCALL, 4)
        _not_high(cpu, vector)
        words = (*(cpu.R[n] for n in (0, 1, 2, 3, 12, 14)), cpu.pc + 2, xpsr(cpu, old[2]))
        for i in range(0, 8, 2):
            cpu.mem_write(frame + 4 * i, cat(words[i + 1], words[i]), checked=False)
        process = cpu.CONTROL[1]
        cpu.R[14] = mux(process, const(0xFFFFFFFD, 32), const(0xFFFFFFF9, 32))
        cpu.R[13] = mux(process, cpu.SPOTHER, frame)
        cpu.SPOTHER = mux(process, frame, cpu.SPOTHER)
        cpu.CONTROL = const(0, 3)
        cpu.IPSR = const(SVCALL, 9)
        cpu.ACTIVE[0] = const(1 << SVCALL, 32)
        cpu.NACTIVE = const(1, 9)
        cpu.EXSIZE = const(0, 8)
        cpu.EVENT = const(1, 1)
        cpu.bx_to(vector, kind="call")


@m_row(m16, V6_M, f"{EXCEPTION_RETURN_WORD:016b}", "exception return")
def exception_return(cpu):
    """Not an instruction: what the processor does when it jumps to an EXC_RETURN value. ARMv7-M ARM B1.5.8."""
    number = cpu.IPSR
    word, bit = RegNo(number[8:5]), const(1, 32) << zext(number[4:0], 32)
    to_handler, to_process = cpu.pc == RETURN_TO_HANDLER, cpu.pc == RETURN_TO_PROCESS
    known = to_handler | to_process | (cpu.pc == RETURN_TO_MAIN)
    nesting = mux(to_handler, cpu.NACTIVE != 1, cpu.NACTIVE == 1)
    fast = (cpu.FAST != 0) & known & (number != 0) & ((cpu.ACTIVE[word] & bit) != 0) & nesting
    fast = fast & (cpu.LINES == 0) & (cpu.FAULTMASK == 0) & (cpu.CONTROL == 0)
    chain = (cpu.FAST == 1) & ~to_handler & (cpu.SWITCH == 1) & (cpu.PRIMASK == 0) & (cpu.BASEPRI == 0)
    with when(~(fast & ((cpu.PENDING == 0) | chain))):
        cpu.abort("exception", RETURN)
    with when(chain):
        _switch(cpu, word, bit)
    with when(~chain):
        _unstack(cpu, word, bit, to_handler, to_process)


def _not_high(cpu, vector: Bits) -> None:
    """Leave a vector that points to EXC_RETURN values to the machine: a fetch from there is a fault, not a return."""
    with when(vector[31:28] == 15):
        cpu.abort("exception", RETURN)


def _switch(cpu, word: RegNo, bit: Bits) -> None:
    """Tail-chaining to PendSV, what kernels switch threads with: the frame stays where it is."""
    vector = cpu.mem_read(cpu.VTOR + 4 * PENDSV, 4)
    _not_high(cpu, vector)
    cpu.R[14] = cpu.pc | 1
    active = cpu.ACTIVE[word] & ~bit
    cpu.ACTIVE[word] = active
    cpu.ACTIVE[0] = cpu.ACTIVE[0] | 1 << PENDSV
    cpu.PENDED[0] = cpu.PENDED[0] & ~(1 << PENDSV)
    cpu.IPSR, cpu.ITSTATE, cpu.EXSIZE = const(PENDSV, 9), const(0, 8), const(0, 8)
    cpu.EVENT, cpu.PENDING, cpu.SWITCH = const(1, 1), const(0, 1), const(0, 1)
    cpu.bx_to(vector)


def _unstack(cpu, word: RegNo, bit: Bits, to_handler: Bits, to_process: Bits) -> None:
    """Back to where the exception was taken."""
    frame = mux(to_process, cpu.SPOTHER, cpu.R[13])
    cpu.probe(frame, FRAME)
    words = []
    for i in range(0, 8, 2):
        both = cpu.mem_read(frame + 4 * i, 8, checked=False)
        words += [both[31:0], both[63:32]]
    psr = words[7]
    with when((psr[8:0] == 0) == to_handler):
        cpu.abort("exception", RETURN)
    top = (frame + FRAME) | (zext(psr[9], 32) << 2)
    main = cpu.R[13]
    cpu.R[13] = top
    with when(to_process):
        cpu.SPOTHER = main
    for register, value in zip((0, 1, 2, 3, 12, 14), words[:6], strict=True):
        cpu.R[register] = value
    cpu.set_nzcv(psr[31:28])
    cpu.Q, cpu.GE, cpu.ITSTATE = psr[27], psr[19:16], cat(psr[15:10], psr[26:25])
    cpu.IPSR, cpu.CONTROL = psr[8:0], cat(const(0, 1), to_process, const(0, 1))
    cpu.ACTIVE[word] = cpu.ACTIVE[word] & ~bit
    cpu.NACTIVE = cpu.NACTIVE - 1
    cpu.EXSIZE, cpu.EVENT = const(0, 8), const(1, 1)
    with when(cpu.PENDING == 1):
        cpu.trap("event", UNMASKED)               # not reached, but it keeps this out of compiled regions
    cpu.branch(words[6] & -2, context=cpu.context_word(psr[24]), kind="return")
