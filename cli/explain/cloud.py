"""What the bucket says about a key: metadata, sidecar, receipt. Reads with the functions' own code; writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import NamedTuple

from cli.explain.explain import Upload, add_hot_words, explain_key, has_hot_words, list_outputs, refuse
from cli.explain.models import Explanation, State
from cli.language import _
from shared.errors import NotFound
from shared.logger import Logger
from shared.options.check import describe_source
from shared.options.choose import select_sources
from shared.options.model import OPTIONS, InvalidOption, format_value
from shared.options.rules import Rule
from shared.options.sidecar import sidecar_key
from shared.recordings.changed_options import NO_DIFFERENCE, Difference, compare_options
from shared.recordings.content import head_content
from shared.recordings.context import Context, build_context
from shared.recordings.hot_words import look_up_template
from shared.recordings.keys import ERROR_EXTENSION, transcript_key
from shared.recordings.models import Status
from shared.recordings.options import OptionChoice
from shared.recordings.output_names import find_output_name
from shared.recordings.outputs import has_same_names
from shared.recordings.receipt import FAILED, SUPERSEDED, TRANSCRIBED, Receipt, Recording
from shared.recordings.sidecars import Sidecar, read_sidecar
from shared.settings import Settings
from shared.tencent.auth import Credentials
from shared.tencent.client import TencentClient
from shared.tencent.cos import ObjectMetadata


class BucketReader:
    """Reads what the bucket says about one key: at most six requests."""

    def __init__(self, ctx: Context, rules: Sequence[Rule] = ()) -> None:
        self._ctx, self._rules = ctx, rules

    @classmethod
    def create(
        cls, credentials: Credentials, settings: Settings, rules: Sequence[Rule], deployment: str
    ) -> BucketReader:
        """Create a reader with this key. `deployment` as in a receipt. The functions' log lines are dropped."""
        client = TencentClient(credentials, settings.cloud_endpoint.rstrip("/"))
        log = Logger(write=lambda _line: None)
        return cls(build_context(client, settings, log, deployment=deployment), rules)

    def explain(
        self,
        bucket: str,
        key: str,
        metadata: Mapping[str, str] | None,
        sidecar: bytes | None,
        size: int | None,
    ) -> Explanation:
        """Explain a key with what is in the bucket, where the arguments do not replace it. Raises CloudError."""
        settings, rules = self._ctx.settings, self._rules
        upload = Upload(metadata or {}, sidecar, size)
        explanation = explain_key(settings, rules, bucket, key, upload)
        if explanation.is_recording is False:
            return explanation  # by its key alone
        head = self._find_head(bucket, key)
        if head:
            upload = Upload(
                head.metadata if metadata is None else metadata,
                sidecar,
                head.size if size is None else size,
                head.content_type,
            )
            explanation = explain_key(settings, rules, bucket, key, upload)
            if not explanation.is_recording:
                return explanation
        found, error = self._read_sidecar(bucket, key) if sidecar is None else (Sidecar(sidecar), None)
        explanation = explain_key(settings, rules, bucket, key, upload._replace(sidecar=found.body))
        if error:
            explanation = refuse(explanation, error)
        if found.is_denied:
            warning = _(
                "{sidecar}: the key of the account may not read it, so it is left out here",
                sidecar=sidecar_key(key),
            )
            explanation = explanation._replace(warnings=(*explanation.warnings, warning))
        if has_hot_words(explanation) and explanation.chosen:
            template_id, problem = look_up_template(self._ctx, bucket, explanation.chosen.options)
            explanation = add_hot_words(explanation, template_id, problem)
        done, in_flight = self._read_receipts(bucket, key, head) if head else (None, None)
        name_now = ""
        if explanation.outputs:
            name_now = find_output_name(self._ctx.output_cos, settings, bucket, key)
            explanation = self._name_outputs(explanation, in_flight or done, name_now)
        if head is None:
            return explanation._replace(state=_describe_missing(explanation))
        situation = _Situation(head, done, in_flight, NO_DIFFERENCE, explanation, name_now)
        return explanation._replace(state=self._read_state(situation, found))

    def _read_receipts(
        self, bucket: str, key: str, head: ObjectMetadata
    ) -> tuple[Receipt | None, Receipt | None]:
        store = self._ctx.receipts(bucket)
        receipt_id = Recording(bucket, key, head.etag, head.size).id
        return store.get_done(receipt_id), store.get_open(receipt_id)

    def _name_outputs(self, explanation: Explanation, receipt: Receipt | None, name_now: str) -> Explanation:
        """Return the explanation with the names of this content's receipt, or those that an upload would have now."""
        bucket, key = explanation.bucket, explanation.key
        has_outputs = receipt is not None and receipt.state is not SUPERSEDED
        name = receipt.output_name if receipt and has_outputs else name_now
        assert explanation.chosen
        return explanation._replace(
            outputs=list_outputs(self._ctx.settings, bucket, key, explanation.chosen.options, name)
        )

    def _find_head(self, bucket: str, key: str) -> ObjectMetadata | None:
        try:
            return head_content(self._ctx, bucket, key)
        except NotFound:
            return None

    def _read_sidecar(self, bucket: str, key: str) -> tuple[Sidecar, InvalidOption | None]:
        try:
            return read_sidecar(self._ctx, Recording(bucket, key, "", 0)), None
        except InvalidOption as error:
            return Sidecar(), error

    def _read_state(self, situation: _Situation, sidecar: Sidecar) -> State:
        head, done, in_flight, explanation = (
            situation.head,
            situation.done,
            situation.in_flight,
            situation.explanation,
        )
        receipt = in_flight or done
        difference = NO_DIFFERENCE
        if receipt and explanation.chosen:
            chosen = explanation.chosen
            choice = OptionChoice(chosen.options, select_sources(chosen), sidecar=sidecar)
            # What is uploaded while a job is in flight is compared when the job ends, without that event.
            difference = compare_options(receipt, choice, is_upload=receipt is done)
        outcome = self._describe(situation._replace(difference=difference))
        modified = datetime.fromtimestamp(head.modified_s, timezone.utc)
        return State(
            exists=True,
            message=outcome.message,
            on_upload=outcome.status.value,
            size=head.size,
            modified=modified.strftime("%Y-%m-%dT%H:%M:%SZ"),
            has_sidecar=sidecar.body is not None,
            receipt=receipt.state.value if receipt else "",
            job_id=receipt.job_id if receipt else "",
            changed=(*difference.job, *difference.text),
        )

    def _describe(self, situation: _Situation) -> _Outcome:
        """Say in which state the recording is, and what an upload of the same content does, as `ingest` does."""
        if situation.in_flight:
            return _describe_in_flight(situation.in_flight, situation.difference)
        if situation.explanation.refusals:
            return _describe_refused(situation.done)
        if situation.done is None:
            return self._describe_new(situation.head)
        if situation.done.state is TRANSCRIBED:
            named = situation.done._replace(output_name=situation.name_now)
            is_renamed = bool(situation.explanation.outputs) and not has_same_names(
                self._ctx, situation.done, named
            )
            return _describe_transcribed(
                situation.done, situation.difference, situation.explanation, is_renamed=is_renamed
            )
        if situation.done.state is SUPERSEDED:
            return _Outcome(
                Status.SUBMITTED,
                _(
                    "Other content was uploaded under this key in between. This content uploaded again is submitted."
                ),
            )
        assert situation.done.state is FAILED
        bucket, key = situation.explanation.bucket, situation.explanation.key
        error_key = transcript_key(
            self._ctx.settings, bucket, key, ERROR_EXTENSION, situation.done.output_name
        )
        return _Outcome(
            Status.SUBMITTED,
            _(
                "It failed; {error_key} says why. The same content uploaded again is submitted.",
                error_key=error_key,
            ),
        )

    def _describe_new(self, head: ObjectMetadata) -> _Outcome:
        if head.is_archived:
            return _Outcome(
                Status.SUBMITTED,
                _("In an archive storage class. It is submitted when it is restored, or uploaded again."),
            )
        if head.modified_s < self._ctx.settings.since_s:
            return _Outcome(
                Status.SUBMITTED,
                _(
                    "Not submitted. It was uploaded before SINCE, so the audit leaves it alone; uploaded again, it is "
                    "submitted."
                ),
            )
        return _Outcome(
            Status.SUBMITTED, _("Not submitted yet. The event of its upload, or the audit, submits it.")
        )


