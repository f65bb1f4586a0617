"""Load a program as execve(2) does: image, interpreter, stack, auxiliary vector."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from xemu.core.memory import EXEC, PAGE, READ, WRITE
from xemu.errors import ImageError, NotFoundError
from xemu.loaders.elf import ElfHeader, file_reader, read_elf
from xemu.user import stack as at
from xemu.user.abi import get_abi

if TYPE_CHECKING:
    from xemu.loaders.image import Image, Segment
    from xemu.user.abi import Abi
    from xemu.user.process import Process

STACK_LIMIT = 64 << 20  # an unlimited stack gets this much
STACK_DEFAULT = 8 << 20
STACK_GAP = 16 << 20
LOWEST = 0x1000


class Program:
    """A program file that was checked and can be loaded; closes its descriptors when done."""

    def __init__(self, process: Process, path: bytes, name: str) -> None:
        """Open and check `path` (host) and its interpreter; ImageError, NotFoundError."""
        self.path = path
        self.fd = open_program(path, name)
        self.interpreter_fd = -1
        self.interpreter: Image | None = None
        try:
            self.image = _read(self.fd, name)
            self.abi = process.abi if process.abi and process.abi.name == self.image.arch else _abi(self.fd, name)
            self.abi.check_image(self.image, name)
            _check_place(self.image, self.abi, name)
            if self.image.interpreter:
                self._open_interpreter(process, self.image.interpreter, name)
        except BaseException:
            self.close()
            raise

    def _open_interpreter(self, process: Process, wanted: bytes, name: str) -> None:
        path = process.paths.translate(wanted) if wanted.startswith(b"/") else wanted
        text = os.fsdecode(wanted)
        if not os.path.exists(path):
            where = f"is not under {os.fsdecode(process.paths.sysroot)}" if process.paths.sysroot else "is not here"
            raise ImageError(f"{name} needs {text}, which {where}: give the root of its libraries with -L")
        self.interpreter_fd = open_program(path, text)
        self.interpreter = _read(self.interpreter_fd, text)
        if self.interpreter.arch != self.image.arch:
            raise ImageError(f"{name} needs {text}, but that is built for {self.interpreter.arch}: give the right root with -L")
        _check_place(self.interpreter, self.abi, text)

    def close(self) -> None:
        """Close the files."""
        for fd in (self.fd, self.interpreter_fd):
            if fd >= 0:
                os.close(fd)
        self.fd = self.interpreter_fd = -1


def open_program(path: bytes, name: str) -> int:
    """Open a program file for reading; NotFoundError or ImageError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(f"{name}: no such file") from None
    except OSError as error:
        raise ImageError(f"{name}: {(error.strerror or '').lower()}") from None
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode):
        os.close(fd)
        kind = "a directory" if stat.S_ISDIR(mode) else "not a regular file"
        raise ImageError(f"{name}: {kind}, not a program")
    return fd


def _read(fd: int, name: str) -> Image:
    return read_elf(file_reader(fd), os.fstat(fd).st_size, name)


def _abi(fd: int, name: str) -> Abi:
    arch, title = ElfHeader(file_reader(fd), name).machine
    return get_abi(arch, name, title)


def _check_place(image: Image, abi: Abi, name: str) -> None:
    if image.movable:
        if image.high - image.low > abi.task_size // 2:
            raise ImageError(f"{name}: needs {image.high - image.low:#x} bytes of addresses; is the file damaged?")
    elif image.low < LOWEST or image.high > abi.task_size:
        raise ImageError(f"{name}: wants {image.low:#x} to {image.high:#x}; a program may use {LOWEST:#x} to {abi.task_size:#x}")


