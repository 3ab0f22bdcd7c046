"""Prepaid blocks against a model that knows each single point by itself."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from hub.prepaid import Block, BlockStatus, Draw, billed, draw, liability, refund, returned

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CNY = 1_000_000


def block(id: int, units: int, value: int = 0, until: datetime | None = None, sold: int | None = None) -> Block:
    return Block(
        id=id,
        at=NOW,
        credential=1,
        holder=2,
        currency="BP",
        units=units,
        money="CNY",
        value=value,
        until=until,
        status=BlockStatus.SOLD,
        sold=sold or id,
    )


@dataclass
class Model:
    """Every point of every block, in the order in which the blocks were sold; a grant is a list of the points that it
    took, each by its block, and of None for those that were billed."""

    left: list[list[int]] = field(default_factory=list)  # by block, its points
    grants: list[list[int | None]] = field(default_factory=list)

    def buy(self, units: int) -> None:
        self.left.append([len(self.left)] * units)

    def grant(self, units: int) -> list[int | None]:
        taken: list[int | None] = []
        for points in self.left:
            while points and len(taken) < units:
                taken.append(points.pop())
        taken += [None] * (units - len(taken))
        self.grants.append(taken)
        return list(taken)

    def take_back(self, grant: int) -> int | None:
        """One point, the one that came last."""
        point = self.grants[grant].pop()
        if point is not None:
            self.left[point].append(point)
        return point


steps = st.lists(
    st.one_of(
        st.tuples(st.just("buy"), st.integers(1, 40), st.just(0)),
        st.tuples(st.just("grant"), st.integers(1, 60), st.just(0)),
        st.tuples(st.just("back"), st.integers(0, 9), st.integers(1, 60)),
        st.tuples(st.just("refund"), st.integers(0, 9), st.integers(1, 40)),
    ),
    max_size=40,
)


@given(steps)
def test_blocks_are_drawn_oldest_first_and_get_back_what_was_drawn_of_them_as_if_each_point_were_known(
    asked: list[tuple[str, int, int]],
) -> None:
    model, blocks = Model(), dict[int, Block]()
    acts: list[tuple[int, tuple[Draw, ...], int]] = []  # units, draws, reversed before
    for what, first, second in asked:
        if what == "buy":
            model.buy(first)
            blocks[len(blocks)] = block(len(blocks), first, sold=len(blocks) + 1)
        elif what == "grant":
            taken = model.grant(first)
            found, missing = draw(blocks.values(), first, NOW)
            assert missing == taken.count(None)
            assert [(one.id, units) for one, units in found] == [
                (id, taken.count(id)) for id in blocks if taken.count(id)
            ]
            for one, units in found:
                blocks[one.id] = msgspec.structs.replace(one, drawn=one.drawn + units)
            acts.append((first, tuple(Draw(0, n, one.id, units) for n, (one, units) in enumerate(found)), 0))
        elif what == "back" and acts:
            number = first % len(acts)
            amount, draws, before = acts[number]
            after = min(before + second, amount)
            points = [model.take_back(number) for _ in range(after - before)]
            brought = returned(draws, amount, before, after)
            assert [point for point in points if point is not None] == [id for id, n in brought for _ in range(n)]
            done, now, _ = billed(sum(one.units for one in draws), amount, before, after)
            assert now - done == points.count(None)  # what was billed comes back first, and only that is paid back
            for id, units in brought:
                blocks[id] = msgspec.structs.replace(blocks[id], drawn=blocks[id].drawn - units)
            acts[number] = (amount, draws, after)
        elif what == "refund" and blocks:
            id = first % len(blocks)
            units = min(second, blocks[id].left)
            del model.left[id][:units]
            blocks[id] = msgspec.structs.replace(blocks[id], refunded=blocks[id].refunded + units)
        assert [one.left for one in blocks.values()] == [len(points) for points in model.left]


@given(st.integers(1, 50), st.integers(1, 10**9), st.lists(st.tuples(st.booleans(), st.integers(1, 20)), max_size=12))
def test_what_was_received_for_a_block_is_always_explained_to_the_millionth(
    units: int, value: int, asked: list[tuple[bool, int]]
) -> None:
    one, paid = block(1, units, value, NOW + timedelta(days=1)), 0
    for is_draw, wanted in asked:
        n = min(wanted, one.left)
        if is_draw:
            one = msgspec.structs.replace(one, drawn=one.drawn + n)
        else:
            paid += refund(one, n)
            one = msgspec.structs.replace(one, refunded=one.refunded + n)
        for at in (NOW, NOW + timedelta(days=1)):
            figure = liability(one, at)
            assert figure.refunded == paid
            assert figure.refunded + figure.recognised + figure.lapsed + figure.liability == value == figure.received
            assert min(figure.recognised, figure.lapsed, figure.liability) >= 0
    if one.drawn == 0:
        assert paid + refund(one, one.left) == value  # handing back all gives back all


def test_a_block_that_is_over_is_drawn_on_no_more_and_still_gets_back_what_was_drawn_of_it() -> None:
    old = block(1, 10, until=NOW + timedelta(days=1))
    new = block(2, 10)
    [(first, units)], missing = draw([new, old], 7, NOW)
    assert (first.id, units, missing) == (1, 7, 0)
    drawn = msgspec.structs.replace(old, drawn=7)
    later = NOW + timedelta(days=1)
    assert draw([drawn, new], 12, later) == ([(new, 10)], 2)
    assert returned((Draw(9, 0, 1, 7),), 7, 0, 3) == [(1, 3)]
    assert (drawn.left, drawn.usable(NOW), drawn.usable(later)) == (3, 3, 0)


def test_the_books_explain_what_was_paid_ahead() -> None:
    one = msgspec.structs.replace(block(1, 100, 250 * CNY // 100), drawn=80, refunded=10)  # 100 points for 2.50
    figure = liability(one, NOW)
    assert (figure.received, figure.recognised, figure.refunded, figure.liability) == (
        2_500_000,
        2_000_000,  # 80 × 0.025
        250_000,  # 10 × 0.025
        250_000,  # 10 are left
    )
