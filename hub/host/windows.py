"""Settlement windows, closed and confirmed out of a bank's file."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from hub import ids, tables
from hub.clock import now
from hub.errors import NotFound
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


async def confirm_payments(url: str, content: bytes, *, apply: bool) -> Confirming:
    """Match a bank's file to the nets that are due, and apply it if that is asked for (``settlement.confirming``).

    Raises:
        FileRefused: it cannot be read.
        Refusal: what was due has changed since it was looked at.
        NotSetUp: there is no hub.
    """
    async with own_engine(url) as (database, engine):
        reading = Reading(database, engine)
        await reading.refresh()
        return await confirm(reading, engine, engine.configuration.host.id, content, apply=apply)


async def _ensure_with(reports: Reports, window: int, lines: Path) -> None:
    """Have the reports, and all lines in a file: in one go, unless another process has built the reports meanwhile."""
    with await asyncio.to_thread(lines.open, "wb") as file:
        if not await reports.ensure(window, file):
            async for page in reports.lines(window, None):
                file.write(page)


async def close_window(
    settings: Settings, url: str, model: str = DEFAULT_MODEL, lines: Path | None = None
) -> ClosedWindow:
    """Close the open window of a model and store its signed reports. The request's key is derived from the window, so
    that two who do so at once close it once. All its lines are written to ``lines``.

    Raises:
        Refusal: it was closed meanwhile.
        Fault: the host's credential was not let through.
        NotSetUp: there is no hub.
        NotFound: there is no such settlement model.
        NetsMismatch, SigningError: it is closed, but its reports could not be made; they are made when asked for.
    """
    async with own_engine(url) as (database, engine):
        async with database.snapshot() as connection:
            opened = await window_rows.windows(connection, tables.settlement_window.c.status == WindowStatus.OPEN)
        window = next((one for one in opened.values() if one.model == model), None)
        if window is None:
            raise NotFound(model=model)
        key = key_of(engine.configuration, f"host-close-{ids.text(ids.WINDOW, window.id)}", model, now())
        closing = CloseWindow(actor=engine.configuration.host.id, key=key, window=window.id)
        await engine.ask(closing)
        reports = Reports(database, Keys.of(settings), settings.name)
        await (reports.ensure(window.id) if lines is None else _ensure_with(reports, window.id, lines))
        async with database.snapshot() as connection:
            closed = await window_rows.windows(connection, tables.settlement_window.c.id == window.id)
            nets = await window_rows.payable_nets(connection, [window.id])
        codes = {institution.id: institution.code for institution in engine.configuration.institutions.values()}
        return ClosedWindow(closed[window.id], nets.get(window.id, []), codes)
