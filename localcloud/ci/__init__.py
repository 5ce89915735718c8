"""The stand-in for Cloud Infinite's speech recognition."""
