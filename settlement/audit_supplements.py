"""The audit of supplements: each stored one against the defaults as the rows give them after its batch."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import ids, tables
from hub.audit import Findings
from hub.configuration import Configuration
from hub.ledger.journal import JOURNAL_ID
from settlement import report
from settlement.signing import SUPPLEMENT_TYP, MalformedJws, is_signed_by, take_apart
from settlement.supplement import Default, MalformedSupplement, Supplement, parse
from settlement.supplementing import batches, stand, window_of

_stored = tables.settlement_supplement
Keys = Mapping[str, Mapping[str, Any]]


async def audit_supplements(
    connection: AsyncConnection, configuration: Configuration, keys: Keys, findings: Findings
) -> int:
    """Find what is not as the rows give it; answers how many there are."""
    found = list(
        await connection.execute(
            select(_stored, tables.settlement_report.c.digest.label("report"))
            .outerjoin(
                tables.settlement_report,
                (tables.settlement_report.c.journal_id == _stored.c.journal_id)
                & (tables.settlement_report.c.window_id == _stored.c.window_id)
                & (tables.settlement_report.c.institution_id == _stored.c.institution_id),
            )
            .where(_stored.c.journal_id == JOURNAL_ID)
            .order_by(_stored.c.window_id, _stored.c.batch)
        )
    )
    of_windows: dict[int, dict[int, dict[int, Any]]] = {}  # by window, batch and institution
    for row in found:
        _signature(row, keys, configuration, findings)
        of_windows.setdefault(row.window_id, {}).setdefault(row.batch, {})[row.institution_id] = row
    for window, rows in of_windows.items():
        await _window(connection, configuration, window, rows, findings)
    return len(found)


def _signature(row: Any, keys: Keys, configuration: Configuration, findings: Findings) -> None:
    payload, name = bytes(row.payload), _name(row)
    if row.digest != report.digest(payload):
        findings.add("SUPPLEMENT_DIGEST", f"{name} does not have the digest that is stored with it.")
    try:
        signed = take_apart(row.jws)
    except MalformedJws as error:
        findings.add("SUPPLEMENT_SIGNATURE", f"{name}: {error}")
        return
    if signed.payload != payload:
        findings.add("SUPPLEMENT_PAYLOAD", f"{name} is stored otherwise than it was signed.")
    kid = str(signed.header.get("kid"))
    if signed.header.get("typ") != SUPPLEMENT_TYP or kid not in keys or not is_signed_by(row.jws, keys[kid]):
        findings.add("SUPPLEMENT_SIGNATURE", f"{name} is signed by no key of the hub's as what it is.")
        return
    revocation = configuration.revocations.get(kid)
    if revocation is not None and ids.batch_of(revocation.id) < row.batch:
        findings.add("SUPPLEMENT_SIGNATURE", f"{name} is signed with a key that had been revoked before.")


async def _window(
    connection: AsyncConnection,
    configuration: Configuration,
    window: int,
    rows: Mapping[int, Mapping[int, Any]],
    findings: Findings,
) -> None:
    """Go through what was done about the defaults of a window, as far as supplements of it are stored."""
    due = await batches(connection, window)
    for batch in sorted(rows.keys() - set(due)):
        for row in rows[batch].values():
            findings.add("SUPPLEMENT_CONTENT", f"{_name(row)} follows no step.")
    told: dict[int, tuple[Default, ...]] = {}
    last: dict[int, tuple[int, str]] = {}  # the number and the digest
    for batch in (one for one in due if one <= max(rows)):
        after = await stand(connection, configuration, window, batch)
        stored = rows.get(batch, {})
        changed = {institution for institution, now in after.told.items() if told.get(institution) != now}
        for institution in sorted(changed - stored.keys()):
            name = f"{configuration.institutions[institution].code} of batch {batch:x} in window {window:x}"
            findings.add("SUPPLEMENT_MISSING", f"There is no supplement for {name}.")
        for institution in sorted(stored.keys() - changed):
            findings.add("SUPPLEMENT_CONTENT", f"{_name(stored[institution])} follows nothing that concerns it.")
        told.update(after.told)
        for institution in sorted(stored.keys() & changed):
            row, (number, digest) = stored[institution], last.get(institution, (0, None))
            said = _said(row, findings)
            home = configuration.institutions[institution]
            is_summary = institution == configuration.operator.id
            expected = (
                None
                if said is None
                else Supplement(
                    kind="summary" if is_summary else "institution",
                    hub=said.hub,  # its name and the institution's may have changed
                    model=after.window.model,
                    window=window_of(after.window),
                    institution=report.Party(home.code, said.institution.name),
                    report=row.report,
                    number=number + 1,
                    previous_digest=digest,
                    at=after.at,
                    journal=after.head,
                    defaults=after.told[institution],
                )
            )
            if said is not None and said != expected:
                findings.add("SUPPLEMENT_CONTENT", f"{_name(row)} says something else than the rows give.")
            last[institution] = number + 1, row.digest


def _said(row: Any, findings: Findings) -> Supplement | None:
    try:
        return parse(bytes(row.payload))
    except MalformedSupplement as error:
        findings.add("SUPPLEMENT_PAYLOAD", f"{_name(row)}: {error}")
        return None


def _name(row: Any) -> str:
    return f"The supplement for {row.institution_id:x} of batch {row.batch:x} in window {row.window_id:x}"
