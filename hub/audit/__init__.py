"""The audit: everything that can be recomputed from the rows, recomputed, and all that differs.

It never decides an act again: ``decide`` changes, and what was decided stands. It proves that the journal's chain is
whole and over the rows that the tables hold, that rows of different tables tell one story, and that what changes in
place (counters, lots, positions, statuses) is what the rows give. The journal is read once, in order, in pieces; what
is held grows with accounts, institutions, open lots, open holds and what was used of limits. An empty database is no
clean one.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from hub.audit import pools, relations, standing
from hub.audit.entries import Entries, Progress
from hub.audit.findings import Finding, Findings
from hub.audit.replay import Replay
from hub.db import driver_of
from hub.ledger.journal import JOURNAL_ID

__all__ = ["Audit", "Finding", "Findings", "Progress", "audit"]

_LOTS_SINCE = f"SELECT coalesce((SELECT batch FROM lots_since WHERE journal_id = {JOURNAL_ID}), 0)"
_FLAT = f"SELECT id FROM settlement_window WHERE journal_id = {JOURNAL_ID} AND NOT levels"
_SINGLY = f"SELECT id FROM settlement_window WHERE journal_id = {JOURNAL_ID} AND NOT together"
_HEAD = f"SELECT batch, hash, at, configuration_version FROM journal_head WHERE journal_id = {JOURNAL_ID}"


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found. ``counts``: rows that were read, by table, ``journal_entry`` among them."""

    findings: tuple[Finding, ...]
    counts: dict[str, int]
    batch: int  # the journal's head
    hash: bytes

    @property
    def ok(self) -> bool:
        """No findings."""
        return not self.findings


async def audit(connection: AsyncConnection, progress: Progress | None = None) -> Audit:
    """Audit the hub as the connection's snapshot shows it; nothing is written.

    ``progress`` is told, now and then, the stage, how much of it is done, and how much there is.
    """
    findings = Findings()
    driver = driver_of(connection)
    head = await driver.fetchrow(_HEAD)
    flat = frozenset(row["id"] for row in await driver.fetch(_FLAT))
    singly = frozenset(row["id"] for row in await driver.fetch(_SINGLY))
    entries, count = Entries(connection, findings), 0
    replay = Replay(findings, await driver.fetchval(_LOTS_SINCE), flat, singly)
    async for batch in entries.batches(progress):
        with findings.unreadable(f"What entry {batch.number} of the journal is over"):
            await replay.take(connection, batch)
        count += batch.at is not None
    _check_head(findings, head, entries)
    await standing.compare(connection, replay, findings, progress)
    asked = relations.RELATIONS + pools.RELATIONS
    await relations.compare(connection, replay.configuration, findings, progress, asked)
    counts = Counter({"journal_entry": count}) + entries.counts
    return Audit(findings.all(), dict(counts), head["batch"] if head else 0, bytes(head["hash"]) if head else b"")


def _check_head(findings: Findings, head: Any, entries: Entries) -> None:
    last = entries.last
    if head is None:
        findings.add("EMPTY", "The journal has no head: the hub is not set up, or its history is gone.")
    if last is None:
        findings.add("EMPTY", "The journal has no entries.")
    elif not entries.counts.total():
        findings.add("EMPTY", "The journal has entries, but the tables hold no rows of them.")
    if head is None:
        return
    stated = (head["batch"], head["hash"], head["at"])
    if last is None or stated != (last["batch"], last["hash"], last["at"]):
        findings.add("HEAD", f"The head is at entry {head['batch']}; the last entry is another one.")
    if head["configuration_version"] != entries.version:
        findings.add("HEAD", "The head names another version of the configuration than that of the last change.")
