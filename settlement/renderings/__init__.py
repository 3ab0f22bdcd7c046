"""Renderings of a report: what its signed payload and its lines say, for people and for other programs.

Nothing else goes into one, so whoever has the report can make each of them again, to the same bytes.
"""
