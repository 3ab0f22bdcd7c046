"""Windows are closed at their cut-offs, once, by whichever process looks, and late if nobody could."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from hub import cut_offs
from hub.audit import audit
from hub.calendars import next_cut_off
from hub.errors import InvalidInput
from hub.ledger import commands
from hub.ledger.commands import CalendarTerms
from hub.metrics import Board
from hub.schedule import Schedule
from settlement.publish import Keys, Reports
from tests.conftest import Hub, Pass

DAY = timedelta(days=1)
EVERY_DAY = (1, 2, 3, 4, 5, 6, 7)


async def windows(hub: Hub, model: str) -> list[Any]:
    return await hub.sql("SELECT * FROM settlement_window WHERE model = $1 ORDER BY number", model)


async def test_a_window_is_closed_once_at_its_cut_off_by_two_processes_and_late_after_a_stop(
    hub: Hub, pass_: Pass
) -> None:
    beside = hub.beside()
    for code in ("A", "B"):
        await hub.institution(code)
    shown = [datetime.now(ZoneInfo("Asia/Shanghai")) + timedelta(hours=hours) for hours in (6, 18)]
    calendar = CalendarTerms("Asia/Shanghai", tuple(of.strftime("%H:%M") for of in shown), EVERY_DAY)
    model = await hub.model("CARD", ["A", "B"], calendar=calendar)
    await beside.reading.refresh()
    [card] = await windows(hub, "CARD")
    due = next_cut_off(model.calendar, card["opened_at"])
    assert due == shown[0].replace(second=0, microsecond=0)
    now = datetime.now(UTC)
    asked = commands.CloseWindow(actor=hub.admin, key="early", window=card["id"], due=True)
    with pytest.raises(InvalidInput):
        await hub.do(asked)
    assert await cut_offs.close_due(hub.database, hub.engine, now) is not None
    assert [row["status"] for row in await windows(hub, "CARD")] == ["OPEN"]
    # The hub stands still over five cut-offs, then two processes see it at once: one closing, of the first of them.
    pass_(5 * DAY / 2)
    at = now + 5 * DAY / 2
    coming = await asyncio.gather(*(cut_offs.close_due(one.database, one.engine, at) for one in (hub, beside)))
    closed, opened = await windows(hub, "CARD")
    assert (closed["status"], closed["due_at"]) == ("SETTLED", due)
    assert closed["closed_at"] - due > 2 * DAY  # two days and six hours, but for what a minute has of seconds
    assert (opened["number"], opened["status"], opened["due_at"]) == (2, "OPEN", None)
    following = next_cut_off(model.calendar, opened["opened_at"])
    assert following is not None
    assert at < following
    assert following in coming
    # By hand it is closed for no cut-off, and a calendar that is gone closes nothing.
    await hub.do(commands.CloseWindow(actor=hub.admin, key="hand", window=opened["id"]))
    assert [row["due_at"] for row in await windows(hub, "CARD")] == [due, None, None]
    await hub.model("CARD", ["A", "B"])
    pass_(DAY)
    await cut_offs.close_due(hub.database, hub.engine, at + DAY)
    assert [row["status"] for row in await windows(hub, "CARD")] == ["SETTLED", "SETTLED", "OPEN"]
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()
    await beside.close()


async def test_the_schedule_closes_what_is_due_at_its_next_turn_which_is_not_later_than_the_cut_off(hub: Hub) -> None:
    schedule = Schedule(hub.addresses.server, hub.database, hub.engine, hub.reading, Board(1).rows[0], 86_400)
    await schedule._turn()
    assert schedule._idle_s == 86_400
    minute = datetime.now(UTC) + timedelta(minutes=2)
    await hub.model("default", calendar=CalendarTerms("UTC", (minute.strftime("%H:%M"),), EVERY_DAY))
    await schedule._turn()
    assert schedule._idle_s <= 120


async def test_a_window_whose_reports_could_not_be_signed_waits_and_is_closed_once_they_can(
    hub: Hub, pass_: Pass, tmp_path: Path
) -> None:
    reports = Reports(hub.database, Keys(tmp_path / "signing"), "Hub")
    await reports.check_key()
    await hub.model("default", calendar=CalendarTerms("UTC", ("00:00",), EVERY_DAY))
    pass_(DAY)
    at = datetime.now(UTC) + DAY
    (tmp_path / "signing" / "current.pem").chmod(0o644)
    with capture_logs() as logs:
        await cut_offs.close_due(hub.database, hub.engine, at, reports.check_key)
    assert [log["event"] for log in logs] == ["window waits for the signing key"]
    assert "chmod 0600" in logs[0]["reason"]
    assert [row["status"] for row in await windows(hub, "default")] == ["OPEN"]
    (tmp_path / "signing" / "current.pem").chmod(0o600)
    await cut_offs.close_due(hub.database, hub.engine, at, reports.check_key)
    assert [row["status"] for row in await windows(hub, "default")] == ["SETTLED", "OPEN"]
