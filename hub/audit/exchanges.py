"""Exchanges: each goes its way step by step, and each step posts what the answer behind it proves.

What a partner did is not known here. What is proved is that every step follows from the one before it and from what was
answered, that its movements are those that it makes, that what is asked of partners is what was accepted, and that
whoever decided instead of a partner were two persons. Only exchanges that are under way are kept.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from hub import ids
from hub.access import person_key
from hub.audit.accounts import Accounts, Key, host_of
from hub.audit.act import Act
from hub.audit.entries import Batch
from hub.audit.findings import Findings
from hub.audit.shares import Shares
from hub.audit.ways import Side, Way, follows
from hub.configuration import Configuration
from hub.currencies import PointCurrency
from hub.ledger.orders import ASKED, UNDER_WAY, EvidenceKind, ExchangeState, reference_of
from hub.ledger.records import ACCEPTED, AccountKind, MovementKind, Phase, Purpose
from hub.partners import FOLLOWING, HOLDING, Operation, Status
from hub.points import share
from hub.shares import Act as FeeAct

Expected = tuple[Key, Key, int, int, int]  # debit, credit, amount, purpose, phase
_M = MovementKind
BY_PARTNERS = frozenset({_M.RESERVE, _M.ARRIVE, _M.DELIVER, _M.DECLINE, _M.REFUND})  # what they did or refused
WAYS = frozenset(ACCEPTED) | BY_PARTNERS
_COMPLETES = frozenset(ACCEPTED.values())
_STATED = (
    *("from_customer_id", "to_customer_id", "merchant_id", "for_institution_id"),
    *("currency", "amount", "money", "value", "fee"),
)
_WITH_FEES = frozenset({MovementKind.CONVERT, MovementKind.REDEEM})
_S = ExchangeState


class Exchanges:
    """``open``: exchanges that are under way, by identifier. ``pending``: what money of theirs is pending, by
    account."""

    def __init__(self, findings: Findings, accounts: Accounts, shares: Shares) -> None:
        self._findings = findings
        self._accounts = accounts
        self._shares = shares
        self.open: dict[int, Way] = {}
        self.pending: Counter[int] = Counter()
        self._orders: dict[str, Any] = {}

    def begin(self, batch: Batch) -> None:
        """Take the rows of a batch."""
        self._orders = {row["reference"]: row for row in batch.rows.get("partner_order", ())}

    def is_of(self, moved: Any) -> bool:
        """Whether a movement is one of an exchange's way; of what happens without partners none is."""
        return moved["kind"] in WAYS or (moved["kind"] in _COMPLETES and moved["subject_id"] in self.open)

    def way(self, moved: Any) -> Way | None:
        """The exchange that a movement is of."""
        return self.open.get(moved["id"] if moved["kind"] in ACCEPTED else moved["subject_id"] or 0)

    def expected(self, act: Act) -> list[Expected] | None:
        """What a movement of an exchange posts; None: it is of one that there is not."""
        moved = act.moved
        way = self._begin(act) if moved["kind"] in ACCEPTED else self.open.get(moved["subject_id"])
        if way is None:
            return None
        way.made.append(moved["kind"])
        self._compare(act, way)
        self._check_shares(act, way)
        given = way.gives
        match moved["kind"]:
            case MovementKind.DELIVER:
                return None if way.takes is None else [_points(*_given(way.takes), way.takes.amount)]
            case MovementKind.ARRIVE | MovementKind.REFUND | MovementKind.RESERVE if given is None:
                return None
            case MovementKind.RESERVE if given is not None:
                return [_held(given, Phase.PENDING)]
            case MovementKind.ARRIVE if given is not None:
                arrived = _held(given, Phase.POSTED)
                return [_held(given, Phase.VOIDED), arrived] if way.held else [arrived]
            case MovementKind.REFUND if given is not None:
                partner, transit = _of(AccountKind.PARTNER, given.of), _of(AccountKind.TRANSIT, given.of)
                return [_points(transit, partner, given.amount), *_money(way, Phase.VOIDED)]
        phase = Phase.PENDING if moved["kind"] in ACCEPTED else Phase.VOIDED
        pending = []
        if given is not None and given.is_hosted:
            pending = [_points(given.account, _of(AccountKind.ISSUANCE, given.of), given.amount, phase)]
        elif given is not None and way.held and moved["kind"] == MovementKind.DECLINE:
            pending = [_held(given, phase)]
        if moved["kind"] in ACCEPTED or moved["kind"] == MovementKind.DECLINE:
            return [*pending, *_money(way, phase)]
        posted = []
        if given is not None:
            out_of = given.account if given.is_hosted else _of(AccountKind.TRANSIT, given.of)
            posted.append(_points(out_of, _of(AccountKind.ISSUANCE, given.of), given.amount))
        if (taken := way.takes) is not None and not way.held:
            posted.append(_points(*_given(taken), taken.amount))
        return [*pending, *posted, *_money(way, Phase.VOIDED), *_money(way, Phase.POSTED)]

    def _check_shares(self, act: Act, way: Way) -> None:
        """Hold the shares of a fee that becomes pending, or is posted, against its split."""
        kind = act.moved["kind"]
        phase = Phase.PENDING if kind in ACCEPTED else Phase.POSTED
        if way.kind in _WITH_FEES and (kind in ACCEPTED or kind == way.kind):
            self._shares.check(act, way.split, way.bearer, phase)
        elif kind == MovementKind.ACCEPT_REVERSE:
            self._shares.check_returned(act, phase)

    def post(self, leg: Any) -> None:
        """Take a leg of money, or of points that a partner holds, that is pending or is not any more."""
        change = leg[6] if leg[2] == Phase.PENDING else -leg[6]
        self.pending[leg[4]] += change

    def step(self, row: Any, configuration: Configuration) -> None:
        """Take the next step of an exchange's way."""
        way, name = self.open.get(row["exchange_id"]), _name(row["exchange_id"])
        state = _state(row["state"])
        if way is None or state is None:
            self._findings.add("EXCHANGE", f"{name} goes on without being under way.")
            return
        if row["order_reference"] is None:
            fits = way.state is None and (row["status"], row["in_doubt"]) == (None, False)
            fits = fits and state is self._first(way)
            fits = fits and [ACCEPTED.get(MovementKind(kind)) for kind in way.made] == [way.kind]
        else:
            fits = row["order_reference"] == way.order and follows(way, state, row)
            self._said_by(row, way, configuration, name)
        if not fits:
            self._findings.add("EXCHANGE_STEP", f"{name} comes to {row['state']} in a way that there is not.")
        way.taken = way.taken or MovementKind.ARRIVE in way.made
        way.held = way.held or MovementKind.RESERVE in way.made
        if state is not way.state:
            self._ask(way, state, name)
        way.state, way.in_doubt, way.made = state, row["in_doubt"], []
        if state not in UNDER_WAY:
            del self.open[row["exchange_id"]]

    def evidence(self, row: Any, configuration: Configuration) -> None:
        """Take what a person put into an exchange's file."""
        if row["kind"] == EvidenceKind.NOTE:
            return
        way, name = self.open.get(row["exchange_id"]), _name(row["exchange_id"])
        if way is None or way.order != row["order_reference"] or not way.in_doubt:
            self._findings.add("EVIDENCE", f"There is evidence on {name}, of which nothing was in doubt.")
        elif row["kind"] == EvidenceKind.PROPOSAL:
            way.proposed = row
        elif way.proposed is None or way.proposed["done"] != row["done"] or _same_person(row, way, configuration):
            self._findings.add("EVIDENCE", f"What became of {name} was not decided by two persons.")
        else:
            way.approved = row

    def finish(self) -> None:
        """Find what a batch leaves over."""
        for row in self._orders.values():
            self._findings.add("PARTNER_ORDER", f"The order {row['reference']} is of no step.")
        for id, way in self.open.items():
            if way.made:
                self._findings.add("EXCHANGE", f"{_name(id)} has movements without a step.")
                way.made = []

    def _begin(self, act: Act) -> Way | None:
        moved = act.moved
        if moved["id"] in self.open:
            return None
        kind = ACCEPTED[MovementKind(moved["kind"])]
        way = self._conversion(act) if kind is MovementKind.CONVERT else self._act(act, kind)
        if way is None or not any(side is not None and not side.is_hosted for side in (way.gives, way.takes)):
            return None
        self.open[way.id] = way
        return way

    def _first(self, way: Way) -> ExchangeState:
        """In which state an exchange begins: what is given is held if its partner declares that, another partner is
        still to give something for it, and no earlier order is reversed."""
        if way.gives is None or way.gives.is_hosted:
            return _S.CREDITING
        waits = way.takes is not None and not way.takes.is_hosted and HOLDING.issubset(way.gives.of.operations)
        asked = self._orders.get(reference_of(way.id, _S.DEBITING))
        reverses = asked is not None and asked["operation"] == Operation.REVERSE
        return _S.HOLDING if waits and not reverses else _S.DEBITING

    def _conversion(self, act: Act) -> Way | None:
        made, configuration = act.conversion, act.configuration
        rate = None if made is None else configuration.rates.get(made["rate_id"])
        source = None if rate is None else configuration.currencies.get(rate.source)
        target = None if rate is None else configuration.currencies.get(rate.target)
        if made is None or rate is None or source is None or target is None:
            return None
        stated = {
            "from_customer_id": made["from_customer_id"],
            "currency": source.code,
            "amount": made["source"],
            "for_institution_id": made["for_institution_id"],
            "value": made["settlement"],
            "fee": made["fee"],
        }
        gives = Side(source, made["from_customer_id"], made["source"])
        way = Way(MovementKind.CONVERT, made, gives, Side(target, made["to_customer_id"], made["target"]), stated)
        way.money, way.window = rate.money, made["window_id"]
        way.bearer = source.issuer
        way.split = self._shares.split(act, FeeAct.CONVERSION, (source.id, target.id), rate.money, made["fee"])
        way.payments = [
            (source.issuer, target.issuer, made["settlement"], int(Purpose.SETTLEMENT)),
            *((source.issuer, part.payee, part.amount, int(Purpose.FEE)) for part in way.split[1]),
        ]
        return way

    def _act(self, act: Act, kind: MovementKind) -> Way | None:
        moved = act.moved
        of = act.configuration.currency(moved["currency"])
        stated = {column: moved[column] for column in _STATED}
        if of is None:
            return None
        if kind is MovementKind.REVERSE:
            return self._reversal(act, of, stated)
        gives, takes = (
            None if moved[column] is None else Side(of, moved[column], moved["amount"])
            for column in ("from_customer_id", "to_customer_id")
        )
        way = Way(kind, moved, gives, takes, stated)
        way.money = moved["money"]
        if kind is MovementKind.ISSUE:
            way.payments = [(moved["for_institution_id"], of.issuer, moved["value"] or 0, int(Purpose.SETTLEMENT))]
        if kind is MovementKind.REDEEM:
            way.bearer = moved["merchant_id"]
            pair = (of.id, None)
            way.split = self._shares.split(act, FeeAct.REDEMPTION, pair, moved["money"], moved["fee"] or 0)
            way.payments = [
                (of.issuer, moved["merchant_id"], moved["value"], int(Purpose.SETTLEMENT)),
                *((way.bearer, part.payee, part.amount, int(Purpose.FEE)) for part in way.split[1]),
            ]
        return way

    def _reversal(self, act: Act, of: PointCurrency, stated: Any) -> Way | None:
        """The opposite of what was done: what was credited is given, what was debited comes back."""
        moved, known, configuration = act.moved, act.original, act.configuration
        if known is None or not known.movement["amount"]:
            return None
        done, total = known.movement, known.movement["amount"]
        gives = takes = None
        if done["kind"] != MovementKind.REDEEM and done["to_customer_id"] is not None:
            credited = reference_of(moved["subject_id"], _S.CREDITING)
            gives = Side(of, done["to_customer_id"], moved["amount"], (credited,))
        if done["from_customer_id"] is not None:
            source, units = of, total
            if known.conversion is not None:
                rate = configuration.rates[known.conversion["rate_id"]]
                source, units = configuration.currencies[rate.source], known.conversion["source"]
            undoes = tuple(reference_of(moved["subject_id"], state) for state in (_S.DEBITING, _S.COLLECTING))
            part = share(act.after, total, units) - share(act.before, total, units)
            takes = Side(source, done["from_customer_id"], part, undoes) if part else None
        way = Way(MovementKind.REVERSE, moved, gives, takes, stated)
        way.money = moved["money"]
        key = self._accounts.key
        way.payments = [
            (
                key(leg["credit_account_id"])[1],
                key(leg["debit_account_id"])[1],
                share(act.after, total, leg["amount"]) - share(act.before, total, leg["amount"]),
                leg["purpose"],
            )
            for leg in known.legs
            if leg["purpose"] != Purpose.POINTS
        ]
        return way

    def _compare(self, act: Act, way: Way) -> None:
        """Hold a movement against what was accepted."""
        moved = act.moved
        if moved["kind"] == MovementKind.CONVERT:
            return  # compared like that of every conversion
        stated, given = way.stated, way.takes
        if moved["kind"] == MovementKind.DELIVER and given is not None:
            stated = {**stated, "currency": given.of.code, "amount": given.amount, "to_customer_id": given.customer}
        if any(moved[column] != value for column, value in stated.items()):
            self._findings.add("EXCHANGE", f"{_name(way.id)} and {act.name} say different things.")

    def _ask(self, way: Way, state: ExchangeState, name: str) -> None:
        """Compare what is asked of a partner next with what was accepted."""
        way.proposed = way.approved = None
        way.order = reference_of(way.id, state) if state in UNDER_WAY else None
        if way.order is None:
            return
        row, side = self._orders.pop(way.order, None), way.takes if state is _S.CREDITING else way.gives
        if row is None or side is None:
            self._findings.add("PARTNER_ORDER", f"{name} comes to {state.value} without asking for what it has to.")
            return
        due = {
            "exchange_id": way.id,
            "currency": side.of.code,
            "customer_id": side.customer,
            "amount": side.amount,
        }
        plain = ASKED[state].operation
        undoes = (reference_of(way.id, _S.DEBITING),) if state is _S.REFUNDING else side.undoes
        allowed = [(plain, None), *((Operation.REVERSE, one) for one in undoes)]
        if plain in FOLLOWING:
            allowed = [(plain, reference_of(way.id, _S.HOLDING))]
        elif state in (_S.HOLDING, _S.COLLECTING):
            allowed = allowed[:1]
        if any(row[column] != value for column, value in due.items()):
            self._findings.add("PARTNER_ORDER", f"{name} comes to {state.value} without asking for what it has to.")
        elif (row["operation"], row["undoes"]) not in allowed:
            self._findings.add("PARTNER_ORDER", f"{name} asks to undo what it did not ask for.")

    def _said_by(self, row: Any, way: Way, configuration: Configuration, name: str) -> None:
        """A partner's answer is told by the host, any other one by the second of two persons."""
        if row["credential_id"] == host_of(configuration):
            return
        approved = way.approved
        done = None if approved is None else (Status.SUCCEEDED if approved["done"] else Status.REFUSED)
        if approved is None or approved["credential_id"] != row["credential_id"] or done != row["status"]:
            self._findings.add("EVIDENCE", f"{name} goes on by the word of who is no partner.")


