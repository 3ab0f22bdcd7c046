"""Acceptance: what an institution says of its report of a closed window, with its own key or line by line."""
