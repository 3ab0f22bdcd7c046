"""The schedule: one worker of all is at work, another takes over, and a served hub settles, clears and gives notice."""

import asyncio
import json
import os
import re
import signal
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from hub.ledger import commands
from hub.ledger.commands import Party
from hub.metrics import Board
from hub.postgres import OWNER, SUPERUSER, lease
from hub.schedule import LOCK, Schedule
from hub.sweeping import LARGE
from tests.conftest import Hub, driver_url
from tests.hub.moved import Moving, Played
from tests.hub.programs import PROGRAM, Pattern, Served, environment, run, served, until
from tests.hub.test_app import furnish, sample

ISSUE = """
mutation($input: [IssuePointsInput!]!) { issuePointsBatch(input: $input) { __typename } }
"""
CLEAR = """
mutation($input: ClearPointsInput!) {
  clearPoints(input: $input) { ... on PointsClearing { id status currency { code } } ... on Refused { reason } }
}
"""
CLEARING = "query($id: ID!) { pointsClearing(id: $id) { status accounts cleared pinned withoutAge } }"
NOTICES = """
query($since: DateTime!) {
  expiryNotices(currency: "PTS", since: $since) { edges { node { points { amount } customer { reference } } } }
}
"""
TOLD_S_MAX = 60
OVER_IN_S = (2, 10, 60)
OVER_IN_S_MAX = 61


def issues(name: str, count: int, amount: int, ends: datetime | None) -> list[dict[str, Any]]:
    return [
        {
            "idempotencyKey": f"{name}-{number}",
            "currency": "PTS",
            "to": {"institution": "BANK", "reference": f"{name}-{number}"},
            "amount": str(amount),
            "expiresAt": None if ends is None else ends.isoformat(),
        }
        for number in range(count)
    ]


def issued_to_end(server: Served, name: str, count: int, amount: int) -> datetime:
    """Issue, in one batch, points that end soon, and answer when. If making them takes longer than that they are
    refused, all of them, and made with more time."""
    for seconds in OVER_IN_S:
        ends = datetime.now(UTC) + timedelta(seconds=seconds)
        rows = issues(name, count, amount, ends)
        answered = server.ask(
            ISSUE, input=[row | {"idempotencyKey": f"{row['idempotencyKey']} {ends}"} for row in rows]
        )
        if answered == [{"__typename": "Issue"}] * count:
            return ends
        assert answered == [{"__typename": "Refused"}] * count
    raise AssertionError("a batch took more than a minute")


def look(folder: Path, statement: str) -> int:
    """A number out of a hub's database."""

    async def asked(url: str) -> int:
        connection = await asyncpg.connect(url)
        try:
            return int(await connection.fetchval(statement))
        finally:
            await connection.close()

    with lease(folder) as server:
        return asyncio.run(asked(driver_url(server.url(OWNER))))


BREAKAGE = "SELECT coalesce(sum(credits_posted - debits_posted), 0)::bigint FROM account WHERE kind = 3"
CUSTOMERS = "SELECT coalesce(sum(credits_posted - debits_posted), 0)::bigint FROM account WHERE kind = 1"


async def soon(holds: Callable[[], Awaitable[bool]]) -> bool:
    for _ in range(TOLD_S_MAX * 50):
        if await holds():
            return True
        await asyncio.sleep(0.02)
    return False


