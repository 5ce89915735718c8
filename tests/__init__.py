"""Tests; a package, so that `python -m tests.chaos` and `python -m tests.load` find each other's modules."""
