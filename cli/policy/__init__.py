"""What each function may do, from one table: the policies, and the roles that carry them."""
