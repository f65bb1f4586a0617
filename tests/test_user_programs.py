"""C programs that try the Linux interface, compiled for ARM: what they print is in user_programs/NAME.out.

The texts were compared with qemu-arm where it is right (it is not for exec of foreign programs and some threads).
"""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.programs import PLAIN, ROOT, XEMU, run, xemu_command

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCES = Path(__file__).parent / "user_programs"
NAMES = sorted(path.stem for path in SOURCES.glob("*.c"))
CODES = {"signals": 143, "threads": 3}
HELLO = ROOT / "samples" / "arm" / "hello"


@pytest.fixture(scope="session")
def compiled(need: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that compiles one of the programs, or C text."""
    compiler = need("arm-linux-gnueabihf-gcc")
    directory = tmp_path_factory.mktemp("compiled")

    def build(name: str, text: str | None = None) -> Path:
        source = SOURCES / f"{name}.c"
        if text is not None:
            source = directory / f"{name}.c"
            source.write_text(text)
        program = directory / name
        if not program.exists():
            flags = ["-O1", "-w", "-static", "-pthread"]
            subprocess.run([compiler, *flags, str(source), "-o", str(program), "-lm"], check=True, capture_output=True)
        return program

    return build


def steady(text: str) -> str:
    """Leave out what differs from run to run or machine to machine: addresses, sizes of the file system."""
    text = re.sub(r"addr 0x[1-9a-f][0-9a-f]{3,}", "addr …", text)
    return re.sub(r"(f_bsize|f_namelen|pipe holds) ?=? ?\d+", r"\1 …", text)


@pytest.mark.parametrize("name", NAMES)
def test_program_prints_what_it_should(name: str, compiled: Callable[..., Path], tmp_path: Path) -> None:
    result = run(xemu_command(compiled(name)), cwd=tmp_path)
    expected = (SOURCES / f"{name}.out").read_text()
    assert steady(result.stdout.decode()) == steady(expected), result.stderr.decode()
    assert result.code == CODES.get(name, 0)


@pytest.mark.parametrize("name", ["threads", "events", "structs"])
def test_program_prints_the_same_under_the_virtual_clock(name: str, compiled: Callable[..., Path], tmp_path: Path) -> None:
    result = run(xemu_command(compiled(name), options=["--seed", "1"]), cwd=tmp_path)
    assert result.code == CODES.get(name, 0), result.stderr.decode()
    if name != "events":
        assert result.stdout.decode() == (SOURCES / f"{name}.out").read_text()


def test_threads_repeat_exactly_under_a_seed(compiled: Callable[..., Path]) -> None:
    program = compiled("threads")
    hashes = {run(xemu_command(program, options=["--seed", "4", "--trace-hash"])).stderr for _ in range(3)}
    assert len(hashes) == 1
    assert b"trace hash" in hashes.pop()


# --- fatal signals and bad input ----------------------------------------------------------------

CRASH = r"""
#include <stdlib.h>
#include <signal.h>
#include <unistd.h>
__attribute__((noinline)) void boom(int *p) { *p = 3; }
int deep(int n) { volatile char b[4000]; b[0] = n; return deep(n + 1) + b[0]; }
int main(int c, char **v) {
    switch (v[1][0]) {
    case 's': boom((int *)8);
    case 'a': abort();
    case 'x': ((void (*)(void))0xdead0000)();
    case 'd': { static int data = 0xe7f000f0; ((void (*)(void))&data)(); }
    case 'r': return deep(0);
    case 't': raise(SIGTERM);
    case 'u': asm volatile(".inst.w 0xf7f0a0f0");
    case 'm': for (;;) { char *p = malloc(1 << 24); if (!p) return 9; for (int i = 0; i < 1 << 24; i += 1 << 20) p[i] = 1; }
    }
    return 0;
}
"""
DEATHS = {
    "s": (139, "SIGSEGV at .* in boom.*: nothing is mapped at 0x00000008"),
    "a": (134, "SIGABRT .* the program called abort"),
    "x": (139, "SIGSEGV at 0xdead0000: nothing is mapped at 0xdead0000"),
    "d": (139, "SIGSEGV .* no right to execute"),
    "r": (139, "SIGSEGV .* in deep"),
    "t": (143, "^$"),
    "u": (132, "SIGILL .* in main.*undefined instruction"),
    "m": (9, "^$"),
}


@pytest.mark.parametrize("how", DEATHS)
def test_fatal_signal_says_where_and_exits_128_plus_n(how: str, compiled: Callable[..., Path]) -> None:
    code, text = DEATHS[how]
    result = run(xemu_command(compiled("crash", CRASH), how))
    assert result.code == code
    message = result.stderr.decode()
    assert re.search(text, message)
    if text != "^$":
        assert re.search(r"r0 [0-9a-f]{8}", message)
        assert re.search(r"sp [0-9a-f]{8}", message)
    if how in "su":
        assert "=> " in message


def test_bad_programs_are_refused_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program\n")
    (tmp_path / "empty").write_text("")
    (tmp_path / "cut").write_bytes(HELLO.read_bytes()[:100])
    foreign = bytearray(HELLO.read_bytes())
    foreign[18] = 94  # Xtensa
    (tmp_path / "foreign").write_bytes(foreign)
    (tmp_path / "secret").write_bytes(HELLO.read_bytes())
    (tmp_path / "secret").chmod(0)
    cases = {
        str(tmp_path): (126, "a directory"), "missing": (127, "no such file"), "text": (126, "not an ELF program"),
        "foreign": (126, "xemu runs arm, i386, ppc, ppc64le, x86_64 programs"),
        "empty": (126, "the file is empty"), "cut": (126, "the file at 0x64"), "/dev/null": (126, "not a regular file"),
    }  # fmt: skip
    if os.getuid():
        cases["secret"] = (126, "permission denied")
    for name, (code, text) in cases.items():
        result = run(xemu_command(name), cwd=tmp_path)
        assert (result.code, result.stdout) == (code, b""), name
        assert text in result.stderr.decode()
        assert result.stderr.count(b"\n") == 1


def test_a_segment_larger_in_the_file_than_in_memory_is_refused(tmp_path: Path) -> None:
    blob = bytearray(HELLO.read_bytes())
    for size in (0, 1):
        blob[52 + 20 : 52 + 24] = size.to_bytes(4, "little")  # memsz of the first program header
        (tmp_path / "damaged").write_bytes(blob)
        result = run(xemu_command(tmp_path / "damaged"))
        assert (result.code, result.stdout) == (126, b"")
        assert f"for {size:#x} in memory" in result.stderr.decode()


@pytest.mark.parametrize("offset", [24, 52 + 8])
def test_wild_entry_and_header_addresses_of_movable_programs(offset: int, need: Callable[..., str], tmp_path: Path) -> None:
    source = tmp_path / "start.c"
    source.write_text("void _start(void) { ((void (*)(void))0xdead0000)(); }\n")
    program = tmp_path / "start"
    options = ["-static-pie", "-nostdlib", "-Wl,--no-dynamic-linker"]
    subprocess.run([need("arm-linux-gnueabihf-gcc"), *options, str(source), "-o", str(program)], check=True)
    blob = bytearray(program.read_bytes())
    if offset != 24:
        stack = b"\x51\xe5\x74\x64"  # PT_GNU_STACK, which gives way to
        offset = next(at for at in range(52, 52 + 32 * blob[44], 32) if blob[at : at + 4] == stack) + 8
        blob[offset - 8 : offset - 4] = b"\6\0\0\0"  # PT_PHDR: where the headers are
    blob[offset : offset + 4] = b"\xfe\xff\xff\xff"
    program.write_bytes(blob)
    result = run(xemu_command(program))
    assert result.code == 139, result.stderr.decode()


RETURN_TO = r"""
#include <signal.h>
#include <stdlib.h>
#include <ucontext.h>
static int add;
static void handler(int n, siginfo_t *info, void *context) { ((ucontext_t *)context)->uc_mcontext.arm_pc += add; }
int main(int c, char **v) {
    struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
    add = atoi(v[1]);
    sigaction(SIGUSR1, &action, 0);
    raise(SIGUSR1);
    return 7;
}
"""


LEADER = """
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>
static void *last(void *argument) { usleep(20000); syscall(SYS_exit, 33); return argument; }
int main(void) { pthread_t thread; pthread_create(&thread, 0, last, 0); syscall(SYS_exit, 4); return 0; }
"""


def test_the_status_is_the_first_threads_whoever_ends_last(compiled: Callable[..., Path]) -> None:
    assert run(xemu_command(compiled("leader", LEADER))).code == 4


def test_an_odd_address_to_return_to_is_the_instruction_before_it(compiled: Callable[..., Path]) -> None:
    program = compiled("returnto", RETURN_TO)
    for tier in ((), ("--no-jit",)):
        assert run(xemu_command(program, 1, options=tier)).code == 7


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_standard_descriptors_that_are_closed_are_closed_for_the_guest_only(closed: int, compiled: Callable[..., Path]) -> None:
    program = compiled("closed", CLOSED)
    words = ["sh", "-c", f'exec "$0" "$@" {closed}>&-', *map(str, xemu_command(program, closed))]
    result = run(words)
    assert result.code == closed, result.stderr.decode()
    assert b"Traceback" not in result.stderr


CLOSED = r"""
#include <fcntl.h>
#include <stdlib.h>
int main(int c, char **v) {
    int closed = atoi(v[1]);
    for (int i = 0; i < 3; i++)
        if ((fcntl(i, F_GETFD) < 0) != (i == closed))
            return 100 + i;
    return open("/dev/null", O_RDONLY);
}
"""


def test_missing_loader_names_the_option(need: Callable[..., str], tmp_path: Path) -> None:
    source = tmp_path / "dynamic.c"
    source.write_text("int main(void) { return 0; }\n")
    subprocess.run([need("arm-linux-gnueabihf-gcc"), str(source), "-o", str(tmp_path / "dynamic")], check=True)
    result = run(xemu_command(tmp_path / "dynamic", options=["-L", str(tmp_path)]))
    assert result.code == 126
    assert "ld-linux-armhf.so.3" in result.stderr.decode()
    assert "-L" in result.stderr.decode()


@pytest.mark.parametrize(("words", "text"), [
    ([], "no program given"), (["--strase", "x"], "did you mean --strace"),
    (["--timeout", "soon", "x"], "not a SECONDS"),
    (["--timeout", "nan", "x"], "not a SECONDS"), (["--timeout", "inf", "x"], "not a SECONDS"), (["--timeout", "-1", "x"], "not a SECONDS"),
    (["--max-insns", "-1", "x"], "not a COUNT"), (["--timeout-exit-code", "300", "x"], "not a CODE"),
    (["-L", "nowhere", "x"], "-L nowhere: no such directory"),
    (["--timeout"], "needs a value"), (["--strace=1", "x"], "takes no value"),
    (["--clock", "host", "--seed", "1", "x"], "cannot be combined"),
])  # fmt: skip
def test_wrong_options_are_usage_errors(words: list[str], text: str) -> None:
    result = run([*XEMU, "run", *words])
    assert result.code == 2
    assert text in result.stderr.decode()


def test_limits_end_a_program(compiled: Callable[..., Path]) -> None:
    spin = compiled("spin", "int main(void) { for (;;) ; }")
    assert run(xemu_command(spin, options=["--timeout", "1"])).code == 124
    assert run(xemu_command(spin, options=["--timeout", "1", "--timeout-exit-code", "42"])).code == 42
    result = run(xemu_command(spin, options=["--max-insns", "1_000_000"]))
    assert result.code == 124
    assert "after 1000000 instructions" in result.stderr.decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_from_outside_end_a_busy_guest_at_once(number: signal.Signals, compiled: Callable[..., Path]) -> None:
    spin = compiled("busy", 'int main(void) { write(1, "go", 2); for (;;) ; }')
    words = [str(word) for word in xemu_command(spin)]
    environment = {**os.environ, **PLAIN, "HOME": os.environ.get("HOME", "/")}
    words = ["env", "--default-signal=INT,TERM", *words]               # a job in the background ignores SIGINT
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=environment) as process:
        try:
            assert process.stdout
            assert process.stdout.read(2) == b"go"
            process.send_signal(number)
            assert process.wait(30) == 128 + number
        finally:
            process.kill()


def test_nothing_is_imported_before_an_interrupt_just_ends_the_start() -> None:
    code = "import sys, os; before = set(sys.modules); import xemu.cli.main; print(sorted(set(sys.modules) - before))"
    words = [sys.executable, "-S", "-c", code]
    result = run(words, env={"PYTHONPATH": str(ROOT)})
    assert result.stdout.decode().strip() == "['__future__', 'xemu', 'xemu.cli', 'xemu.cli.main']", result.stderr.decode()


@pytest.mark.parametrize(("tier", "runs", "rests"), [("--no-jit", "interpreter", "region"), ("--eager-jit", "region", None)])
def test_stats_give_the_time_of_each_tier(tier: str, runs: str, rests: str | None) -> None:
    result = run(xemu_command(ROOT / "samples" / "arm" / "life", options=["--stats", tier]))
    times = {name: float(seconds) for name, seconds in re.findall(r"(\w+) seconds +([0-9.]+)", result.stderr.decode())}
    assert set(times) == {"evaluator", "interpreter", "region"}
    assert times[runs] > 0.05
    if rests:
        assert times[rests] == 0


def test_strace_shows_calls_and_errors(tmp_path: Path) -> None:
    result = run(xemu_command(HELLO, options=["--strace"]), cwd=tmp_path)
    lines = result.stderr.decode().splitlines()
    assert any(re.fullmatch(r"write(v?)\(1, .*Hello.*\) = 2[0-9]", line) for line in lines), lines
    assert re.fullmatch(r"exit(_group)?\(0\) = \?", lines[-1])


def test_environment_and_argv0(compiled: Callable[..., Path]) -> None:
    show = compiled("show", r"""
#include <stdio.h>
#include <stdlib.h>
int main(int c, char **v) { printf("%s %s %s %s\n", v[0], v[1], getenv("A"), getenv("HOME") ? "home" : "none"); }
""")  # fmt: skip
    options = ["-E", "A=b", "-E", "HOME", "-0", "zero"]
    assert run(xemu_command(show, "-x", options=options)).stdout == b"zero -x b none\n"


def test_a_terminal_belongs_to_the_guest(compiled: Callable[..., Path]) -> None:
    program = compiled("tty", r"""
#include <stdio.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
static void stop(int s) { write(1, "caught\n", 7); _exit(5); }
int main(void) {
    struct winsize w; struct termios t; char b[20];
    signal(SIGINT, stop);
    printf("%d %d\n", isatty(0), ioctl(0, TIOCGWINSZ, &w)); fflush(stdout);
    tcgetattr(0, &t); t.c_lflag &= ~ECHO; tcsetattr(0, TCSANOW, &t);
    write(1, "ready\n", 6);
    b[read(0, b, 10)] = 0; printf("got %s", b); fflush(stdout);
    for (;;) pause();
}
""")  # fmt: skip
    pid, fd = pty.fork()
    if pid == 0:
        words = [str(word) for word in xemu_command(program)]
        os.execvpe(words[0], words, {**os.environ, **PLAIN, "HOME": os.environ.get("HOME", "/")})
    try:
        assert "1 0" in _until(fd, "ready")
        os.write(fd, b"line\n")
        assert _until(fd, "got line").count("line") == 1
        os.write(fd, b"\x03")
        assert "caught" in _until(fd, "caught")
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
    finally:
        os.close(fd)


def _until(fd: int, text: str) -> str:
    """Read from a terminal until a text appears, at most a minute."""
    got, end = "", time.monotonic() + 60
    while text not in got and time.monotonic() < end:
        if select.select([fd], [], [], 0.2)[0]:
            got += os.read(fd, 4096).decode(errors="replace")
    return got
