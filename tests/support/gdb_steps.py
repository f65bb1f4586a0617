"""The places that gdb-multiarch visits with a motion, in a program that runs under qemu-arm."""

from __future__ import annotations

import json
import socket
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
import gdb, json
def where():
    frame = gdb.newest_frame()
    return [frame.name() or "", frame.find_sal().line]
for line in ("pagination off", "confirm off", "debuginfod enabled off"):
    gdb.execute("set " + line)
gdb.execute("target remote :%(port)d")
gdb.execute("tbreak %(place)s")
gdb.execute("continue", to_string=True)
places = [where()]
try:
    for motion in %(motions)r:
        gdb.execute(motion, to_string=True)
        places.append(where())
except gdb.error:
    pass
open(%(result)r, "w").write(json.dumps(places))
"""


def gdb_places(directory: Path, program: Path, place: str, motions: list[str]) -> list[tuple[str, int]]:
    """Return (function, line) after running to a place, and after each motion; the program's end ends it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    result, script = directory / "places.json", directory / "script.py"
    script.write_text(SCRIPT % {"port": port, "place": place, "motions": motions, "result": str(result)})
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    guest = subprocess.Popen(["qemu-arm", "-g", str(port), str(program)], **quiet)  # type: ignore[call-overload]
    try:
        done = subprocess.run(["gdb-multiarch", "-nx", "-q", "-batch", str(program), "-x", str(script)], capture_output=True, text=True,
                              timeout=90, check=False)  # fmt: skip
        if not result.exists():
            raise AssertionError(f"GDB failed: {done.stderr[-2000:]}")
        return [(name, line) for name, line in json.loads(result.read_text())]
    finally:
        guest.kill()
        guest.wait()
