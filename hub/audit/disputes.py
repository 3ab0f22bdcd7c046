"""Disputes and acceptances: each was its institution's own word and in time, each dispute has gone the way that its
steps say, two persons have ended it, and what a correction gives back is of its line and never more than that.

That a dispute's line is a leg of its window, the relations ask; whether a signature is genuine, ``settlement`` does.
"""

from collections import Counter
from typing import Any

from hub import ids
from hub.acceptance.disputes import UNENDED, DisputeOutcome, DisputeReason, DisputeStatus, DisputeStepKind
from hub.acceptance.reports import deadline
from hub.access import person_key
from hub.audit.accounts import Key, operator_of
from hub.audit.act import Act
from hub.audit.entries import Batch
from hub.audit.findings import Findings
from hub.audit.positions import Positions
from hub.configuration import Configuration
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import AccountKind, MovementKind, Phase

Expected = tuple[Key, Key, int, int, int]  # debit, credit, amount, purpose, phase
_STANDING = f"SELECT id, status, outcome, proposal_id, corrected FROM dispute WHERE journal_id = {JOURNAL_ID}"
_DECIDED = frozenset({DisputeOutcome.UPHELD, DisputeOutcome.REJECTED})


class _Standing:
    """Where a dispute stands by its steps. ``proposed``: the step by which its end is proposed."""

    __slots__ = ("corrected", "outcome", "proposed", "row", "status")

    def __init__(self, row: Any) -> None:
        self.row = row
        self.status: DisputeStatus | None = None
        self.outcome: str | None = None
        self.proposed: Any = None
        self.corrected = 0


