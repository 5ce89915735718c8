"""Tencent's control plane, through its own SDK: functions (SCF), roles (CAM), whose key this is (STS)."""
