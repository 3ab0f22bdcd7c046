"""Settlement windows, closed and confirmed out of a bank's file."""

import asyncio
import os
import stat
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from hub import ids, tables
from hub.clock import now
from hub.errors import Failure, NotFound
from hub.host.door import own_engine
from hub.ledger import window_rows
from hub.ledger.commands import CloseWindow
from hub.ledger.records import Net, Window, WindowStatus
from hub.models import DEFAULT_MODEL
from hub.reading import Reading
from hub.settings import Settings
from hub.windows import key_of
from settlement.confirming import Confirming, confirm
from settlement.publish import Keys, Reports


@dataclass(frozen=True, slots=True)
class ClosedWindow:
    """A window that was closed now, its nets, and the codes of who has them."""

    window: Window
    nets: list[Net]
    codes: dict[int, str]


class ReportsOutstanding(Failure):
    """The window is closed, but its reports could not be made; its cause says why."""

    def __init__(self, window: Window) -> None:
        super().__init__(f"{self.__doc__} (window {window.number} of {window.model})")
        self.window = window


async def confirm_payments(settings: Settings, url: str, content: bytes, *, apply: bool) -> Confirming:
    """Match a bank's file to the nets that are due, and apply it if that is asked for (``settlement.confirming``).

    Raises:
        FileRefused: it cannot be read.
        Refusal: what was due has changed since it was looked at.
        NetsMismatch, ReportsGone, SigningError: the reports of a window cannot be made; nothing is confirmed.
        NotSetUp: there is no hub.
    """
    async with own_engine(url) as (database, engine):
        reading = Reading(database, engine)
        await reading.refresh()
        reports = Reports(database, Keys.of(settings), settings.name)
        return await confirm(reading, engine, reports, engine.configuration.host.id, content, apply=apply)


async def sign_first(settings: Settings, url: str, model: str, number: int) -> Window:
    """Have the reports of a window made that was paid, or disputed, before there were any (``Reports.ensure_first``).

    Raises:
        NotFound: the model has no such window.
        NotClosed, NetsMismatch, ReportsGone, SigningError: none is made.
        NotSetUp: there is no hub.
    """
    of = tables.settlement_window.c
    async with own_engine(url) as (database, _):
        async with database.snapshot() as connection:
            found = await window_rows.windows(connection, (of.model == model) & (of.number == number))
        if not found:
            raise NotFound(model=model, number=number)
        [window] = found.values()
        await Reports(database, Keys.of(settings), settings.name).ensure_first(window.id)
        return window


async def _ensure_with(reports: Reports, window: int, file: BinaryIO) -> None:
    """Have the reports, and all lines in a file: in one go, unless another process has built the reports meanwhile."""
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.truncate(0)
    if not await reports.ensure(window, file):
        async for page in reports.lines(window, None):
            file.write(page)


async def close_window(
    settings: Settings, url: str, model: str = DEFAULT_MODEL, lines: Path | None = None
) -> ClosedWindow:
    """Close the open window of a model and store its signed reports. The request's key is derived from the window, so
    that two who do so at once close it once. All its lines are written to ``lines``, in place of what is there. The
    signing key and that file are tested first: a closing is for ever, so nothing is closed that cannot be reported.

    Raises:
        Refusal: it was closed meanwhile.
        Fault: the host's credential was not let through.
        NotSetUp: there is no hub.
        NotFound: there is no such settlement model.
        SigningError: there is no usable key to sign the reports with, so it stays open.
        OSError: the file cannot be written to, so it stays open.
        ReportsOutstanding: it is closed, but its reports or its lines could not be made; they are made when asked for.
    """
    async with own_engine(url) as (database, engine):
        async with database.snapshot() as connection:
            opened = await window_rows.windows(connection, tables.settlement_window.c.status == WindowStatus.OPEN)
        window = next((one for one in opened.values() if one.model == model), None)
        if window is None:
            raise NotFound(model=model)
        key = key_of(engine.configuration, f"host-close-{ids.text(ids.WINDOW, window.id)}", model, now())
        closing = CloseWindow(actor=engine.configuration.host.id, key=key, window=window.id)
        reports = Reports(database, Keys.of(settings), settings.name)
        await reports.check_key()
        file = None if lines is None else await asyncio.to_thread(lines.open, "ab")
        with file or nullcontext():
            await engine.ask(closing)
            try:
                with file or nullcontext():  # what it did not take shows when it is closed
                    await (reports.ensure(window.id) if file is None else _ensure_with(reports, window.id, file))
                async with database.snapshot() as connection:
                    closed = await window_rows.windows(connection, tables.settlement_window.c.id == window.id)
                    nets = await window_rows.payable_nets(connection, [window.id])
            except Exception as error:
                raise ReportsOutstanding(window) from error
        codes = {institution.id: institution.code for institution in engine.configuration.institutions.values()}
        return ClosedWindow(closed[window.id], nets.get(window.id, []), codes)
