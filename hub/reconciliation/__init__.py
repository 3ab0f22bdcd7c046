"""Reconciliation: a day of a partner's, compared by what the hub's ledger, the partner's journal and its file say."""
