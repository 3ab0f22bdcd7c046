"""Exchanges: each goes its way step by step, and each step posts what the answer behind it proves.

What a partner did is not known here. What is proved is that every step follows from the one before it and from what was
answered, that its movements are those that it makes, that what is asked of partners is what the conversion says, and
that whoever decided instead of a partner were two persons. Only exchanges that are under way are kept.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from hub import ids
from hub.audit.accounts import Accounts, Key, host_of, operator_of
from hub.audit.act import Act
from hub.audit.entries import Batch
from hub.audit.findings import Findings
from hub.configuration import Configuration
from hub.currencies import HOSTED, PointCurrency
from hub.ledger.orders import UNDER_WAY, EvidenceKind, ExchangeState, reference_of
from hub.ledger.records import AccountKind, MovementKind, Phase, Purpose
from hub.partners import Operation, Status

Expected = tuple[Key, Key, int, int, int]  # debit, credit, amount, purpose, phase
WAYS = frozenset({MovementKind.ACCEPT, MovementKind.ARRIVE, MovementKind.DECLINE, MovementKind.REFUND})
_S = ExchangeState


class Way:
    """An exchange that is under way. ``row``: its conversion; ``made``: the movements since its last step;
    ``proposed`` and ``approved``: the last proposal on the order under way, and the approval of it."""

    __slots__ = ("approved", "in_doubt", "made", "order", "proposed", "row", "source", "state", "taken", "target")

    def __init__(self, row: Any, source: PointCurrency, target: PointCurrency) -> None:
        self.row = row
        self.source = source
        self.target = target
        self.state: ExchangeState | None = None
        self.order: str | None = None
        self.in_doubt = False
        self.taken = False
        self.made: list[int] = []
        self.proposed: Any = None
        self.approved: Any = None


class Exchanges:
    """``open``: exchanges that are under way, by identifier. ``pending``: what money of theirs is pending, by
    account."""

    def __init__(self, findings: Findings, accounts: Accounts) -> None:
        self._findings = findings
        self._accounts = accounts
        self.open: dict[int, Way] = {}
        self.pending: Counter[int] = Counter()
        self._orders: dict[str, Any] = {}

    def begin(self, batch: Batch) -> None:
        """Take the rows of a batch."""
        self._orders = {row["reference"]: row for row in batch.rows.get("partner_order", ())}

    def is_of(self, moved: Any) -> bool:
        """Whether a movement is one of an exchange's way; a conversion between hosted currencies is none."""
        return moved["kind"] in WAYS or (moved["kind"] == MovementKind.CONVERT and moved["subject_id"] in self.open)

    def expected(self, act: Act) -> list[Expected] | None:
        """What a movement of an exchange posts; None: it is of one that there is not."""
        moved, configuration = act.moved, act.configuration
        begins = moved["kind"] == MovementKind.ACCEPT
        way = self._begin(act) if begins else self.open.get(moved["subject_id"])
        if way is None:
            return None
        way.made.append(moved["kind"])
        self._compare(act, way)
        row, source, target = way.row, way.source, way.target
        giver: Key = (int(AccountKind.CUSTOMER), row["from_customer_id"], source.code)
        taker: Key = (int(AccountKind.CUSTOMER), row["to_customer_id"], target.code)
        hosted = source.adapter == HOSTED
        match moved["kind"]:
            case MovementKind.ACCEPT:
                held = [_points(giver, _of(AccountKind.ISSUANCE, source), row["source"], Phase.PENDING)]
                return [*(held if hosted else ()), *self._money(way, configuration, Phase.PENDING)]
            case MovementKind.ARRIVE:
                return [_points(_of(AccountKind.PARTNER, source), _of(AccountKind.TRANSIT, source), row["source"])]
            case MovementKind.REFUND:
                back = _points(_of(AccountKind.TRANSIT, source), _of(AccountKind.PARTNER, source), row["source"])
                return [back, *self._money(way, configuration, Phase.VOIDED)]
            case MovementKind.DECLINE:
                held = [_points(giver, _of(AccountKind.ISSUANCE, source), row["source"], Phase.VOIDED)]
                return [*(held if hosted else ()), *self._money(way, configuration, Phase.VOIDED)]
        burned = _of(AccountKind.ISSUANCE, source)
        out_of = giver if hosted else _of(AccountKind.TRANSIT, source)
        into = taker if target.adapter == HOSTED else _of(AccountKind.PARTNER, target)
        return [
            *((_points(giver, burned, row["source"], Phase.VOIDED),) if hosted else ()),
            _points(out_of, burned, row["source"]),
            _points(_of(AccountKind.ISSUANCE, target), into, row["target"]),
            *self._money(way, configuration, Phase.VOIDED),
            *self._money(way, configuration, Phase.POSTED),
        ]

    def post(self, leg: Any) -> None:
        """Take a leg of money that is pending, or is not any more."""
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
            asked: Operation | None = Operation.DEBIT if way.source.adapter != HOSTED else Operation.CREDIT
            first = _S.DEBITING if asked is Operation.DEBIT else _S.CREDITING
            fits = way.state is None and (state, row["status"], row["in_doubt"]) == (first, None, False)
            fits = fits and way.made == [MovementKind.ACCEPT]
        else:
            asked = _NEXT.get(state)
            fits = row["order_reference"] == way.order and _follows(way, state, row)
            self._said_by(row, way, configuration, name)
        if not fits:
            self._findings.add("EXCHANGE_STEP", f"{name} comes to {row['state']} in a way that there is not.")
        way.taken = way.taken or MovementKind.ARRIVE in way.made
        if state is not way.state:
            self._ask(way, state, asked if state in UNDER_WAY else None, name)
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
        made, configuration = act.conversion, act.configuration
        rate = None if made is None else configuration.rates.get(made["rate_id"])
        if made is None or rate is None or made["id"] in self.open:
            return None
        source, target = configuration.currencies.get(rate.source), configuration.currencies.get(rate.target)
        if source is None or target is None or HOSTED == source.adapter == target.adapter:
            return None
        way = self.open[made["id"]] = Way(made, source, target)
        return way

    def _compare(self, act: Act, way: Way) -> None:
        """Hold a movement against the conversion."""
        moved, made = act.moved, way.row
        if moved["kind"] == MovementKind.CONVERT:
            return  # compared like that of every conversion
        pairs = [(made["from_customer_id"], moved["from_customer_id"]), (made["source"], moved["amount"])]
        pairs += [(way.source.code, moved["currency"]), (made["for_institution_id"], moved["for_institution_id"])]
        pairs += [(made["settlement"], moved["value"]), (made["fee"], moved["fee"])]
        if any(one != other for one, other in pairs):
            self._findings.add("EXCHANGE", f"{_name(made['id'])} and {act.name} say different things.")

    def _money(self, way: Way, configuration: Configuration, phase: Phase) -> Iterable[Expected]:
        row, payer = way.row, way.source.issuer
        rate = configuration.rates[row["rate_id"]]
        for payee, amount, purpose in (
            (way.target.issuer, row["settlement"], Purpose.SETTLEMENT),
            (operator_of(configuration), row["fee"], Purpose.FEE),
        ):
            if amount and payer != payee:
                sides = ((int(AccountKind.POSITION), one, rate.money) for one in (payer, payee))
                yield (*sides, amount, int(purpose), int(phase))

    def _ask(self, way: Way, state: ExchangeState, asked: Operation | None, name: str) -> None:
        """Compare what is asked of a partner next with what the conversion says."""
        way.proposed = way.approved = None
        way.order = None if asked is None else reference_of(way.row["id"], state)
        if asked is None or way.order is None:
            return
        row, source = self._orders.pop(way.order, None), asked is not Operation.CREDIT
        whose, amount = ("from_customer_id", "source") if source else ("to_customer_id", "target")
        due = {
            "exchange_id": way.row["id"],
            "operation": asked.value,
            "currency": (way.source if source else way.target).code,
            "customer_id": way.row[whose],
            "amount": way.row[amount],
        }
        if row is None or any(row[column] != value for column, value in due.items()):
            self._findings.add("PARTNER_ORDER", f"{name} comes to {state.value} without asking for what it has to.")
        elif row["undoes"] != (reference_of(way.row["id"], _S.DEBITING) if asked is Operation.REVERSE else None):
            self._findings.add("PARTNER_ORDER", f"{name} asks to undo what it did not ask for.")

    def _said_by(self, row: Any, way: Way, configuration: Configuration, name: str) -> None:
        """A partner's answer is told by the host, any other one by the second of two persons."""
        if row["credential_id"] == host_of(configuration):
            return
        approved = way.approved
        done = None if approved is None else (Status.SUCCEEDED if approved["done"] else Status.REFUSED)
        if approved is None or approved["credential_id"] != row["credential_id"] or done != row["status"]:
            self._findings.add("EVIDENCE", f"{name} goes on by the word of who is no partner.")


