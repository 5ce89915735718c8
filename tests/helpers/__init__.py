"""In-memory COS and CI for fast unit tests of shared/recordings and handlers."""
