"""The ledger: the one door to balances. Commands go in, outcomes come out, and every batch is one journal entry."""
