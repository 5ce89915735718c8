"""One upload's life: what it is, whether it is ours, its receipt, its job, its end."""
