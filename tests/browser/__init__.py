"""The page of a transcript in a real browser. A package, so that its browser ends before tests of other folders run."""
