"""Baskets: each is what its redemptions come to, and they are one customer's at one merchant."""

from hub import ids
from hub.audit.entries import Batch
from hub.audit.findings import Findings
from hub.ledger.records import MovementKind

_SAME = (
    *(("customer_id", "from_customer_id"), ("merchant_id", "merchant_id"), ("money", "money")),
    *(("credential_id", "credential_id"), ("for_institution_id", "for_institution_id")),
)


def check(batch: Batch, findings: Findings) -> None:
    """Compare the baskets of a batch with its redemptions."""
    for row in batch.rows.get("basket", ()):
        mine = [
            moved
            for moved in batch.rows.get("movement", ())
            if row["id"] < moved["id"] <= row["last_id"] and moved["kind"] == MovementKind.REDEEM
        ]
        paid = sum(moved["value"] or 0 for moved in mine)
        alike = all(moved[its] == row[own] for moved in mine for own, its in _SAME)
        if not mine or mine[-1]["id"] != row["last_id"] or not alike or row["rest"] < 0:
            findings.add("BASKET", f"{ids.text(ids.BASKET, row['id'])} was not paid by one customer's redemptions.")
        if paid + row["rest"] != row["amount"]:
            findings.add("BASKET", f"{ids.text(ids.BASKET, row['id'])} is not what its redemptions come to.")
