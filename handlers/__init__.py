"""The entry points: one module per function."""
