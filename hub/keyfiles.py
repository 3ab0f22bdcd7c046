"""Files that hold keys: nobody but this process's user reads them, and they are whole or not there.

What is checked is what is read: a file is opened once and its owner and permissions are those of what was opened. What
a key is, and what it is for, is its room's affair (``settlement/signing.py``, ``hub/sealing.py``).
"""

import os
import stat
import tempfile
from pathlib import Path
from typing import Final

_BYTES_MAX: Final = 16_384


class Unsafe(Exception):
    """A file or folder of keys can be reached by others than this process's user; ``detail`` says which and how."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def read(path: Path) -> bytes:
    """What is in a file that only this process's user can read; of a longer one the first 16 KiB.

    Raises:
        FileNotFoundError: there is no such file.
        Unsafe: it belongs to another user, has any permission for group or others, or is no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        _check_private(os.fstat(descriptor), path)
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(_BYTES_MAX)
    finally:
        os.close(descriptor)


def prepare(folder: Path) -> None:
    """Have a folder into which only this process's user writes.

    Raises:
        Unsafe: it belongs to another user, or others can write to it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.stat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise Unsafe(f"the folder {folder} belongs to another user or others can write to it; chmod 0700 it")


def written(folder: Path, content: bytes) -> Path:
    """A new file (0600) in the folder with ``content`` on the disk, to be renamed or linked into place."""
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=folder)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    return Path(name)


def place(path: Path, content: bytes) -> bool:
    """Make the file if there is none; whether it was made. Of processes that do so at once one does."""
    temporary = written(path.parent, content)
    try:
        os.link(temporary, path)  # unlike a rename, fails if another process was first
    except FileExistsError:
        return False
    finally:
        temporary.unlink()
        sync(path.parent)
    return True


def sync(folder: Path) -> None:
    """Have the folder's names on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_private(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Unsafe(f"{path} is no regular file")
    if status.st_uid != os.geteuid():
        raise Unsafe(f"{path} belongs to user {status.st_uid}, this process runs as {os.geteuid()}")
    if status.st_mode & 0o077:
        raise Unsafe(f"{path} has permissions {stat.S_IMODE(status.st_mode):04o}; chmod 0600 it")
