"""Leases: the right to use the server of one data folder, which runs while anyone holds one."""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub.postgres.cluster import Cluster, Server
from hub.postgres.errors import NotOurFolder, UnfitFolderName

_UNFIT = re.compile("[\n\r\ud800-\udfff]")  # the last: bytes that are no UTF-8, as Python has them


@contextmanager
def lease(data_dir: Path) -> Iterator[Server]:
    """The server of ``data_dir``, running for as long as the block does.

    The first lease makes the folder, the cluster, roles and database; further ones, of this process or others, share
    the server; the end of the last stops it. Blocks while another process starts or stops it.

    Locks: ``users.lock`` is held shared throughout, ``start.lock`` only around start and stop. Their descriptors are
    not inherited by the server, or it would count as its own user. A forked child shares its parent's lease.

    Raises:
        PostgresError: one of its kinds. Nothing is left running, unless others use it.
    """
    folder = claim(data_dir)
    users = os.open(folder / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        cluster = Cluster.of(folder)
        try:
            with _starting_or_stopping(folder):
                alone = _is_alone(users)
                fcntl.flock(users, fcntl.LOCK_SH)
                server = cluster.ready(alone)
            yield server
        finally:
            with _starting_or_stopping(folder):
                if _is_alone(users):
                    cluster.stop()
    finally:
        os.close(users)


def claim(data_dir: Path) -> Path:
    """``data_dir`` resolved, made if missing, and marked as the hub's.

    Raises:
        UnfitFolderName: PostgreSQL, whose files have a line for each name, could not work in it.
        NotOurFolder: it is no folder, another user's, or holds files but no mark of ours.
    """
    folder = data_dir.resolve()
    if _UNFIT.search(str(folder)):
        raise UnfitFolderName(f"choose one of UTF-8 without line breaks for {str(folder)!r}")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.geteuid():
            raise NotOurFolder(f"{folder} belongs to another user")
        names = set(os.listdir(folder)) - {"lost+found"}
        marker = folder / "points-hub.json"
        # Looked for after listing: the mark comes first, so whoever sees a neighbour's files sees its mark as well.
        if names and not marker.exists():
            raise NotOurFolder(f"{folder} holds other files, such as {min(names)}")
        if not names:
            marker.write_text('{"folder": "Points Hub"}\n')
    except OSError as error:
        raise NotOurFolder(str(error)) from error
    return folder


@contextmanager
def _starting_or_stopping(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder / "start.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_alone(users: int) -> bool:
    """Whether nobody else holds a lease. A share that ``users`` held is lost, whatever the answer."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
