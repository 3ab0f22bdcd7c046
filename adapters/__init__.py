"""Adapters: one file per kind of partner system. Currencies are ``hosted`` until the first one is here."""
