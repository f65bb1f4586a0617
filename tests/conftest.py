"""Fixtures of all tests, and the closing words of a run."""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.support.programs import missing_tools

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Who is started in the background, or by nohup, has these ignored, and so would the processes that tests send them to.
for _number, _action in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, _action)
SIGNALS = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
UNDER_CI = os.environ.get("CI", "").lower() not in ("", "0", "false")


@pytest.fixture(autouse=True)
def _host_signals() -> Iterator[None]:
    """Give back the host's signals: a guest that ran in this process has taken them over, and programs that tests start inherit them."""
    mask, actions = signal.pthread_sigmask(signal.SIG_BLOCK, ()), [signal.getsignal(n) for n in SIGNALS]
    yield
    for number, action in zip(SIGNALS, actions, strict=True):
        if action is not None and signal.getsignal(number) != action:
            signal.signal(number, action)
    signal.set_wakeup_fd(-1)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@pytest.fixture(scope="session")
def need() -> Callable[..., str]:
    """Return a function that finds a tool: `need("qemu-arm")` skips the test without it, under CI it fails."""

    def find(*names: str) -> str:
        if missing := missing_tools(*names):
            give_up(f"{', '.join(missing)} not installed")
        return shutil.which(names[0]) or names[0]

    return find


def give_up(reason: str) -> None:
    """Skip this test, or fail it under CI, where nothing may be missing."""
    if UNDER_CI:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why tests were skipped, just above pytest's closing line."""
    reasons = Counter(_reason(report) for report in terminalreporter.stats.get("skipped", []))
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"skipped {count}: {reason}")


def _reason(report: pytest.TestReport) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ").strip()
