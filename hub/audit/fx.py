"""Exchanges of nets as the rows make them: by which rate each net became what, and that this is what its window's model
and the rates in force at the closing give. How a rate came into force is asked of all kinds of versions
(``hub.audit.versions``)."""

from collections.abc import Mapping
from typing import Any

from hub import ids
from hub.audit.accounts import Accounts, Key, operator_of
from hub.audit.entries import Batch
from hub.audit.findings import Findings
from hub.configuration import Configuration
from hub.errors import FxRateMissing
from hub.fx import exchange, rates_into
from hub.ledger.records import AccountKind, Purpose
from hub.money import UnknownMoney, minor_unit_millionths
from hub.netting import NotBalanced
from hub.versions import in_force

Place = tuple[int, str]  # institution, currency
_STATED = ("institution_id", "currency", "net", "rate_id", "into_currency", "value")


class Fx:
    """Exchanges, in the order of the journal."""

    def __init__(self, findings: Findings, accounts: Accounts) -> None:
        self._findings = findings
        self._accounts = accounts
        self._posted: set[int] = set()  # movements of the batch

    def check(self, moved: Any, legs: list[Any], batch: Batch, configuration: Configuration) -> Any:
        """Hold a movement against its row, and its legs against both; answers the row, None: there is none."""
        name = ids.text(ids.ENTRY, moved["id"])
        row = next((one for one in batch.rows.get("net_exchange", ()) if one["movement_id"] == moved["id"]), None)
        if row is None:
            self._findings.add("NET_EXCHANGE", f"{name} exchanges a net, and nothing says how.")
            return None
        self._posted.add(moved["id"])
        stated = tuple(moved[part] for part in ("subject_id", "for_institution_id", "money", "value", "amount"))
        if stated != (*(row[part] for part in ("window_id", *_STATED[:3])), abs(row["net"])):
            self._findings.add("NET_EXCHANGE", f"{name} and its exchange say different things.")
        expected: list[tuple[Key, Key, int]] = []
        for currency, change in ((row["currency"], -row["net"]), (row["into_currency"], row["value"])):
            settlement = (int(AccountKind.SETTLEMENT), row["institution_id"], currency)
            through = (int(AccountKind.FX), operator_of(configuration), currency)
            if change:
                expected.append((*((through, settlement) if change > 0 else (settlement, through)), abs(change)))
        key = self._accounts.key
        actual = [(key(leg[4]), key(leg[5]), leg[6]) for leg in legs]
        if actual != expected or any((leg[3], leg[9]) != (Purpose.EXCHANGE, row["window_id"]) for leg in legs):
            self._findings.add("ACT_LEGS", f"The legs of {name} are not what the act posts.")
        return row

    def closed(
        self,
        window: int,
        model: str,
        nets: Mapping[Place, int],
        batch: Batch,
        configuration: Configuration,
    ) -> dict[Place, int]:
        """Hold the exchanges of a window that closes against its nets that settle with the hub, its model and the
        rates; answers what is to be paid, where it is not zero."""
        codes = {id: node.code for id, node in configuration.institutions.items()}
        terms = None if batch.at is None else in_force(configuration.models.get(model, ()), batch.at)
        made = {
            (row["institution_id"], row["currency"]): tuple(row[part] for part in _STATED[2:])
            for row in batch.rows.get("net_exchange", ())
            if row["window_id"] == window
        }
        due: dict[Place, tuple[Any, ...]] = {}
        if terms is not None and terms.settle_in is not None and batch.at is not None:
            into, of = terms.settle_in, {codes.get(node, ""): node for node, _ in nets}
            with_codes = {(codes.get(node, ""), currency): net for (node, currency), net in nets.items()}
            try:
                rates = rates_into(configuration.fx, into, batch.at)
                found = exchange(with_codes, into, rates, minor_unit_millionths(into))
            except FxRateMissing as no:
                base = no.details["base"]
                self._findings.add("NET_EXCHANGE", f"A window closed without an FX rate from {base} into {into}.")
            except (NotBalanced, UnknownMoney) as error:
                self._findings.add("NET_EXCHANGE", f"Nets cannot be exchanged into {into}: {error}")
            else:
                due = {
                    (of[code], currency): (one.net, one.rate.id, into, one.value)
                    for (code, currency), one in found.items()
                }
        for place in sorted(made.keys() | due.keys()):
            if made.get(place) != due.get(place):
                who = codes.get(place[0], f"institution {place[0]:x}")
                what = "is not what its net and the rate then in force give"
                self._findings.add("NET_EXCHANGE", f"What the net of {who} in {place[1]} has become {what}.")
        payables = dict(nets)
        for (node, currency), (net, _, into, value) in due.items():
            payables[node, currency] -= net
            payables[node, into] = payables.get((node, into), 0) + value
        return {place: amount for place, amount in payables.items() if amount}

    def finish(self, batch: Batch, closed: set[int]) -> None:
        """Find rows that no movement has posted, or of windows that did not close in the batch."""
        for row in batch.rows.get("net_exchange", ()):
            if row["movement_id"] not in self._posted or row["window_id"] not in closed:
                name = ids.text(ids.ENTRY, row["movement_id"])
                self._findings.add("NET_EXCHANGE", f"{name} is no exchange at the closing of its window.")
        self._posted.clear()
