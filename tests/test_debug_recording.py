"""Recordings: the same run elsewhere, in every tier, forwards and backwards; and files that are damaged or hostile."""

from __future__ import annotations

import os
import random
import signal
import struct
import subprocess
import sys
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.programs import SAMPLES as PROGRAMS
from xemu.debug import open_machine, open_recording
from xemu.debug.codec import DamagedError, Decoder, Encoder, Saved
from xemu.debug.episodes import Episode
from xemu.debug.history import HistoryError
from xemu.debug.recorded import open_debugger
from xemu.debug.recording import Recording, RecordingError, Tape, verify
from xemu.debug.sections import END, HEADER, MAGIC, SectionWriter, read_sections
from xemu.debug.stops import Position, StopKind
from xemu.errors import XemuError
from xemu.hw.door import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.debug.debugger import Debugger

ROOT = Path(__file__).parent.parent
FIRMWARE = ROOT / "samples" / "firmware" / "elf"
BOARDS = {"stm32": "olimex-stm32-h405"}
KERNEL = FIRMWARE / "mps2-an385" / "kernel.elf"
TIMER = FIRMWARE / "mps2-an385" / "timer.elf"
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}


def xemu(*words: object, stdin: bytes = b"", code: int | None = 0) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run([sys.executable, "-m", "xemu", *map(str, words)], input=stdin, capture_output=True, timeout=240,
                          env=ENVIRONMENT, check=False)
    assert code is None or done.returncode == code, (done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return done


def board(image: Path) -> str:
    return BOARDS.get(image.parent.name, image.parent.name)


def close(debugger: Debugger) -> None:
    debugger.system.close()
    debugger.system.engine.space.close()


# -- values ------------------------------------------------------------------------------------------------------------------

VALUES = [None, True, False, 0, 191, 192, -1, 1 << 999, -(1 << 64), 1.5, "", "é\udcff", b"", b"x" * 63, b"y" * 64, [], [1, [2]], (1, (2,)),
          {"a": 1, 2: [b"z"]}, Position(1, 2, 3), Saved(Position(4), {"a": None}), Entry(1, 2, "serial", "uart0", b"hi"),
          Episode(5, "call", 1, (1, 2), (8, b"x"), ((4096, b"abc"),), None, ((4096, 4096),))]


@pytest.mark.parametrize("value", VALUES, ids=lambda v: type(v).__name__)
def test_values_come_back_as_they_were(value: Any) -> None:
    encoder = Encoder({})
    encoder.put([value, value])
    assert Decoder(bytes(encoder.out), [], 1 << 20).value() == [value, value]


def test_bytes_that_came_before_are_written_once() -> None:
    encoder = Encoder({})
    encoder.put([b"page" * 1024] * 100)
    assert len(encoder.out) < 5000


@pytest.mark.parametrize("value", [object(), {1, 2}, open_machine], ids=["object", "set", "function"])
def test_other_things_cannot_be_written(value: Any) -> None:
    with pytest.raises(TypeError, match="cannot be recorded"):
        Encoder({}).put(value)


def test_random_bytes_are_no_value() -> None:
    rng = random.Random(3)
    for _ in range(20_000):
        data = bytes(rng.choice((10, 11, 12, 13, 7, 3, 64, 0, rng.randrange(256))) for _ in range(rng.randrange(1, 40)))
        with suppress(DamagedError):
            Decoder(data, [], 1 << 16).value()


# -- machines ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("kernel") / "kernel.rec"
    done = xemu("boot", "-M", "mps2-an385", "--record", path, "--trace-hash", "--with-symbols", KERNEL)
    (path.parent / "hash").write_bytes(done.stderr)
    return path


@pytest.mark.parametrize("options", [[], ["--no-jit"]], ids=["regions", "interpreter"])
def test_a_machine_repeats_with_the_same_hash_in_every_tier(kernel: Path, options: list[str]) -> None:
    out = xemu("replay", *options, kernel).stdout.decode()
    (hash_,) = [word for word in out.split() if len(word) == 16]
    assert f"trace hash {hash_} after" in (kernel.parent / "hash").read_text()
    assert "the same as recorded" in out


def test_all_motions_work_in_a_recording(kernel: Path) -> None:
    d = open_recording(kernel)
    assert (d.position.insns, d.system.live) == (0, False)
    d.break_at("main")
    assert d.cont().kind is StopKind.BREAKPOINT
    main = d.position
    d.step(50)
    assert d.cont(back=True).kind is StopKind.BREAKPOINT
    assert d.position == main
    end = d.seek("end").position
    assert end == open_recording(kernel, at="end").position
    assert d.step().kind is StopKind.HISTORY_END
    stop = d.cont()
    assert (stop.kind, stop.text) == (StopKind.HISTORY_END, "end of the recording: exit")
    places = []
    for _ in range(30):
        d.step(back=True)
        places.append((d.position, d.pc))
    for place in places[-2::-1]:
        d.step()
        assert (d.position, d.pc) == place
    d.watch("ticks", 4)
    assert d.cont(back=True).kind is StopKind.WATCHPOINT
    assert d.seek("10ms").position.beat == 250_000
    assert d.cont(back=True).kind is not StopKind.HISTORY_BEGIN
    assert not d.system.live
    close(d)


def test_a_recording_cannot_be_changed(kernel: Path) -> None:
    d = open_recording(kernel)
    d.seek(1000)
    for change in (lambda: d.write_register("r0", 1), lambda: d.write_memory(0x2000_0000, b"x")):
        with pytest.raises(HistoryError, match="cannot be changed"):
            change()
    assert d.seek("end").position.insns > 100_000
    close(d)


def test_typed_input_is_in_the_recording(tmp_path: Path) -> None:
    path = tmp_path / "typed.rec"
    image = FIRMWARE / "lm3s6965evb" / "uartirq.elf"
    out = xemu("boot", "-M", "lm3s6965evb", "--record", path, image, stdin=b"hello there\nquit\n").stdout
    assert b"hello there" in out
    assert Recording.read(str(path)).inputs
    xemu("replay", path)


def test_ctrl_c_and_time_out_end_a_recording_that_can_be_repeated(tmp_path: Path) -> None:
    path = tmp_path / "stopped.rec"
    image = FIRMWARE / "mps2-an385" / "console.elf"
    xemu("boot", "-M", "mps2-an385", "--record", path, "--timeout", "1.5", "--uart", "none", image, code=None)
    assert b"the same as recorded" in xemu("replay", path).stdout


def test_what_a_debugger_has_recorded_can_be_written(tmp_path: Path) -> None:
    d = open_machine(KERNEL, "mps2-an385")
    d.run_to(insns=50_000)
    d.write_memory(d.resolve("ticks"), b"\x07")          # an entry of the door, as input is
    d.run_to(insns=120_000)
    d.seek(70_000)
    here = d.position
    Recording.write(str(tmp_path / "d.rec"), d)
    assert d.position == here
    recording = Recording.read(str(tmp_path / "d.rec"))
    assert (recording.last.position.insns, [e.kind for e in recording.inputs]) == (120_000, ["memory"])
    other = open_debugger(recording)
    assert verify(other, recording) == ""
    close(other)
    close(d)


def test_what_has_no_name_cannot_be_recorded(tmp_path: Path) -> None:
    d = open_machine(TIMER, "mps2-an385")
    d.system.machine.events.at(1000, lambda: None)  # type: ignore[attr-defined]
    with pytest.raises(RecordingError, match=r"something is planned that has no name: .*lambda"):
        Tape(str(tmp_path / "x"), d.system).start()
    assert not list(tmp_path.iterdir())
    close(d)


def test_a_board_of_ones_own_must_be_named(tmp_path: Path) -> None:
    badge, path = ROOT / "samples" / "boards" / "badge.py", tmp_path / "badge.rec"
    xemu("boot", "-M", badge, "--record", path, "--vtime", "5ms", FIRMWARE / "mps2-an385" / "console.elf")
    assert b"name that file with --machine" in xemu("replay", path, code=126).stderr
    assert b"the same" in xemu("replay", "-M", badge, path).stdout


@pytest.mark.parametrize("image", sorted(FIRMWARE.glob("*/*.elf")), ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_every_sample_is_the_same_when_it_runs_again(image: Path) -> None:
    d = open_machine(image, board(image))
    d.history._due = 0.0
    end = d.system.rate // 50
    for part in range(1, 9):
        if d.run_to(beat=end * part // 8).kind is not StopKind.REACHED:
            break
        d.history._snapshot()
    assert d.history.verify() == ""
    close(d)


def test_a_run_that_differs_is_found() -> None:
    d = open_machine(KERNEL, "mps2-an385")
    d.history.tick = lambda: None                          # no snapshots but these
    for insns in (10_000, 20_000, 30_000):
        d.run_to(insns=insns)
        d.history._snapshot()
    d.history.snapshots[2].state["machine"]["parts"]["timer0"]["registers"][0] ^= 1
    found = d.history.verify()
    assert found.startswith("replay diverged between instruction 10,000 and instruction 20,000: first timer0.")
    close(d)
    d = open_machine(KERNEL, "mps2-an385")
    d.history.tick = lambda: None
    for insns in (10_000, 20_000):
        d.run_to(insns=insns)
        d.history._snapshot()
    d.history.leave_present()
    d.history.place(1)
    page = next(iter(d.history.snapshots[1].pages))
    data = bytearray(d.history.snapshots[1].pages[page] or b"")
    data[5] ^= 1
    d.history.snapshots[1].pages[page] = bytes(data)
    assert f"first memory at {(page << 12) + 5:#x}"[:20] in d.history.verify()
    close(d)


# -- processes ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hello(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of a program that is not there any more."""
    directory = tmp_path_factory.mktemp("hello")
    program = directory / "hello"
    program.write_bytes((PROGRAMS / "hello").read_bytes())
    program.chmod(0o755)
    done = xemu("run", "--trace-hash", "--record", directory / "hello.rec", program)
    assert done.stdout == b"Hello from 32-bit ARM.\n"
    (directory / "hash").write_bytes(done.stderr)
    program.unlink()
    return directory / "hello.rec"


@pytest.mark.parametrize("options", [[], ["--no-jit"]], ids=["regions", "interpreter"])
def test_a_program_repeats_without_its_file(hello: Path, options: list[str]) -> None:
    done = xemu("replay", *options, hello)
    assert (hello.parent / "hash").read_text().split("hash ")[1][:16] in done.stdout.decode()
    assert b"the same as recorded (exited with 0)" in done.stdout
    assert b"is not here" in done.stderr


def test_all_motions_work_in_a_program_that_is_not_there(hello: Path) -> None:
    d = open_recording(hello)
    start = d.pc
    d.step(30)
    place = d.pc, d.read_register("sp"), d.read_register("r0")
    d.step()
    d.step(back=True)
    assert (d.pc, d.read_register("sp"), d.read_register("r0")) == place
    stop = d.cont()
    assert (stop.kind, stop.text) == (StopKind.HISTORY_END, "end of the recording: exited with 0")
    assert d.cont().kind is StopKind.HISTORY_END
    d.break_at(start)
    assert d.cont(back=True).kind in (StopKind.BREAKPOINT, StopKind.HISTORY_BEGIN)
    with pytest.raises(HistoryError, match="cannot be changed"):
        d.write_register("r0", 1)
    assert d.seek(100).position.insns == 100
    assert d.system.threads()
    assert d.system.memory_map()
    close(d)


def test_symbols_can_be_packed(tmp_path: Path) -> None:
    program, path = tmp_path / "primes", tmp_path / "primes.rec"
    program.write_bytes((PROGRAMS / "primes-thumb").read_bytes())
    program.chmod(0o755)
    xemu("run", "--record", path, "--with-symbols", program)
    program.unlink()
    done = xemu("trace", "--last", 3, "-o", "-", path)
    assert b"is not here" not in done.stderr
    assert len(done.stdout.splitlines()) == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_program_that_a_signal_ends_is_recorded(tmp_path: Path, number: int) -> None:
    path = tmp_path / "life.rec"
    command = [sys.executable, "-m", "xemu", "run", "--record", str(path), str(PROGRAMS / "mandelbrot")]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.read(1)                                # the guest runs
        running.send_signal(number)
        assert running.wait(60) == 128 + number
    out = xemu("replay", path).stdout.decode()
    assert "the same as recorded" in out


@pytest.mark.parametrize("name", sorted(p.name for p in PROGRAMS.iterdir()))
def test_every_program_is_the_same_when_it_runs_again(name: str) -> None:
    assert b"all the same" in xemu("run", "--check-replay", PROGRAMS / name).stderr


# -- damage ------------------------------------------------------------------------------------------------------------------


def opened(path: Path) -> str:
    """Do all that can be done with a file; return what the user is told."""
    try:
        recording = Recording.read(str(path))
        debugger = open_debugger(recording)
    except XemuError as error:
        return str(error)
    try:
        return verify(debugger, recording)
    except XemuError as error:
        return str(error)
    finally:
        close(debugger)


def sections(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(MAGIC) + 4
    while at < len(data):
        tag, how, stored, _size, _crc = HEADER.unpack_from(data, at)
        at += HEADER.size
        yield tag, zlib.decompress(data[at:at + stored]) if how else data[at:at + stored]
        at += stored


def packed(parts: list[tuple[bytes, bytes]]) -> bytes:
    """Return a file whose checksums are right, whatever is in it."""
    out = MAGIC + struct.pack("<HH", 1, 0)
    for tag, data in parts:
        crc = zlib.crc32(data, zlib.crc32(struct.pack("<4sBI", tag, 0, len(data))))
        out += HEADER.pack(tag, 0, len(data), len(data), crc) + data
    return out


@pytest.fixture
def small(tmp_path: Path) -> Path:
    d = open_machine(TIMER, "mps2-an385")
    d.run_to(insns=2_000)
    Recording.write(str(tmp_path / "small.rec"), d)
    close(d)
    return tmp_path / "small.rec"


def test_what_is_wrong_is_one_line(small: Path, tmp_path: Path) -> None:
    data = small.read_bytes()
    bad = tmp_path / "bad"
    for contents, words in ((b"", "is no recording of xemu"), (b"\x7fELF" + data, "is no recording of xemu"), (data[:11], "it is cut off"),
                            (data[:-1], "it is cut off"), (data[:len(data) // 2], "it is cut off"),
                            (data + b"x", "something follows its end"),
                            (data[:8] + b"\3\0" + data[10:], "has format 3, this xemu reads 2: a newer xemu made it"),
                            (data[:200] + bytes((data[200] ^ 1,)) + data[201:], "is damaged: a checksum is wrong")):
        bad.write_bytes(contents)
        with pytest.raises(XemuError, match=words) as caught:
            Recording.read(str(bad))
        assert "\n" not in str(caught.value)
    with pytest.raises(XemuError, match="no such file"):
        Recording.read(str(tmp_path / "none"))
    with pytest.raises(XemuError, match="cannot be written"):
        SectionWriter(str(tmp_path / "none" / "x"))


def test_a_small_file_takes_little_memory(tmp_path: Path) -> None:
    bomb = zlib.compress(bytes(1 << 30), 9)
    crc = zlib.crc32(bomb, zlib.crc32(struct.pack("<4sBI", b"INPT", 1, 1 << 30)))
    path = tmp_path / "bomb"
    path.write_bytes(MAGIC + struct.pack("<HH", 1, 0) + HEADER.pack(b"INPT", 1, len(bomb), 1 << 30, crc) + bomb)
    with pytest.raises(RecordingError, match="larger than its file explains"):
        list(read_sections(str(path)))
    many = b"\x0a" + b"\x80\x80\x80\x04" + b"\0" * (8 << 20)                    # a list of millions of nothings
    data = zlib.compress(many)
    crc = zlib.crc32(data, zlib.crc32(struct.pack("<4sBI", b"INPT", 1, len(many))))
    path.write_bytes(MAGIC + struct.pack("<HH", 1, 0) + HEADER.pack(b"INPT", 1, len(data), len(many), crc) + data)
    with pytest.raises(RecordingError, match="far more memory"):
        list(read_sections(str(path)))
    deep = b"\x0a\x01" * 5000 + b"\0"
    path.write_bytes(packed([(b"INPT", deep)]))
    with pytest.raises(RecordingError, match="inside each other"):
        list(read_sections(str(path)))


@pytest.mark.parametrize("kind", ["small", "hello"])
def test_damaged_files_are_one_line(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    data = request.getfixturevalue(kind).read_bytes()
    rng, path, until = random.Random(11), tmp_path / "bad", time.monotonic() + 6
    while time.monotonic() < until:
        mutated = bytearray(data)
        for _ in range(rng.choice((1, 1, 3, 20))):
            mutated[rng.randrange(len(mutated))] = rng.randrange(256)
        if rng.random() < 0.3:
            del mutated[rng.randrange(len(mutated)):]
        path.write_bytes(mutated)
        if bytes(mutated) != data:
            assert opened(path)


@pytest.mark.parametrize("kind", ["small", "hello"])
def test_hostile_files_are_refused_or_repeat_something_else(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Checksums are right here: what the parts say is wrong."""
    parts = list(sections(request.getfixturevalue(kind).read_bytes()))
    rng, path, until = random.Random(12), tmp_path / "bad", time.monotonic() + 8
    seen = set()
    while time.monotonic() < until:
        mutated = list(parts)
        if rng.random() < 0.1:
            mutated.pop(rng.randrange(len(parts)))
        for _ in range(rng.choice((1, 1, 2, 5))):
            number = rng.randrange(len(mutated))
            tag, value = mutated[number]
            if tag == END or not value:
                continue
            data = bytearray(value)
            at = rng.randrange(min(len(data), rng.choice((50, 400, 1 << 20))))
            if rng.random() < 0.8:
                data[at] = rng.choice((0, 1, 63, 64, 255, data[at] ^ 1 << rng.randrange(8), rng.randrange(256)))
            else:
                data[at:at] = bytes((rng.randrange(256),))
            mutated[number] = tag, bytes(data)
        path.write_bytes(packed(mutated))
        seen.add(opened(path).replace(str(path), "")[:60])
    assert len(seen) > 3


def test_a_file_that_cannot_be_begun_is_one_line(tmp_path: Path) -> None:
    limit = f"ulimit -f 2; {sys.executable} -m xemu run --record {tmp_path / 'x'} {PROGRAMS / 'primes-thumb'}"
    done = subprocess.run(["bash", "-c", f"trap '' XFSZ; {limit}"], env=ENVIRONMENT, capture_output=True, timeout=60, check=False)
    assert done.returncode == 126
    assert b"cannot be written: File too large" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_up_during_the_run_leaves_the_run_alone(tmp_path: Path) -> None:
    d = open_machine(KERNEL, "mps2-an385", jit=False)
    tape = Tape(str(tmp_path / "x"), d.system)
    tape.start()
    tape.follow()
    assert tape.out is not None
    tape.out.file.close()
    tape.out.file = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115  the tape closes it
    tape._due = 0.0
    d.run_to(insns=1000)
    tape.tick()
    d.run_to(insns=2000)
    tape.end(StopKind.REACHED)
    assert "cannot be written: No space left on device" in tape.trouble
    assert not list(tmp_path.iterdir())
    close(d)
