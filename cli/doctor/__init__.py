"""`scribe doctor`: one check a line, each with what mends it."""
