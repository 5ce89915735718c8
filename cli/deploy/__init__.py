"""`scribe deploy` and `scribe remove`: what is there, what differs, and making it so."""
