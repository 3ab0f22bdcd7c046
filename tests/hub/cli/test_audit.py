"""The audit on the host: a head of the journal that was kept finds what nothing within the database can."""

import asyncio
from datetime import timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import text
from typer.testing import CliRunner

from hub import postgres
from hub.audit import Audit
from hub.cli import app
from hub.host import door
from hub.ledger import commands, journal
from hub.settings import Settings
from tests.conftest import Hub
from tests.hub.audited import tampered
from tests.hub.programs import run


async def test_a_history_that_was_rewritten_with_its_hashes_is_found_by_a_head_that_was_kept(
    hub: Hub, tmp_path: Path, postgres_server: postgres.Server
) -> None:
    async def enroll(reference: str) -> None:
        await hub.do(commands.EnrollCustomer(actor=hub.admin, customer=commands.Party("BANK", reference)))

    async def audit(kept: dict[int, bytes]) -> Audit:
        return await door.audit(Settings(data_dir=tmp_path), hub.addresses.server, lambda *_: None, kept)

    await hub.institution("BANK")
    await enroll("alice")
    head = await audit({})
    await enroll("bob")
    assert (await audit({head.batch: head.hash})).ok
    entries = "SELECT * FROM journal_entry WHERE batch >= :batch ORDER BY batch"
    async with tampered(postgres_server, hub, stays=True) as connection:
        found = (await connection.execute(text(entries), {"batch": head.batch})).mappings().all()
        previous, late = found[0]["previous"], timedelta(microseconds=1)
        for one in found:
            made = journal.hash_of(previous, one["batch"], one["at"] + late, one["content"])
            changes = {"batch": one["batch"], "at": one["at"] + late, "previous": previous, "hash": made}
            await connection.execute(
                text("UPDATE journal_entry SET at = :at, previous = :previous, hash = :hash WHERE batch = :batch"),
                changes,
            )
            previous = made
        await connection.execute(
            text("UPDATE journal_head SET at = :at, hash = :hash"), {"at": changes["at"], "hash": previous}
        )
    assert (await audit({})).ok  # by itself the rewritten history is as good as any
    [gone] = (await audit({head.batch + 9: head.hash})).findings
    assert gone.code == "JOURNAL_HEAD"
    kept = ("--head", f"{head.batch}:{head.hash.hex().upper()}")
    told = await asyncio.to_thread(
        partial(run, tmp_path / "hub", "audit", *kept, HUB_DATABASE_URL=hub.addresses.server)
    )
    assert told.returncode == 1
    sentence = f"Entry {head.batch} of the journal is not the one that was kept: it was rewritten, or is gone."
    assert told.stdout == f"JOURNAL_HEAD: {sentence}\n"


def test_a_head_has_a_number_and_a_hash() -> None:
    for wrong in ("7", "7:", "7:ab", f"x:{'0' * 64}"):
        assert CliRunner().invoke(app, ["audit", "--head", wrong]).exit_code == 2
