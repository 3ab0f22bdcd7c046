"""The demo's network is one that the hub can approve, and its crowd does what the story says of it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from fractions import Fraction

from hub.demo.crowd import HOMES, PEOPLE, WRONG_SHARE, as_row, crowds
from hub.demo.network import (
    ARBITRAGE,
    ARBITRAGE_CYCLE,
    EVERYBODY,
    INSTITUTIONS,
    JOINING,
    KEPT_ELSEWHERE,
    PROGRAMMES,
    TERMS,
    TERMS_ELSEWHERE,
    Terms,
    issuer,
    level,
)


def best_yield(terms: Terms) -> Fraction:
    """Target points per source point at best: ratio x (1 + percent) + perBlock / block, in exact fractions."""
    ratio = Fraction(terms.numerator, terms.denominator)
    if terms.bonus is None:
        return ratio
    percent = Fraction(terms.bonus.percent or 0) / 100
    per_point = Fraction(terms.bonus.per_block or 0) / Fraction(terms.bonus.block or 1)
    return ratio * (1 + percent) + per_point


def cycles(rates: Iterable[Terms]) -> Iterator[tuple[tuple[str, ...], Fraction]]:
    """Every simple cycle once, beginning at its first currency by name, with the product of its best yields."""
    onward: defaultdict[str, dict[str, Fraction]] = defaultdict(dict)
    for terms in rates:
        onward[terms.source][terms.target] = best_yield(terms)

    def walk(path: tuple[str, ...], product: Fraction) -> Iterator[tuple[tuple[str, ...], Fraction]]:
        for target, gain in onward[path[-1]].items():
            if target == path[0]:
                yield path, product * gain
            elif target > path[0] and target not in path:
                yield from walk((*path, target), product * gain)

    for start in sorted(onward):
        yield from walk((start,), Fraction(1))


def test_the_tree_has_at_least_eight_institutions_on_three_levels_with_the_operator() -> None:
    assert len(INSTITUTIONS) >= 8
    assert max(level(institution.code) for institution in INSTITUTIONS) >= 2
    assert {"BANK", "BRANCH", "TELECOM", "AIRLINE", "MERCHANT", "STORE"} <= {each.kind for each in INSTITUTIONS}


def test_codes_are_unique_and_parents_stand_before_their_children() -> None:
    known: set[str] = set()
    for institution in INSTITUTIONS:
        assert institution.parent is None or institution.parent in known
        assert institution.code not in known
        known.add(institution.code)
    assert {each.issuer for each in PROGRAMMES} <= known
    assert len({each.code for each in PROGRAMMES}) == len(PROGRAMMES)


def member_of(code: str) -> str:
    """The ancestor of an institution that settles with the hub: the one directly under the operator."""
    parents = {institution.code: institution.parent for institution in INSTITUTIONS}
    while (parent := parents[code]) is not None:
        code = parent
    return code


def test_a_lounge_shop_settles_through_its_airline_with_the_alliance() -> None:
    assert member_of("JADELOUNGE") == "SKYWAY"
    assert member_of("NBEAST") == "NORTHBANK"


def test_around_no_cycle_of_the_rates_points_multiply() -> None:
    found = dict(cycles(TERMS))
    assert len(found) > 5
    assert max(found.values()) <= 1


def test_nor_with_the_rates_of_those_who_join_later() -> None:
    assert max(dict(cycles([*TERMS, *TERMS_ELSEWHERE])).values()) <= 1


def test_who_joins_later_is_known_by_codes_of_its_own_and_keeps_points_itself() -> None:
    codes = [each.code for each in EVERYBODY]
    assert len(set(codes)) == len(codes) == len(INSTITUTIONS) + 2
    assert [each.issuer for each in KEPT_ELSEWHERE] == [each.code for each in JOINING]
    assert [each.settling for each in KEPT_ELSEWHERE] == ["REAL_TIME", "NIGHTLY"]
    assert not {each.code for each in KEPT_ELSEWHERE} & {each.code for each in PROGRAMMES}


def test_the_bonuses_count_in_the_best_yield() -> None:
    by_ends = {(terms.source, terms.target): best_yield(terms) for terms in TERMS}
    assert by_ends["WILL", "JADE"] == Fraction(5, 12)  # 1/3 + 5,000/60,000 = 4/12 + 1/12
    assert by_ends["GRAN", "WILL"] == Fraction(13, 10)  # 1 x (1 + 30 %)


def test_the_refused_rate_makes_exactly_the_cycle_that_the_story_names() -> None:
    before = [terms for terms in TERMS if (terms.source, terms.target) != (ARBITRAGE.source, ARBITRAGE.target)]
    multiplying = {frozenset(path): product for path, product in cycles([*before, ARBITRAGE]) if product > 1}
    assert multiplying == {frozenset(ARBITRAGE_CYCLE): Fraction(26, 25)}  # 1/5 x 1 x 26/5 = 26/25


def test_the_rate_that_was_refused_first_is_the_last_that_is_agreed() -> None:
    assert (TERMS[-1].source, TERMS[-1].target) == (ARBITRAGE.source, ARBITRAGE.target)


def test_every_rate_joins_two_programmes_and_no_pair_has_two() -> None:
    codes = {each.code for each in PROGRAMMES}
    pairs = [(terms.source, terms.target) for terms in TERMS]
    assert {code for pair in pairs for code in pair} == codes
    assert len(set(pairs)) == len(pairs)


def test_the_crowd_is_two_thousand_people_with_ten_thousand_acts() -> None:
    everyone = crowds()
    acts = [(len(each.conversions), len(each.transfers), len(each.redemptions)) for each in everyone]
    assert PEOPLE == 2_000
    assert [sum(column) for column in zip(*acts, strict=True)] == [7_000, 2_500, 500]


def test_the_crowd_is_the_same_every_time() -> None:
    assert [each.conversions for each in crowds()] == [each.conversions for each in crowds()]


def test_few_customers_do_much() -> None:
    for crowd in crowds():
        people = [act.customer for act in crowd.conversions]
        busiest = set(crowd.people[: len(crowd.people) // 10])
        assert sum(person in busiest for person in people) > len(people) * 0.4


def test_some_acts_are_wrong_but_only_some() -> None:
    conversions = [act for crowd in crowds() for act in crowd.conversions]
    wrong = sum(act.wrong for act in conversions)
    assert 0.5 * WRONG_SHARE < wrong / len(conversions) < 2 * WRONG_SHARE


def test_idempotency_keys_are_unique_within_an_institution() -> None:
    for crowd in crowds():
        acts = [*crowd.issues, *crowd.conversions, *crowd.transfers, *crowd.redemptions]
        assert len({as_row(act, "", "")["idempotencyKey"] for act in acts}) == len(acts)


def test_customers_are_enrolled_at_the_issuer_or_below_it() -> None:
    for home in HOMES:
        assert {member_of(where) for where in home.institutions} == {member_of(issuer(home.currency))}
