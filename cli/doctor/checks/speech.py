"""Checks of Cloud Infinite: speech recognition, the queues, and their notifications."""

from __future__ import annotations

from collections.abc import Iterator

from cli.cloud.ci_bucket import BOUND
from cli.config import CALLBACK_URL_NAME
from cli.deploy.hot_word_steps import WITHOUT, describe_refusal, plan_hot_words
from cli.deploy.notifications import is_paused, notification_problem, parse_token, redact_url
from cli.deploy.planner import describe_paused_queue
from cli.deploy.state import DENIED
from cli.deploy.steps import SUBMITTING_FUNCTIONS, Action
from cli.doctor.models import CheckContext, Finding, advise_permissions, fail, ok, skip, warn
from cli.language import N_, _, ngettext, translate

_DIFFERENCES = {
    Action.CREATE: N_("it is missing; the service may have refused it"),
    Action.CHANGE: N_("it differs from rules.yml and its files of hot words"),
    Action.DELETE: N_("rules.yml does not need it any more"),
}


def check_binding(context: CheckContext) -> Iterator[Finding]:
    """Check that each bucket is bound to Cloud Infinite (CIStatus, GET / on its CI host)."""
    state = context.state
    for bucket in state.input_buckets:
        if bucket not in state.existing_buckets:
            continue
        if bucket.name not in state.ci_statuses:
            yield skip(
                _("this key has no permission to read whether it is bound to Cloud Infinite"),
                fix=advise_permissions(context.commands),
                subject=bucket.name,
            )
        elif state.ci_statuses[bucket.name] == BOUND:
            yield ok(_("it is bound to Cloud Infinite"), subject=bucket.name)
        else:
            status = state.ci_statuses[bucket.name] or _("not known")
            yield fail(
                _(
                    "it is not bound to Cloud Infinite (CIStatus is {status}): jobs are refused",
                    status=status,
                ),
                fix=context.commands.deploy,
                subject=bucket.name,
            )


def check_service(context: CheckContext) -> Iterator[Finding]:
    """Check that speech recognition is on (GET /asrbucket)."""
    state = context.state
    for bucket in state.input_buckets:
        if bucket not in state.existing_buckets:
            continue
        if bucket.name in state.speech_buckets:
            yield ok(_("speech recognition is on"), subject=bucket.name)
        else:
            yield fail(_("speech recognition is off"), fix=context.commands.deploy, subject=bucket.name)


def check_content_recognition(context: CheckContext) -> Iterator[Finding]:
    """Report the AI content recognition (GET /ai_bucket), which Scribe does not need; on and off are both fine."""
    names = context.state.settings.input_buckets
    regions = (context.state.manifest.region,)
    page = context.clients.speech.list_ai_buckets(regions=regions, names=names)
    enabled = {bucket.bucket for bucket in page.buckets}
    for name in names:
        message = (
            _("AI content recognition is on; Scribe does not need it")
            if name in enabled
            else _("AI content recognition is off; Scribe does not need it")
        )
        yield ok(message, subject=name)


def check_queues(context: CheckContext) -> Iterator[Finding]:
    """Check that there is a queue, the one of QUEUE_ID, and that it is active (GET /asrqueue)."""
    queue_id, deploy = context.state.settings.queue_id, context.commands.deploy
    for bucket in context.state.speech_buckets:
        queue = context.state.queues.get(bucket)
        if queue is None and queue_id:
            message = _("it has no queue {queue_id}, which QUEUE_ID names", queue_id=queue_id)
            fix = _("leave QUEUE_ID empty, then run `{deploy}`", deploy=deploy)
            yield fail(message, fix=fix, subject=bucket)
        elif queue is None:
            yield fail(_("it has no speech queue"), fix=deploy, subject=bucket)
        elif is_paused(queue):
            yield fail(
                _(
                    "{problem}. An operator paused it, so a deployment leaves it paused",
                    problem=describe_paused_queue(queue),
                ),
                fix=context.commands.resume_queue,
                subject=bucket,
            )
        else:
            yield ok(_("queue {queue_id} is active", queue_id=queue.queue_id), subject=bucket)


