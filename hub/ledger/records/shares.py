"""What a fee was split into."""

import msgspec


class FeeShare(msgspec.Struct, frozen=True):
    """What an act's fee came to by one share of a plan's version: ``place`` among its shares; ``n``: the act's leg that
    moves it, None where it falls to who pays the fee, who keeps it."""

    movement: int
    place: int
    plan: int
    institution: int
    amount: int
    n: int | None
