"""Records: what the ledger keeps and gives back, as plain frozen values.

Points are in smallest units of their currency, money in millionths. The same records come fresh out of a batch and
again out of the database, so an answer and its replay are one thing.
"""

from hub.ledger.records.accounts import OF_POINTS, Account, AccountKind, Mark
from hub.ledger.records.baskets import Basket
from hub.ledger.records.clearings import Clearing, ClearingScope, ClearingStatus
from hub.ledger.records.conversions import Conversion, ConversionStatus, Quote
from hub.ledger.records.holds import Hold, HoldAct, HoldKind, HoldStatus, Lapsed
from hub.ledger.records.invoices import Billing, Invoice
from hub.ledger.records.movements import (
    ACCEPTED,
    Label,
    Leg,
    Movement,
    MovementKind,
    Phase,
    Piece,
    Purpose,
    homes_of,
)
from hub.ledger.records.people import Binding, Customer, Identifier, Link, LinkStatus, Profile, Step, masked
from hub.ledger.records.pools import Membership, Pool, PoolAct, PoolKind, PoolRight
from hub.ledger.records.restrictions import Cancellation, Missing, Restriction, RestrictionKind
from hub.ledger.records.settlement import (
    Confirmation,
    ConfirmationFile,
    Exposure,
    InternalAccount,
    Net,
    NetExchange,
    NetView,
    Obligation,
    ObligationPayment,
    ObligationView,
    PairPosition,
    Position,
    Window,
    WindowStatus,
)
from hub.ledger.records.shares import FeeShare

__all__ = [
    "ACCEPTED",
    "OF_POINTS",
    "Account",
    "AccountKind",
    "Basket",
    "Billing",
    "Binding",
    "Cancellation",
    "Clearing",
    "ClearingScope",
    "ClearingStatus",
    "Confirmation",
    "ConfirmationFile",
    "Conversion",
    "ConversionStatus",
    "Customer",
    "Exposure",
    "FeeShare",
    "Hold",
    "HoldAct",
    "HoldKind",
    "HoldStatus",
    "Identifier",
    "InternalAccount",
    "Invoice",
    "Label",
    "Lapsed",
    "Leg",
    "Link",
    "LinkStatus",
    "Mark",
    "Membership",
    "Missing",
    "Movement",
    "MovementKind",
    "Net",
    "NetExchange",
    "NetView",
    "Obligation",
    "ObligationPayment",
    "ObligationView",
    "PairPosition",
    "Phase",
    "Piece",
    "Pool",
    "PoolAct",
    "PoolKind",
    "PoolRight",
    "Position",
    "Profile",
    "Purpose",
    "Quote",
    "Restriction",
    "RestrictionKind",
    "Step",
    "Window",
    "WindowStatus",
    "homes_of",
    "masked",
]
