"""Confirming by a bank's file: over levels, currencies and windows, all of it or nothing, and once."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from hub import postgres
from hub.access import Role
from hub.audit import audit
from hub.errors import Forbidden, Refusal
from hub.ledger import commands
from hub.ledger.commands import Party
from hub.ledger.records import AccountKind
from hub.payment_references import parse, reference_of
from settlement.confirmations import Outcome
from settlement.confirming import Confirming, confirm
from settlement.publish import Keys, Reports
from settlement.signing import SigningKey
from tests.conftest import Hub, driver_url
from tests.hub.audited import tampered
from tests.properties import invariants
from tests.settlement.test_camt import entry, message, transaction

KEYS = Keys(Path("nowhere"), SecretStr(SigningKey.generate().private_pem().decode()))
IMPORT = """
import asyncio, pathlib, sys
from hub.host.windows import confirm_payments
from hub.settings import Settings
file = pathlib.Path(sys.argv[2])
settings = Settings(data_dir=file.parent / "killed")
asyncio.run(confirm_payments(settings, sys.argv[1], file.read_bytes(), apply=True))
"""


def test_a_reference_says_what_it_is_of_and_fits_into_a_bank_s_field() -> None:
    largest = (1 << 56) - 1
    made = reference_of(largest, largest, "CNY")
    assert (parse(made), len(made)) == ((largest, largest, "CNY"), 33)
    for wrong in ("", "1-2", "1-2-cny", "01-2-CNY", "a-2-CNY", "1-2-CNY ", f"{1 << 63:X}-1-CNY"):
        assert parse(wrong) is None


async def redeem(hub: Hub, key: str, currency: str, merchant: str, amount: str) -> None:
    await hub.do(
        commands.Redeem(
            actor=hub.admin, key=key, currency=currency, customer=Party("BANK", "alice"), merchant=merchant,
            amount=amount, memo=None,
        )
    )  # fmt: skip


async def close(hub: Hub, key: str) -> int:
    window = await hub.window()
    await hub.do(commands.CloseWindow(actor=hub.admin, key=key, window=window))
    return window


async def due(hub: Hub) -> list[tuple[str, str, str]]:
    """What members have to pay or are paid, by window: reference, currency and amount, from windows to come last."""
    members = {
        id for id, node in hub.engine.configuration.institutions.items() if node.code in ("GROUP", "SHOP", "HUB")
    }
    rows = await hub.sql("SELECT * FROM window_net WHERE net <> 0 ORDER BY window_id, institution_id, currency")
    return [
        (
            reference_of(row["window_id"], row["institution_id"], row["currency"]),
            row["currency"],
            f"{row['net'] / 10**6:.2f}",
        )
        for row in rows
        if row["institution_id"] in members
    ]


def csv(rows: list[tuple[str, str, str]]) -> bytes:
    return "\n".join(["reference,currency,amount", *(",".join(row) for row in rows)]).encode()


async def standing(hub: Hub) -> tuple[Any, ...]:
    """Everything that an import could change."""
    accounts = await hub.sql("SELECT id, debits_posted, credits_posted FROM account ORDER BY id")
    windows = await hub.sql("SELECT id, status, settled_at FROM settlement_window ORDER BY id")
    [head] = await hub.sql("SELECT batch FROM journal_head")
    return [tuple(row) for row in accounts], [tuple(row) for row in windows], head["batch"]


async def take(hub: Hub, content: bytes, *, apply: bool = True, actor: int | None = None) -> Confirming:
    reports = Reports(hub.database, KEYS, "Test Hub")
    return await confirm(hub.reading, hub.engine, reports, actor or hub.admin, content, apply=apply)


async def test_a_bank_s_file_settles_windows_over_levels_and_currencies_or_changes_nothing(
    hub: Hub, postgres_server: postgres.Server, tmp_path: Path
) -> None:
    await hub.institution("GROUP")
    await hub.institution("BANK", parent="GROUP")
    await hub.institution("SHOP")
    await hub.institution("STALL", parent="SHOP")
    for code, money in (("CP", "CNY"), ("JP", "JPY")):
        await hub.currency(code, "BANK", unit_value="0.5", money=money)
        await hub.issue(code, "BANK", "alice", "100000")
    await redeem(hub, "r1", "CP", "STALL", "10")  # 5.00 CNY, from below GROUP to below SHOP
    await redeem(hub, "r2", "JP", "SHOP", "14")  # 7 JPY
    first = await close(hub, "c1")
    await redeem(hub, "r3", "CP", "SHOP", "6")  # 3.00 CNY
    second = await close(hub, "c2")
    rows = await due(hub)
    assert [row[1:] for row in rows] == [
        ("CNY", "-5.00"), ("JPY", "-7.00"), ("CNY", "5.00"), ("JPY", "7.00"), ("CNY", "-3.00"), ("CNY", "3.00"),
    ]  # fmt: skip
    before = await standing(hub)
    looked = await take(hub, csv(rows), apply=False)
    assert (looked.match.is_whole, looked.taken) == (True, False)
    bank = hub.engine.configuration.institution_codes["BANK"]
    dated = f"reference,currency,amount,value_date\n{','.join(rows[0])},1.2.26"
    wrongs = {
        "an amount": (csv([*rows[:5], (*rows[5][:2], "3.01")]), Outcome.DIFFERS),
        "a sign": (csv([*rows[:5], (*rows[5][:2], "-3.00")]), Outcome.DIFFERS),
        "a currency": (csv([(rows[0][0], "JPY", "-5.00")]), Outcome.DIFFERS),
        "nobody's": (csv([*rows, ("1-1-CNY", "CNY", "1.00")]), Outcome.UNKNOWN),
        "no reference of ours": (csv([*rows, ("invoice 7", "CNY", "1.00")]), Outcome.UNKNOWN),
        "one that goes to its parent": (csv([(reference_of(first, bank, "CNY"), "CNY", "-5.00")]), Outcome.NOT_DUE),
        "the later window first": (csv(rows[4:]), Outcome.NOT_DUE),
        "the later window before all of the first": (csv(rows[1:]), Outcome.NOT_DUE),
        "twice": (csv([*rows, rows[0]]), Outcome.DUPLICATE),
        "malformed": (csv([*rows[:5], (*rows[5][:2], "3,00")]), Outcome.MALFORMED),
        "no day": (dated.encode(), Outcome.MALFORMED),
    }
    for name, (content, outcome) in wrongs.items():
        done = await take(hub, content)
        assert (done.taken, outcome in {row.outcome for row in done.match.rows}) == (False, True), name
    assert await standing(hub) == before
    admin, _ = await hub.key("GROUP", Role.INSTITUTION_ADMIN)
    before = await standing(hub)
    with pytest.raises(Forbidden):
        await take(hub, csv(rows), actor=admin)

    # What was due changes between the look and the command: decided again, and refused whole.
    stale = [one for one in looked.match.payments if one.window == first]
    wrong = commands.Payment(
        window=first, institution="GROUP", currency="CNY", amount="-4.99", value_date=None, reference="r"
    )
    for payments in ((*stale[1:], wrong), (*stale, stale[0]), ()):
        with pytest.raises(Refusal):
            await hub.do(commands.ConfirmFile(actor=hub.admin, digest="x", payments=tuple(payments)))
    assert await standing(hub) == before

    # Killed in the middle: its one transaction never commits.
    file = tmp_path / "bank.csv"
    file.write_bytes(csv(rows))
    holding = await asyncpg.connect(driver_url(hub.addresses.owner))
    locked = holding.transaction()
    await locked.start()
    await holding.execute("SELECT * FROM journal_head FOR UPDATE")
    program = subprocess.Popen([sys.executable, "-c", IMPORT, hub.addresses.server, str(file)])  # noqa: ASYNC220
    waiting = "SELECT pid FROM pg_locks WHERE NOT granted"
    while not await hub.sql(waiting):
        assert program.poll() is None
    program.kill()
    program.wait()
    await locked.rollback()
    await holding.close()
    assert await standing(hub) == before

    done = await take(hub, csv(rows))
    assert done.taken
    reported = await hub.sql("SELECT DISTINCT window_id FROM settlement_report ORDER BY window_id")
    assert [row["window_id"] for row in reported] == [first, second]  # before they were paid
    assert [row["status"] for row in await hub.sql("SELECT status FROM settlement_window ORDER BY number")] == [
        "SETTLED", "SETTLED", "OPEN",
    ]  # fmt: skip
    left = await hub.sql(
        "SELECT kind FROM account WHERE kind = ANY($1) AND debits_posted <> credits_posted",
        [AccountKind.POSITION, AccountKind.SETTLEMENT, AccountKind.INTERNAL],
    )
    assert left == []  # of every level and currency
    assert await hub.sql("SELECT * FROM position WHERE subtree <> 0") == []
    settled = await standing(hub)
    again = await take(hub, csv(rows))
    assert (again.taken, again.replayed) == (True, True)
    assert (await take(hub, csv(rows[:1]))).match.rows[0].outcome is Outcome.NOT_DUE
    assert await standing(hub) == settled

    await redeem(hub, "r4", "CP", "SHOP", "2")
    await close(hub, "c3")
    paid = entry("CRDT", transaction((await due(hub))[6][0], "1.00"))
    got = entry("DBIT", transaction((await due(hub))[7][0], "1.00"))
    assert (await take(hub, message(paid, got))).taken
    references = await hub.sql("SELECT reference, value_date FROM confirmation ORDER BY movement_id DESC LIMIT 1")
    assert tuple(references[0]) == (f"B-{(await due(hub))[7][0]}", "2026-02-02")
    assert second > first
    await invariants.check(hub)
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()
    async with tampered(postgres_server, hub) as connection:
        for statement in (
            "UPDATE confirmation_file SET payments = payments + 1",
            "UPDATE confirmation_file SET last_id = id",
            "DELETE FROM confirmation_file",
        ):
            change = await connection.begin_nested()
            await connection.execute(text(statement))
            codes = {one.code for one in (await audit(connection)).findings}
            await change.rollback()
            assert codes & {"CONFIRMATION_FILE", "ACT_OUTCOME"}, statement
