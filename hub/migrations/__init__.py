"""Migrations: how a database comes to have ``hub.tables``. Run by the role that owns it; forward only."""