def load(process: Process, program: Program, argv: list[bytes], envp: list[bytes], execfn: bytes) -> tuple[int, int]:
    """Fill the empty space and return (entry, stack pointer)."""
    abi, image = program.abi, program.image
    abi.prepare_space(process.space)
    slide = process.slide
    stack_size = _stack_size()
    stack_top = abi.stack_top - slide(0x7FF)
    process.mmap_top = (stack_top - max(stack_size + STACK_GAP, 128 << 20) - slide(0x3FFF)) & -PAGE
    bias = _bias(image, abi.program_base + slide(0x3FFF)) if image.movable else 0
    _map_image(process, image, program.fd, bias)
    process.program_bias = bias
    process.brk_start = process.brk = (image.high + bias + PAGE - 1) & -PAGE
    entry, base = image.entry + bias, 0
    if program.interpreter is not None:
        entry, base = _map_interpreter(process, program)
    executable = EXEC if image.executable_stack else 0
    process.space.map(stack_top - stack_size, stack_size, READ | WRITE | executable, path="[stack]")
    process.stack_range = (stack_top - stack_size, stack_top)
    auxv = _auxv(program, bias, base)
    first = at.InitialStack(
        stack_top, argv, envp, auxv, program=execfn, platform=abi.platform, random=process.clock.entropy(16),
        bits=abi.bits, order=abi.order, base_platform=abi.base_platform,
    )  # fmt: skip
    process.space.poke(first.pointer, first.data)
    process.stack_info = first
    return entry & (1 << abi.bits) - 1, first.pointer


def _stack_size() -> int:
    import resource

    soft = resource.getrlimit(resource.RLIMIT_STACK)[0]
    if soft < 0 or soft > STACK_LIMIT:
        return STACK_DEFAULT if soft < 0 else STACK_LIMIT
    return max(soft & -PAGE, 1 << 17)


def _bias(image: Image, wanted: int) -> int:
    align = max(PAGE, *(s.align for s in image.segments))
    return ((wanted + align - 1) & -align) - (image.low & -align)


def _map_interpreter(process: Process, program: Program) -> tuple[int, int]:
    image = program.interpreter
    assert image is not None
    bias = 0
    if image.movable:
        size = image.high - (image.low & -PAGE)
        align = max(PAGE, *(s.align for s in image.segments))
        place = process.space.find_free(size + align, LOWEST, process.mmap_top)
        if place is None:
            raise ImageError("no room for the program's loader")
        bias = ((place + align - 1) & -align) - (image.low & -align)
    _map_image(process, image, program.interpreter_fd, bias)
    return image.entry + bias, bias


def _map_image(process: Process, image: Image, fd: int, bias: int) -> None:
    for segment in image.segments:
        try:
            _map_segment(process, segment, fd, bias)
        except OSError as error:
            raise ImageError(f"segment {segment} cannot be mapped: {error.strerror}") from None


def _map_segment(process: Process, segment: Segment, fd: int, bias: int) -> None:
    space = process.space
    start = segment.address + bias
    page = start & -PAGE
    file_end = start + segment.file_size
    mapped_end = page
    if segment.file_size:
        length = file_end - page
        space.map(page, length, segment.prot, fd=fd, offset=segment.offset - (start - page))
        mapped_end = (file_end + PAGE - 1) & -PAGE
        if segment.size > segment.file_size:
            space.poke(file_end, bytes(mapped_end - file_end))
    end = (start + segment.size + PAGE - 1) & -PAGE
    if end > mapped_end:
        space.map(mapped_end, end - mapped_end, segment.prot)


def _auxv(program: Program, bias: int, base: int) -> dict[int, int]:
    image, abi = program.image, program.abi
    values = {
        at.AT_HWCAP: abi.hwcap, at.AT_PAGESZ: PAGE, at.AT_CLKTCK: at.USER_HZ,
        at.AT_PHDR: image.header_address + bias if image.header_address else 0,
        at.AT_PHENT: image.header_size, at.AT_PHNUM: image.header_count, at.AT_BASE: base, at.AT_FLAGS: 0,
        at.AT_ENTRY: image.entry + bias, at.AT_UID: os.getuid(), at.AT_EUID: os.geteuid(), at.AT_GID: os.getgid(),
        at.AT_EGID: os.getegid(), at.AT_SECURE: 0, at.AT_RANDOM: 0, at.AT_HWCAP2: abi.hwcap2, at.AT_EXECFN: 0,
        at.AT_PLATFORM: 0, **abi.auxv,
    }  # fmt: skip
    if abi.frame_size:
        values[at.AT_MINSIGSTKSZ] = abi.frame_size
    return {key: value & (1 << abi.bits) - 1 for key, value in values.items()}  # a damaged file may name any address
