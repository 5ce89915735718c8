"""The `scribe` command for the operator's laptop; never deployed."""
