"""Ways: where an exchange that is under way stands, and where each answer may bring it."""

from dataclasses import dataclass
from typing import Any

from hub.audit.accounts import Key
from hub.audit.shares import UNSPLIT
from hub.currencies import HOSTED, PointCurrency
from hub.ledger.orders import OWED, ExchangeState
from hub.ledger.records import AccountKind, MovementKind
from hub.partners import Reason, Status

_S = ExchangeState


@dataclass(frozen=True, slots=True)
class Side:
    """Points at one end of an exchange. ``undoes``: the orders of which one may be undone for them."""

    of: PointCurrency
    customer: int
    amount: int
    undoes: tuple[str, ...] = ()

    @property
    def is_hosted(self) -> bool:
        """Whether the hub keeps them itself."""
        return self.of.adapter == HOSTED

    @property
    def account(self) -> Key:
        """The customer's."""
        return int(AccountKind.CUSTOMER), self.customer, self.of.code


class Way:
    """An exchange that is under way. ``kind``: of the movement that completes it; ``row``: of a conversion its own,
    otherwise that of the movement that accepted it; ``stated``: what its movements say; ``window``: the one that was
    open then. ``made``: the movements since its last step; ``proposed`` and ``approved``: the last proposal on the
    order under way, and the approval of it. ``held``: a partner holds, or held, what is given. ``bearer`` and
    ``split``: who pays its fee, and how it is split."""

    __slots__ = (
        *(
            "approved",
            "bearer",
            "gives",
            "held",
            "in_doubt",
            "kind",
            "made",
            "money",
            "order",
            "payments",
            "proposed",
            "row",
            "state",
        ),
        *("split", "stated", "taken", "takes", "window"),
    )

    def __init__(self, kind: MovementKind, row: Any, gives: Side | None, takes: Side | None, stated: Any) -> None:
        self.kind = kind
        self.row = row
        self.gives = gives
        self.takes = takes
        self.stated = stated
        self.money: str | None = None
        self.payments: list[tuple[int, int, int, int]] = []  # payer, payee, amount, purpose
        self.bearer = 0
        self.split = UNSPLIT
        self.window = 0
        self.state: ExchangeState | None = None
        self.order: str | None = None
        self.in_doubt = False
        self.taken = False
        self.held = False
        self.made: list[int] = []
        self.proposed: Any = None
        self.approved: Any = None

    @property
    def id(self) -> int:
        """Its identifier."""
        number: int = self.row["id"]
        return number


def follows(way: Way, state: ExchangeState, row: Any) -> bool:
    """Whether an answer brings an exchange into a state, with the movements that were made."""
    made, status, doubt = way.made, row["status"], row["in_doubt"]
    refused = status in (Status.REFUSED, Status.ABSENT)
    nothing_held = row["reason"] == Reason.EXCEEDS_ORIGINAL and status == Status.REFUSED
    if state is way.state:
        owed = state in OWED and not (state is _S.CAPTURING and nothing_held)
        doubtful = status == Status.UNKNOWN or (refused and owed)
        return not made and way.in_doubt != doubt and doubt == doubtful and (doubtful or status == Status.PENDING)
    ends = way.takes is None or way.takes.is_hosted
    done, held = [way.kind], way.held
    succeeded, arrived = status == Status.SUCCEEDED, made == [MovementKind.ARRIVE]
    ways: dict[tuple[ExchangeState | None, ExchangeState], bool] = {
        (_S.DEBITING, _S.CREDITING): succeeded and arrived and not ends,
        (_S.DEBITING, _S.COMPLETED): succeeded and made == [MovementKind.ARRIVE, *done] and ends,
        (_S.DEBITING, _S.REFUNDING): succeeded and arrived and ends,
        (_S.DEBITING, _S.REFUSED): refused and made == [MovementKind.DECLINE],
        (_S.HOLDING, _S.CREDITING): succeeded and made == [MovementKind.RESERVE],
        (_S.HOLDING, _S.RELEASING): succeeded and made == [MovementKind.RESERVE],
        (_S.HOLDING, _S.REFUSED): refused and made == [MovementKind.DECLINE],
        (_S.CREDITING, _S.COMPLETED): succeeded and made == done and not held,
        (_S.CREDITING, _S.CAPTURING): succeeded and made == [MovementKind.DELIVER] and held,
        (_S.CREDITING, _S.REFUSED): refused and made == [MovementKind.DECLINE] and not way.taken and not held,
        (_S.CREDITING, _S.REFUNDING): refused and not made and way.taken,
        (_S.CREDITING, _S.RELEASING): refused and not made and held,
        (_S.CAPTURING, _S.COMPLETED): succeeded and made == [MovementKind.ARRIVE, *done],
        # Before, a capture that was refused for anything led to a plain debit.
        (_S.CAPTURING, _S.COLLECTING): status == Status.REFUSED and not made,
        (_S.COLLECTING, _S.COMPLETED): succeeded and made == [MovementKind.ARRIVE, *done],
        (_S.RELEASING, _S.REFUSED): (succeeded or nothing_held) and made == [MovementKind.DECLINE],
        (_S.REFUNDING, _S.REVERSED): succeeded and made == [MovementKind.REFUND],
    }
    return not doubt and ways.get((way.state, state), False)
