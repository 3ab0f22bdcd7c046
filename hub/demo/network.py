"""The demo's network as data: who takes part, what they issue, and at which terms points change hands.

Names are invented; every rate's terms are of a kind that a real programme has published, which `Terms.after` names.
Invariant: around any cycle of `TERMS` the product of the best yields is at most 1, so the hub approves them all, in
this order; `ARBITRAGE` breaks exactly that and is there to be refused. Nothing here talks to the hub.
"""

from dataclasses import dataclass

OPERATOR = "operator"  # stands for the hub's operator, whose code only the hub knows


@dataclass(frozen=True, slots=True)
class Institution:
    """One member of the tree and the person who acts for it; ``parent`` None is directly under the operator."""

    code: str
    name: str
    kind: str
    person: str
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Programme:
    """A point currency. ``unit_value`` is what one point is worth in ``money`` when members settle. ``settling``: when
    the issuer's own system does what it is asked; None: the hub keeps the points."""

    code: str
    name: str
    issuer: str
    unit_value: str
    money: str
    scale: int = 0
    expiry: str = "NEVER"
    expiry_months: int | None = None
    transferable: bool = True
    consent: str = "ISSUER"
    settling: str | None = None


@dataclass(frozen=True, slots=True)
class Bonus:
    """Either ``percent`` of the base on at most ``cap`` source points, or ``per_block`` for each ``block`` sent."""

    percent: str | None = None
    cap: str | None = None
    per_block: str | None = None
    block: str | None = None
    funded_by: str = "SOURCE_ISSUER"


@dataclass(frozen=True, slots=True)
class Terms:
    """A rate: ``numerator`` target for ``denominator`` source points; money in the target's currency."""

    source: str
    target: str
    numerator: int
    denominator: int
    after: str
    minimum: str | None = None
    maximum: str | None = None
    step: str | None = None
    fee_fixed: str | None = None
    fee_per_point: str | None = None
    fee_percent: str | None = None
    fee_cap: str | None = None
    bonus: Bonus | None = None


INSTITUTIONS = (
    Institution("NORTHBANK", "North Bank", "BANK", "Chen Yu"),
    Institution("NBEAST", "North Bank, East Branch", "BRANCH", "Gao Rui", "NORTHBANK"),
    Institution("NBWEST", "North Bank, West Branch", "BRANCH", "Song Ke", "NORTHBANK"),
    Institution("GRANITE", "Granite Card Bank", "BANK", "Ada Leung"),
    Institution("LANTERN", "Lantern Telecom", "TELECOM", "Wu Jing"),
    Institution("SKYWAY", "Skyway Alliance", "ALLIANCE", "Ines Roy"),
    Institution("JADEAIR", "Jade Airlines", "AIRLINE", "Sun Li", "SKYWAY"),
    Institution("JADELOUNGE", "Jade Airlines, Lounge Shop", "STORE", "He Nan", "JADEAIR"),
    Institution("HARBOURAIR", "Harbour Airways", "AIRLINE", "Ken Lau", "SKYWAY"),
    Institution("WILLOW", "Willow Hotels", "MERCHANT", "Mei Fang"),
    Institution("BASKETCO", "Basket & Co", "MERCHANT", "Tang Hao"),
    Institution("BASKETRIVER", "Basket River Street", "STORE", "Lu Xin", "BASKETCO"),
    Institution("BASKETPARK", "Basket Park Lane", "STORE", "Ye Tong", "BASKETCO"),
    Institution("BASKETGATE", "Basket West Gate", "STORE", "Qin Bo", "BASKETCO"),
)

PROGRAMMES = (
    Programme("NORTH", "North Points", "NORTHBANK", "0.002", "CNY", expiry="MONTHS_AFTER_EARNING", expiry_months=60),
    Programme("GRAN", "Granite Rewards", "GRANITE", "0.05", "HKD"),
    Programme("LUMEN", "Lumen", "LANTERN", "0.01", "CNY", expiry="END_OF_YEAR", transferable=False, consent="OPERATOR"),
    Programme("JADE", "Jade Miles", "JADEAIR", "0.05", "CNY", expiry="MONTHS_AFTER_EARNING", expiry_months=36),
    Programme("HARB", "Harbour Miles", "HARBOURAIR", "0.06", "HKD", expiry="MONTHS_AFTER_EARNING", expiry_months=18),
    Programme("WILL", "Willow Nights", "WILLOW", "0.04", "CNY", expiry="MONTHS_AFTER_EARNING", expiry_months=24),
    Programme("BASK", "Basket Coins", "BASKETCO", "0.01", "CNY", scale=2, consent="OPERATOR"),
)

