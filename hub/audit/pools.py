"""Pools: who spent of one might, what was put in names its giver, and who left took back what is its own."""

from hub.audit.relations import Relation
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import AccountKind, Mark, MovementKind, PoolRight

_ALL = "[" + ",".join(f'"{right.value}"' for right in PoolRight) + "]"
_SPENDS = ", ".join(
    str(int(kind))
    for kind in (
        MovementKind.TRANSFER,
        MovementKind.REDEEM,
        MovementKind.CONVERT,
        MovementKind.HOLD,
        MovementKind.ACCEPT,
    )
)


def _rights(pool: str, member: str, before: str) -> str:
    """The rights of a member at an act, in SQL."""
    return f"""(SELECT x.rights FROM pool_member x WHERE x.journal_id = {JOURNAL_ID} AND x.pool_id = {pool}
        AND x.customer_id = {member} AND x.id < {before} ORDER BY x.id DESC LIMIT 1)"""


def _may(right: PoolRight, pool: str, member: str, before: str) -> str:
    return f"coalesce({_rights(pool, member, before)} LIKE '%\"{right.value}\"%', false)"


def _of_giver(movement: str, giver: str, sign: str) -> str:
    """How much of a movement went into lots of a giver, or with ``-`` out of them, in SQL."""
    return f"""(SELECT coalesce(sum({sign}e.amount), 0) FROM lot_entry e WHERE e.journal_id = {JOURNAL_ID}
        AND e.movement_id = {movement} AND {sign}e.amount > 0
        AND nullif(e.origin, '')::jsonb ->> 'giver' = {giver}::text)"""


# What a pool owes again since contribution c, which had repaid it, is reversed by m, in SQL.
_OWED_AGAIN = f"""(SELECT coalesce(sum(l.amount), 0) FROM leg l
        JOIN account d ON d.journal_id = l.journal_id AND d.id = l.debit_account_id
            AND d.kind = {int(AccountKind.DEBT)} AND d.owner_id = c.to_customer_id
        WHERE l.journal_id = {JOURNAL_ID} AND l.movement_id = m.id)"""

RELATIONS = (
    Relation(
        "POOL",
        "Pool {} is no customer, or has no owner with all rights.",
        f"""SELECT p.id FROM pool p
        LEFT JOIN customer c ON c.journal_id = p.journal_id AND c.id = p.id
        LEFT JOIN customer o ON o.journal_id = p.journal_id AND o.id = p.owner_id
        WHERE p.journal_id = {JOURNAL_ID} AND (c.id IS NULL OR o.id IS NULL
            OR {_rights("p.id", "p.owner_id", "9223372036854775807")} IS DISTINCT FROM '{_ALL}')""",
    ),
    Relation(
        "POOL_MEMBER",
        "Membership {} is of a pool or of a customer that there is not.",
        f"""SELECT m.id FROM pool_member m
        LEFT JOIN pool p ON p.journal_id = m.journal_id AND p.id = m.pool_id
        LEFT JOIN customer c ON c.journal_id = m.journal_id AND c.id = m.customer_id
        WHERE m.journal_id = {JOURNAL_ID} AND (p.id IS NULL OR c.id IS NULL)""",
    ),
    Relation(
        "POOL_MARK",
        "Account {} is marked as a pool's and is none's, or the reverse.",
        f"""SELECT a.id FROM account a LEFT JOIN pool p ON p.journal_id = a.journal_id AND p.id = a.owner_id
        WHERE a.journal_id = {JOURNAL_ID} AND a.kind = {int(AccountKind.CUSTOMER)}
        AND (p.id IS NOT NULL) <> (a.marks & {int(Mark.POOL)} <> 0)""",
    ),
    Relation(
        "POOL_USE",
        "Movement {} spends of a pool without a member who may.",
        f"""SELECT m.id FROM pool p JOIN movement m ON m.journal_id = p.journal_id AND m.from_customer_id = p.id
        LEFT JOIN pool_use u ON u.journal_id = m.journal_id AND u.movement_id = m.id
        WHERE m.journal_id = {JOURNAL_ID} AND m.kind IN ({_SPENDS})
        AND NOT {_may(PoolRight.SPEND, "p.id", "u.customer_id", "m.id")}""",
    ),
    Relation(
        "POOL_USE",
        "A member is named for movement {}, which spends of no pool.",
        f"""SELECT u.movement_id FROM pool_use u
        LEFT JOIN movement m ON m.journal_id = u.journal_id AND m.id = u.movement_id
        LEFT JOIN pool p ON p.journal_id = m.journal_id AND p.id = m.from_customer_id
        WHERE u.journal_id = {JOURNAL_ID} AND (p.id IS NULL OR m.kind NOT IN ({_SPENDS}))""",
    ),
    Relation(
        "POOL_POINTS",
        "Movement {} puts into a pool what its giver might not, or does not name its giver.",
        f"""SELECT m.id FROM movement m
        WHERE m.journal_id = {JOURNAL_ID} AND m.kind = {int(MovementKind.CONTRIBUTE)}
        AND (NOT {_may(PoolRight.CONTRIBUTE, "m.to_customer_id", "m.from_customer_id", "m.id")}
            OR {_of_giver("m.id", "m.from_customer_id", "")} <> m.amount)""",
    ),
    Relation(
        "POOL_POINTS",
        "Movement {} takes out of a pool what is not that of a member who leaves.",
        f"""SELECT m.id FROM movement m
        LEFT JOIN pool_member l ON l.journal_id = m.journal_id AND l.id = m.subject_id AND l.rights IS NULL
            AND l.pool_id = m.from_customer_id AND l.customer_id = m.to_customer_id
        WHERE m.journal_id = {JOURNAL_ID} AND m.kind = {int(MovementKind.WITHDRAW)}
        AND (l.id IS NULL OR {_of_giver("m.id", "m.to_customer_id", "-")} <> m.amount)""",
    ),
    Relation(
        "POOL_POINTS",
        "Movement {} takes back out of a pool what is not its giver's, or of one who is no member.",
        f"""SELECT m.id FROM movement m
        JOIN movement c ON c.journal_id = m.journal_id AND c.id = m.subject_id
            AND c.kind = {int(MovementKind.CONTRIBUTE)}
        WHERE m.journal_id = {JOURNAL_ID} AND m.kind = {int(MovementKind.REVERSE)}
        AND ({_rights("c.to_customer_id", "c.from_customer_id", "m.id")} IS NULL
            OR {_of_giver("m.id", "c.from_customer_id", "-")} + {_OWED_AGAIN} <> m.amount)""",
    ),
)
