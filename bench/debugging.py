"""`python -m bench.debugging`: what debugging costs, next to QEMU and gdbserver; writes docs/performance-debugging.md.

All three are asked over the same socket by the same small client, so that GDB's own time is not in the figures.
"""

from __future__ import annotations

import contextlib
import math
import socket
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from bench import build
from bench.report import DOCS, machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SOURCE: Final = """
unsigned table[4096], never_touched[2048];
__attribute__((noinline)) void never(void) { never_touched[1024]++; }
__attribute__((noinline)) unsigned hot(unsigned x, unsigned i) { return x * 1664525 + table[i & 4095]++; }
int main(int argc, char **argv)
{
    unsigned x = 1, rounds = 0;
    for (const char *p = argc > 1 ? argv[1] : "1"; *p; p++)
        rounds = rounds * 10 + (*p - '0');
    for (unsigned n = 0; n < rounds; n++)
        for (unsigned i = 0; i < 10000; i++)
            x = hot(x, i);
    if (x == 12345)
        never();
    return 0;
}
"""
CALLS: Final = 10_000               # of `hot` in a round
STEPS: Final = 1000
HITS: Final = 300
INTRODUCTION: Final = """Written by `python -m bench.debugging`: {machine}. QEMU is `qemu-arm -g` 7.2 on the same ARM program, gdbserver
is Debian's on a native build of it; all are driven by the same client over a socket. "×" is against the same program under the same
stub without the point, or without a debugger where that is said."""


class Client:
    """The least of a GDB: packets, without acknowledgement where the stub allows it."""

    def __init__(self, port: int) -> None:
        end = time.monotonic() + 20
        while True:
            try:
                self.socket = socket.create_connection(("127.0.0.1", port), timeout=300)
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.acks = True
        features = self.ask("qSupported:multiprocess-;swbreak+;hwbreak+;ConditionalBreakpoints+;BreakpointCommands+")
        if "QStartNoAckMode+" in features and self.ask("QStartNoAckMode") == "OK":
            self.acks = False
        self.features = features
        self.ask("?")                              # gdbserver takes nothing else before

    def send(self, text: str) -> None:
        """Send a packet."""
        data = text.encode("latin-1")
        self.socket.sendall(b"$%s#%02x" % (data, sum(data) & 255))

    def receive(self) -> str:
        """Return the next packet."""
        while True:
            start = self.buffer.find(b"$")
            end = self.buffer.find(b"#", start)
            if 0 <= start < end and len(self.buffer) >= end + 3:
                packet, self.buffer = self.buffer[start + 1:end], self.buffer[end + 3:]
                if self.acks:
                    self.socket.sendall(b"+")
                if packet[:1] != b"O" or packet == b"OK":
                    return packet.decode("latin-1")
                continue
            more = self.socket.recv(65536)
            if not more:
                return "gone"
            self.buffer += more

    def ask(self, text: str) -> str:
        """Send a packet and return its answer."""
        self.send(text)
        return self.receive()

    def go(self, text: str) -> tuple[str, float]:
        """Send a packet that moves the guest; return its stop and the seconds."""
        began = time.perf_counter()
        answer = self.ask(text)
        return answer, time.perf_counter() - began


def programs() -> tuple[Path, Path]:
    """Build the program for ARM and for the host."""
    build.BUILD.mkdir(parents=True, exist_ok=True)
    source = build.BUILD / "debugging.c"
    source.write_text(SOURCE)
    arm, native = build.BUILD / "debugging-arm", build.BUILD / "debugging-native"
    subprocess.run(["arm-linux-gnueabihf-gcc", "-O1", "-marm", "-static", source, "-o", arm], check=True)
    subprocess.run(["gcc", "-O1", "-static", "-fcf-protection=none", source, "-o", native], check=True)
    return arm, native


def _symbols(program: Path) -> dict[str, int]:
    out = subprocess.run(["nm", program], check=True, capture_output=True, text=True).stdout
    return {line.split()[2]: int(line.split()[0], 16) for line in out.splitlines() if len(line.split()) == 3}


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@contextlib.contextmanager
def stub(kind: str, program: Path, rounds: int) -> Iterator[Client]:
    """Start a stub on the program, stopped at its first instruction."""
    port = _free_port()
    command: list[Any] = {
        "xemu": [sys.executable, "-m", "xemu", "gdbserver", "--once", f"localhost:{port}", program, str(rounds)],
        "qemu": ["qemu-arm", "-g", str(port), program, str(rounds)],
        "gdbserver": ["gdbserver", "--once", f"localhost:{port}", program, str(rounds)],
    }[kind]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield Client(port)
    finally:
        process.kill()
        process.wait()


def _least(measure: Callable[[], float], rounds: int = 3) -> float:
    return min(measure() for _ in range(rounds))


def whole_run(kind: str, program: Path, rounds: int, *points: str) -> float:
    """Return the seconds from the first instruction to the end, with some points set."""
    def once() -> float:
        with stub(kind, program, rounds) as client:
            for point in points:
                if client.ask(point) != "OK":
                    return float("nan")
            answer, seconds = client.go("c")
            return seconds if answer[:1] in "Wg" else float("nan")
    return _least(once)


def step_time(kind: str, program: Path) -> float:
    """Return the seconds of one `stepi`."""
    with stub(kind, program, 1) as client:
        for _ in range(20):
            client.go("vCont;s")
        return statistics.median(client.go("vCont;s")[1] for _ in range(STEPS))


