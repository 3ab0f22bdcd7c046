"""The money legs of acts: in which window they belong, and what they do to positions. At each act that worsens an
exposure, the cap then in force is held against it, and what then covered it; what is paid at once is paid."""

from datetime import datetime
from typing import Any

from hub import ids
from hub.audit.accounts import Accounts, Key, operator_of
from hub.audit.findings import Findings, code_of, name_of
from hub.audit.positions import Place, Positions
from hub.configuration import Configuration
from hub.cover import reach
from hub.institutions import member_of
from hub.ledger.records import AccountKind, Phase, Purpose, WindowStatus
from hub.models import DEFAULT_MODEL, ModelKind, takes, taking
from hub.money import format_millionths


class Money:
    """Money legs, act by act."""

    def __init__(self, findings: Findings, accounts: Accounts, positions: Positions) -> None:
        self._findings = findings
        self._accounts = accounts
        self._positions = positions
        self._payable: dict[int, list[tuple[int, int, int, str, int]]] = {}  # what is to be paid at once, by act

    def act(
        self,
        moved: Any,
        legs: list[Any],
        configuration: Configuration,
        at: datetime | None,
        of: int = 0,
        *,
        promised: bool = False,
    ) -> None:
        """Take the money legs of an act, and hold the caps in force against what they worsen; of what was ``promised``
        they were held against it then. ``of``: the newest window when money became pending."""
        moves: list[tuple[int, int, str, int]] = []  # window, institution, currency, change
        unposted: list[Any] = []
        owed: list[tuple[int, int, int, str, int]] = []  # in windows that are netted in pairs
        for leg in legs:
            amount, window = leg[6], leg[9]
            if leg[3] not in (Purpose.SETTLEMENT, Purpose.FEE):
                continue
            if leg[2] != Phase.POSTED:
                unposted.append(leg)
                continue
            (_, payer, currency), (_, payee, _) = self._accounts.key(leg[4]), self._accounts.key(leg[5])
            if window not in self._positions.windows or self._positions.windows[window].status != WindowStatus.OPEN:
                self._findings.add("LEG_WINDOW", f"{name_of(moved)} has a leg in a window that was not open.")
            if not moves and at is not None and configuration.models:
                self._check_model(moved, leg, configuration, at, promised=promised)
            if moves and moves[0][0] != window:
                self._findings.add("LEG_WINDOW", f"{name_of(moved)} has legs in two windows.")
            self._positions.sum(window, payer, currency)[0] += amount
            self._positions.sum(window, payee, currency)[1] += amount
            moves += [(window, payer, currency, -amount), (window, payee, currency, amount)]
            if self._positions.in_pairs(configuration, window):
                owed.append((window, payer, payee, currency, amount))
        capped = {} if promised else self._capped(legs, of, configuration)
        for window, institution, currency, change in moves:
            self._positions.adjust(configuration, window, institution, currency, change)
        for window, payer, payee, currency, amount in owed:
            debtor, creditor = (self._positions.top(configuration, node, window) for node in (payer, payee))
            if debtor != creditor:
                of_pair = self._positions.obligations.owe(window, debtor, creditor, currency, amount)
                if self._positions.is_gross(configuration, window):
                    due = (window, debtor, creditor, currency, amount)
                    self._payable.setdefault(moved["id"], []).append(due)
                else:
                    self._positions.owed(configuration, *of_pair)
        for leg in unposted:
            self._unposted(leg, of, configuration)
        for (node, currency), before in capped.items():
            cap, after = configuration.caps.get((node, currency)), self._positions.exposure(node, currency)
            if cap is not None and cap.amount is not None and after > cap.amount and after > before:
                self._findings.add(
                    "CAP",
                    f"{name_of(moved)} brings the exposure of {code_of(configuration, node)} to "
                    f"{format_millionths(after, currency)} {currency}, above the cap then in force, "
                    f"{format_millionths(cap.amount, currency)}.",
                )
            self._check_cover(moved, configuration, (node, currency), before)

    def pay(self, moved: Any, legs: list[Any], configuration: Configuration) -> None:
        """Take what pays an act at once."""
        due, expected = self._payable.pop(moved["subject_id"], []), []
        short = set[str]()
        for window, debtor, creditor, currency, amount in due:
            for node, sign in ((debtor, -1), (creditor, 1)):
                pot: Key = (int(AccountKind.LIQUIDITY), node, currency)
                position: Key = (int(AccountKind.POSITION), node, currency)
                sides = (pot, position) if sign < 0 else (position, pot)
                expected.append((*sides, amount, int(Purpose.PAYMENT)))
                self._positions.pots[pot] += sign * amount
                self._positions.gross[window, node, currency] += sign * amount
        for _, debtor, _, currency, _ in due:
            if self._positions.pots[int(AccountKind.LIQUIDITY), debtor, currency] < 0:
                short.add(code_of(configuration, debtor))
        key = self._accounts.key
        actual = [(key(leg[4]), key(leg[5]), leg[6], leg[3]) for leg in legs]
        total = sum(one[4] for one in due)
        if not due or actual != expected or (moved["value"], moved["amount"]) != (total, total):
            self._findings.add("GROSS", f"{name_of(moved)} does not pay what its act makes owe.")
        if [leg[9] for leg in legs] != [one[0] for one in due for _ in range(2)]:
            self._findings.add("GROSS", f"{name_of(moved)} pays in another window than its act's.")
        for code in sorted(short):
            self._findings.add("GROSS", f"{name_of(moved)} takes more of {code}'s liquidity than there was.")

    def _check_cover(self, moved: Any, configuration: Configuration, place: Place, before: int) -> None:
        """Hold the cover then there against an exposure that an act has worsened."""
        cover = configuration.covers.get(place)
        if cover is None or not cover.terms.needed:
            return
        node, currency = place
        put_up = self._positions.pots[int(AccountKind.COLLATERAL), *place]
        after, there = self._positions.exposure(*place), reach(cover.terms, put_up)
        if after > there and after > before:
            self._findings.add(
                "COVER",
                f"{name_of(moved)} brings the exposure of {code_of(configuration, node)} to "
                f"{format_millionths(after, currency)} {currency}, beyond what then covered it, "
                f"{format_millionths(there, currency)}.",
            )

    def _check_model(self, moved: Any, leg: Any, configuration: Configuration, at: datetime, *, promised: bool) -> None:
        """Pass if an act's first leg of money is in the window of the model that takes it; what was promised is paid
        nowhere at once."""
        (_, payer, currency), (_, payee, _) = self._accounts.key(leg[4]), self._accounts.key(leg[5])
        opened = {one.model: one for one in self._positions.live if one.status == WindowStatus.OPEN}
        due = opened.get(DEFAULT_MODEL)
        for model in taking(configuration.models, currency, at):
            window = opened.get(model.code)
            if promised and model.kind is ModelKind.IMMEDIATE_GROSS:
                continue
            if window is not None:
                members = {member_of(self._positions.path(configuration, node, window.id)) for node in (payer, payee)}
                due = window if takes(model, members, operator_of(configuration)) else due
        if due is None or leg[9] != due.id:
            self._findings.add("LEG_MODEL", f"{name_of(moved)} has money in a window of another model than takes it.")

    def _capped(self, legs: list[Any], of: int, configuration: Configuration) -> dict[Place, int]:
        """The exposures of the capped and covered nodes above the payers of money legs."""
        found: dict[Place, int] = {}
        for leg in legs:
            if leg[3] in (Purpose.SETTLEMENT, Purpose.FEE):
                _, payer, currency = self._accounts.key(leg[4])
                for node in self._positions.path(configuration, payer, leg[9] or of):
                    bounded = (node, currency) in configuration.caps or (node, currency) in configuration.covers
                    if bounded and (node, currency) not in found:
                        found[node, currency] = self._positions.exposure(node, currency)
        return found

    def _unposted(self, leg: Any, of: int, configuration: Configuration) -> None:
        """What is pending worsens what the payer's side may come to owe, and what is not any more frees it."""
        (_, payer, currency), (_, payee, _) = self._accounts.key(leg[4]), self._accounts.key(leg[5])
        change = -leg[6] if leg[2] == Phase.PENDING else leg[6]
        self._positions.outside(
            configuration, of, payer, currency, change, self._positions.path(configuration, payee, of)
        )

    def finish(self) -> None:
        """What is to be paid at once was paid in its batch."""
        for act in self._payable:
            self._findings.add("GROSS", f"What {ids.text(ids.ENTRY, act)} makes owe is not paid.")
        self._payable.clear()
