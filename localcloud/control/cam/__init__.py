"""CAM: the roles of the account, the policies, and which role carries which."""

from localcloud.control.cam.service import Cam

__all__ = ["Cam"]
