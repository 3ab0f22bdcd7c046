"""Serving: a parent that owns the port, and workers that serve the connections it hands them.

The parent accepts each connection and passes it to the worker that has the fewest. Left to the kernel the split is
uneven: with four connections and two workers on one shared socket mostly 4 to 0, with a socket each (SO_REUSEPORT) 2 to
2 in a quarter of the cases; handed over it is always 2 to 2, and 32 to 32 with sixty-four. A connection costs more that
way, a request on a kept one nothing.

Workers are forked, so they share the parent's lease of the database, its imports and the board of metrics. The channel
by which a worker gets connections is also its leash: its end means that there is nothing more to come, so finish and
leave. Signals are the parent's affair and ignored in workers (``hub.worker``), whoever sends them.

- The parent is asked to end: it takes what has connected, closes the port, and waits for the workers; they answer what
  they were asked, the engine commits what is queued. What takes longer than STOP_S_MAX is killed, or what is still
  there when it is asked again.
- The parent dies: the kernel kills the workers, and where it cannot, the end of the channel makes them leave at once.
- A worker dies: another takes its place; its connections are lost, what it had answered was committed.
"""

import errno
import gc
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from types import FrameType

import structlog
from starlette.types import ASGIApp

from hub.errors import Failure
from hub.metrics import Board, Row
from hub.worker import work

STOP_S_MAX = 17  # for a worker, all in all
AGAIN_S = 1.0  # a signal that comes sooner is the first one's echo: make and timeout pass on what the group has got
RESTART_PAUSE_S = 1.0
BACKLOG = 2048
_ACCEPTED_AT_ONCE = 64
_LEAVE = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

log = structlog.get_logger()


class CannotListen(Failure):
    """The server cannot listen there."""

    def __init__(self, where: str, error: Exception) -> None:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        hint = ": another program uses it; stop that, or choose another with --port." if taken else f": {reason}."
        super().__init__(f"The server cannot listen on {where}{hint}")


class WorkersFailed(Failure):
    """A worker process ended while it was starting; what it said stands above."""


@contextmanager
def bind(host: str, port: int) -> Iterator[list[socket.socket]]:
    """A socket on each address of ``host``, not listening yet: only ``serve`` takes connections. Port 0 is any.

    Raises:
        CannotListen: the port is taken, not allowed, or the host is not this machine's.
    """
    with ExitStack() as stack:
        sockets = []
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            for family, kind, protocol, _, address in dict.fromkeys(found):
                listener = stack.enter_context(socket.socket(family, kind, protocol))
                sockets.append(listener)
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted ones inherit it
                if family == socket.AF_INET6:
                    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                listener.setblocking(False)
                listener.bind(address)
        except (OSError, OverflowError, UnicodeError) as error:
            raise CannotListen(f"{host} port {port}", error) from error
        yield sockets


def serve(
    listeners: Sequence[socket.socket], app: Callable[[Board, Row], ASGIApp], workers: int, ready: Callable[[], None]
) -> None:
    """Serve until the process is asked to end, then return when all is answered. Closes
    the listeners.

    ``app`` is called in each worker; ``ready`` in the parent, once, when every worker takes connections. To be called
    from a process without other threads, because it forks.

    Raises:
        WorkersFailed: a worker could not start.
        CannotListen: another program was faster.
    """
    board = Board(workers)
    gc.collect()
    gc.freeze()  # what was loaded so far is never garbage: no collection walks or copies it in any worker
    try:
        with _signals() as wake:
            _Parent(listeners, app, board, wake, ready).run()
    finally:
        gc.unfreeze()  # at its end the interpreter collects all, or libraries complain on stderr of what is left


@dataclass
class _Worker:
    """A worker process as its parent sees it."""

    pid: int
    channel: socket.socket
    place: int
    started: float
    handed: int  # connections, counted like the row's closed ones
    ready: bool = False


