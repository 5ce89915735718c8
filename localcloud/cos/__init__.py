"""The stand-in for Cloud Object Storage."""
