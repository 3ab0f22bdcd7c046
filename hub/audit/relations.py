"""Relations: rows that name rows of other tables, compared by the database. Each question's answer is what is wrong."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from hub import ids
from hub.audit.entries import Progress
from hub.audit.findings import Findings
from hub.configuration import Configuration
from hub.db import driver_of
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.orders import UNDER_WAY, ExchangeState
from hub.ledger.records import (
    ACCEPTED,
    AccountKind,
    ClearingStatus,
    ConversionStatus,
    HoldKind,
    HoldStatus,
    MovementKind,
    Purpose,
)
from hub.partners import Status


@dataclass(frozen=True, slots=True)
class Relation:
    """One question: ``sql`` gives the numbers of wrong rows; with ``institutions`` it is given those that exist as
    ``$1``."""

    code: str
    sentence: str
    sql: str
    institutions: bool = False


_PERSONAL = f"{int(AccountKind.CUSTOMER)}, {int(AccountKind.DEBT)}"
_ENDS = f"{int(MovementKind.CAPTURE)}, {int(MovementKind.REMOVE)}"  # a removal may take more than was frozen
_CONVERT, _REVERSE = int(MovementKind.CONVERT), int(MovementKind.REVERSE)
# At the end of an exchange, which takes all that was held; other reversals may name a hold that was captured.
_ALL = f"(m.kind = {_CONVERT} OR (m.kind = {_REVERSE} AND h.kind = {int(HoldKind.EXCHANGE)}))"
_ACCEPTED = ", ".join(str(int(kind)) for kind in ACCEPTED)
_COMPLETED = ", ".join(str(int(kind)) for kind in ACCEPTED.values())
_LAST_STEPS = f"""
    SELECT DISTINCT ON (exchange_id) exchange_id, state, in_doubt, id >> {ids.PLACES_BITS} AS batch FROM exchange_step
    WHERE journal_id = {JOURNAL_ID} ORDER BY exchange_id, id DESC