def check_notifications(context: CheckContext) -> Iterator[Finding]:
    """Check that each queue notifies the callback function, at its current address and with a token that it accepts.

    The same for each job instead, if the jobs carry the address.
    """
    if context.state.job_callback:
        yield from _check_job_notifications(context)
        return
    state, deploy = context.state, context.commands.deploy
    tokens = state.settings.callback_tokens
    for bucket, queue in state.queues.items():
        config = queue.notification
        problem = notification_problem(config, state.callback_url, tokens)
        if problem:
            yield fail(_describe_missing_notification(problem), fix=deploy, subject=bucket)
        elif parse_token(config) != tokens[0]:
            message = _("the queue still uses a later token of CALLBACK_TOKEN, not the first")
            yield warn(message, fix=deploy, subject=bucket)
        else:
            yield ok(_("the queue notifies {url}", url=redact_url(config.url)), subject=bucket)


def _describe_missing_notification(problem: str) -> str:
    return _("{problem}; transcripts wait for the sweep", problem=problem)


def _check_job_notifications(context: CheckContext) -> Iterator[Finding]:
    """Compare CALLBACK_URL of the functions that submit jobs with the address of the callback function."""
    state, deploy = context.state, context.commands.deploy
    tokens = state.settings.callback_tokens
    for key in SUBMITTING_FUNCTIONS:
        function = state.get_usable_function(key)
        if not function:
            continue
        address, _slash, token = function.variables.get(CALLBACK_URL_NAME, "").rpartition("/")
        if not address:
            problem = _(
                "the jobs of {function} notify no one: {variable} is not set",
                function=key,
                variable=CALLBACK_URL_NAME,
            )
        elif address != state.callback_url:
            own = redact_url(f"{state.callback_url}/.") if state.callback_url else _("which has none")
            problem = _(
                "the jobs of {function} notify {url}, not the callback function at {expected}",
                function=key,
                url=redact_url(address),
                expected=own,
            )
        elif token not in tokens:
            problem = _(
                "the token at the end of {variable} of {function} is not in CALLBACK_TOKEN",
                variable=CALLBACK_URL_NAME,
                function=key,
            )
        elif token != tokens[0]:
            message = _(
                "the jobs of {function} still use a later token of CALLBACK_TOKEN, not the first",
                function=key,
            )
            yield warn(message, fix=deploy, subject=key)
            continue
        else:
            yield ok(_("each job notifies {url}", url=redact_url(address + "/.")), subject=key)
            continue
        yield fail(_describe_missing_notification(problem), fix=deploy, subject=key)


def check_hot_words(context: CheckContext) -> Iterator[Finding]:
    """Compare the tables and templates of hot words with rules.yml and its files, as `scribe deploy` does."""
    state, deploy = context.state, context.commands.deploy
    target = state.hot_words_target
    if target is None:
        yield skip(
            _("rules.yml or a file of hot words has a mistake"),
            fix=_("run `{deploy}`: it names the mistake", deploy=deploy),
        )
        return
    for bucket, error in state.hot_words.refusals.items():
        fix = advise_permissions(context.commands) if error.status in DENIED else ""
        yield warn(_add_consequence(describe_refusal(error)), fix=fix, subject=bucket)
    steps = plan_hot_words(target, state.hot_words, state.hot_words_places)
    for step in (*steps.before, *steps.after):
        difference = _(_DIFFERENCES[step.action])
        if step.action is Action.CREATE:
            difference = _add_consequence(difference)
        yield warn(
            _("{object}: {difference}", object=step.description, difference=difference),
            fix=deploy,
        )
    for warning in target.warnings:
        yield warn(translate(warning))
    if not target.templates and not steps.after:
        yield ok(_("no rule has hot words"))
    elif not (state.hot_words.refusals or steps.before or steps.after):
        number = sum(map(len, target.templates.values()))
        yield ok(
            ngettext(
                "{count} templates have the words of the files",
                "{count} templates have the words of the files",
                number,
                count=number,
            )
        )


def _add_consequence(problem: str) -> str:
    return _("{problem}. {consequence}", problem=problem, consequence=translate(WITHOUT))
