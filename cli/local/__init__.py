"""The pipeline on this machine: the local cloud, `scribe demo`, `scribe invoke`."""
