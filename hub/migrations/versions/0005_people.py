"""Who is behind a name: identifiers that are bound to customers, and customers who are one person."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0003"

APPEND_ONLY = ("binding", "customer_link")


def upgrade() -> None:
    """Make the tables, and let the statistics be of every table there is."""
    op.create_table(
        "identifier",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("institution_id", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "institution_id", "text"),
    )
    op.create_index("identifier_id", "identifier", ["id"], unique=True)
    op.create_table(
        "binding",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("credential_id", sa.BigInteger(), nullable=False),
        sa.Column("for_institution_id", sa.BigInteger(), nullable=False),
        sa.Column("institution_id", sa.BigInteger(), nullable=False),
        sa.Column("identifier_id", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("ends_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("journal_id", "id"),
    )
    op.create_index("binding_identifier", "binding", ["identifier_id", "id"], unique=False)
    op.create_index("binding_customer", "binding", ["customer_id", "id"], unique=False)
    op.create_index(
        "binding_ends", "binding", ["ends_id"], unique=True, postgresql_where=sa.text("ends_id IS NOT NULL")
    )
    op.create_table(
        "customer_link",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("link_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("credential_id", sa.BigInteger(), nullable=False),
        sa.Column("for_institution_id", sa.BigInteger(), nullable=False),
        sa.Column("a_customer_id", sa.BigInteger(), nullable=False),
        sa.Column("a_institution_id", sa.BigInteger(), nullable=False),
        sa.Column("b_customer_id", sa.BigInteger(), nullable=False),
        sa.Column("b_institution_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "id"),
    )
    op.create_index("customer_link_link", "customer_link", ["link_id", "id"], unique=False)
    op.create_index("customer_link_a", "customer_link", ["a_customer_id", "id"], unique=False)
    op.create_index("customer_link_b", "customer_link", ["b_customer_id", "id"], unique=False)
    op.execute(
        """
        CREATE OR REPLACE FUNCTION refresh_statistics() RETURNS void
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
        DECLARE
            name text;
        BEGIN
            FOR name IN
                SELECT quote_ident(relname) FROM pg_class
                WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
                ORDER BY relname
            LOOP
                EXECUTE 'ANALYZE ' || name;
            END LOOP;
        END $$
        """
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()"
        )
