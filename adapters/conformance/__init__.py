"""Conformance: the checks that every adapter passes, from pytest (``suite``) and from the command line alike.

A check proves what an adapter declares to be able to do, that it refuses the rest cleanly, and that it never takes a
failure of the line for an answer. What cannot be checked at a partner's is an exception with a written reason.
"""
