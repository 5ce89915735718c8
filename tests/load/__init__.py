"""Many uploads at once, without faults: `make load`."""