class _Parent:
    """Accepts, hands over, and looks after the workers."""

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        app: Callable[[Board, Row], ASGIApp],
        board: Board,
        wake: socket.socket,
        ready: Callable[[], None],
    ) -> None:
        self._listeners = list(listeners)
        self._app = app
        self._board = board
        self._wake = wake
        self._announce: Callable[[], None] | None = ready
        self._workers: list[_Worker] = []
        self._vacant = dict.fromkeys(range(len(board.rows)), 0.0)  # place: when to fill it
        self._held: socket.socket | None = None  # a connection that no worker's channel had room for
        self._listening = False
        self._turn = 0

    def run(self) -> None:
        stop_at: float | None = None
        try:
            while stop_at is None or self._workers:
                self._fill(stop_at)
                if self._signalled():
                    if stop_at is None:
                        stop_at = self._stop()
                    elif time.monotonic() > stop_at - STOP_S_MAX + AGAIN_S:
                        stop_at = 0.0  # asked again: now
                self._reap(stop_at)
                if stop_at is None:
                    self._hand_over()
                elif time.monotonic() > stop_at:
                    self._kill()
                self._wait(stop_at)
        finally:
            self._close_listeners()
            self._kill()

    def _fill(self, stop_at: float | None) -> None:
        for place, since in list(self._vacant.items()):
            if stop_at is None and time.monotonic() >= since:
                del self._vacant[place]
                self._workers.append(self._fork(place))

    def _fork(self, place: int) -> _Worker:
        ours, theirs = socket.socketpair()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            ours.close()
            self._wake.close()
            for other in (*self._listeners, *(worker.channel for worker in self._workers)):
                other.close()
            work(theirs, parent, lambda: self._app(self._board, self._board.rows[place]), self._board.rows[place])
        theirs.close()
        ours.setblocking(False)
        closed = self._board.rows[place].connections_closed
        return _Worker(pid, ours, place, time.monotonic(), handed=closed)

    def _signalled(self) -> bool:
        """Whether one of the signals that came since the last look asks to leave."""
        with suppress(BlockingIOError):
            return any(number in _LEAVE for number in self._wake.recv(256))
        return False

    def _stop(self) -> float:
        """Take no more: what has connected is handed over, the port is closed, and the workers are told."""
        log.info("stopping")
        self._hand_over()
        self._close_listeners()
        for worker in self._workers:
            with suppress(OSError):
                worker.channel.shutdown(socket.SHUT_WR)
        return time.monotonic() + STOP_S_MAX

    def _reap(self, stop_at: float | None) -> None:
        for worker in list(self._workers):
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if not pid:
                continue
            worker.channel.close()
            self._workers.remove(worker)
            if stop_at is not None:
                continue
            if self._announce is not None:
                raise WorkersFailed
            log.error("worker ended", pid=pid, status=os.waitstatus_to_exitcode(status))
            pause = 0.0 if worker.ready and time.monotonic() - worker.started > RESTART_PAUSE_S else RESTART_PAUSE_S
            self._vacant[worker.place] = time.monotonic() + pause

    def _hand_over(self) -> None:
        """Give waiting connections to the workers, a bounded number at a time."""
        if self._held is not None and self._give(self._held):
            self._held = None
        for listener in self._listeners:
            for _ in range(_ACCEPTED_AT_ONCE):
                if self._held is not None or not self._can_take():
                    return
                try:
                    connection, _ = listener.accept()
                except BlockingIOError:
                    break
                except OSError as error:
                    log.warning("connection not accepted", error=str(error))
                    time.sleep(0.01)  # mostly for want of descriptors
                    break
                if not self._give(connection):
                    self._held = connection

    def _can_take(self) -> bool:
        return self._listening and any(worker.ready for worker in self._workers)

    def _give(self, connection: socket.socket) -> bool:
        """Pass a connection to the worker with the fewest, in turn among equals; False: no channel has room."""
        self._turn += 1
        rows, turn = self._board.rows, self._turn

        def load(worker: _Worker) -> tuple[int, int]:
            return worker.handed - rows[worker.place].connections_closed, (worker.place + turn) % len(rows)

        for worker in sorted((worker for worker in self._workers if worker.ready), key=load):
            with suppress(OSError):
                socket.send_fds(worker.channel, [b"c"], [connection.fileno()])
                worker.handed += 1
                connection.close()
                return True
        return False

    def _wait(self, stop_at: float | None) -> None:
        """Sleep until a signal, a connection, or word from a worker that it is ready."""
        starting = [worker for worker in self._workers if not worker.ready]
        wanted = [self._wake, *(worker.channel for worker in starting)]
        if stop_at is None and self._held is None and self._can_take():
            wanted += self._listeners
        patience = 0.01 if self._held is not None else 0.2 if stop_at is not None or self._vacant else 5.0
        readable = select.select(wanted, [], [], patience)[0]
        for worker in starting:
            if worker.channel in readable:
                with suppress(OSError):
                    worker.ready = bool(worker.channel.recv(1))
                if not worker.ready:
                    time.sleep(0.01)  # it has closed its end, and will be reaped in a moment
        if self._announce is not None and not self._vacant and all(worker.ready for worker in self._workers):
            announce, self._announce = self._announce, None
            self._listen()
            announce()

    def _listen(self) -> None:
        for listener in self._listeners:
            try:
                listener.listen(BACKLOG)
            except OSError as error:
                host, port = listener.getsockname()[:2]
                raise CannotListen(f"{host} port {port}", error) from error
        self._listening = True

    def _close_listeners(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        if self._held is not None:
            self._held.close()
            self._held = None

    def _kill(self) -> None:
        for worker in self._workers:
            log.warning("worker killed", pid=worker.pid)
            os.kill(worker.pid, signal.SIGKILL)
            os.waitpid(worker.pid, 0)
            worker.channel.close()
        self._workers.clear()


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """A socket on which the numbers of arriving signals can be read, so that none comes at a bad moment."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    before_fd = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    before = {number: signal.signal(number, _noted) for number in (*_LEAVE, signal.SIGCHLD)}
    try:
        yield ours
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(before_fd)
        ours.close()
        theirs.close()


def _noted(number: int, frame: FrameType | None) -> None:
    """Python writes the signal's number to the socket."""
