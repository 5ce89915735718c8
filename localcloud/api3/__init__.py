"""API 3.0, the protocol of SCF, CAM and STS: requests, errors, dispatch; and STS itself."""