_NEXT = {_S.CREDITING: Operation.CREDIT, _S.REFUNDING: Operation.REVERSE}


def _follows(way: Way, state: ExchangeState, row: Any) -> bool:
    """Whether an answer brings an exchange into a state, with the movements that were made."""
    made, status, doubt = way.made, row["status"], row["in_doubt"]
    refused = status in (Status.REFUSED, Status.ABSENT)
    if state is way.state:
        doubtful = status == Status.UNKNOWN or (refused and state is _S.REFUNDING)
        return not made and way.in_doubt != doubt and doubt == doubtful and (doubtful or status == Status.PENDING)
    hosted = way.target.adapter == HOSTED
    ways: dict[tuple[ExchangeState | None, ExchangeState], bool] = {
        (_S.DEBITING, _S.CREDITING): status == Status.SUCCEEDED and made == [MovementKind.ARRIVE] and not hosted,
        (_S.DEBITING, _S.COMPLETED): status == Status.SUCCEEDED
        and made == [MovementKind.ARRIVE, MovementKind.CONVERT]
        and hosted,
        (_S.DEBITING, _S.REFUNDING): status == Status.SUCCEEDED and made == [MovementKind.ARRIVE] and hosted,
        (_S.DEBITING, _S.REFUSED): refused and made == [MovementKind.DECLINE],
        (_S.CREDITING, _S.COMPLETED): status == Status.SUCCEEDED and made == [MovementKind.CONVERT],
        (_S.CREDITING, _S.REFUSED): refused and made == [MovementKind.DECLINE] and not way.taken,
        (_S.CREDITING, _S.REFUNDING): refused and not made and way.taken,
        (_S.REFUNDING, _S.REVERSED): status == Status.SUCCEEDED and made == [MovementKind.REFUND],
    }
    return not doubt and ways.get((way.state, state), False)


def _same_person(row: Any, way: Way, configuration: Configuration) -> bool:
    one = configuration.credentials.get(row["credential_id"])
    other = configuration.credentials.get(way.proposed["credential_id"])
    return one is None or other is None or one.person == other.person


def _state(text: str) -> ExchangeState | None:
    return ExchangeState(text) if text in ExchangeState.__members__ else None


def _of(kind: AccountKind, of: PointCurrency) -> Key:
    return int(kind), of.issuer, of.code


def _points(debit: Key, credit: Key, amount: int, phase: Phase = Phase.POSTED) -> Expected:
    return debit, credit, amount, int(Purpose.POINTS), int(phase)


def _name(exchange: int) -> str:
    return ids.text(ids.CONVERSION, exchange)