def _same_person(row: Any, way: Way, configuration: Configuration) -> bool:
    one = configuration.credentials.get(row["credential_id"])
    other = configuration.credentials.get(way.proposed["credential_id"])
    return one is None or other is None or person_key(one.person) == person_key(other.person)


def _state(text: str) -> ExchangeState | None:
    return ExchangeState(text) if text in ExchangeState.__members__ else None


def _of(kind: AccountKind, of: PointCurrency) -> Key:
    return int(kind), of.issuer, of.code


def _points(debit: Key, credit: Key, amount: int, phase: Phase = Phase.POSTED) -> Expected:
    return debit, credit, amount, int(Purpose.POINTS), int(phase)


def _held(given: Side, phase: Phase) -> Expected:
    """What is given, on its way from its partner."""
    return _points(_of(AccountKind.PARTNER, given.of), _of(AccountKind.TRANSIT, given.of), given.amount, phase)


def _given(taken: Side) -> tuple[Key, Key]:
    into = taken.account if taken.is_hosted else _of(AccountKind.PARTNER, taken.of)
    return _of(AccountKind.ISSUANCE, taken.of), into


def _money(way: Way, phase: Phase) -> Iterable[Expected]:
    for payer, payee, amount, purpose in way.payments:
        if amount and payer != payee:
            kind, money = int(AccountKind.POSITION), way.money or ""
            yield (kind, payer, money), (kind, payee, money), amount, purpose, int(phase)


def _name(exchange: int) -> str:
    return ids.text(ids.EXCHANGE, exchange)
