"""People: the histories of bindings and links, row by row: each step follows from the one before it."""

from typing import Any

from hub import ids
from hub.audit.entries import Batch
from hub.audit.findings import Findings
from hub.ledger.records import LinkStatus

_BEFORE = {
    LinkStatus.PROPOSED: None,
    LinkStatus.ACTIVE: LinkStatus.PROPOSED,
    LinkStatus.REJECTED: LinkStatus.PROPOSED,
    LinkStatus.ENDED: LinkStatus.ACTIVE,
}


class People:
    """``subjects``: bindings and links that there are so far, which outcomes may name."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._bound: dict[int, Any] = {}  # the binding that is active, by identifier
        self._links: dict[int, tuple[LinkStatus, tuple[int, ...]]] = {}
        self._active: dict[tuple[int, int], int] = {}  # the active link, by customer and the other's institution
        self.subjects: set[int] = set()

    def take(self, batch: Batch) -> None:
        """Take the next batch, and compare its steps with its outcomes."""
        steps = [
            (row, row["id"] if row["ends_id"] is None else row["ends_id"]) for row in batch.rows.get("binding", ())
        ]
        for row, _ in steps:
            self._binding(row)
        links = [(row, row["link_id"]) for row in batch.rows.get("customer_link", ())]
        for row, _ in links:
            self._link(row)
        if not steps and not links:
            return
        named = {row["subject_id"] for row in batch.rows.get("outcome", ())}
        for row, subject in steps + links:
            self.subjects.add(subject)
            if subject not in named:
                self._findings.add("ACT_OUTCOME", f"Step {row['id']:x} is the outcome of no request.")

    def _binding(self, row: Any) -> None:
        of, bound = row["identifier_id"], self._bound.get(row["identifier_id"])
        name = ids.text(ids.BINDING, row["id"])
        if row["ends_id"] is None:
            if bound is not None:
                self._findings.add("BINDING", f"{name} gives identifier {of:x} a second owner at a time.")
            self._bound[of] = row
            return
        stated = (row["ends_id"], row["institution_id"], row["customer_id"])
        if bound is None or stated != (bound["id"], bound["institution_id"], bound["customer_id"]):
            self._findings.add("BINDING", f"{name} ends what identifier {of:x} is not bound by.")
        self._bound.pop(of, None)

    def _link(self, row: Any) -> None:
        id, name = row["link_id"], ids.text(ids.LINK, row["link_id"])
        a, b = (row["a_customer_id"], row["a_institution_id"]), (row["b_customer_id"], row["b_institution_id"])
        status, before, sides = row["status"], self._links.get(id), (*a, *b)
        is_first = row["id"] == id
        if status not in _BEFORE or _BEFORE[status] != (None if before is None else before[0]):
            self._findings.add("CUSTOMER_LINK", f"{name} becomes {ascii(status)[:20]} out of its turn.")
        elif is_first is not (before is None) or (before is not None and before[1] != sides) or a[1] == b[1]:
            self._findings.add("CUSTOMER_LINK", f"{name} is not between the same two of two institutions.")
        if status in _BEFORE:
            self._links[id] = (LinkStatus(status), sides)
        for key in ((a[0], b[1]), (b[0], a[1])):
            if status == LinkStatus.ACTIVE and self._active.setdefault(key, id) != id:
                self._findings.add("CUSTOMER_LINK", f"{name} is a second active link of customer {key[0]}.")
            elif status == LinkStatus.ENDED and self._active.get(key) == id:
                del self._active[key]
