"""Where tests keep their files, whole PostgreSQL clusters among them: in memory where there is room, else on disk.

Making a database is making some hundred files, which takes ten times as long on many a disk. No test cuts the power,
and what a killed process has written is kept by the kernel in either place, so nothing is proved less. TMPDIR, if it is
set, says where instead.
"""

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM_BYTES_MIN = 3 << 30  # several times what a run takes at once


def choose() -> None:
    """Let this process and those that it starts put temporary files there."""
    if "TMPDIR" not in os.environ and _has_room():
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


def open_to_all() -> Path:
    """A new folder that every user may enter, which pytest's own are not."""
    parent = MEMORY if tempfile.gettempdir() == str(MEMORY) else Path("/tmp")
    folder = Path(tempfile.mkdtemp(prefix="points-hub-test-", dir=parent))
    folder.chmod(0o755)
    return folder


def _has_room() -> bool:
    """Programs have to run from there too: where PostgreSQL runs as nobody, from a copy."""
    try:
        has_room = shutil.disk_usage(MEMORY).free >= ROOM_BYTES_MIN and os.access(MEMORY, os.W_OK | os.X_OK)
        return has_room and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC
    except OSError:
        return False
