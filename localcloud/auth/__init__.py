"""Credentials, signatures, CAM policies, and the check of what a credential may do."""
