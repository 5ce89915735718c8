"""What each function and the deploying key may do: one table, the policy documents made from it, `scribe policy`."""
