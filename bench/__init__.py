"""What the hub can carry on this machine, held against a plain ledger in the same PostgreSQL.

``python -m bench`` starts the hub, drives it over HTTP, drives ``naive_ledger.sql`` with pgbench, and prints both. The
hub imports nothing from here, and is reached only as its users reach it: by its command line and its API.
"""