def stop_time(kind: str, program: Path, address: int, size: int) -> float:
    """Return the seconds of a breakpoint's hit that GDB would look at: continue, stop, and a step off it."""
    with stub(kind, program, 1) as client:
        point = f"0,{address:x},{size}"
        client.ask("Z" + point)
        client.go("c")

        def hit() -> float:
            seconds = 0.0
            if kind != "xemu":                            # steps over its own points
                client.ask("z" + point)
                seconds += client.go("vCont;s")[1]
                client.ask("Z" + point)
            return seconds + client.go("c")[1]
        return statistics.median(hit() for _ in range(HITS))


def condition_time(kind: str, program: Path, address: int, size: int, rounds: int) -> float:
    """Return the seconds that one false condition costs, where the stub evaluates it: `const8 0`, `end`."""
    seconds = whole_run(kind, program, rounds, f"Z0,{address:x},{size};X3,220027")
    return (seconds - whole_run(kind, program, rounds)) / (rounds * CALLS)


def back(program: Path) -> tuple[float, float, float]:
    """Return the seconds of guest time recorded, of the first step back, and of the median of further ones."""
    with stub("xemu", program, 4_000_000_000) as client:
        client.send("c")
        began = time.perf_counter()
        time.sleep(10)
        client.socket.sendall(b"\x03")
        client.receive()
        ran = time.perf_counter() - began
        first = client.go("bs")[1]
        return ran, first, statistics.median(client.go("bs")[1] for _ in range(20))


def recording(program: Path, rounds: int) -> tuple[float, float]:
    """Return the seconds of a run without and with history, both in the same kind of process."""
    code = ("import sys, time; from xemu.debug import open_process\n"
            "d = open_process(*sys.argv[2:])\n"
            "if sys.argv[1] == 'off': d.recording = False; d.engine.keep_no_pages()\n"
            "began = time.perf_counter(); d.cont(); sys.stderr.write(str(time.perf_counter() - began))")

    def once(mode: str) -> float:
        done = subprocess.run([sys.executable, "-c", code, mode, program, str(rounds)], capture_output=True, text=True, check=True)
        return float(done.stderr)
    return _least(lambda: once("off")), _least(lambda: once("on"))


def _us(seconds: float) -> str:
    return "–" if math.isnan(seconds) else f"{seconds * 1e6:,.0f} µs" if seconds >= 1e-6 else f"{seconds * 1e9:.0f} ns"


def _times(a: float, b: float) -> str:
    return "–" if math.isnan(a) or math.isnan(b) else f"{a / b:.2f} ×"


def main() -> int:
    """Measure and write the page."""
    arm, native = programs()
    names, host = _symbols(arm), _symbols(native)
    rounds = {"xemu": 160_000, "qemu": 40_000, "gdbserver": 160_000}     # some seconds: what is compiled anew does not count
    program = {"xemu": arm, "qemu": arm, "gdbserver": native}
    at = {"xemu": names, "qemu": names, "gdbserver": host}
    size = {"xemu": 4, "qemu": 4, "gdbserver": 1}
    kinds = ("xemu", "qemu", "gdbserver")
    plain = {k: whole_run(k, program[k], rounds[k]) for k in kinds}
    cold = {k: whole_run(k, program[k], rounds[k], f"Z0,{at[k]['never']:x},{size[k]}") for k in kinds}
    watched = {k: whole_run(k, program[k], rounds[k], f"Z2,{at[k]['never_touched'] + 4096:x},4") for k in kinds}
    stops = {k: stop_time(k, program[k], at[k]["hot"], size[k]) for k in kinds}
    conditions = {k: condition_time(k, program[k], at[k]["hot"], size[k], 2000 if k == "xemu" else 2)
                  if k != "qemu" else float("nan") for k in kinds}
    steps = {k: step_time(k, program[k]) for k in kinds}
    off, on = recording(arm, 40_000)
    ran, first, further = back(arm)
    table = [
        ("breakpoint never hit", *(_times(cold[k], plain[k]) for k in kinds), "1.02 × / 1.00 ×"),
        ("watchpoint on a page that is not touched", *(_times(watched[k], plain[k]) for k in kinds), "1.02 × / 1.00 ×"),
        ("a false condition in hot code, evaluated by the stub", *(_us(conditions[k]) for k in kinds), "100 ns / 10 ns"),
        ("a hit that is reported and continued from (GDB's evaluation comes on top)", *(_us(stops[k]) for k in kinds), ""),
        ("one `stepi`", *(_us(steps[k]) for k in kinds), "500 µs / 100 µs"),
        ("recording, against the same run without", _times(on, off), "–", "–", "1.15 × / 1.05 ×"),
        (f"the first reverse-step after {ran:.0f} s of running", _us(first), "–", "–", "100,000 µs / 20,000 µs"),
        ("each further one", _us(further), "–", "–", ""),
    ]
    lines = ["| what | xemu | QEMU | gdbserver (native) | least / aim |", "|---|---|---|---|---|"]
    lines += ["| " + " | ".join(row) + " |" for row in table]
    page = "\n\n".join(["# Performance of debugging", INTRODUCTION.format(machine=machine()), "\n".join(lines)]) + "\n"
    (DOCS / "performance-debugging.md").write_text(page)
    sys.stdout.write(page)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
