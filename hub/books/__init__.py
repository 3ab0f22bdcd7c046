"""Books: the ledger as accountants keep it, by business days, with periods that are locked and accounts of their own
general ledger. They are read from legs and post nothing."""
