"""Cut-offs: the hub itself closes windows that are due, by the calendars of their models.

Whoever looks, however many processes, a window is closed once: the request's key is made of the window, of the version
whose calendar says so, and of the FX rates there are, where one is needed. A window that waits for a rate stays open.
What a stop of the hub kept open over one cut-off or several is closed once, as soon as somebody looks again, and the
window tells the cut-off that it was closed for; the next one's is in the future. Nothing is closed whose reports could
not be signed: the window stays open then as well.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeAlias

import structlog

from hub import tables
from hub.configuration import Configuration
from hub.db import Database
from hub.errors import Failure, FxRateMissing, InvalidInput, WindowClosed
from hub.ledger import window_rows
from hub.ledger.commands import CloseWindow
from hub.ledger.engine import Engine
from hub.ledger.records import Window, WindowStatus
from hub.versions import in_force
from hub.windows import due_at, key_of

log = structlog.get_logger()

LATE_S_MAX = 60  # what is longer than that is told as a warning


CheckKey: TypeAlias = Callable[[], Awaitable[None]]  # passes if reports can be signed, or raises a Failure


async def close_due(
    database: Database, engine: Engine, at: datetime, check_key: CheckKey | None = None
) -> datetime | None:
    """Close every open window whose cut-off has come at ``at``; answers when the next of them comes, if one does.
    ``check_key``: None: nobody signs reports.

    Raises:
        Fault: the queue is full, or the engine is closing.
    """
    if not _has_calendars(engine.configuration, at):
        return None
    for window, cut_off in (await _cut_offs(database, engine, at)).items():
        if cut_off <= at and await _is_signable(window, check_key):
            await _close(engine, window, cut_off, at)
    coming = (await _cut_offs(database, engine, at)).values()
    return min((cut_off for cut_off in coming if cut_off > at), default=None)


async def _cut_offs(database: Database, engine: Engine, at: datetime) -> dict[Window, datetime]:
    """The open windows that are due at some time, with that."""
    async with database.snapshot() as connection:
        opened = await window_rows.windows(connection, tables.settlement_window.c.status == WindowStatus.OPEN.value)
    found = ((window, due_at(engine.configuration, window, at)) for window in opened.values())
    return {window: cut_off for window, cut_off in found if cut_off is not None}


def _has_calendars(configuration: Configuration, at: datetime) -> bool:
    found = (in_force(versions, at) for versions in configuration.models.values())
    return any(one is not None and one.calendar is not None for one in found)


async def _is_signable(window: Window, check_key: CheckKey | None) -> bool:
    """Whether the window's reports could be signed; if not, it is tried again with each turn."""
    try:
        if check_key is not None:
            await check_key()
    except Failure as no:
        log.error("window waits for the signing key", model=window.model, number=window.number, reason=str(no))
        return False
    return True


async def _close(engine: Engine, window: Window, cut_off: datetime, at: datetime) -> None:
    model = in_force(engine.configuration.models[window.model], at)
    key = f"cut-off-{window.id:x}-{0 if model is None else model.id:x}"
    key = key_of(engine.configuration, key, window.model, at)
    command = CloseWindow(actor=engine.configuration.host.id, key=key, window=window.id, due=True)
    try:
        await engine.ask(command)
    except (WindowClosed, InvalidInput) as no:  # somebody closed it meanwhile, or gave its model another calendar
        log.info("window is not due any more", model=window.model, number=window.number, refusal=no.code)
        return
    except FxRateMissing as no:  # it stays open, and is tried again with each turn
        log.warning("window waits for an FX rate", model=window.model, number=window.number, **no.details)
        return
    late_s = int((at - cut_off).total_seconds())
    tell = log.info if late_s < LATE_S_MAX else log.warning
    tell("window closed", model=window.model, number=window.number, due=cut_off.isoformat(), late_s=late_s)
