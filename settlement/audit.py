"""The audit of everything: the hub's books, and the reports that were signed over them.

A stored report is proved as a partner would prove it, with its lines spelled again from the legs, and beyond that
against what only the hub knows: its row, its window, and the journal's entry that it names.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import ids, tables
from hub.audit import Audit, Findings, Progress
from hub.audit import audit as audit_hub
from hub.configuration import OPERATOR_CODE, Configuration
from hub.ledger import journal, rows
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import Window, WindowStatus
from settlement import report
from settlement.legs import Legs, Sums
from settlement.lines import LineError
from settlement.netting import InvalidObligation, NetLine
from settlement.signing import TYP, MalformedJws, is_signed_by, take_apart, thumbprint

_stored = tables.settlement_report


async def audit(connection: AsyncConnection, progress: Progress | None = None) -> Audit:
    """``hub.audit.audit``, and the same for all stored reports; ``connection`` is of a read-only snapshot."""
    books = await audit_hub(connection, progress)
    findings = Findings()
    head = await journal.look(connection)
    count = 0
    if head is not None:
        configuration = await rows.refresh(connection, Configuration(), head.configuration_version)
        count = await _Reports(connection, configuration, findings).check(progress)
    counts = books.counts | {"settlement_report": count}
    return replace(books, findings=books.findings + findings.all(), counts=counts)