"""
_UNDER_WAY = ", ".join(f"'{state}'" for state in sorted(UNDER_WAY))
RELATIONS = (
    Relation(
        "ACCOUNT_OWNER",
        "Account {} belongs to a customer that there is not.",
        f"""SELECT a.id FROM account a WHERE a.journal_id = {JOURNAL_ID} AND a.kind IN ({_PERSONAL})
        AND NOT EXISTS (SELECT FROM customer c WHERE c.journal_id = {JOURNAL_ID} AND c.id = a.owner_id)""",
    ),
    Relation(
        "ACCOUNT_OWNER",
        "Account {} belongs to an institution that there is not.",
        f"""SELECT id FROM account WHERE journal_id = {JOURNAL_ID}
        AND kind NOT IN ({_PERSONAL}, {int(AccountKind.INTERNAL)}) AND owner_id <> ALL ($1::bigint[])""",
        institutions=True,
    ),
    Relation(
        "ACCOUNT_OWNER",
        "Account {} is between a node and a parent that nobody has named.",
        f"""SELECT a.id FROM account a WHERE a.journal_id = {JOURNAL_ID} AND a.kind = {int(AccountKind.INTERNAL)}
        AND NOT EXISTS (SELECT FROM internal_account i WHERE i.journal_id = {JOURNAL_ID} AND i.id = a.owner_id)""",
    ),
    Relation(
        "INTERNAL_ACCOUNT",
        "Internal account {} is of an institution that there is not, or of one under itself.",
        f"""SELECT id FROM internal_account WHERE journal_id = {JOURNAL_ID} AND (parent_id <> ALL ($1::bigint[])
        OR institution_id <> ALL ($1::bigint[]) OR parent_id = institution_id)""",
        institutions=True,
    ),
    Relation(
        "CUSTOMER",
        "Customer {} belongs to an institution that there is not.",
        f"SELECT id FROM customer WHERE journal_id = {JOURNAL_ID} AND institution_id <> ALL ($1::bigint[])",
        institutions=True,
    ),
    Relation(
        "CUSTOMER_REFERENCE",
        "A reference names customer {}, which there is not or which is another institution's.",
        f"""SELECT r.customer_id FROM customer_reference r
        LEFT JOIN customer c ON c.journal_id = r.journal_id AND c.id = r.customer_id
        WHERE r.journal_id = {JOURNAL_ID} AND c.institution_id IS DISTINCT FROM r.institution_id""",
    ),
    Relation(
        "PROFILE",
        "Profile {} is of a customer that there is not.",
        f"""SELECT p.id FROM customer_profile p WHERE p.journal_id = {JOURNAL_ID}
        AND NOT EXISTS (SELECT FROM customer c WHERE c.journal_id = {JOURNAL_ID} AND c.id = p.customer_id)""",
    ),
    Relation(
        "MEMO",
        "There is a memo of movement {}, which there is not.",
        f"""SELECT o.movement_id FROM memo o WHERE o.journal_id = {JOURNAL_ID}
        AND NOT EXISTS (SELECT FROM movement m WHERE m.journal_id = {JOURNAL_ID} AND m.id = o.movement_id)
        AND NOT EXISTS (SELECT FROM binding b WHERE b.journal_id = {JOURNAL_ID} AND b.id = o.movement_id)
        AND NOT EXISTS (SELECT FROM customer_link l WHERE l.journal_id = {JOURNAL_ID} AND l.id = o.movement_id)
        AND NOT EXISTS (SELECT FROM restriction r WHERE r.journal_id = {JOURNAL_ID} AND r.id = o.movement_id)
        AND NOT EXISTS (SELECT FROM exchange_evidence v WHERE v.journal_id = {JOURNAL_ID} AND v.id = o.movement_id)
        AND NOT EXISTS (SELECT FROM relocation_step s WHERE s.journal_id = {JOURNAL_ID} AND s.id = o.movement_id)
        AND NOT EXISTS (SELECT FROM break_step s WHERE s.journal_id = {JOURNAL_ID} AND s.id = o.movement_id)
        AND NOT EXISTS (SELECT FROM reconciliation_break b WHERE b.journal_id = {JOURNAL_ID} AND b.id = o.movement_id)
        AND NOT EXISTS (SELECT FROM dispute_step s WHERE s.journal_id = {JOURNAL_ID} AND s.id = o.movement_id)
        AND NOT EXISTS (SELECT FROM cover_decision d WHERE d.journal_id = {JOURNAL_ID} AND d.id = o.movement_id)
        AND NOT EXISTS (SELECT FROM prepaid_step b WHERE b.journal_id = {JOURNAL_ID} AND b.id = o.movement_id)
        AND NOT EXISTS (SELECT FROM settlement_default d WHERE d.journal_id = {JOURNAL_ID} AND d.id = o.movement_id)
        AND NOT EXISTS (SELECT FROM default_step d WHERE d.journal_id = {JOURNAL_ID} AND d.id = o.movement_id)
        """,
    ),
    Relation(
        "ACT_LABEL",
        "There is a label of act {}, which there is not.",
        f"""SELECT o.act_id FROM act_label o WHERE o.journal_id = {JOURNAL_ID}
        AND NOT EXISTS (SELECT FROM movement m WHERE m.journal_id = {JOURNAL_ID} AND m.id = o.act_id)
        AND NOT EXISTS (SELECT FROM conversion c WHERE c.journal_id = {JOURNAL_ID} AND c.id = o.act_id)""",
    ),
    Relation(
        "DISPUTE_LINE",
        "Dispute {} is of a line that its window's reports do not have.",
        f"""SELECT d.id FROM dispute d
        LEFT JOIN leg l ON l.journal_id = d.journal_id AND l.movement_id = d.movement_id AND l.n = d.n
        LEFT JOIN account p ON p.journal_id = l.journal_id AND p.id = l.debit_account_id
        LEFT JOIN account q ON q.journal_id = l.journal_id AND q.id = l.credit_account_id
        WHERE d.journal_id = {JOURNAL_ID} AND (
            (d.window_id, d.payer_id, d.payee_id, d.currency, d.amount, d.purpose::int)
                IS DISTINCT FROM (l.window_id, p.owner_id, q.owner_id, p.currency, l.amount, l.purpose::int)
            OR l.purpose NOT IN ({int(Purpose.SETTLEMENT)}, {int(Purpose.FEE)})
        )""",
    ),
    Relation(
        "BINDING",
        "Binding {} is to a customer that there is not or who is another institution's.",
        f"""SELECT b.id FROM binding b
        LEFT JOIN customer c ON c.journal_id = b.journal_id AND c.id = b.customer_id
        WHERE b.journal_id = {JOURNAL_ID} AND c.institution_id IS DISTINCT FROM b.institution_id""",
    ),
    Relation(
        "IDENTIFIER",
        "Identifier {} was never bound, or by another institution.",
        f"""SELECT i.id FROM identifier i WHERE i.journal_id = {JOURNAL_ID} AND NOT EXISTS (
            SELECT FROM binding b WHERE b.journal_id = {JOURNAL_ID} AND b.identifier_id = i.id
                AND b.institution_id = i.institution_id
        )""",
    ),
    Relation(
        "IDENTIFIER",
        "Identifier {} is bound, and a customer is enrolled under it.",
        f"""SELECT i.id FROM identifier i
        JOIN customer_reference r ON r.journal_id = i.journal_id AND r.institution_id = i.institution_id
            AND r.reference = i.text
        WHERE i.journal_id = {JOURNAL_ID} AND EXISTS (
            SELECT FROM binding b WHERE b.journal_id = {JOURNAL_ID} AND b.identifier_id = i.id AND b.ends_id IS NULL
            AND NOT EXISTS (SELECT FROM binding e WHERE e.journal_id = {JOURNAL_ID} AND e.ends_id = b.id)
        )""",
    ),
    Relation(
        "CUSTOMER_LINK",
        "A row of link {} names a customer that there is not or who is another institution's.",
        f"""SELECT l.link_id FROM customer_link l
        LEFT JOIN customer a ON a.journal_id = l.journal_id AND a.id = l.a_customer_id
        LEFT JOIN customer b ON b.journal_id = l.journal_id AND b.id = l.b_customer_id
        WHERE l.journal_id = {JOURNAL_ID} AND (a.institution_id IS DISTINCT FROM l.a_institution_id
            OR b.institution_id IS DISTINCT FROM l.b_institution_id)""",
    ),
    Relation(
        "ISSUE_RECORD",
        "There is a record of issue {}, which there is not.",
        f"""SELECT o.movement_id FROM issue_record o
        LEFT JOIN movement m ON m.journal_id = o.journal_id AND m.id = o.movement_id
        WHERE o.journal_id = {JOURNAL_ID}
            AND (m.kind, m.currency) IS DISTINCT FROM ({int(MovementKind.ISSUE)}::smallint, o.currency)""",
    ),
    Relation(
        "RESTRICTION",
        "Restriction {} is of a customer that there is not.",
        f"""SELECT o.id FROM restriction o WHERE o.journal_id = {JOURNAL_ID}
        AND NOT EXISTS (SELECT FROM customer c WHERE c.journal_id = {JOURNAL_ID} AND c.id = o.customer_id)""",
    ),
    Relation(
        "NET",
        "There is a net of window {}, which there is not or which is open.",
        f"""SELECT n.window_id FROM window_net n
        LEFT JOIN settlement_window w ON w.journal_id = n.journal_id AND w.id = n.window_id
        WHERE n.journal_id = {JOURNAL_ID} AND w.closed_in IS NULL""",
    ),
    Relation(
        "OBLIGATION",
        "There is an obligation of window {}, which there is not or which is open.",
        f"""SELECT o.window_id FROM obligation o
        LEFT JOIN settlement_window w ON w.journal_id = o.journal_id AND w.id = o.window_id
        WHERE o.journal_id = {JOURNAL_ID} AND w.closed_in IS NULL""",
    ),
    Relation(
        "HOLD_STATUS",
        "Hold {} does not stand as its movements say.",
        f"""SELECT h.id FROM hold h
        LEFT JOIN movement m ON m.journal_id = h.journal_id AND m.subject_id = h.id
            AND (m.kind IN ({_ENDS}, {int(MovementKind.RELEASE)}, {int(MovementKind.DECLINE)}) OR {_ALL})
        LEFT JOIN journal_entry e ON e.journal_id = m.journal_id AND e.batch = m.id >> {ids.PLACES_BITS}
        WHERE h.journal_id = {JOURNAL_ID} AND (h.status, h.captured, h.resolved_by) IS DISTINCT FROM (
            CASE WHEN m.id IS NULL THEN '{HoldStatus.HELD}'
                WHEN m.kind IN ({_ENDS}) OR {_ALL} THEN '{HoldStatus.CAPTURED}'
                WHEN e.at >= h.expires_at THEN '{HoldStatus.EXPIRED}'
                ELSE '{HoldStatus.RELEASED}'
            END,
            CASE WHEN {_ALL} THEN h.amount WHEN m.kind IN ({_ENDS}) THEN least(m.amount, h.amount) ELSE 0 END,
            m.id
        )""",
    ),
    Relation(
        "CLEARING",
        "Movement {} is of a clearing that there is not, or of another one than it could be.",
        f"""SELECT m.id FROM movement m
        LEFT JOIN clearing c ON c.journal_id = m.journal_id AND c.id = m.subject_id
        LEFT JOIN journal_entry e ON e.journal_id = m.journal_id AND e.batch = m.id >> {ids.PLACES_BITS}
        WHERE m.journal_id = {JOURNAL_ID} AND m.kind = {int(MovementKind.CLEAR)}
        AND NOT EXISTS (SELECT FROM restriction r WHERE r.journal_id = {JOURNAL_ID} AND r.id = m.subject_id)
        AND (
            c.currency IS DISTINCT FROM m.currency OR c.for_institution_id IS DISTINCT FROM m.for_institution_id
            OR c.starts_at > e.at OR c.ended_at < e.at OR c.id >= m.id
        )""",
    ),
    Relation(
        "CLEARING",
        "Clearing {} took from a customer's account more than once, or from one that it has not reached.",
        f"""SELECT DISTINCT c.id FROM clearing c
        JOIN movement m ON m.journal_id = c.journal_id AND m.subject_id = c.id AND m.kind = {int(MovementKind.CLEAR)}
        LEFT JOIN account a ON a.journal_id = m.journal_id AND a.owner_id = m.from_customer_id
            AND a.currency = m.currency AND a.kind = {int(AccountKind.CUSTOMER)}
        WHERE c.journal_id = {JOURNAL_ID}
        GROUP BY c.id, c.reached, m.from_customer_id HAVING count(*) > 1 OR max(a.id) > c.reached""",
    ),
    Relation(
        "CLEARING",
        "Clearing {} does not stand at the sum of what it took.",
        f"""SELECT c.id FROM clearing c
        LEFT JOIN (
            SELECT subject_id, count(*) AS accounts, sum(amount) AS amount FROM movement
            WHERE journal_id = {JOURNAL_ID} AND kind = {int(MovementKind.CLEAR)} GROUP BY subject_id
        ) m ON m.subject_id = c.id
        WHERE c.journal_id = {JOURNAL_ID} AND (
            c.cleared <> coalesce(m.amount, 0) OR c.accounts < coalesce(m.accounts, 0)
            OR least(c.pinned, c.ageless) < 0 OR (c.ended_at IS NULL) <> (c.status = '{ClearingStatus.RUNNING}')
            OR c.status NOT IN ('{ClearingStatus.RUNNING}', '{ClearingStatus.DONE}', '{ClearingStatus.CANCELLED}')
        )""",
    ),
    Relation(
        "CONVERSION_STATUS",
        "Conversion {} does not stand as its reversals say.",
        f"""SELECT c.id FROM conversion c
        LEFT JOIN ({_LAST_STEPS}) x ON x.exchange_id = c.id
        LEFT JOIN journal_entry e ON e.journal_id = c.journal_id
            AND e.batch = CASE WHEN x.state = '{ExchangeState.COMPLETED}' OR x.state IS NULL
                THEN coalesce(x.batch, c.id >> {ids.PLACES_BITS}) END
        LEFT JOIN (
            SELECT coalesce(a.subject_id, m.subject_id) AS subject_id, sum(m.amount) AS amount,
                max(m.id) >> {ids.PLACES_BITS} AS batch
            FROM movement m LEFT JOIN movement a ON a.journal_id = m.journal_id AND a.id = m.subject_id
                AND a.kind = {int(MovementKind.ACCEPT_REVERSE)}
            WHERE m.journal_id = {JOURNAL_ID} AND m.kind = {_REVERSE} GROUP BY 1
        ) r ON r.subject_id = c.id
        WHERE c.journal_id = {JOURNAL_ID} AND (
            c.completed_at IS DISTINCT FROM e.at
            OR CASE WHEN r.amount >= c.target
                THEN (c.status, c.changed_in) <> ('{ConversionStatus.REVERSED}', r.batch)
                WHEN x.state IN ({_UNDER_WAY}) THEN c.status <> CASE WHEN x.in_doubt
                    THEN '{ConversionStatus.IN_DOUBT}' ELSE '{ConversionStatus.PENDING}' END
                ELSE (c.status, c.changed_in) <> (
                    coalesce(x.state, '{ConversionStatus.COMPLETED}'), coalesce(x.batch, c.id >> {ids.PLACES_BITS})
                )
            END
        )""",
    ),
    Relation(
        "EXCHANGE_STANDING",
        "Exchange {} does not stand as its last step says.",
        f"""SELECT coalesce(x.id, s.exchange_id) FROM exchange x
        FULL JOIN ({_LAST_STEPS}) s ON s.exchange_id = x.id
        LEFT JOIN conversion c ON c.journal_id = x.journal_id AND c.id = x.id
        LEFT JOIN movement a ON a.journal_id = x.journal_id AND a.id = x.id AND a.kind IN ({_ACCEPTED})
        LEFT JOIN LATERAL (
            SELECT o.reference, o.id FROM partner_order o
            WHERE o.journal_id = {JOURNAL_ID} AND o.exchange_id = x.id ORDER BY o.id DESC LIMIT 1
        ) o ON true
        LEFT JOIN exchange_step t ON t.journal_id = x.journal_id AND t.exchange_id = x.id
            AND t.order_reference SIMILAR TO '%-[DH]' AND t.status = '{Status.SUCCEEDED}'
        WHERE (x.state, x.in_doubt, x.changed_in) IS DISTINCT FROM (s.state, s.in_doubt, s.batch)
            OR x.order_reference IS DISTINCT FROM CASE WHEN s.state IN ({_UNDER_WAY}) THEN o.reference END
            OR (x.taken, x.partner_taken) IS DISTINCT FROM (t.order_reference, t.partner_reference)
            OR (x.refusal IS NULL) <> (x.state NOT IN ('{ExchangeState.REFUSED}', '{ExchangeState.REFUNDING}',
                '{ExchangeState.RELEASING}', '{ExchangeState.REVERSED}'))
            OR a.id IS NULL OR (c.id IS NULL) = (a.kind = {int(MovementKind.ACCEPT)})""",
    ),
    Relation(
        "EXCHANGE_WINDOW",
        "Exchange {} names another window than the one that was open when it completed.",
        f"""SELECT x.id FROM exchange x
        LEFT JOIN movement m ON m.journal_id = x.journal_id AND m.subject_id = x.id
            AND m.kind IN ({_COMPLETED})
        LEFT JOIN settlement_window w ON w.journal_id = x.journal_id AND w.id < m.id
            AND (w.closed_in IS NULL OR w.closed_in >= m.id >> {ids.PLACES_BITS})
        WHERE x.journal_id = {JOURNAL_ID}
        GROUP BY x.id, x.window_id HAVING NOT coalesce(x.window_id = ANY (array_agg(w.id)), count(m.id) = 0)""",
    ),
    Relation(
        "PARTNER_CALL",
        "What is asked of a partner for exchange {} is not under way, or nobody asks for what is.",
        """SELECT coalesce(x.id, o.exchange_id) FROM exchange x
        FULL JOIN partner_call p ON p.journal_id = x.journal_id AND p.reference = x.order_reference
        LEFT JOIN partner_order o ON o.journal_id = p.journal_id AND o.reference = p.reference
        WHERE (x.order_reference IS NOT NULL OR x.id IS NULL)
            AND (p.reference, p.currency) IS DISTINCT FROM (x.order_reference, o.currency)""",
    ),
    Relation(
        "CONVERSION",
        "Conversion {} is not by an institution's customers whom it names.",
        f"""SELECT c.id FROM conversion c
        LEFT JOIN customer f ON f.journal_id = c.journal_id AND f.id = c.from_customer_id
        LEFT JOIN customer t ON t.journal_id = c.journal_id AND t.id = c.to_customer_id
        WHERE c.journal_id = {JOURNAL_ID} AND (f.institution_id IS DISTINCT FROM c.from_institution_id
            OR t.institution_id IS DISTINCT FROM c.to_institution_id)""",
    ),
    Relation(
        "QUOTE",
        "Quote {} is used by a conversion that does not name it, or is cancelled as well.",
        f"""SELECT q.id FROM quote q
        LEFT JOIN conversion c ON c.journal_id = q.journal_id AND c.id = q.used_by
        WHERE q.journal_id = {JOURNAL_ID} AND q.used_by IS NOT NULL
            AND (c.quote_id IS DISTINCT FROM q.id OR q.cancelled)""",
    ),
    Relation(
        "QUOTE",
        "Conversion {} is not what its quote offers.",
        f"""SELECT c.id FROM conversion c
        LEFT JOIN quote q ON q.journal_id = c.journal_id AND q.id = c.quote_id
        LEFT JOIN journal_entry e ON e.journal_id = c.journal_id AND e.batch = c.id >> {ids.PLACES_BITS}
        WHERE c.journal_id = {JOURNAL_ID} AND c.quote_id IS NOT NULL AND (
            (q.used_by, q.rate_id, q.from_customer_id, q.to_customer_id, q.source, q.target, q.bonus, q.fee,
                q.settlement, q.eligible, q.residue)
            IS DISTINCT FROM (c.id, c.rate_id, c.from_customer_id, c.to_customer_id, c.source, c.target, c.bonus, c.fee,
                c.settlement, c.eligible, c.residue)
            OR q.id >= c.id OR q.expires_at <= e.at
        )""",
    ),
)


async def compare(
    connection: AsyncConnection,
    configuration: Configuration,
    findings: Findings,
    progress: Progress | None,
    relations: Sequence[Relation],
) -> None:
    """Find every row that names another one wrongly, by all these questions."""
    driver = driver_of(connection)
    institutions = list(configuration.institutions)
    for place, relation in enumerate(relations, start=1):
        arguments = (institutions,) if relation.institutions else ()
        async for row in driver.cursor(relation.sql, *arguments, prefetch=1_000):
            findings.add(relation.code, relation.sentence.format(row[0]))
        if progress is not None:
            progress("relations", place, len(relations))
