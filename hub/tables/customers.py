"""Customers, what they are called and linked with, their pools, and accounts."""

from sqlalchemy import CheckConstraint, Column, Index, PrimaryKeyConstraint, SmallInteger, Table, UniqueConstraint, text

from hub.tables.columns import id_, journal_, metadata, text_, time_

customer = Table(
    "customer",
    metadata,
    journal_(),
    id_("id"),
    id_("institution_id"),
    PrimaryKeyConstraint("journal_id", "id"),
)

# Apart from everything that is hashed, so that a reference can be erased when its customer asks for it.
customer_reference = Table(
    "customer_reference",
    metadata,
    journal_(),
    id_("institution_id"),
    text_("reference"),
    id_("customer_id"),
    PrimaryKeyConstraint("journal_id", "institution_id", "reference"),
    Index("customer_reference_customer", "customer_id"),
)

# Cards, numbers and telephones by which institutions know customers. Apart from what is hashed, like references; the
# opaque id stands for one in the history of its bindings, and stays when the text is erased.
identifier = Table(
    "identifier",
    metadata,
    journal_(),
    id_("institution_id"),
    text_("text"),
    id_("id"),
    PrimaryKeyConstraint("journal_id", "institution_id", "text"),
    Index("identifier_id", "id", unique=True),
)

# Whom an identifier names from now on; ``ends_id``: nobody, because this row ends that one.
binding = Table(
    "binding",
    metadata,
    journal_(),
    id_("id"),
    id_("credential_id"),
    id_("for_institution_id"),
    id_("institution_id"),
    id_("identifier_id"),
    id_("customer_id"),
    id_("ends_id", nullable=True),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("binding_identifier", "identifier_id", "id"),
    Index("binding_customer", "customer_id", "id"),
    Index("binding_ends", "ends_id", unique=True, postgresql_where=text("ends_id IS NOT NULL")),
)

# Two customers who are one person: each row is the link as it is after a change; the first one's id is the link's.
customer_link = Table(
    "customer_link",
    metadata,
    journal_(),
    id_("id"),
    id_("link_id"),
    text_("status"),
    id_("credential_id"),
    id_("for_institution_id"),
    id_("a_customer_id"),
    id_("a_institution_id"),
    id_("b_customer_id"),
    id_("b_institution_id"),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("customer_link_link", "link_id", "id"),
    Index("customer_link_a", "a_customer_id", "id"),
    Index("customer_link_b", "b_customer_id", "id"),
)

# What an institution says of a customer; the last row holds.
customer_profile = Table(
    "customer_profile",
    metadata,
    journal_(),
    id_("id"),
    id_("customer_id"),
    text_("type", nullable=True),
    text_("groups"),
    id_("credential_id"),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("customer_profile_customer", "customer_id", "id"),
)

# Customers whose points their members share.
pool = Table(
    "pool",
    metadata,
    journal_(),
    id_("id"),
    text_("kind"),
    id_("owner_id"),
    id_("credential_id"),
    PrimaryKeyConstraint("journal_id", "id"),
)

# The last row of a pool and a customer holds; without rights the customer has left.
pool_member = Table(
    "pool_member",
    metadata,
    journal_(),
    id_("id"),
    id_("pool_id"),
    id_("customer_id"),
    text_("rights", nullable=True),
    id_("credential_id"),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("pool_member_customer", "pool_id", "customer_id", "id"),
)

# Which member has spent of a pool.
pool_use = Table(
    "pool_use",
    metadata,
    journal_(),
    id_("movement_id"),
    id_("customer_id"),
    PrimaryKeyConstraint("journal_id", "movement_id"),
)

account = Table(
    "account",
    metadata,
    journal_(),
    id_("id"),
    Column("kind", SmallInteger, nullable=False),
    id_("owner_id"),
    text_("currency"),
    id_("debits_posted"),
    id_("credits_posted"),
    id_("debits_pending"),
    id_("credits_pending"),
    id_("aged"),
    Column("marks", SmallInteger, nullable=False),
    PrimaryKeyConstraint("journal_id", "id"),
    UniqueConstraint("journal_id", "owner_id", "currency", "kind", name="account_natural"),
    CheckConstraint(
        "kind <> 1 OR credits_posted - debits_posted - debits_pending >= 0", name="account_customer_not_below_zero"
    ),
    CheckConstraint("kind <> 8 OR credits_posted <= debits_posted", name="account_debt_not_above_zero"),
    CheckConstraint(
        "debits_posted >= 0 AND credits_posted >= 0 AND debits_pending >= 0 AND credits_pending >= 0",
        name="account_counters_not_negative",
    ),
    CheckConstraint("aged >= 0 AND (kind <> 1 OR aged <= credits_posted - debits_posted)", name="account_aged"),
    postgresql_with={"fillfactor": 70},
)

# Open lots only: an emptied one is deleted, and made again if points come back to it.
lot = Table(
    "lot",
    metadata,
    journal_(),
    id_("account_id"),
    time_("expires_at"),
    text_("origin"),
    time_("earned_at"),
    id_("id"),
    id_("amount"),
    id_("held"),
    PrimaryKeyConstraint("journal_id", "account_id", "expires_at", "origin"),
    CheckConstraint("held >= 0 AND held <= amount", name="lot_held_within_amount"),
    Index("lot_end", "expires_at", "account_id"),
    postgresql_with={"fillfactor": 70},
)
