"""The kernels of `make bench`: A32 and T32 builds print what the native build prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.compare import assert_same
from tests.support.programs import run, xemu_command

if TYPE_CHECKING:
    from collections.abc import Callable

from bench import build
from bench.jobs import KERNELS

SHORT = ("bytecode", "fft", "hash", "neon")
TOOLS = ("arm-linux-gnueabihf-gcc", "gcc")


@pytest.fixture(scope="module")
def kernels(need: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, object]]:
    """Return a function that builds a kernel; each worker has its own build directory."""
    need(*TOOLS)
    build.BUILD = tmp_path_factory.mktemp("kernels")  # type: ignore[misc]

    def make(name: str) -> dict[str, object]:
        build.build([name])
        return build.programs(name)

    return make


def check(kernels: Callable[[str], dict[str, object]], name: str, kind: str, options: tuple[str, ...] = ()) -> None:
    paths = kernels(name)
    assert_same(run(xemu_command(str(paths[kind]), options=options)), run([str(paths["native"])]))


@pytest.mark.parametrize("kind", ["arm", "thumb"])
@pytest.mark.parametrize("name", SHORT)
def test_kernel_prints_what_native_code_prints(
    name: str, kind: str, kernels: Callable[[str], dict[str, object]]
) -> None:
    check(kernels, name, kind)


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--no-jit",), ("--eager-jit",)])
@pytest.mark.parametrize("kind", ["arm", "thumb"])
@pytest.mark.parametrize("name", KERNELS)
def test_every_kernel_in_every_tier(
    name: str, kind: str, options: tuple[str, ...], kernels: Callable[[str], dict[str, object]]
) -> None:
    check(kernels, name, kind, options)
