"""Clients of Tencent's API 3.0: SCF (functions, triggers), CAM (roles, policies), STS (caller identity)."""
