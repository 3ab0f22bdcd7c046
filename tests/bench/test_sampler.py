"""The sampler only watches: whatever it meets, the process that carries it goes on as if it were not there."""

import os
import subprocess
import sys
from pathlib import Path

from bench.profile import environment

SIGNALS = 20_000
# A child sends signals as fast as it can, so that many come while the one before is still being written down.
FLOODED = f"""
import os, signal
parent = os.getpid()
if os.fork() == 0:
    for _ in range({SIGNALS}):
        os.kill(parent, signal.SIGPROF)
    os._exit(0)
while os.waitpid(-1, os.WNOHANG) == (0, 0):
    pass
"""


def test_a_sample_that_comes_within_another_disturbs_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FLOODED],
        env={**os.environ, **environment(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    lines = [line for file in tmp_path.glob("*.samples") for line in file.read_text().splitlines()]
    assert lines
    assert all(float(line.partition(" ")[0]) > 0 and "|" in line for line in lines)
