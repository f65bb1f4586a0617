"""Debian's static busybox: shell scripts with its tools, and vi in a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.compare import assert_same, same_as_qemu
from tests.support.programs import ARCHES, ARM_FIRST, EAGER, TIERS, on_each, qemu_command, run, xemu_command
from tests.support.roots import busybox, native_busybox, unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

SCRIPTS = {
    "arithmetic": 'i=0; s=0; while [ $i -lt 300 ]; do s=$((s + i * i % 7)); i=$((i + 1)); done; echo $s; echo $((1 << 40 >> 3))',
    "words": 'for w in one two three; do echo "$w" | tr a-z A-Z | rev; done; set -- a b c; echo $# $2; printf "%05d|%-6s|%x\\n" 42 ab 255',
    "sed": "seq 1 200 | sed -n -e '/7/p' -e 's/^1\\(.\\)$/<\\1>/p' -e '$!N;P;D' | head -n 60",
    "awk": "seq 1 500 | awk '{ s += $1 * $1; a[$1 % 13]++ } END { print s; for (i = 0; i < 13; i++) printf \"%d:%d \", i, a[i]; print \"\"; "
           "print sqrt(2), exp(1), int(7.9), 1 / 3, substr(\"abcdef\", 2, 3), toupper(\"x\") }'",
    "awk-floats": "awk 'BEGIN { for (i = 1; i <= 40; i++) printf \"%.12g %.3e %d\\n\", sin(i) / i, exp(i), i ^ 3 }'",
    "sort": "awk 'BEGIN { for (i = 0; i < 3000; i++) print (i * 7919) % 3001, i }' > n; sort -n n | md5sum; sort -rk2 n | sha1sum; sort n | uniq -c | wc -l",
    "tar-gzip": "mkdir d; for i in 1 2 3 4 5; do seq 1 $((i * 700)) > d/f$i; done; tar cf - d | gzip -9 | gunzip | tar xf - -C . ; "
                "cat d/* | sha256sum; tar cf t.tar d; tar tf t.tar | sort; gzip -c d/f5 | wc -c",
    "hashes": "seq 1 40000 > n; sha256sum n; sha512sum n; sha1sum n; md5sum n; cksum n; crc32 n 2>/dev/null || true",
    "bc": "echo 'scale=40; 4*a(1); 2^300; sqrt(2); 100!=3; define f(n) { if (n < 2) return (1); return (n * f(n - 1)); } f(60)' | bc -l",
    "dc": "echo '20k 2 v p 3 5 ^ p 16 o 255 p' | dc",
    "find": "mkdir -p t/a/b t/c; touch t/x.c t/a/y.c t/a/b/z.h; find t -name '*.c' | sort; find t -type d | sort; find t | xargs -n 2 echo | wc -l",
    "files": "echo one > a; cp a b; mv b c; ln -s c l; cat l; chmod 640 c; stat -c '%a %s %F' c; ls -1; rm a; test -e a || echo gone; readlink l",
    "redirection": "{ echo out; echo err >&2; } > o 2> e; cat e o; cat <<EOF | wc -w\na b c\nd\nEOF\nexec 3> f; echo three >&3; exec 3>&-; cat f",
    "pipes": "seq 1 20000 | grep 9 | cut -c1-3 | sort | uniq -c | sort -rn | head -n 5; yes | head -n 3; (exit 7); echo $?",
    "processes": "(echo a; sleep 0.05; echo b) & wait; trap 'echo caught' USR1; kill -USR1 $$; echo after; sh -c 'kill -9 $$'; echo $?",
    "functions": "f() { local n=$1; [ $n -le 1 ] && echo 1 && return; echo $((n * $(f $((n - 1))))); }; f 10; case abc in a*) echo yes;; esac; exit 3",
    "text": "seq 1 30 | paste - - - | column -t 2>/dev/null | tail -n 3; seq 5 | tac; echo abc | od -c; echo hello | hexdump -C; seq 9 | shuf -n 0; nl /dev/null",
    "diff": "seq 1 20 > a; sed 's/^7$/seven/;5d' a > b; diff -u a b | tail -n +3; cmp a b; comm -12 a b | wc -l; patch -p0 a < /dev/null; fold -w 10 a | head -2",
    "encode": "seq 1 100 > n; uuencode n n | uudecode -o m; cmp n m && echo same; base64 n | base64 -d | md5sum; bzip2 -c n | bunzip2 | md5sum; xz -dc /dev/null | wc -c",
    "time": "TZ=UTC date -d @1000000000 '+%Y-%m-%d %H:%M:%S'; TZ=EST5EDT date -d @1000000000; cal 9 2001",
}  # fmt: skip
EVERY_TIER = ("arithmetic", "words", "files", "bc")
QUICK = ("words", "awk-floats", "tar-gzip", "processes")


@pytest.fixture
def program(arch: str, need: Callable[..., str]) -> Path:
    return unpacked(need, busybox, arch)


@pytest.mark.parametrize(("arch", "name"), on_each(SCRIPTS, QUICK))
def test_script(name: str, program: Path, tmp_path: Path) -> None:
    script(name, program, tmp_path, ["default"])


@pytest.mark.parametrize("tier", ["interpreter", EAGER])
@pytest.mark.parametrize(("arch", "name"), on_each(EVERY_TIER, ("arithmetic",)))
def test_script_in_the_other_tiers(name: str, tier: str, program: Path, tmp_path: Path) -> None:
    script(name, program, tmp_path, [tier])


@pytest.mark.slow
@pytest.mark.parametrize("tier", ["interpreter", EAGER])
@pytest.mark.parametrize(("arch", "name"), on_each([name for name in SCRIPTS if name not in EVERY_TIER], ()))
def test_every_script_in_the_other_tiers(name: str, tier: str, program: Path, tmp_path: Path) -> None:
    script(name, program, tmp_path, [tier])


def script(name: str, program: Path, directory: Path, tiers: Sequence[str]) -> None:
    """Run a script in a fresh directory, natively (QEMU's user mode cannot start programs) and under xemu."""
    fresh = 'mkdir w; cd w || exit 99; eval "$1"; code=$?; cd ..; rm -rf w; exit $code'
    words = ["sh", "-c", fresh, "sh", SCRIPTS[name]]
    expected = run([native_busybox(), *words], cwd=directory)
    for tier in tiers:
        assert_same(run(xemu_command(program, *words, options=TIERS[tier]), cwd=directory), expected, tier)


@pytest.mark.parametrize("arch", ARM_FIRST)
def test_a_large_pipe_through_gzip_and_back(program: Path) -> None:
    text = b"".join(b"%d %d\n" % (i, i * i % 1009) for i in range(60_000))
    packed = same_as_qemu(program, "gzip", "-c", stdin=text)
    assert same_as_qemu(program, "gunzip", "-c", stdin=packed.stdout).stdout == text


@pytest.mark.parametrize("arch", ARCHES)
def test_exit_code_of_a_fatal_signal(program: Path) -> None:
    assert same_as_qemu(program, "sh", "-c", "kill -TERM $$").code == 128 + signal.SIGTERM


@pytest.mark.parametrize("arch", ARM_FIRST)
@pytest.mark.parametrize("tier", ["default", "interpreter", EAGER])
def test_vi_in_a_pseudo_terminal_edits_a_file(tier: str, program: Path, tmp_path: Path) -> None:
    keys = ["ifirst line\rsecond\x1b", "yyp", ":%s/second/2nd/g\r", "ggdwi<\x1b", "GA end\x1b", ":wq\r"]
    texts = []
    for kind, command in [("qemu", qemu_command(program, "vi", "text")), ("xemu", xemu_command(program, "vi", "text", options=TIERS[tier]))]:
        directory = tmp_path / kind
        directory.mkdir()
        texts.append((in_a_terminal([str(word) for word in command], keys, directory), (directory / "text").read_text()))
    assert texts[1] == texts[0]
    assert texts[0] == (0, "<line\n2nd\n2nd end\n")


def in_a_terminal(command: list[str], keys: list[str], directory: Path, limit: float = 3000) -> int:
    """Run a command on a pseudo-terminal, type each word once the screen is quiet, return the exit code."""
    master, slave = pty.openpty()
    env = {**os.environ, "TERM": "vt100", "LC_ALL": "C"}
    process = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, cwd=directory, env=env, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    end = time.monotonic() + limit
    try:
        for word in keys:
            wait_for_quiet(master, end)
            os.write(master, word.encode())
        while process.poll() is None and time.monotonic() < end:
            drain(master, 0.1)
    finally:
        if process.poll() is None:
            process.kill()
        code = process.wait()
        os.close(master)
    return code


def wait_for_quiet(master: int, end: float) -> None:
    """Wait for output and then for a pause in it."""
    seen = drain(master, 10)
    while seen and time.monotonic() < end:
        seen = drain(master, 0.4)


def drain(master: int, seconds: float) -> bytes:
    """Return what the terminal shows within some seconds, b"" if nothing comes."""
    if not select.select([master], [], [], seconds)[0]:
        return b""
    try:
        return os.read(master, 65536)
    except OSError:
        return b""