async def test_one_is_at_work_and_another_takes_over(hub: Hub, superuser: "asyncpg.Connection[Any]") -> None:
    await hub.institution("BANK")
    await hub.currency("BP", "BANK")

    async def issue(name: str) -> None:
        await hub.do(
            commands.Issue(
                actor=hub.admin, key=name, currency="BP", to=Party("BANK", name), amount="7", earned_at=None,
                expires_at=datetime.now(UTC) + timedelta(seconds=1), memo=None,
            )
        )  # fmt: skip

    async def all_over() -> bool:
        return int((await hub.sql("SELECT count(*) FROM lot"))[0][0]) == 0

    async def leaders() -> list[int]:
        halves = LOCK >> 32, LOCK & 0xFFFFFFFF
        asked = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND (classid, objid) = ($1, $2)"
        return [row[0] for row in await hub.sql(asked, *halves)]

    async def led() -> bool:
        return len(await leaders()) == 1

    hubs, board = [hub.beside(), hub.beside()], Board(2)
    schedules = [
        Schedule(one.addresses.server, one.database, one.engine, one.reading, row, 0.1)
        for one, row in zip(hubs, board.rows, strict=True)
    ]
    try:
        for schedule in schedules:
            schedule.start()
        await issue("first")
        assert await soon(all_over)
        assert await soon(led)
        [before] = await leaders()
        await superuser.execute("SELECT pg_terminate_backend($1)", before)  # as if its process had died
        await issue("second")
        assert await soon(all_over)
        assert await soon(led)
        assert await leaders() != [before]
        await schedules[0].close()
        await issue("third")
        assert await soon(all_over)
    finally:
        for schedule, one in zip(schedules, hubs, strict=True):
            await schedule.close()
            await one.close()
    assert await leaders() == []
    assert (await hub.sql("SELECT count(*), sum(amount)::bigint FROM movement WHERE kind = 11"))[0] == (3, 21)


async def test_it_moves_what_goes_to_another_keeper(hub: Hub) -> None:
    bank = await Moving(hub, Played({"alice": 30_000, "bob": 20_000, "carol": 5_000})).open()
    run = await bank.compare(await bank.fixed())
    await hub.do(commands.CompleteRelocation(actor=hub.admin, id=run.id))
    schedule = Schedule(hub.addresses.server, hub.database, hub.engine, hub.reading, Board(1).rows[0], 0.1)
    assert not await schedule._turn()  # nothing is left for another one
    assert (await hub.sql("SELECT status, moved FROM relocation"))[0] == ("DONE", 550)


async def test_it_can_be_turned_off(hub: Hub) -> None:
    schedule = Schedule(hub.addresses.server, hub.database, hub.engine, hub.reading, Board(1).rows[0], 0)
    schedule.start()
    assert schedule._running is None
    await schedule.close()


class Compared:
    """Days of partners', that take until somebody ends it."""

    def __init__(self) -> None:
        self.begun, self.dropped = asyncio.Event(), 0

    async def run(self, _: asyncio.Event) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.dropped += 1


async def test_the_one_that_is_at_work_compares_days_and_drops_that_at_the_end(hub: Hub) -> None:
    days = [Compared(), Compared()]
    parts = (hub.addresses.server, hub.database, hub.engine, hub.reading)
    schedules = [Schedule(*parts, row, 0.1, None, one) for row, one in zip(Board(2).rows, days, strict=True)]  # type: ignore[arg-type]
    for schedule in schedules:
        schedule.start()
        await asyncio.wait_for(days[0].begun.wait(), TOLD_S_MAX)
    await schedules[0].close()
    assert (days[0].dropped, days[1].dropped) == (1, 0)
    await asyncio.wait_for(days[1].begun.wait(), TOLD_S_MAX)  # the other one takes over
    await schedules[1].close()
    assert days[1].dropped == 1


@pytest.mark.long
def test_a_served_hub_settles_clears_and_gives_notice(pattern: Pattern, tmp_path: Path) -> None:
    folder = pattern.copy(tmp_path / "hub")
    with served(folder, pattern.secret, HUB_SWEEP_SECONDS="0") as server:
        furnish(server)
        server.ask(ISSUE, input=issues("near", 3, 5, datetime.now(UTC) + timedelta(days=2)))
        server.ask(ISSUE, input=issues("ever", 500, 1, None))
        since = datetime.now(UTC)
        assert server.ask(NOTICES, since=since.isoformat())["edges"] == []
    # Notices are made when the schedule begins, and then once in an hour and at a day's turn.
    with served(folder, pattern.secret, HUB_SWEEP_SECONDS="1") as server:

        def counted(name: str) -> float:
            return sample(server.get("/metrics")[1], name)

        assert until(lambda: counted("points_hub_expiry_notices_total") == 3, TOLD_S_MAX), server.log.read_text()
        told = [edge["node"] for edge in server.ask(NOTICES, since=since.isoformat())["edges"]]
        assert sorted((one["customer"]["reference"], one["points"]["amount"]) for one in told) == [
            ("near-0", "5"), ("near-1", "5"), ("near-2", "5"),
        ]  # fmt: skip
        assert server.ask(NOTICES, since=datetime.now(UTC).isoformat())["edges"] == []
        ends = issued_to_end(server, "over", 300, 2)
        assert until(lambda: datetime.now(UTC) > ends, OVER_IN_S_MAX)
        assert until(lambda: counted("points_hub_lots_expired_total") == 300, TOLD_S_MAX), server.log.read_text()
        ordered = server.ask(
            CLEAR, input={"idempotencyKey": "all", "currency": "PTS", "scope": "ALL", "reason": "year-end"}
        )
        assert ordered["currency"] == {"code": "PTS"}

        def cleared() -> bool:
            return bool(server.ask(CLEARING, id=ordered["id"])["status"] == "DONE")

        assert until(cleared, TOLD_S_MAX), server.log.read_text()
        assert server.ask(CLEARING, id=ordered["id"]) == {
            "status": "DONE", "accounts": 503, "cleared": "515", "pinned": "0", "withoutAge": "0",  # 3 × 5 + 500 × 1
        }  # fmt: skip


