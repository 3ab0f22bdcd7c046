"""The audit of everything: the hub's books, and the reports that were signed over them.

A stored report is compared with its window as the rows give it now: lines spelled again from the legs, nets, the entry
that closed it, the reports before and beside it; and its signature with the public keys that the hub knows. A window
without any is found where something shows that it had some (``settlement.traces``). What
institutions signed over their reports is compared with these, and verified with the keys that they have registered.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import ids, tables
from hub.audit import Audit, Findings, Progress
from hub.audit import audit as audit_hub
from hub.configuration import Configuration
from hub.ledger import journal, rows, window_rows
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import Window, WindowStatus
from settlement import acceptance, report, signing
from settlement.audit_supplements import audit_supplements
from settlement.fx import Settlement
from settlement.legs import Legs, Sums
from settlement.making import children_of, net_lines, pairs_in, settlement_for, settlement_of
from settlement.netting import NetLine
from settlement.pairs import Pairs
from settlement.signing import MalformedJws, is_signed_by, take_apart, thumbprint
from settlement.traces import traces

_stored = tables.settlement_report


async def audit(
    connection: AsyncConnection,
    progress: Progress | None = None,
    known: Iterable[Mapping[str, Any]] | None = None,
) -> Audit:
    """``hub.audit.audit``, and the same for all stored reports; ``connection`` is of a read-only snapshot.

    ``known``: the hub's public keys as they are kept outside of the database. None: signatures are held against those
    that the database keeps itself, which proves nothing to who does not trust its owner.
    """
    books = await audit_hub(connection, progress)
    findings = Findings()
    head = await journal.look(connection)
    count = supplements = 0
    if head is not None:
        with findings.unreadable("All that is signed"):
            configuration = await rows.refresh(connection, Configuration(), head.configuration_version)
            reports = _Reports(connection, configuration, findings, known)
            with findings.unreadable("The windows of reports"):
                count = await reports.check(progress)
            with findings.unreadable("A supplement"):
                supplements = await audit_supplements(connection, configuration, reports.keys, findings)
            with findings.unreadable("An acceptance"):
                await _acceptances(connection, configuration, findings)
    counts = books.counts | {"settlement_report": count, "settlement_supplement": supplements}
    return replace(books, findings=books.findings + findings.all(), counts=counts)


async def _acceptances(connection: AsyncConnection, configuration: Configuration, findings: Findings) -> None:
    """Find what is not signed as it has to be: keys by themselves, and reports by these."""
    for key in configuration.acceptance_keys.values():
        node = configuration.institutions.get(key.institution)
        try:
            hub = json.loads(signing.take_apart(key.proof).payload)["hub"]
            proved = acceptance.check_possession(key.proof, key.jwk, hub, "" if node is None else node.code)
        except (ValueError, LookupError, TypeError):
            proved = None
        if proved != (key.kid, key.x):
            findings.add("ACCEPTANCE_KEY", f"The key {key.kid} of {key.institution:x} was not proved to be its own.")
    signed = tables.acceptance
    found = await connection.execute(
        select(signed, _stored.c.payload)
        .outerjoin(
            _stored,
            and_(
                _stored.c.journal_id == signed.c.journal_id,
                _stored.c.window_id == signed.c.window_id,
                _stored.c.institution_id == signed.c.institution_id,
            ),
        )
        .where(signed.c.journal_id == JOURNAL_ID)
    )
    for row in found:
        by = configuration.acceptance_keys.get(row.kid)
        payload = None if row.payload is None else bytes(row.payload)
        digest = None if payload is None else report.digest(payload)
        due = None if payload is None else acceptance.payload_over(report.read(payload), digest)
        try:
            acceptance.check(row.jws, {} if by is None else by.jwk, row.kid, due)
        except acceptance.NotGenuine:
            due = None
        if due is None or digest != row.digest:
            name = ids.text(ids.ACCEPTANCE, row.id)
            findings.add("ACCEPTANCE_SIGNATURE", f"{name} is not signed by its key over the report that is stored.")


@dataclass(frozen=True, slots=True)
class _Expected:
    """What the reports of a window must say."""

    window: Window
    nets: tuple[NetLine, ...]
    sums: Sums
    pairs: Pairs | None
    is_gross: bool
    closing: report.JournalHead
    settlement: Settlement | None


class _Reports:
    """The stored reports, window by window; of those before, only each institution's last digest is held."""

    def __init__(
        self,
        connection: AsyncConnection,
        configuration: Configuration,
        findings: Findings,
        known: Iterable[Mapping[str, Any]] | None,
    ) -> None:
        self._known = None if known is None else {thumbprint(member): member for member in known}
        self._connection = connection
        self._configuration = configuration
        self._findings = findings
        self._last: dict[tuple[str, int], str] = {}  # by model and institution
        self.keys: dict[str, Mapping[str, Any]] = {}  # the hub's, by their names

    async def check(self, progress: Progress | None) -> int:
        """Check all; answers how many there are."""
        keys = self.keys = await self._keys()
        windows = await window_rows.windows(self._connection, tables.settlement_window.c.id > 0)
        holders = set(
            await self._connection.scalars(
                select(_stored.c.window_id).where(_stored.c.journal_id == JOURNAL_ID).distinct()
            )
        )
        for id in holders - windows.keys():
            self._findings.add("REPORT_WINDOW", f"There are reports of window {id:x}, which there is not.")
        shown, count = await traces(self._connection), 0
        for place, (id, window) in enumerate(windows.items(), start=1):
            if id in holders:
                with self._findings.unreadable(f"A report of window {window.number}"):
                    count += await self._window(window, keys)
            elif id in shown and window.status is not WindowStatus.OPEN:
                why = shown[id][0].value
                self._findings.add("REPORT_MISSING", f"Window {window.number} has no reports, but {why}.")
            if progress is not None:
                progress("reports", place, len(windows))
        return count

    async def _keys(self) -> dict[str, Mapping[str, Any]]:
        """The keys that signatures are held against: those that are known, otherwise what the database holds."""
        keys: dict[str, Mapping[str, Any]] = {}
        for kid, text in await self._connection.execute(select(tables.signing_key.c.kid, tables.signing_key.c.jwk)):
            try:
                member = json.loads(text)
                if thumbprint(member) != kid:
                    raise ValueError("another key")
            except ValueError:
                self._findings.add("SIGNING_KEY", f"The public key {kid} is not the one of that name.")
            else:
                keys[kid] = member
                if self._known is not None and kid not in self._known:
                    self._findings.add(
                        "SIGNING_KEY", f"The public key {kid} is in the database alone, so nobody vouches for it."
                    )
        return keys if self._known is None else self._known

    async def _window(self, window: Window, keys: Mapping[str, Mapping[str, Any]]) -> int:
        """Check the reports of one window."""
        found = list(
            await self._connection.execute(
                select(_stored)
                .where(_stored.c.journal_id == JOURNAL_ID, _stored.c.window_id == window.id)
                .order_by(_stored.c.institution_id)
            )
        )
        for row in found:
            self._signature(row, keys, window)
        expected = await self._expected(window)
        if expected is not None:
            self._whole(found, expected)
            for row in found:
                self._content(row, expected, found)
        self._last.update({(window.model, row.institution_id): row.digest for row in found})
        return len(found)

    def _signature(self, row: Any, keys: Mapping[str, Mapping[str, Any]], window: Window) -> None:
        name, payload = self._name(row), bytes(row.payload)
        if row.digest != report.digest(payload):
            self._findings.add("REPORT_DIGEST", f"{name} does not have the digest that is stored with it.")
        try:
            signed = take_apart(row.jws)
        except MalformedJws as error:
            self._findings.add("REPORT_SIGNATURE", f"{name}: {error}")
            return
        if signed.payload != payload:
            self._findings.add("REPORT_PAYLOAD", f"{name} is stored otherwise than it was signed.")
        key = keys.get(str(signed.header.get("kid")))
        if key is None or not is_signed_by(row.jws, key):
            self._findings.add("REPORT_SIGNATURE", f"{name} is signed by no key of the hub's.")
            return
        revocation = self._configuration.revocations.get(str(signed.header["kid"]))
        if revocation is not None and ids.batch_of(revocation.id) < (window.closed_in or 0):
            self._findings.add("REPORT_SIGNATURE", f"{name} is signed with a key that had been revoked before.")

    async def _expected(self, window: Window) -> _Expected | None:
        entry = None if window.closed_in is None else await journal.entry_hash(self._connection, window.closed_in)
        if window.status is WindowStatus.OPEN or window.closed_in is None or entry is None:
            self._findings.add("REPORT_WINDOW", f"There are reports of window {window.number}, which did not close.")
            return None
        legs = await Legs.of(self._connection, self._configuration, window)
        try:
            sums = await legs.sum(self._connection)
            nets = (await window_rows.nets(self._connection, [window.id])).get(window.id, [])
            lines = net_lines(legs, nets)
            exchanges = (await window_rows.net_exchanges(self._connection, [window.id])).get(window.id, [])
            settlement = settlement_of(legs, lines, exchanges)
        except (ValueError, LookupError) as error:
            self._findings.add("REPORT_LINES", f"The lines of window {window.number} cannot be spelled ({error}).")
            return None
        pairs = None if sums.pairs is None else sums.pairs.made()
        head = report.JournalHead(window.closed_in, entry.hex())
        return _Expected(window, lines, sums, pairs, legs.is_gross, head, settlement)

    def _whole(self, found: Sequence[Any], expected: _Expected) -> None:
        due = {net.institution for net in expected.nets} | {self._configuration.operator.code}
        there = {self._code(row.institution_id) for row in found}
        for code in sorted(due ^ there):
            what = "has no report" if code in due else "has a report without a net"
            self._findings.add("REPORT_MISSING", f"{code} {what} of window {expected.window.number}.")

    def _content(self, row: Any, expected: _Expected, found: Sequence[Any]) -> None:
        """Compare what a report says with what it must say. The hub's name and the institutions' may have changed."""
        said, name = report.read(bytes(row.payload)), self._name(row)
        for finding in said.findings:
            self._findings.add("REPORT_PAYLOAD", f"{name}: {finding.sentence}")
        window, code = expected.window, self._code(row.institution_id)
        is_summary = row.institution_id == self._configuration.operator.id
        root = expected.sums.whole if is_summary else expected.sums.roots[code]
        digests = {
            self._code(other.institution_id): other.digest
            for other in found
            if other.institution_id != row.institution_id
        }
        children = children_of(code, expected.nets, digests)
        if is_summary:
            children = tuple(report.Child(*child) for child in sorted(digests.items()))
        closed_at = window.closed_at or window.opened_at
        settled = settlement_for(expected.settlement, code, [net for net in expected.nets if net.institution == code])
        own = tuple(net for net in expected.nets if is_summary or net.institution == code)
        due = {
            "kind": "summary" if is_summary else "institution",
            "model": window.model,
            "window": report.Window(ids.text(ids.WINDOW, window.id), window.number, window.opened_at, closed_at),
            "institution": report.Party(code, said.institution.name if said.institution else ""),
            "nets": own,
            "lines": report.LineSet(root.count, root.hexdigest()),
            "journal": expected.closing,
            "children": children,
            "settlement": expected.settlement if is_summary else settled,
            "is_gross": expected.is_gross and said.pairs is not None,
            "pairs": pairs_in(None if is_summary else code, own, expected.pairs),
        }
        for member, value in due.items():
            if getattr(said, member) != value:
                self._findings.add(f"REPORT_{member.upper()}", f"{name} says other {member} than the rows give.")
        previous = self._last.get((window.model, row.institution_id))
        if (said.previous_digest, row.previous_digest) != (previous, previous):
            self._findings.add("REPORT_CHAIN", f"{name} does not follow the institution's report before it.")

    def _code(self, institution: int) -> str:
        found = self._configuration.institutions.get(institution)
        return f"institution {institution:x}" if found is None else found.code

    def _name(self, row: Any) -> str:
        return f"The report of {self._code(row.institution_id)} in window {row.window_id:x}"
