"""What institutions say of their reports: acceptances, and disputes of lines."""

from sqlalchemy import Column, Index, Integer, PrimaryKeyConstraint, SmallInteger, Table, UniqueConstraint, text

from hub.tables.columns import id_, journal_, metadata, text_

# Acceptances as they were signed; which one counts is for their keys to say.
acceptance = Table(
    "acceptance",
    metadata,
    journal_(),
    id_("id"),
    id_("credential_id"),
    id_("window_id"),
    id_("institution_id"),
    text_("digest"),
    text_("kid"),
    text_("jws"),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("acceptance_report", "window_id", "institution_id"),
)

# One line that an institution does not agree with; its steps say how it came to stand as it does.
dispute = Table(
    "dispute",
    metadata,
    journal_(),
    id_("id"),
    id_("credential_id"),
    id_("institution_id"),
    id_("window_id"),
    id_("movement_id"),
    Column("n", Integer, nullable=False),
    id_("payer_id"),
    id_("payee_id"),
    text_("currency"),
    id_("amount"),
    Column("purpose", SmallInteger, nullable=False),
    text_("reason"),
    id_("expected", nullable=True),
    text_("status"),
    text_("outcome", nullable=True),
    id_("proposal_id", nullable=True),
    id_("corrected"),
    PrimaryKeyConstraint("journal_id", "id"),
    UniqueConstraint("journal_id", "movement_id", "n", "institution_id", name="dispute_line"),
    Index("dispute_report", "window_id", "institution_id", "id"),
    Index("dispute_payer", "payer_id", "id"),
    Index("dispute_payee", "payee_id", "id"),
    Index("dispute_open", "id", postgresql_where=text("status <> 'RESOLVED'")),
    postgresql_with={"fillfactor": 80},
)

dispute_step = Table(
    "dispute_step",
    metadata,
    journal_(),
    id_("id"),
    id_("dispute_id"),
    text_("kind"),
    id_("credential_id"),
    text_("outcome", nullable=True),
    id_("amount", nullable=True),
    id_("movement_id", nullable=True),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("dispute_step_dispute", "dispute_id", "id"),
)