def expire(folder: Path) -> "subprocess.Popen[str]":
    command = [*PROGRAM, "expire", "--json"]
    return subprocess.Popen(
        command, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


@contextmanager
def stuck(folder: Path, reference: str) -> Iterator[Callable[[], bool]]:
    """Hold the account of a customer, so that who wants to write to it waits; tells whether somebody does."""
    held = "SELECT a.id FROM account a JOIN customer_reference r ON r.customer_id = a.owner_id WHERE r.reference = $1"
    waiting = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
    with lease(folder) as server, asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(driver_url(server.url(SUPERUSER))))
        transaction = connection.transaction()
        runner.run(transaction.start())
        assert len(runner.run(connection.fetch(f"{held} FOR UPDATE OF a", reference))) == 1

        def somebody_waits() -> bool:
            runner.run(connection.execute("SELECT pg_stat_clear_snapshot()"))  # else it sees what it saw before
            return bool(runner.run(connection.fetchval(waiting)))

        try:
            yield somebody_waits
        finally:
            runner.run(transaction.rollback())
            runner.run(connection.close())


@pytest.mark.long
def test_a_run_that_is_killed_in_the_middle_has_lost_nothing(pattern: Pattern, tmp_path: Path) -> None:
    """Of three transactions, of the accounts in their order, the second is killed before its end."""
    folder, first, count = pattern.copy(tmp_path / "hub"), LARGE.accounts, 2 * LARGE.accounts + 100
    off = served(folder, pattern.secret, HUB_SWEEP_SECONDS="0", HUB_BATCH_COMMANDS=str(count))
    with off as server, lease(folder):
        furnish(server)
        ends = issued_to_end(server, "lot", count, 3)
        server.ask(ISSUE, input=issues("ever", 100, 4, None))
        assert until(lambda: datetime.now(UTC) > ends, OVER_IN_S_MAX)
        with stuck(folder, f"lot-{first}") as somebody_waits:
            killed = expire(folder)
            assert until(lambda: somebody_waits() and look(folder, BREAKAGE) > 0, TOLD_S_MAX)
            os.killpg(killed.pid, signal.SIGKILL)
            killed.communicate()
        assert killed.returncode == -signal.SIGKILL
        went = look(folder, BREAKAGE)
        assert went == 3 * first
        assert went + look(folder, CUSTOMERS) == 3 * count + 400
        again = run(folder, "expire", "--json")
        assert again.returncode == 0, again.stderr
        [row] = json.loads(again.stdout)["expired"]
        assert (int(row["points"]), row["lots"]) == (3 * (count - first), count - first)
        assert look(folder, BREAKAGE) == 3 * count
        assert look(folder, CUSTOMERS) == 400
        assert json.loads(run(folder, "expire", "--json").stdout)["expired"] == []
        cleared = run(folder, "clear", "PTS", "--all", "--json")
        assert cleared.returncode == 0, cleared.stderr
        told = json.loads(cleared.stdout)
        assert (told["accounts"], told["cleared"], told["pinned"]) == (100, "400", "0")
        assert look(folder, CUSTOMERS) == 0
        text = run(folder, "clear", "PTS", "--all")
        assert re.fullmatch(r"0 PTS of 0 accounts went to breakage.\n", text.stdout)