class _Outcome(NamedTuple):
    status: Status
    message: str


class _Situation(NamedTuple):
    head: ObjectMetadata
    done: Receipt | None
    in_flight: Receipt | None
    difference: Difference
    explanation: Explanation
    name_now: str


def _describe_missing(explanation: Explanation) -> State:
    if explanation.refusals:
        outcome = _describe_refused(None)
        message = _("Not in the bucket. {outcome}", outcome=outcome.message)
        return State(False, message, outcome.status.value)
    return State(False, _("Not in the bucket. An upload is submitted."), Status.SUBMITTED.value)


def _describe_in_flight(in_flight: Receipt, difference: Difference) -> _Outcome:
    changed = _(", ").join((*difference.job, *difference.text))
    message = _("In progress. The same content uploaded now changes nothing.")
    if changed and not in_flight.job_id:
        message = _(
            "In progress, without a job yet. Uploaded now, it is submitted with the other options: {options}.",
            options=changed,
        )
    elif difference.job:
        message = _(
            "In progress. The same content uploaded now is a new job, which is billed, when this one has ended, "
            "because of: {options}.",
            options=changed,
        )
    elif changed:
        message = _(
            "In progress. Uploaded now, its transcripts have the other options: {options}.", options=changed
        )
    return _Outcome(Status.IN_PROGRESS, message)


