"""Orders as the simulator's books have them."""

import msgspec

from adapters.simulator.script import Play


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it stands. ``done``: its place in the journal, once it succeeded."""

    sequence: int
    reference: str
    partner_reference: str
    operation: str
    member: str
    amount: str
    units: int | None
    of: str | None
    status: str
    code: str
    message: str
    at: str
    due_at: str | None
    expires_at: str | None
    play: bytes | None
    done: int | None

    def body(self, unit: str) -> dict[str, str]:
        """It, as the wire has it."""
        return {
            "reference": self.reference,
            "partnerReference": self.partner_reference,
            "operation": self.operation,
            "member": self.member,
            "amount": self.amount,
            "unit": unit,
            "status": self.status,
            "code": self.code,
            "message": self.message,
            "at": self.at,
        }


class Performed(msgspec.Struct, frozen=True):
    """What came of a request: the order, if one is stored, and how the simulator misbehaves in telling it."""

    order: Order | None
    play: Play | None
