"""Quotes: which are cancelled follows from the withdrawals of their rates, not from what their rows say.

A withdrawal that cancels quotes ends those of its rate that were made before it, had not expired and were not executed.
Nothing else cancels a quote; a rate may be withdrawn a second time to do so. Withdrawals from before it was kept
whether they did are not asked.
"""

from typing import Any

from hub.audit.entries import Batch
from hub.audit.findings import Findings
from hub.configuration import Change
from hub.ledger.journal import JOURNAL_ID
from hub.rates import Rate
from hub.versions import VersionStatus

# $1 are rates that were withdrawn, $2 by which change, $3 when, and $4 whether their quotes were cancelled.
_QUOTES = f"""
SELECT q.id, q.cancelled, coalesce(w.cancels, false) AS due, c.id AS conversion_id FROM quote q
LEFT JOIN unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::boolean[]) w (rate_id, change, at, cancels)
    ON w.rate_id = q.rate_id AND q.id < w.change AND q.expires_at > w.at
    AND NOT EXISTS (
        SELECT FROM conversion e WHERE e.journal_id = q.journal_id AND e.quote_id = q.id AND e.id < w.change
    )
LEFT JOIN conversion c ON c.journal_id = q.journal_id AND c.quote_id = q.id
WHERE q.journal_id = {JOURNAL_ID} AND (w.rate_id IS NULL OR w.cancels IS NOT NULL)
    AND (q.cancelled <> coalesce(w.cancels, false) OR (w.cancels AND c.id IS NOT NULL))
ORDER BY q.id
"""


class Quotes:
    """The withdrawals of rates."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._withdrawn: dict[int, tuple[int, Any, bool | None]] = {}

    def configured(self, change: Change, rate: Rate, batch: Batch) -> None:
        """Take a rate as it is after a change."""
        if rate.status is VersionStatus.WITHDRAWN and (rate.id not in self._withdrawn or rate.cancels_quotes):
            self._withdrawn[rate.id] = (change.version, batch.at, rate.cancels_quotes)

    async def compare(self, driver: Any) -> None:
        """Find every quote that is not cancelled as these withdrawals have it, or that was executed afterwards."""
        of = self._withdrawn.values()
        arguments = (list(self._withdrawn), *([one[place] for one in of] for place in range(3)))
        async for row in driver.cursor(_QUOTES, *arguments, prefetch=1_000):
            id, due, conversion = row["id"], row["due"], row["conversion_id"]
            if row["cancelled"] and not due:
                self._findings.add("QUOTE", f"Quote {id} is cancelled, though no withdrawal of its rate did so.")
            elif due and not row["cancelled"]:
                self._findings.add("QUOTE", f"Quote {id} is not cancelled, though its rate's withdrawal cancelled it.")
            if due and conversion is not None:
                self._findings.add("QUOTE", f"Conversion {conversion} is by quote {id}, which had been cancelled.")