_PER_60000 = Bonus(per_block="5000", block="60000")

TERMS = (
    Terms("NORTH", "JADE", 1, 25, "a bank's 25:1 for miles", "1000", "500000", "1000", fee_percent="1"),
    Terms("NORTH", "LUMEN", 1, 5, "a bank's points for phone credit", "500", step="500", fee_fixed="0.20"),
    Terms("LUMEN", "JADE", 1, 6, "a telecom's 6:1 for miles", "600", fee_percent="0.5"),
    Terms("LUMEN", "BASK", 1, 1, "points as shopping vouchers, by the hundred", "100", step="100"),
    Terms(
        "GRAN", "HARB", 4, 5, "a card's 5:4, with its fee of 0.0006 a point up to 99.00", "1000", step="1000",
        fee_per_point="0.0006", fee_cap="99.00",
    ),
    Terms(
        "GRAN", "WILL", 1, 1, "a 30 % promotion on the first 50,000", "1000", step="1000",
        bonus=Bonus(percent="30", cap="50000", funded_by="TARGET_ISSUER"),
    ),
    Terms("WILL", "JADE", 1, 3, "a hotel's 3:1 and 5,000 per 60,000", bonus=_PER_60000),
    Terms("WILL", "HARB", 1, 3, "a hotel's 3:1 and 5,000 per 60,000", "3000", bonus=_PER_60000),
    Terms("HARB", "GRAN", 1, 1, "miles against the card's bill", "2000", step="500"),
    Terms("JADE", "HARB", 1, 1, "miles within an alliance", "1000"),
    Terms("HARB", "JADE", 9, 10, "miles within an alliance, 10:9 back", "1000"),
    Terms("HARB", "WILL", 1, 2, "miles for hotel nights, 2:1", "2000", step="2"),
    Terms("JADE", "BASK", 4, 1, "miles as shopping vouchers", "100", fee_percent="2", fee_cap="50.00"),
    Terms("BASK", "JADE", 1, 6, "a supermarket's 6:1 for miles", "300", step="6"),
    Terms("BASK", "LUMEN", 9, 10, "a supermarket's points for phone credit", "10"),
    Terms("BASK", "NORTH", 4, 1, "a supermarket's points into a bank's", "50", step="50"),
)  # fmt: skip

# 5 NORTH -> 1 LUMEN -> 1 BASK -> 5.2 NORTH: whoever went round would gain 4 % each time.
ARBITRAGE = Terms("BASK", "NORTH", 26, 5, "one coin for 5.2 points", "50", step="50")
ARBITRAGE_CYCLE = ("NORTH", "LUMEN", "BASK")

# Who joins later, with points that stay in systems of their own.
AIRLINE = Institution("CRANEAIR", "Crane Air", "AIRLINE", "Fu Lan")
HOTEL = Institution("LAKESIDE", "Lakeside Inns", "MERCHANT", "Ana Reis")
JOINING = (AIRLINE, HOTEL)
EVERYBODY = (*INSTITUTIONS, *JOINING)

MILES = Programme("CRANE", "Crane Miles", "CRANEAIR", "0.05", "CNY", settling="REAL_TIME")
STARS = Programme("LAKE", "Lakeside Stars", "LAKESIDE", "0.03", "CNY", settling="NIGHTLY")
KEPT_ELSEWHERE = (MILES, STARS)

TO_MILES = Terms("NORTH", "CRANE", 1, 25, "a bank's 25:1 for miles", "1000", step="1000", fee_percent="1")
TO_STARS = Terms("CRANE", "LAKE", 3, 2, "miles for hotel points, 2:3", "100", step="2")
TERMS_ELSEWHERE = (TO_MILES, TO_STARS)

_BY_CODE = {institution.code: institution for institution in EVERYBODY}
_PROGRAMMES_BY_CODE = {programme.code: programme for programme in (*PROGRAMMES, *KEPT_ELSEWHERE)}


def programme(code: str) -> Programme:
    """The programme of a point currency's ``code``; KeyError if there is none."""
    return _PROGRAMMES_BY_CODE[code]


def issuer(currency: str) -> str:
    """The institution whose liability the points of ``currency`` are."""
    return _PROGRAMMES_BY_CODE[currency].issuer


def level(code: str) -> int:
    """How deep an institution stands: the operator is level 0, its direct children level 1."""
    parent = _BY_CODE[code].parent
    return 1 if parent is None else level(parent) + 1


def member(code: str) -> str:
    """The member of whose net an institution's becomes a part: itself, or who stands above it under the operator."""
    of = _BY_CODE.get(code)
    return code if of is None or of.parent is None else member(of.parent)
