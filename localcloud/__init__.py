"""A stand-in for Tencent COS, Cloud Infinite speech recognition and SCF on this machine."""
