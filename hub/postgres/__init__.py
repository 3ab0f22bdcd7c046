"""The PostgreSQL server that the hub brings along: started by its first user, shared by all, stopped by its last.

A *lease* is the right to use the server of one data folder. While anyone holds a lease the server runs; nobody owns it.

    points-hub.json   marks the folder as ours          start.lock   exclusive while somebody starts or stops the server
    postgres.json     the roles' passwords, mode 0600   users.lock   shared by everyone who holds a lease
    postgres/         the cluster                       postgres.log what the server says

What is left behind by a crash, and who puts it right:

- A user dies (kill -9, or any signal it does not handle): the kernel drops its locks. The server has a session of its
  own and lives on; the next lease adopts it. Should nobody come back, it runs on until the machine stops.
- A user dies while the cluster is made: the cluster is made beside its place and renamed when whole, so the next lease
  starts from nothing.
- A user dies while the server starts or stops: the next lease waits for it to answer, or starts it again.
- The server dies: the next lease starts it, PostgreSQL recovers from its log. Leases held meanwhile stay valid, their
  connections do not. What is left of the old server is waited for, and its pid file never taken for a live one's.
- The machine dies: the same; ``fsync`` and ``synchronous_commit`` are on, so what was answered is there.

The server listens on a Unix socket only, in a private folder whose path is short because a socket's may not exceed 107
bytes. Everyone signs in with a password (SCRAM), the owner of the folder as well.

PostgreSQL refuses to run as root. For root, its programs run in a user namespace where root is called nobody, so files
stay root's. Where that is forbidden, as in many containers, they run as nobody, and the cluster belongs to nobody.

All of it runs before any event loop, blocks, and uses nothing but the standard library.
"""

from hub.postgres.binaries import VERSION_MIN, find_binaries
from hub.postgres.cluster import DATABASE, OWNER, PORT, SERVER, SUPERUSER, Server
from hub.postgres.errors import (
    DidNotStart,
    DidNotStop,
    NoBinaries,
    NotOurFolder,
    NotPrepared,
    PasswordsLost,
    PostgresError,
    UnfitFolderName,
    UnreachableFolder,
    UnsafeSocketFolder,
)
from hub.postgres.leases import claim, lease

__all__ = [
    "DATABASE",
    "OWNER",
    "PORT",
    "SERVER",
    "SUPERUSER",
    "VERSION_MIN",
    "DidNotStart",
    "DidNotStop",
    "NoBinaries",
    "NotOurFolder",
    "NotPrepared",
    "PasswordsLost",
    "PostgresError",
    "Server",
    "UnfitFolderName",
    "UnreachableFolder",
    "UnsafeSocketFolder",
    "claim",
    "find_binaries",
    "lease",
]
