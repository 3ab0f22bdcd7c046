"""The audit on the host: a head of the journal that was kept finds what nothing within the database can."""

import asyncio
import re
import subprocess
from datetime import timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import text

from hub import postgres
from hub.ledger import commands, journal
from tests.conftest import Hub
from tests.hub.audited import tampered
from tests.hub.programs import run


async def test_a_history_that_was_rewritten_with_its_hashes_is_found_by_a_head_that_was_kept(
    hub: Hub, tmp_path: Path, postgres_server: postgres.Server
) -> None:
    async def audit(*words: str) -> subprocess.CompletedProcess[str]:
        where = {"HUB_DATABASE_URL": hub.addresses.server}
        return await asyncio.to_thread(partial(run, tmp_path / "hub", "audit", *words, **where))

    async def enroll(reference: str) -> None:
        await hub.do(commands.EnrollCustomer(actor=hub.admin, customer=commands.Party("BANK", reference)))

    await hub.institution("BANK")
    await enroll("alice")
    clean = await audit()
    told = re.search(r"up to entry (\d+) of the journal \(hash ([0-9a-f]{64})\)", clean.stdout)
    assert told is not None, clean
    batch, hash = int(told[1]), told[2]
    await enroll("bob")
    kept = ("--head", f"{batch}:{hash}", "--head", f"{batch}:{hash.upper()}")
    assert (await audit(*kept)).returncode == 0
    entries = "SELECT * FROM journal_entry WHERE batch >= :batch ORDER BY batch"
    async with tampered(postgres_server, hub, stays=True) as connection:
        found = (await connection.execute(text(entries), {"batch": batch})).mappings().all()
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
    assert (await audit()).returncode == 0  # by itself the rewritten history is as good as any
    for head in (f"{batch}:{hash}", f"{batch + 9}:{hash}"):
        rewritten = await audit("--head", head)
        number = head.partition(":")[0]
        assert rewritten.returncode == 1
        assert rewritten.stdout.startswith(f"JOURNAL_HEAD: Entry {number} of the journal is not the one that was kept")
    assert (await audit("--head", str(batch))).returncode == 2
