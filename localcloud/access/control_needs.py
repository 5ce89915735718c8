"""What a call of the control plane needs.

SCF: resources are `qcs::scf:<region>:uin/<uin>:namespace/<namespace>/function/<name>` (583/47934). CAM 598/70005 grants
only some of its calls for a single function; the rest, and all of CAM (598/57054) and STS, are on the level of the API.
"""

from __future__ import annotations

from localcloud.access.documents import Need
from localcloud.account import OWNER_UIN
from localcloud.control.calls import Call

_ON_A_FUNCTION = frozenset(
    {
        "CreateFunction",
        "DeleteFunction",
        "GetFunction",
        "Invoke",
        "UpdateFunctionCode",
        "UpdateFunctionConfiguration",
    }
)


def pass_role(role_name: str) -> Need:
    """To hand a role over to a service: cam:PassRole."""
    return Need("cam:PassRole", role_resource(role_name))


def role_resource(role_name: str) -> str:
    """The six parts of a role."""
    return f"qcs::cam::uin/{OWNER_UIN}:roleName/{role_name}"


def needs_of_call(call: Call) -> tuple[Need, ...]:
    """What it needs; the first is the call itself. Whoever gives a function its role hands that role over.

    A new function is no resource yet: published refusals of CreateFunction name its namespace.
    """
    action, given = f"{call.service}:{call.action}", call.given
    if call.service != "scf" or call.action not in _ON_A_FUNCTION:
        return (Need(action),)
    where = f"namespace/{given.get('Namespace', 'default')}"
    if call.action != "CreateFunction":
        where += f"/function/{given.get('FunctionName', '')}"
    need = Need(action, f"qcs::scf:{call.region}:uin/{OWNER_UIN}:{where}")
    return (need, pass_role(str(given["Role"]))) if given.get("Role") else (need,)
