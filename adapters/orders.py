"""What every kind does with an order before it asks its partner. Pure."""

from hub.partners import Answer, Capabilities, Order, Reason, Status


def units_of(order: Order, capabilities: Capabilities) -> int | Answer:
    """The order's amount in smallest units of the partner's scale, exactly; or the refusal of an order that this
    partner does not do, or of an amount that it does not take."""
    if order.operation not in capabilities.operations:
        return refused(Reason.NOT_SUPPORTED, f"It does not do {order.operation.value}.")
    units, rest = divmod(order.amount * int(10**capabilities.scale), int(10**order.scale))
    if rest or not capabilities.minimum <= units <= capabilities.maximum:
        return refused(Reason.INVALID_AMOUNT, f"It does not take {order.decimal}.")
    return units


def refused(reason: Reason, told: str) -> Answer:
    """A refusal of our own; the partner was not asked."""
    return Answer(status=Status.REFUSED, reason=reason, message=told, asked=False)
