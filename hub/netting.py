"""Rounding that keeps a sum: positions and parts to the minor unit, and a total into shares.

All use largest remainders: everything is rounded down, and the units that this leaves over go one each to those who
lost most. The sum is exact by construction, nobody is a whole unit away from the exact value, and neither the order of
the input nor chance has a say. Pure integers; who owns the rounding differences is for whoever posts them.
"""

from collections.abc import Mapping, Sequence


class NotBalanced(ValueError):
    """The positions of one currency do not sum to zero."""

    code = "NOT_BALANCED"

    def __init__(self, total_millionths: int) -> None:
        super().__init__(f"{self.__doc__} (sum={total_millionths} millionths)")
        self.total_millionths = total_millionths


class InvalidWeights(ValueError):
    """Weights are not negative, and at least one is more than zero."""

    code = "INVALID_WEIGHTS"

    def __init__(self, weights: Sequence[int]) -> None:
        super().__init__(f"{self.__doc__} ({len(weights)} weights, sum={sum(weights)})")
        self.weights = tuple(weights)


def round_nets(positions: Mapping[str, int], minor_unit_millionths: int) -> dict[str, int]:
    """Each institution's exact position in millionths, rounded to whole minor units (still in millionths), by code.

    Rounds down to the minor unit, then adds one unit to the largest remainders until the sum is zero again, ties to the
    lower institution code. The result sums to zero, is less than one minor unit from each exact position, leaves exact
    multiples (zero among them) as they are, and does not depend on the order of ``positions``.

    Raises:
        NotBalanced: the positions do not sum to zero.
        ValueError: the minor unit is not positive.
    """
    total = sum(positions.values())
    if total != 0:
        raise NotBalanced(total)
    return round_parts(positions, minor_unit_millionths, 0)


def round_parts(parts: Mapping[str, int], minor_unit_millionths: int, total_millionths: int) -> dict[str, int]:
    """Exact parts in millionths, rounded to whole minor units that sum to ``total_millionths``, by code.

    The total is the parts' exact sum, rounded down or up to a whole minor unit. Rounds each part down, then adds one
    unit to the largest remainders, ties to the lower code; so each part is less than one minor unit from its exact
    value, and one that is a whole number of units stays as it is.

    Raises:
        NotBalanced: the total is no such rounding of the sum; its detail is by how much the two differ.
        ValueError: the minor unit is not positive.
    """
    if minor_unit_millionths <= 0:
        raise ValueError(f"A minor unit is more than zero ({minor_unit_millionths} millionths).")
    beyond = sum(parts.values()) - total_millionths
    if total_millionths % minor_unit_millionths or abs(beyond) >= minor_unit_millionths:
        raise NotBalanced(beyond)
    remainders = {code: parts[code] % minor_unit_millionths for code in sorted(parts)}
    rounded = {code: parts[code] - remainder for code, remainder in remainders.items()}
    left = (total_millionths - sum(rounded.values())) // minor_unit_millionths
    for code in sorted(remainders, key=lambda code: (-remainders[code], code))[:left]:
        rounded[code] += minor_unit_millionths
    return rounded


def split(total: int, weights: Sequence[int]) -> list[int]:
    """``total`` whole units in shares proportional to ``weights``, in their order; the shares sum to ``total``.

    Rounds each share down, then adds one unit to the largest remainders, ties to the lower position. A negative total
    is the mirror image of the positive one. A weight of zero gets nothing.

    Raises:
        InvalidWeights: a weight is negative, or none is positive.
    """
    weight_total = sum(weights)
    if weight_total <= 0 or min(weights) < 0:
        raise InvalidWeights(weights)
    if total < 0:
        return [-share for share in split(-total, weights)]
    parts = [divmod(total * weight, weight_total) for weight in weights]
    shares = [share for share, _ in parts]
    left = total - sum(shares)
    for position in sorted(range(len(parts)), key=lambda position: (-parts[position][1], position))[:left]:
        shares[position] += 1
    return shares
