"""The entry points: one file per function, an event in, an answer out."""
