"""Dynamic programs of Debian from a tree of unpacked packages: interpreters, compilers, archivers, databases."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.compare import assert_same, same_as_qemu
from tests.support.programs import ARCHES, ARM_FIRST, EAGER, TIERS, on_each, qemu_command, run, xemu_command
from tests.support.roots import TRIPLETS, tools, unpacked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TEXT = b"".join(b"line %d of the text, %d\n" % (i, i * 7919 % 1009) for i in range(4000))
PYTHON = r"""
import collections, decimal, fractions, hashlib, itertools, json, math, random, re, struct, zlib
random.seed(7)
numbers = [random.random() for _ in range(2000)]
print(sum(numbers), math.fsum(numbers), max(numbers), 2 ** 521 % 10 ** 40, math.factorial(60))
print(decimal.Decimal(2).sqrt(decimal.Context(prec=60)), fractions.Fraction(355, 113) ** 5)
print(json.dumps({"a": [1, 2.5, None, "ä"], "b": {"c": True}}, sort_keys=True), json.loads("[1e308, -0.0]"))
print(re.sub(r"(\w+) (\w+)", r"\2 \1", "one two three four"), struct.pack("<hIfd", -2, 7, 1.5, -0.1).hex())
print(hashlib.sha256(b"x" * 10000).hexdigest(), hashlib.md5(b"").hexdigest(), zlib.crc32(b"abc"))
print(collections.Counter("the quick brown fox").most_common(3), list(itertools.permutations("abc"))[-1])
print([math.sin(i) * math.exp(i / 7) for i in range(12)], repr(1 / 3), f"{math.pi:.30f}")
"""
PROGRAMS: dict[str, tuple[list[str], bytes]] = {
    "bash": (["bin/bash", "-c", 'declare -A m; for i in {1..50}; do m[$i]=$((i * i)); done; echo ${m[7]} ${#m[@]}; '
              '[[ abc =~ ^a(.)c$ ]] && echo ${BASH_REMATCH[1]}; printf "%s\\n" "${m[@]}" | wc -l; echo ${PWD##*/} >/dev/null; exit 4'], b""),
    "sort": (["usr/bin/sort", "-t,", "-k2n"], TEXT),
    "sha512sum": (["usr/bin/sha512sum"], TEXT),
    "factor": (["usr/bin/factor", "1000000007", "18446744073709551557", "600851475143"], b""),
    "numfmt": (["usr/bin/numfmt", "--to=iec", "1234567", "999", "88888888888"], b""),
    "od": (["usr/bin/od", "-A", "x", "-t", "f8"], TEXT[:800]),
    "grep": (["bin/grep", "-nE", r"(1{2}|7.7).*, [0-9]{3}$"], TEXT),
    "sed": (["bin/sed", "-e", r"s/\([0-9]*\) of/<\1> OF/;/99/!d"], TEXT),
    "gawk": (["usr/bin/gawk", '{ n[$NF % 17]++; s += sqrt($2) } END { for (i = 0; i < 17; i++) print i, n[i]; printf "%.10f\\n", s }'], TEXT),
    "gzip": (["bin/gzip", "-9cn"], TEXT),
    "xz": (["usr/bin/xz", "-T1", "-6c"], TEXT),
    "zstd": (["usr/bin/zstd", "-q", "-c", "-10", "--single-thread"], TEXT),
    "bc": (["usr/bin/bc", "-l"], b"scale=50; 4*a(1); e(1); 2^200\n"),
    "jq": (["usr/bin/jq", "-c", '[.[] | {x: (.a * 2), y: (.b | ascii_upcase)}] | sort_by(.x)'],
           b'[{"a": 3, "b": "p"}, {"a": 1.5, "b": "q"}, {"a": -2, "b": "r"}]'),
    "lua": (["usr/bin/lua5.4", "-e", 't = {} for i = 1, 2000 do t[i] = (i * 7919) % 2003 end table.sort(t) print(t[1], t[1000], #t, 7 // 2, 2^0.5, '
             'string.format("%.14g", math.sin(1)), ("x"):rep(5), ("a,b"):gsub(",", ";"))'], b""),
    "perl": (["usr/bin/perl", "-e", 'my %h; $h{$_ % 7} .= chr(65 + $_ % 26) for 1 .. 100; print "$_ $h{$_}\\n" for sort keys %h; '
              'print join(",", map { sprintf "%.6f", sin $_ } 1 .. 5), "\\n"; my $t = "abc" x 50; $t =~ s/b(c)/<$1>/g; print length $t, "\\n"; printf "%s\\n", 2 ** 80;'], b""),
    "python": (["usr/bin/python3.11", "-I", "-S", "-c", PYTHON], b""),
    "sqlite": (["usr/bin/sqlite3", ":memory:"], b"create table t(a integer, b text); with recursive n(i) as (select 1 union all select i + 1 from n where i < 3000) "
               b"insert into t select i, 'row ' || (i * 7919 % 3001) from n; create index x on t(b); select count(*), sum(a), min(b), max(b) from t; "
               b"select b from t where a % 500 = 0 order by b desc; select round(avg(a * 1.5), 3), hex(zeroblob(2)) from t;\n"),
    "openssl-digest": (["usr/bin/openssl", "dgst", "-sha3-256"], TEXT),
    "openssl-cipher": (["usr/bin/openssl", "enc", "-aes-256-cbc", "-K", "00" * 32, "-iv", "11" * 16, "-e", "-a"], TEXT[:2000]),
    "openssl-prime": (["usr/bin/openssl", "prime", "170141183460469231731687303715884105727", "1000000016000000063"], b""),
}  # fmt: skip
IN_ALL_TIERS = ("factor", "grep")
SOURCE = b"""
static int table[64];
struct point { double x, y; };
double length(struct point p) { return __builtin_sqrt(p.x * p.x + p.y * p.y); }
int sum(const int *values, int count)
{
    int total = 0;
    for (int i = 0; i < count; i++)
        total += values[i] > 3 ? values[i] * table[i & 63] : -values[i];
    return total;
}
long long power(long long base, unsigned exponent) { return exponent ? base * power(base, exponent - 1) : 1; }
"""
MAIN = b"""
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
int main(int count, char **words)
{
    int n = atoi(words[1]), values[] = {n, n + 1, n + 2, n + 3};
    for (int i = 0; i < 64; i++)
        table[i] = i;
    printf("%d %lld %.3f %f\\n", sum(values, 4), power(n, 38) + 1, length((struct point){n, n + 1}), sin(n - 1));
    return 0;
}
"""
CC1_OPTIONS = {"arm": ["-march=armv7-a+fp", "-mfloat-abi=hard"], "i386": [], "x86_64": ["-march=x86-64-v3"], "ppc64le": ["-mcpu=power9"]}
PYTHON_MODULES = ("int", "float", "struct", "json", "re", "hashlib", "threading", "subprocess", "socket")
#: what changes the machine is refused (docs/limits.md); these pass under QEMU where the user is root
REFUSED = {"test.test_socket.GeneralModuleTests.test_sethostname.test_sethostname"}
RESULT = re.compile(r"^(test\w*) \(([\w.]+)\).*?\.\.\. (?:.*\n)*?.*?\b(ok|FAIL|ERROR|skipped)\b", re.MULTILINE)


@pytest.fixture
def root(arch: str, need: Callable[..., str]) -> Path:
    return unpacked(need, tools, arch)


@pytest.mark.parametrize(("arch", "name"), on_each(PROGRAMS, ()))
def test_program(name: str, root: Path, tmp_path: Path) -> None:
    program(name, root, tmp_path, "default")


@pytest.mark.parametrize("tier", ["interpreter", EAGER])
@pytest.mark.parametrize(("arch", "name"), on_each(IN_ALL_TIERS, ()))
def test_program_in_the_other_tiers(name: str, tier: str, root: Path, tmp_path: Path) -> None:
    program(name, root, tmp_path, tier)


@pytest.mark.slow
@pytest.mark.parametrize("tier", ["interpreter", EAGER])
@pytest.mark.parametrize(("arch", "name"), on_each([name for name in PROGRAMS if name not in IN_ALL_TIERS], ()))
def test_every_program_in_the_other_tiers(name: str, tier: str, root: Path, tmp_path: Path) -> None:
    program(name, root, tmp_path, tier, timeout=600)


def program(name: str, root: Path, directory: Path, tier: str, timeout: float = 180) -> None:
    (path, *arguments), stdin = PROGRAMS[name]
    same_as_qemu(root / path, *arguments, sysroot=root, stdin=stdin, cwd=directory, tiers=[tier], timeout=timeout)


@pytest.mark.parametrize("arch", ARM_FIRST)
def test_compiler_proper_compiles_a_file(arch: str, root: Path, tmp_path: Path) -> None:
    compiler = root / "usr/lib/gcc" / TRIPLETS[arch] / "12/cc1"
    arguments = ["-quiet", "-O2", *CC1_OPTIONS[arch], "-fno-ident", "-", "-o", "-"]
    same_as_qemu(compiler, *arguments, sysroot=root, stdin=SOURCE, cwd=tmp_path, timeout=300)


@pytest.mark.slow
@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("options", [["-O2"], ["-O0", "-g", "-static"]], ids=" ".join)
def test_compiler_driver_builds_a_program(options: list[str], root: Path, tmp_path: Path) -> None:
    """The driver starts cc1, as and ld, all under xemu; the program that they make runs there, and under QEMU."""
    (tmp_path / "main.c").write_bytes(SOURCE + MAIN)
    done = run(xemu_command(root / "usr/bin/gcc-12", *options, "main.c", "-o", "main", "-lm", sysroot=root), cwd=tmp_path, timeout=600)
    assert (done.code, done.stderr.decode()) == (0, "")
    made = same_as_qemu(tmp_path / "main", "3", sysroot=root, cwd=tmp_path)
    assert made.stdout == b"29 1350851717672992090 5.000 0.909297\n"


@pytest.mark.parametrize("arch", ARM_FIRST)
def test_tar_packs_and_unpacks(root: Path, tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / f"{number}.txt").write_bytes(TEXT[: number * 500])
    packed = same_as_qemu(root / "bin/tar", "cf", "-", "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "in", sysroot=root, cwd=tmp_path)
    (tmp_path / "out").mkdir()
    done = run(xemu_command(root / "bin/tar", "xf", "-", sysroot=root), stdin=packed.stdout, cwd=tmp_path / "out")
    assert done.code == 0, done.stderr
    assert (tmp_path / "out/in/19.txt").read_bytes() == TEXT[: 19 * 500]


@pytest.mark.parametrize("arch", ARM_FIRST)
def test_openssl_signs_and_verifies(root: Path, tmp_path: Path) -> None:
    openssl = root / "usr/bin/openssl"
    (tmp_path / "text").write_bytes(TEXT)
    environment = {"OPENSSL_CONF": "/dev/null"}
    for words in (
        "genpkey -algorithm ed25519 -out key",
        "pkey -in key -pubout -out public",
        "pkeyutl -sign -inkey key -rawin -in text -out signature",
        "pkeyutl -verify -pubin -inkey public -rawin -in text -sigfile signature",
    ):
        done = run(xemu_command(openssl, *words.split(), sysroot=root), cwd=tmp_path, env=environment)
        assert done.code == 0, done.stderr.decode()
    checked = run(qemu_command(openssl, *words.split(), sysroot=root), cwd=tmp_path, env=environment)
    assert_same(done, checked)


@pytest.mark.slow
@pytest.mark.parametrize("arch", ARCHES)
def test_openssl_measures_its_speed(root: Path, tmp_path: Path) -> None:
    words = ["speed", "-seconds", "1", "-bytes", "1024", "sha256", "aes-128-cbc"]
    done = run(xemu_command(root / "usr/bin/openssl", *words, sysroot=root), cwd=tmp_path)
    assert done.code == 0
    assert re.search(rb"^sha256 +[\d.]+k", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("arch", ARM_FIRST)
def test_git_commits_and_shows_a_history(root: Path, tmp_path: Path) -> None:
    who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "A"), ("EMAIL", "a@b"), ("DATE", "1000000000 +0000"))}
    environment = {**who, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TEMPLATE_DIR": "", "GIT_PAGER": "cat"}
    git = root / "usr/bin/git"
    outputs = {}
    for kind, command in (("qemu", qemu_command), ("xemu", xemu_command)):
        directory = tmp_path / kind
        directory.mkdir()
        (directory / "file").write_bytes(TEXT[:500])
        steps = ["init -q -b main", "add file", "commit -q -m one --no-gpg-sign", "log --oneline --stat", "rev-parse HEAD", "status --short"]
        outputs[kind] = [run(command(git, *step.split(), sysroot=root), cwd=directory, env=environment, timeout=180) for step in steps]
    for got, expected in zip(outputs["xemu"], outputs["qemu"], strict=True):
        assert_same(got, expected)
    assert outputs["qemu"][4].stdout.strip()


@pytest.mark.parametrize(("arch", "name"), on_each(["float"], ()))
def test_pythons_own_tests(name: str, root: Path, tmp_path: Path) -> None:
    python_module(name, root, tmp_path, "default", 300)


@pytest.mark.slow
@pytest.mark.parametrize("tier", ["default", "interpreter", EAGER])
@pytest.mark.parametrize(("arch", "name"), on_each(PYTHON_MODULES, ()))
def test_all_of_pythons_own_tests(name: str, tier: str, root: Path, tmp_path: Path) -> None:
    python_module(name, root, tmp_path, tier, 1800)


def python_module(name: str, root: Path, directory: Path, tier: str, timeout: float) -> None:
    """Run a test module of Python: every test that passes under QEMU passes under xemu."""
    words = [root / "usr/bin/python3.11", "-I", "-m", "test", "-v", f"test_{name}"]
    how = {"cwd": directory, "timeout": timeout, "env": {"COLUMNS": "80"}}
    expected = passed(run(qemu_command(*words, sysroot=root), **how).stdout)
    done = run(xemu_command(*words, sysroot=root, options=TIERS[tier]), **how)
    missing = sorted(expected - passed(done.stdout) - REFUSED)
    assert expected
    assert not missing, f"exit code {done.code}: {missing[:10]} of {len(missing)}; {done.stderr[-600:].decode(errors='replace')}"


def passed(output: bytes) -> set[str]:
    return {f"{match[2]}.{match[1]}" for match in RESULT.finditer(output.decode(errors="replace")) if match[3] == "ok"}


