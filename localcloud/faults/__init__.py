"""What goes wrong in a cloud, on purpose and repeatably: a seeded plan says what strikes how often.

Every kind of place that can be struck asks its own small object here; with an empty plan all of them say no.
"""

from localcloud.faults.everything import Faults
from localcloud.faults.plan import KINDS, Kill, Plan, PlanError, plan_of, plan_of_option
from localcloud.faults.requests import Cut

__all__ = ["KINDS", "Cut", "Faults", "Kill", "Plan", "PlanError", "plan_of", "plan_of_option"]
