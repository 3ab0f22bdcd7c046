"""Breaks: each has gone the way that its steps say, two persons have ended it, and what it posts is its difference.

What partners say is not known here, so what a run has found is believed; that it was the host who found it, that
nothing which was found has gone, and that nothing was posted without a break is proved.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from hub import ids
from hub.access import person_key
from hub.audit.accounts import Key, host_of
from hub.audit.act import Act
from hub.audit.entries import Batch
from hub.audit.findings import Findings
from hub.configuration import Configuration
from hub.ledger.break_rows import document, figures_of
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.orders import EvidenceKind
from hub.ledger.records import AccountKind, MovementKind, Phase, Purpose
from hub.reconciliation.breaks import ENDED_AS, UNENDED, BreakStatus, Ending, StepKind

Expected = tuple[Key, Key, int, int, int]  # debit, credit, amount, purpose, phase
_STANDING = f"""
SELECT id, type, figures, status, owner_id, proposal_id FROM reconciliation_break WHERE journal_id = {JOURNAL_ID}
"""


class _Standing:
    """Where a break stands by its steps. ``proposed``: the step by which its end is proposed."""

    __slots__ = ("figures", "owner", "proposed", "row", "status")

    def __init__(self, row: Any) -> None:
        self.row = row
        self.figures: str | None = None
        self.status = BreakStatus.OPEN
        self.owner: int | None = None
        self.proposed: Any = None


class Breaks:
    """Breaks in the order of the ledger, all of them: a day has few."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._breaks: dict[int, _Standing] = {}
        self._due: dict[int, tuple[Any, _Standing]] = {}  # approvals that post, by movement
        self._runs: Mapping[int, Any] = {}
        self._approved: set[tuple[int, str]] = set()  # persons who approved in exchanges' files, and of which order
        self._counted: Counter[tuple[int, str]] = Counter()

    def begin(self, batch: Batch) -> None:
        """Take the rows of a batch."""
        self._runs = {row["id"]: row for row in batch.rows.get("reconciliation", ())}
        self._approved = {
            (row["credential_id"], row["order_reference"])
            for row in batch.rows.get("exchange_evidence", ())
            if row["kind"] == EvidenceKind.APPROVAL
        }
        for row in batch.rows.get("reconciliation_break", ()):
            self._breaks[row["id"]] = _Standing(row)

    def step(self, row: Any, configuration: Configuration) -> None:
        """Take the next step of a break's way."""
        found, kind = self._breaks.get(row["break_id"]), row["kind"]
        if found is None or kind not in StepKind.__members__:
            self._findings.add("BREAK_STEP", f"Step {row['id']:x} is of a break or a kind that there is not.")
            return
        match StepKind(kind):
            case StepKind.FOUND | StepKind.CHANGED | StepKind.MATCHED:
                fits = self._by_run(row, found, configuration)
            case StepKind.ASSIGNED:
                fits = found.status in UNENDED
                found.owner = row["owner_id"]
            case StepKind.NOTED:
                fits = True
            case StepKind.PROPOSED:
                fits = found.status in UNENDED and row["ending"] in Ending.__members__
                found.status, found.proposed = BreakStatus.PROPOSED, row
            case StepKind.APPROVED:
                fits = self._ends(row, found, configuration)
        if not fits:
            self._findings.add("BREAK_STEP", f"{_name(row['break_id'])} goes on in a way that there is not.")

    def _by_run(self, row: Any, found: _Standing, configuration: Configuration) -> bool:
        """A step that a run has made; answers whether it could."""
        run, kind, was = self._runs.get(row["run_id"] or 0), row["kind"], found.status
        first = found.figures is None
        fits = run is not None and row["credential_id"] == host_of(configuration)
        if run is not None:
            fits = fits and run["credential_id"] == row["credential_id"]
            fits = fits and (run["currency"], run["day"]) == (found.row["currency"], found.row["day"])
        fits = fits and first == (kind == StepKind.FOUND) and (row["figures"] is None) == (kind == StepKind.MATCHED)
        found.proposed = None
        if kind == StepKind.MATCHED:
            self._counted[row["run_id"], "vanished"] += 1
            found.status = BreakStatus.MATCHED_LATER
            return fits and was in UNENDED
        if first or was not in UNENDED:
            self._counted[row["run_id"], "opened"] += 1
        found.status, found.figures = BreakStatus.OPEN, row["figures"] or ""
        return fits and _figures(found) is not None and (not first or found.row["run_id"] == row["run_id"])

    def _ends(self, row: Any, found: _Standing, configuration: Configuration) -> bool:
        proposed, ending, movement = found.proposed, row["ending"], row["movement_id"]
        if proposed is None or proposed["ending"] != ending or ending not in Ending.__members__:
            return False
        persons = [configuration.credentials.get(one["credential_id"]) for one in (proposed, row)]
        if None in persons or len({person_key(one.person) for one in persons if one is not None}) < 2:
            self._findings.add("BREAK_APPROVAL", f"{_name(row['break_id'])} was not ended by two persons.")
        found.status, found.proposed = ENDED_AS[Ending(ending)], None
        if movement is not None:
            self._due[movement] = (row, found)
            figures = _figures(found)
            return ending != Ending.ACCEPT and figures is not None and figures.difference == row["adjusted"]
        by_evidence = (row["credential_id"], found.row["reference"]) in self._approved
        return row["adjusted"] is None and (ending == Ending.ACCEPT or (ending == Ending.CORRECTION and by_evidence))

    def is_of(self, moved: Any) -> bool:
        """Whether a movement is the end of a break."""
        return bool(moved["kind"] == MovementKind.ADJUST)

    def expected(self, act: Act) -> list[Expected] | None:
        """What a movement at the end of a break posts; None: it is of none."""
        moved = act.moved
        row, found = self._due.pop(moved["id"], (None, None))
        of = act.configuration.currency(moved["currency"])
        if row is None or found is None or of is None or not row["adjusted"]:
            return None
        stated = (moved["subject_id"], moved["currency"], moved["amount"], moved["credential_id"])
        if stated != (row["break_id"], found.row["currency"], abs(row["adjusted"]), row["credential_id"]):
            self._findings.add("BREAK", f"{_name(row['break_id'])} and {act.name} say different things.")
        against = AccountKind.BREAKAGE if row["ending"] == Ending.WRITE_OFF else AccountKind.ISSUANCE
        partner, other = [(int(kind), of.issuer, of.code) for kind in (AccountKind.PARTNER, against)]
        debit, credit = (other, partner) if row["adjusted"] > 0 else (partner, other)
        return [(debit, credit, abs(row["adjusted"]), int(Purpose.POINTS), int(Phase.POSTED))]

    def finish(self) -> None:
        """Find what a batch leaves over."""
        for row, _ in self._due.values():
            self._findings.add("BREAK", f"{_name(row['break_id'])} has ended without what it posts.")
        self._due.clear()
        for id, run in self._runs.items():
            try:
                told = document(run["document"])
            except msgspec.DecodeError:
                self._findings.add("RECONCILIATION", f"{ids.text(ids.RECONCILIATION, id)} says nothing of its day.")
                continue
            if (told.opened, told.vanished) != (self._counted[id, "opened"], self._counted[id, "vanished"]):
                self._findings.add(
                    "RECONCILIATION", f"{ids.text(ids.RECONCILIATION, id)} does not count what it has found."
                )
        self._counted.clear()

    async def compare(self, driver: Any) -> None:
        """Find every break that does not stand as its steps say."""
        left = dict(self._breaks)
        async for id, type, *stated in driver.cursor(_STANDING, prefetch=1_000):
            found = left.pop(id, None)
            figures = None if found is None else _figures(found)
            if found is None or figures is None:
                self._findings.add("BREAK_STANDING", f"{_name(id)} is of no step.")
                continue
            proposal = None if found.proposed is None else found.proposed["id"]
            if [type, *stated] != [figures.type, found.figures, found.status, found.owner, proposal]:
                self._findings.add("BREAK_STANDING", f"{_name(id)} does not stand as its steps say.")
        for id in left:
            self._findings.add("BREAK_STANDING", f"{_name(id)} is missing.")


def _figures(found: _Standing) -> Any:
    try:
        return None if found.figures is None else figures_of(found.figures)
    except msgspec.DecodeError:
        return None


def _name(id: int) -> str:
    return ids.text(ids.BREAK, id)
