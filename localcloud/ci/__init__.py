"""The stand-in for Cloud Infinite: speech recognition jobs, their queues and notifications."""
