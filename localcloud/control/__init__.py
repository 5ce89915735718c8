"""Tencent's control plane (API 3.0) as the stand-in speaks it: SCF, CAM and STS."""
