"""Adapters: one file or folder per kind of partner system, and the registry that finds and connects them."""
