"""Files that are whole or not there, whenever the machine stops; and one process at a time.

All writing is done under the lock, so a temporary name that is left over is nobody's.
"""

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILE_BYTES_MAX = 64 << 20
_PAUSE_S = 0.01


class Busy(Exception):
    """Another process has the folder."""


class NoFile(Exception):
    """What has the file's name is no file of a size that is read."""


@contextmanager
def locked(path: Path, until: float) -> Iterator[None]:
    """Be alone until the context ends, or the process does. ``until``: of the monotonic clock, how long is waited.

    Raises:
        Busy: others have been at it all the time.
        OSError: the lock cannot be opened.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise Busy("Another process has the folder.") from None
                time.sleep(_PAUSE_S)
        yield
    finally:
        os.close(descriptor)


def write(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Put a file in its place, for good when this returns; before, the place has what it had."""
    temporary = path.with_name(f".{path.name}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    move(temporary, path)


def move(path: Path, to: Path) -> None:
    """Give a file another name, for good when this returns."""
    os.replace(path, to)
    for folder in {path.parent, to.parent}:
        sync(folder)


def sync(folder: Path) -> None:
    """Make for good which names a folder has."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(path: Path) -> bytes | None:
    """A file's content, or None where there is none. Links and pipes are not followed: others may put them there.

    Raises:
        NoFile: it is no plain file, or too large.
        OSError: it cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with open(descriptor, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size > FILE_BYTES_MAX:
            raise NoFile(f"{path.name} is no plain file of at most {FILE_BYTES_MAX >> 20} MiB.")
        return file.read(FILE_BYTES_MAX)
