"""What Scribe's three functions share; deployed with them."""
