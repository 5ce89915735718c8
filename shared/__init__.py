"""What the three functions share; deployed with them.

Values here are NamedTuples: each cold start defines them all anew, and a frozen dataclass takes five times as long
(1.0 ms against 0.2, CPython 3.10). Those that keep a secret out of their printed form stay dataclasses.
"""
