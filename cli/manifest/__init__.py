"""serverless.yml as the operator means it: read, checked, and turned into what the cloud is asked for."""
