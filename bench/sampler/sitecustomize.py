"""A sampling profiler that rides in the hub's processes during ``python -m bench --profile``.

Python imports this file at start because its folder leads PYTHONPATH. For every five milliseconds of CPU that a process
uses, its main thread's stack becomes one line of a file: the monotonic clock, then the frames from the outermost, so
that each measurement finds its own lines by their time. Nothing imports it by name.
"""

import atexit
import os
import signal
import time
from pathlib import Path
from types import FrameType

FOLDER = os.environ.get("HUB_BENCH_SAMPLES", "")
INTERVAL_S = 0.005


def _line(frame: FrameType | None) -> str:
    frames = []
    while frame is not None:
        code = frame.f_code
        frames.append(f"{code.co_filename}|{code.co_name}")
        frame = frame.f_back
    return f"{time.monotonic():.3f} " + ";".join(reversed(frames)) + "\n"


def _arm() -> None:
    """Sample this process from here on; a forked child needs its own timer and file."""
    out = os.open(Path(FOLDER, f"{os.getpid()}.samples"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def sample(_signum: int, frame: FrameType | None) -> None:
        # One system call: a buffered file raises when a signal comes within a write, and raises it in the hub's code.
        os.write(out, _line(frame).encode())

    signal.signal(signal.SIGPROF, sample)
    signal.setitimer(signal.ITIMER_PROF, INTERVAL_S, INTERVAL_S)


if FOLDER:
    _arm()
    atexit.register(signal.setitimer, signal.ITIMER_PROF, 0)  # a signal that finds Python gone would kill the process
    os.register_at_fork(after_in_child=_arm)
