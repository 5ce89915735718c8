"""Preflight checks: every problem that a deployment cannot solve, collected before anything is changed."""

from __future__ import annotations

from collections.abc import Iterator

from cli.cloud.cam import SCF_SERVICE_ROLE
from cli.cloud.scf import parse_rule
from cli.config import CALLBACK_URL_NAME
from cli.deploy.notifications import parse_token, redact_url, targets_url
from cli.deploy.planner import diff_triggers, find_changed_queues
from cli.deploy.speech_steps import MAX_URL_LENGTH
from cli.deploy.state import CurrentState
from cli.deploy.steps import SUBMITTING_FUNCTIONS, add_callback_url
from cli.deploy.target import DeployTarget
from cli.errors import OperatorError
from cli.language import _
from cli.manifest.validation import describe_excess
from cli.output import escape_line
from shared.tencent.speech_models import NotifyConfig


class PreflightFailed(OperatorError):
    """The operator has to decide or fix something first. Nothing was changed."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n  ".join([_("nothing was changed:"), *map(escape_line, problems)]))


def check_preconditions(
    target: DeployTarget, state: CurrentState, *, create_buckets: bool, with_roles: bool
) -> None:
    """Raise PreflightFailed with every problem, except for those of `check_conflicts`."""
    problems = []
    if not with_roles:
        problems += [
            _(
                "{problem}; {advice}",
                problem=current.describe_problem(SCF_SERVICE_ROLE),
                advice=SCF_SERVICE_ROLE.advice,
            )
            for role, current in state.service_roles.items()
            if role is SCF_SERVICE_ROLE and not current.is_usable
        ]
    problems += _check_buckets(target, state, create_buckets=create_buckets)
    problems += _check_functions(target, state)
    problems += _check_variables(target)
    problems += _check_queues(target, state)
    if not with_roles:
        problems += [
            _(
                "role {role} does not exist, and --no-roles does not create it: ask an administrator of CAM to run "
                "`{command}` first",
                role=name,
                command=target.commands.create_roles,
            )
            for name, role in state.roles.items()
            if not role
        ]
    if problems:
        raise PreflightFailed(problems)


def check_conflicts(target: DeployTarget, state: CurrentState, *, take_over: bool) -> None:
    """Raise PreflightFailed if the plan would take something from another deployment or function.

    That is uploads, which SCF gives to one function only, and the notification of a queue, which has one address; the
    latter is allowed with `take_over`. Lists the other functions, but only if there may be a conflict. Raises ApiError.
    """
    # Once for all events of a bucket.
    problems = list(dict.fromkeys(_find_taken_uploads(target, state)))
    if not take_over:
        problems += _find_taken_queues(target, state)
    if problems:
        raise PreflightFailed(problems)


def _find_taken_uploads(target: DeployTarget, state: CurrentState) -> Iterator[str]:
    for spec in target.manifest.functions.values():
        diff = diff_triggers(spec, target, state, frozenset({"cos"}))
        for trigger in [*diff.create, *(pair[1] for pair in diff.replace)]:
            rule = parse_rule(spec.name, trigger.name, trigger.description, is_open=True)
            for owner in sorted({other.owner for other in state.foreign_rules if rule.overlaps(other)}):
                yield _(
                    "function {function} already receives uploads to {bucket}, and SCF invokes one function only: "
                    "delete its trigger in the SCF console, or set another bucket",
                    function=owner,
                    bucket=rule.bucket,
                )


def _find_taken_queues(target: DeployTarget, state: CurrentState) -> Iterator[str]:
    """An unknown address is still ours if it ends with one of our tokens and no other function has it."""
    tokens = state.callback_tokens.union(target.settings.callback_tokens)
    for bucket, queue in find_changed_queues(target, state):
        if not queue or not _notifies_other_address(queue.notification, state.callback_url):
            continue
        config = queue.notification
        owner = next((name for url, name in state.foreign_urls.items() if targets_url(config, url)), "")
        if owner or parse_token(config) not in tokens:
            receiver = redact_url(config.url)
            if owner:
                receiver = _("function {function} at {address}", function=owner, address=receiver)
            yield _(
                "the speech queue of {bucket} notifies {receiver}, which does not belong to this deployment, and a "
                "queue notifies one address only: use another bucket for this deployment, or switch that notification "
                "off in the Cloud Infinite console; to overwrite it, run `{command}`",
                bucket=bucket,
                receiver=receiver,
                command=target.commands.line("deploy", "--take-over"),
            )


def _notifies_other_address(config: NotifyConfig, callback_url: str) -> bool:
    return config.state.lower() == "on" and bool(config.url) and not targets_url(config, callback_url)


def _check_buckets(target: DeployTarget, state: CurrentState, *, create_buckets: bool) -> Iterator[str]:
    identity = state.identity
    foreign = {
        bucket.name
        for bucket in state.all_buckets
        if identity.appid and not identity.owns_bucket(bucket.name)
    }
    for bucket in state.all_buckets:
        if bucket.name in foreign:
            yield _(
                "bucket {bucket} belongs to account {owner}, but this key to account {account}: use a key of that "
                "account, or correct the name",
                bucket=bucket.name,
                owner=bucket.name.rpartition("-")[2],
                account=identity.appid,
            )
        elif bucket.name not in state.missing_buckets:
            continue
        elif region := state.missing_buckets[bucket.name]:
            yield _(
                "bucket {bucket} is in {region}, not in {expected_region}: correct REGION or OUTPUT_REGION",
                bucket=bucket.name,
                region=region,
                expected_region=bucket.region,
            )
        elif not create_buckets:
            yield _(
                "bucket {bucket} does not exist in {region}: correct the name{suggestion} or the region, or create it "
                "with `{command}`",
                bucket=bucket.name,
                region=bucket.region,
                suggestion=state.suggest_bucket(bucket.name),
                command=target.commands.line("deploy", "--make-buckets"),
            )


def _check_functions(target: DeployTarget, state: CurrentState) -> Iterator[str]:
    for namespace in sorted(state.missing_namespaces):
        yield _(
            "namespace {namespace} does not exist in {region}: create it in the SCF console, or correct `namespace` in "
            "serverless.yml",
            namespace=namespace,
            region=target.manifest.region,
        )
    for key, spec in target.manifest.functions.items():
        if other := state.other_namespaces.get(key):
            yield _(
                "function {function} is in namespace {current}, not {expected}, and cannot be moved: set `namespace: "
                "{current}` in serverless.yml, or delete the function there first",
                function=spec.name,
                current=other,
                expected=spec.namespace,
            )
        function = state.functions.get(key)
        if not function:
            continue
        fixed_fields = ((_("runtime"), function.runtime, spec.runtime), (_("type"), function.type, "Event"))
        for name, current, expected in fixed_fields:
            if current != expected:
                yield _(
                    "function {function} has {field} {current}, not {expected}, which SCF cannot change: run "
                    "`{command}` and deploy again (the address changes, recordings and transcripts stay), or set "
                    "another SCRIBE_STAGE",
                    function=spec.name,
                    field=name,
                    current=current,
                    expected=expected,
                    command=target.commands.line("remove"),
                )


def _check_variables(target: DeployTarget) -> Iterator[str]:
    """The address of the jobs' notifications comes on top of what serverless.yml has, and may not exist yet."""
    if not target.job_callback:
        return
    for key in SUBMITTING_FUNCTIONS:
        spec = target.manifest.functions[key]
        if CALLBACK_URL_NAME not in spec.variables:
            spec = add_callback_url(spec, "-" * MAX_URL_LENGTH)
        if excess := describe_excess(spec.variables):
            yield _(
                "the environment of function {function}, with {variable}, {excess}",
                function=spec.name,
                variable=CALLBACK_URL_NAME,
                excess=excess,
            )


def _check_queues(target: DeployTarget, state: CurrentState) -> Iterator[str]:
    queue_id = target.settings.queue_id
    if queue_id:
        for bucket in state.speech_buckets:
            if bucket not in state.queues:
                yield _(
                    "bucket {bucket} has no speech queue {queue}: correct QUEUE_ID, or leave it empty",
                    bucket=bucket,
                    queue=queue_id,
                )
    if target.job_callback:
        return  # the limit is that of a queue's address
    excess = len(f"{state.callback_url}/{target.settings.callback_tokens[0]}") - MAX_URL_LENGTH
    if excess > 0:
        yield _(
            "the notification address would exceed the {limit} characters that a queue accepts: set a CALLBACK_TOKEN "
            "that is {excess} characters shorter",
            limit=MAX_URL_LENGTH,
            excess=excess,
        )