class Disputes:
    """Disputes in the order of the ledger, all of them: few lines are disputed."""

    def __init__(self, findings: Findings, positions: Positions) -> None:
        self._findings = findings
        self._positions = positions
        self._disputes: dict[int, _Standing] = {}
        self._due: dict[int, tuple[Any, _Standing]] = {}  # approvals that post, by movement
        self._corrected: Counter[tuple[int, int]] = Counter()  # by line

    def begin(self, batch: Batch) -> None:
        """Take the rows of a batch."""
        for row in batch.rows.get("dispute", ()):
            self._disputes[row["id"]] = _Standing(row)

    def acceptance(self, row: Any, configuration: Configuration) -> None:
        """Take an acceptance: of a closed window, by a key of the institution's that was current then."""
        window = self._positions.windows.get(row["window_id"])
        key = configuration.acceptance_keys.get(row["kid"])
        is_current = key is not None and key.is_current and key.institution == row["institution_id"]
        if (
            window is None
            or window.closed_in is None
            or not is_current
            or not _own(row["credential_id"], row, configuration)
        ):
            name = ids.text(ids.ACCEPTANCE, row["id"])
            self._findings.add("ACCEPTANCE", f"{name} is not the word of its institution on a closed window.")

    def step(self, row: Any, configuration: Configuration, batch: Batch) -> None:
        """Take the next step of a dispute's way."""
        found, kind = self._disputes.get(row["dispute_id"]), row["kind"]
        if found is None or kind not in DisputeStepKind.__members__:
            self._findings.add("DISPUTE_STEP", f"Step {row['id']:x} is of a dispute or a kind that there is not.")
            return
        goes_on = found.status in UNENDED
        match DisputeStepKind(kind):
            case DisputeStepKind.OPENED:
                fits = found.status is None and self._opened(row, found, configuration, batch)
                found.status = DisputeStatus.OPEN
            case DisputeStepKind.ANSWERED:
                fits = found.status is DisputeStatus.OPEN
                found.status = DisputeStatus.ANSWERED
            case DisputeStepKind.NOTED:
                fits = goes_on
            case DisputeStepKind.WITHDRAWN:
                fits = goes_on and _own(row["credential_id"], found.row, configuration)
                found.status, found.outcome, found.proposed = DisputeStatus.RESOLVED, DisputeOutcome.WITHDRAWN, None
            case DisputeStepKind.PROPOSED:
                fits = found.status is DisputeStatus.ANSWERED and row["outcome"] in _DECIDED
                fits = fits and (row["amount"] is None) == (row["outcome"] == DisputeOutcome.REJECTED)
                found.proposed = row
            case DisputeStepKind.APPROVED:
                fits = found.status is DisputeStatus.ANSWERED and self._ends(row, found, configuration)
        if not fits:
            self._findings.add("DISPUTE_STEP", f"{_name(row['dispute_id'])} goes on in a way that there is not.")

    def _opened(self, row: Any, found: _Standing, configuration: Configuration, batch: Batch) -> bool:
        """Whether who opened a dispute could."""
        stated, window = found.row, self._positions.windows.get(found.row["window_id"])
        if window is None or window.closed_in is None or window.closed_at is None or batch.at is None:
            return False
        until = deadline(configuration.dispute_terms.values(), window.closed_in, window.closed_at)
        if batch.at >= until:
            self._findings.add("DISPUTE", f"{_name(stated['id'])} was opened when it was too late.")
        is_party = stated["institution_id"] in (stated["payer_id"], stated["payee_id"])
        is_known = stated["reason"] in DisputeReason.__members__ and row["credential_id"] == stated["credential_id"]
        return is_party and is_known and _own(stated["credential_id"], stated, configuration)

    def _ends(self, row: Any, found: _Standing, configuration: Configuration) -> bool:
        proposed, outcome, movement = found.proposed, row["outcome"], row["movement_id"]
        if proposed is None or (proposed["outcome"], proposed["amount"]) != (outcome, row["amount"]):
            return False
        persons = [configuration.credentials.get(one["credential_id"]) for one in (proposed, row)]
        operating = [one for one in persons if one is not None and one.institution == operator_of(configuration)]
        if len({person_key(one.person) for one in operating}) < 2:
            self._findings.add("DISPUTE_APPROVAL", f"{_name(row['dispute_id'])} was not ended by two persons.")
        found.status, found.outcome, found.proposed = DisputeStatus.RESOLVED, outcome, None
        if outcome == DisputeOutcome.REJECTED:
            return movement is None
        found.corrected = row["amount"]
        line = (found.row["movement_id"], found.row["n"])
        self._corrected[line] += row["amount"]
        if self._corrected[line] > found.row["amount"]:
            self._findings.add("DISPUTE", f"{_name(row['dispute_id'])} gives back more than its line was.")
        if movement is not None:
            self._due[movement] = (row, found)
        return movement is not None

    def is_of(self, moved: Any) -> bool:
        """Whether a movement corrects a disputed line."""
        return bool(moved["kind"] == MovementKind.CORRECT)

    def expected(self, act: Act) -> list[Expected] | None:
        """What a correction posts: the line's opposite, of the amount that two persons said; None: it is of none."""
        moved = act.moved
        row, found = self._due.pop(moved["id"], (None, None))
        if row is None or found is None:
            return None
        line = found.row
        stated = (moved["subject_id"], moved["for_institution_id"], moved["money"], moved["value"], moved["amount"])
        due = (line["id"], line["institution_id"], line["currency"], row["amount"], row["amount"])
        if stated != due or moved["credential_id"] != row["credential_id"]:
            self._findings.add("DISPUTE", f"{_name(line['id'])} and {act.name} say different things.")
        debit, credit = ((int(AccountKind.POSITION), line[of], line["currency"]) for of in ("payee_id", "payer_id"))
        return [(debit, credit, row["amount"], line["purpose"], int(Phase.POSTED))]

    def finish(self) -> None:
        """Find what a batch leaves over."""
        for row, _ in self._due.values():
            self._findings.add("DISPUTE", f"{_name(row['dispute_id'])} is upheld without its correction.")
        self._due.clear()

    async def compare(self, driver: Any) -> None:
        """Find every dispute that does not stand as its steps say."""
        left = dict(self._disputes)
        async for id, *stated in driver.cursor(_STANDING, prefetch=1_000):
            found = left.pop(id, None)
            if found is None or found.status is None:
                self._findings.add("DISPUTE_STANDING", f"{_name(id)} is of no step.")
                continue
            proposal = None if found.proposed is None else found.proposed["id"]
            if stated != [found.status, found.outcome, proposal, found.corrected]:
                self._findings.add("DISPUTE_STANDING", f"{_name(id)} does not stand as its steps say.")
        for id in left:
            self._findings.add("DISPUTE_STANDING", f"{_name(id)} is missing.")


def _own(credential: int, row: Any, configuration: Configuration) -> bool:
    """Whether a credential is of the very institution for which it spoke."""
    spoke = configuration.credentials.get(credential)
    return spoke is not None and spoke.institution == row["institution_id"]


def _name(id: int) -> str:
    return ids.text(ids.DISPUTE, id)
