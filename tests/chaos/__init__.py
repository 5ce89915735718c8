"""Uploads under a storm of faults, and what must be true when it is over."""