def _describe_refused(done: Receipt | None) -> _Outcome:
    message = _("Its options are refused: an upload gets an error object, and costs nothing.")
    if done and done.state is TRANSCRIBED:
        message = _("{message} The transcripts that are there stay.", message=message)
    return _Outcome(Status.FAILED, message)


def _describe_transcribed(
    done: Receipt, difference: Difference, explanation: Explanation, *, is_renamed: bool
) -> _Outcome:
    if difference.job:
        changes = _list_changes(done, difference.job, explanation)
        return _Outcome(
            Status.SUBMITTED,
            _(
                "Transcribed with other options. The same content uploaded now is a new job, which is billed, because "
                "of: {changes}.",
                changes=changes,
            ),
        )
    if difference.text or is_renamed:
        causes = (*difference.text, *(("OUTPUT_NAMES",) if is_renamed else ()))
        return _Outcome(
            Status.REOPENED,
            _(
                "Transcribed. The same content uploaded now is no new job; its transcripts are written again, because "
                "of: {options}.",
                options=_(", ").join(causes),
            ),
        )
    return _Outcome(
        Status.ALREADY_DONE,
        _("Transcribed with these options. The same content uploaded again is no new job."),
    )


def _list_changes(done: Receipt, names: Sequence[str], explanation: Explanation) -> str:
    """List options with their values now, where these come from, and the values of the receipt."""
    if explanation.chosen is None:
        return _(", ").join(names)
    options, sources = explanation.chosen
    texts = []
    for name in names:
        field = OPTIONS[name].field
        now, before = (format_value(name, getattr(each, field)) for each in (options, done.recording_options))
        texts.append(
            _(
                "{option} {value} ({source}), before {before}",
                option=name,
                value=now,
                source=describe_source(sources[name]),
                before=before,
            )
        )
    return _("; ").join(texts)
