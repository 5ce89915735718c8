"""The checks, by topic. Each is a function from a CheckContext to findings; it changes nothing."""
