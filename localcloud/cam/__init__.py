"""CAM: roles, policies, and the policies that are attached to roles."""
