"""Fault injection: a seeded plan decides, repeatably, which operations of the cloud fail and how often."""
