"""A process killed in the middle of writing a file, and not at any other moment."""

import os
import signal
import subprocess
import time
from pathlib import Path


def kill_amid_a_write(process: subprocess.Popen, target: Path) -> None:
    """Stops the process until it is seen with a part of `target` on the disk; then kills it."""
    limit = time.monotonic() + 60.0
    while time.monotonic() < limit:
        assert process.poll() is None, "the process ended by itself"
        if target.exists() and list(target.parent.glob(f".{target.name}.*.part")):
            process.send_signal(signal.SIGSTOP)
            os.waitpid(process.pid, os.WUNTRACED)
            if list(target.parent.glob(f".{target.name}.*.part")):
                process.send_signal(signal.SIGKILL)
                return
            process.send_signal(signal.SIGCONT)
    raise AssertionError("no write was seen in a minute")
