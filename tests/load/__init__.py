"""Many uploads at once, without faults."""
