"""Permissions: what each function does and why (the table), what the deploying key needs, and on which resources.

Names of actions: COS documents 436/30580 and, for HEAD, 436/65661 (cos:HeadObject); CI document 1045/49896. Results are
fetched from the speech service itself; only the sweep may read the raw text that it writes below `raw/`, for a
recording that is uploaded again after the service has forgotten its job.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from cli.language import N_
from cli.manifest.models import FunctionSpec, Manifest
from cli.policy.diff import Permission
from cli.redaction import is_target_variable
from shared.options.hot_words import HOT_WORDS_FOLDER, find_templates_bucket
from shared.options.sidecar import SIDECAR_SUFFIX
from shared.recordings.index import INDEX_FOLDER
from shared.settings import NOTICES_PREFIX, Settings, load_settings

CI_ROLE = "CI_QCSRole"
MAX_NAMED_BUCKETS = 5  # the sidecars, notices and indexes of more buckets share one resource
LOCK_FOLDER = "deploy-lock/"  # below STATE_PREFIX


@dataclass(frozen=True, slots=True)
class ResourceScope:
    """The region, the account and the parts of its buckets that a deployment uses.

    `uin` is the account's own id (the owner's, not that of a user). `output_bucket` is "" if the transcripts of each
    recording go to its own bucket. Prefixes as in the settings.
    """

    region: str
    uin: str
    input_buckets: tuple[str, ...]
    input_prefix: str
    output_bucket: str
    output_region: str
    output_prefix: str
    state_prefix: str
    jobs_path: str = "asr_jobs"
    has_notices: bool = False

    @property
    def output_buckets(self) -> tuple[str, ...]:
        """Every bucket that transcripts and receipts are written to."""
        return (self.output_bucket,) if self.output_bucket else self.input_buckets

    def recording_resources(self) -> tuple[str, ...]:
        """The objects that may be recordings."""
        return tuple(_cos_resource(self.region, bucket, self.input_prefix) for bucket in self.input_buckets)

    def sidecar_resources(self) -> tuple[str, ...]:
        """The sidecars of recordings. Those of many buckets, named one by one, would not fit into a policy."""
        if len(self.input_buckets) > MAX_NAMED_BUCKETS:
            appids = dict.fromkeys(map(_parse_appid, self.input_buckets))
            return tuple(f"qcs::cos:{self.region}:uid/{appid}:*{SIDECAR_SUFFIX}" for appid in appids)
        return tuple(
            _cos_resource(self.region, bucket, self.input_prefix) + SIDECAR_SUFFIX
            for bucket in self.input_buckets
        )

    def input_bucket_resources(self) -> tuple[str, ...]:
        """The input buckets as a whole; COS documents show listing granted only on those (436/8276)."""
        return tuple(_cos_resource(self.region, bucket, "") for bucket in self.input_buckets)

    def transcript_resources(self) -> tuple[str, ...]:
        """Transcripts and error objects."""
        return self._output_resources(self.output_prefix)

    def receipt_resources(self, name: str) -> tuple[str, ...]:
        """What is below this name in the state prefix: `open/`, `done/`, `claim/`, or "" for everything."""
        return self._output_resources(self.state_prefix + name)

    def shared_receipt_resources(self, name: str) -> tuple[str, ...]:
        """The same. Those of many buckets share one resource, as sidecars: ten must fit into a policy."""
        if len(self.output_buckets) > MAX_NAMED_BUCKETS:
            appids = dict.fromkeys(map(_parse_appid, self.output_buckets))
            path = f"*/{self.state_prefix}{name}*"
            return tuple(f"qcs::cos:{self.output_region}:uid/{appid}:{path}" for appid in appids)
        return self.receipt_resources(name)

    def hot_words_resources(self) -> tuple[str, ...]:
        """The lists of templates with hot words, of every deployment with these buckets."""
        bucket = find_templates_bucket(self.output_bucket, self.input_buckets)
        return (_cos_resource(self.output_region, bucket, self.state_prefix + HOT_WORDS_FOLDER),)

    def output_bucket_resources(self) -> tuple[str, ...]:
        """The buckets with the receipts as a whole."""
        return self._output_resources("")

    def speech_resources(self) -> tuple[str, ...]:
        """The speech service of the input buckets (CI document 1045/49896)."""
        return tuple(
            f"qcs::ci:{self.region}:uid/{_parse_appid(bucket)}:bucket/{bucket}/*"
            for bucket in self.input_buckets
        )

    def bucket_resources(self) -> tuple[str, ...]:
        """Every bucket as a whole."""
        return tuple(dict.fromkeys((*self.input_bucket_resources(), *self.output_bucket_resources())))

    def role_resource(self, name: str) -> str:
        """A role of the account (`roleName/`, as in the pages on cam:PassRole, e.g. CKafka 597)."""
        return f"qcs::cam::uin/{self.uin}:roleName/{name}"

    def _output_resources(self, prefix: str) -> tuple[str, ...]:
        return tuple(_cos_resource(self.output_region, bucket, prefix) for bucket in self.output_buckets)


def scope_from_settings(settings: Settings, uin: str) -> ResourceScope:
    """The scope of a function with these settings; `uin` is the account's own id."""
    return ResourceScope(
        region=settings.region,
        uin=uin,
        input_buckets=settings.input_buckets,
        input_prefix=settings.input_prefix,
        output_bucket=settings.output_bucket,
        output_region=settings.output_region or settings.region,
        output_prefix=settings.output_prefix,
        state_prefix=settings.state_prefix,
        jobs_path=settings.jobs_path,
        has_notices=bool(settings.targets),
    )


def scope_for_function(manifest: Manifest, key: str, uin: str) -> ResourceScope:
    """The scope of a function of the manifest. Raises SettingsError."""
    variables = manifest.functions[key].variables
    scope = scope_from_settings(load_settings_without_notices(manifest.region, variables), uin)
    return replace(scope, has_notices=any(map(is_target_variable, variables)))


def load_settings_without_notices(region: str, variables: Mapping[str, str]) -> Settings:
    """Settings as a function with these variables reads them, but without targets. Raises SettingsError.

    For what needs no targets: a mistake in theirs must not hide the rest, nor an address of this machine.
    """
    others = {name: value for name, value in variables.items() if not name.startswith(NOTICES_PREFIX)}
    return load_function_settings(region, others)


def load_function_settings(region: str, variables: Mapping[str, str], endpoint: str = "") -> Settings:
    """Settings as a function with these variables reads them.

    `endpoint` is the operator's CLOUD_ENDPOINT, which is never deployed. Raises SettingsError.
    """
    local = {"CLOUD_ENDPOINT": endpoint} if endpoint else {}
    return load_settings({"REGION": region, **variables, **local})


def _cos_resource(region: str, bucket: str, prefix: str) -> str:
    """COS document 436/30580: the path after the bucket is the key as it is, not encoded."""
    return f"qcs::cos:{region}:uid/{_parse_appid(bucket)}:{bucket}/{prefix}*"


def _parse_appid(bucket: str) -> str:
    return bucket.rpartition("-")[2]


class ResourceKind(Enum):
    """What an action is done to. The values are for people."""

    RECORDING = N_("recordings")
    SIDECAR = N_("sidecars")
    INPUT_LISTING = N_("the list of an input bucket")
    OPEN = N_("open receipts")
    DONE = N_("done receipts")
    CLAIM = N_("claims")
    WAITING = N_("receipts of archived recordings")
    STATE = N_("everything below the state prefix")
    STATE_BUCKET = N_("the output bucket")
    OUTPUT_LISTING = N_("the list of the output bucket")
    TRANSCRIPT = N_("transcripts and error objects")
    SPEECH = N_("the speech service of the input bucket")
    NOTICES = N_("notices")
    INDEX = N_("the index of recordings")
    HOT_WORDS = N_("lists of templates with hot words")
    CI_ROLE = N_("the role of the speech service")


_RESOURCES: dict[ResourceKind, Callable[[ResourceScope], tuple[str, ...]]] = {
    ResourceKind.RECORDING: ResourceScope.recording_resources,
    ResourceKind.SIDECAR: ResourceScope.sidecar_resources,
    ResourceKind.INPUT_LISTING: ResourceScope.input_bucket_resources,
    ResourceKind.OPEN: lambda scope: scope.receipt_resources("open/"),
    ResourceKind.DONE: lambda scope: scope.receipt_resources("done/"),
    ResourceKind.CLAIM: lambda scope: scope.receipt_resources("claim/"),
    ResourceKind.WAITING: lambda scope: scope.shared_receipt_resources("waiting/"),
    ResourceKind.NOTICES: lambda scope: scope.shared_receipt_resources("notices/"),
    ResourceKind.INDEX: lambda scope: scope.shared_receipt_resources(INDEX_FOLDER),
    ResourceKind.HOT_WORDS: ResourceScope.hot_words_resources,
    ResourceKind.STATE: lambda scope: scope.receipt_resources(""),
    ResourceKind.STATE_BUCKET: ResourceScope.output_bucket_resources,
    ResourceKind.OUTPUT_LISTING: ResourceScope.output_bucket_resources,
    ResourceKind.TRANSCRIPT: ResourceScope.transcript_resources,
    ResourceKind.SPEECH: ResourceScope.speech_resources,
    ResourceKind.CI_ROLE: lambda scope: (scope.role_resource(CI_ROLE),),
}


@dataclass(frozen=True, slots=True)
class Grant:
    """A function may call this action on this kind of resource.

    `reason` is an English text, which is translated where it is printed. `jobs_path` is set if only that form of the
    speech API needs it; `notices` if only a deployment with targets does.
    """

    function: str
    action: str
    on: ResourceKind
    reason: str
    jobs_path: str = ""
    notices: bool = False

    def resources(self, scope: ResourceScope) -> tuple[str, ...]:
        """The resources in CAM's six parts."""
        return _RESOURCES[self.on](scope)


_ON = ResourceKind
TABLE = (
    Grant("upload", "cos:HeadObject", _ON.RECORDING, N_("size, ETag and options of the recording")),
    Grant("upload", "cos:GetObject", _ON.SIDECAR, N_("options of the recording")),
    Grant("upload", "cos:GetObject", _ON.DONE, N_("whether this content was transcribed before")),
    Grant(
        "upload", "cos:PutObject", _ON.OPEN, N_("the receipt, before a job costs anything; then the job's id")
    ),
    Grant("upload", "cos:GetObject", _ON.OPEN, N_("whether the receipt belongs to this attempt")),
    Grant(
        "upload",
        "cos:DeleteObject",
        _ON.OPEN,
        N_("closes the receipt of a recording that cannot be submitted"),
    ),
    Grant(
        "upload", "cos:PutObject", _ON.DONE, N_("closes the receipt of a recording that cannot be submitted")
    ),
    Grant(
        "upload",
        "cos:PutObject",
        _ON.TRANSCRIPT,
        N_("the error object of a recording that cannot be submitted"),
    ),
    Grant(
        "upload",
        "cos:HeadObject",
        _ON.TRANSCRIPT,
        N_("whether a recording uploaded again has its transcripts"),
    ),
    Grant(
        "upload", "cos:DeleteObject", _ON.TRANSCRIPT, N_("transcripts of earlier content under the same key")
    ),
    Grant(
        "upload", "cos:GetBucketVersioning", _ON.STATE_BUCKET, N_("how to claim a recording in that bucket")
    ),
    Grant(
        "upload", "cos:PutObject", _ON.CLAIM, N_("only one of several events submits, in a versioned bucket")
    ),
    Grant("upload", "cos:DeleteObject", _ON.CLAIM, N_("the claim of an event that gives up")),
    Grant("upload", "cos:GetObject", _ON.WAITING, N_("whether an archived recording was reported already")),
    Grant("upload", "cos:PutObject", _ON.WAITING, N_("the receipt of an archived recording")),
    Grant("upload", "cos:DeleteObject", _ON.WAITING, N_("the archived recording was restored")),
    Grant(
        "upload",
        "cos:PutObject",
        _ON.INDEX,
        N_("the entry of a failed recording; what a job may use of the budget"),
    ),
    Grant(
        "upload",
        "cos:DeleteObject",
        _ON.INDEX,
        N_("the recording is submitted once more, or the budget has no room"),
    ),
    Grant(
        "upload",
        "cos:GetObject",
        _ON.INDEX,
        N_("whether the recording was forgotten, or the budget's warning given"),
    ),
    Grant("upload", "cos:GetObject", _ON.HOT_WORDS, N_("which template has the hot words of the recording")),
    Grant("upload", "ci:CreateAsrJobs", _ON.SPEECH, N_("submits the job")),
    Grant("upload", "cam:PassRole", _ON.CI_ROLE, N_("the job runs with that role (CI document 1045/73385)")),
    Grant("callback", "ci:DescribeAsrJob", _ON.SPEECH, N_("the state and result of the notified job")),
    Grant("callback", "cos:GetObject", _ON.OPEN, N_("the receipt of the job")),
    Grant("callback", "cos:GetObject", _ON.DONE, N_("whether the job is finished already")),
    Grant(
        "callback", "cos:HeadObject", _ON.RECORDING, N_("whether the recording still has the same content")
    ),
    Grant(
        "callback",
        "cos:GetObject",
        _ON.SIDECAR,
        N_("options of a recording uploaded again while its job was running"),
    ),
    Grant(
        "callback",
        "cos:GetBucket",
        _ON.OUTPUT_LISTING,
        N_("whether the recording had other content in between"),
    ),
    Grant("callback", "cos:PutObject", _ON.TRANSCRIPT, N_("the transcripts, or the error object")),
    Grant(
        "callback",
        "cos:DeleteObject",
        _ON.TRANSCRIPT,
        N_("an error object, or words, that are no longer true"),
    ),
    Grant(
        "callback", "cos:HeadObject", _ON.TRANSCRIPT, N_("whether Scribe wrote the transcript beside its own")
    ),
    Grant("callback", "cos:PutObject", _ON.DONE, N_("closes the receipt")),
    Grant("callback", "cos:DeleteObject", _ON.OPEN, N_("closes the receipt")),
    Grant(
        "callback", "cos:PutObject", _ON.INDEX, N_("the entry of a finished job, or of a failed recording")
    ),
    Grant(
        "callback",
        "cos:DeleteObject",
        _ON.INDEX,
        N_("a late result of a failed recording; what the job was to use of the budget"),
    ),
    Grant("callback", "cos:DeleteObject", _ON.CLAIM, N_("the claims on the closed receipt")),
    # A recording that was replaced can come back while its receipt is being closed: then it gets a new one.
    Grant("callback", "cos:GetBucketVersioning", _ON.STATE_BUCKET, N_("same as upload")),
    Grant("callback", "cos:PutObject", _ON.CLAIM, N_("same as upload")),
    Grant("callback", "cos:PutObject", _ON.OPEN, N_("leaves a retry to the sweep")),
    Grant("sweep", "cos:GetBucket", _ON.OUTPUT_LISTING, N_("lists the open receipts")),
    Grant("sweep", "cos:GetBucket", _ON.INPUT_LISTING, N_("finds recordings whose event was lost")),
    # All parts of the state folder in one resource: named one by one, those of ten buckets would not fit into a policy.
    Grant(
        "sweep",
        "cos:GetObject",
        _ON.STATE,
        N_("receipts, claims, cursors, and the raw text of a forgotten job"),
    ),
    Grant("sweep", "cos:PutObject", _ON.STATE, N_("receipts, claims of dead attempts, cursors")),
    Grant(
        "sweep",
        "cos:DeleteObject",
        _ON.STATE,
        N_("closed receipts, their claims, cursors of a complete round"),
    ),
    Grant("sweep", "cos:HeadObject", _ON.RECORDING, N_("same as callback")),
    Grant("sweep", "cos:GetObject", _ON.SIDECAR, N_("same as upload")),
    Grant("sweep", "cos:PutObject", _ON.TRANSCRIPT, N_("same as callback")),
    Grant("sweep", "cos:DeleteObject", _ON.TRANSCRIPT, N_("same as callback")),
    Grant("sweep", "cos:HeadObject", _ON.TRANSCRIPT, N_("same as upload")),
    Grant(
        "sweep",
        "cos:GetObject",
        _ON.TRANSCRIPT,
        N_("the words of a forgotten job, to write them with another title or in another format"),
    ),
    Grant("sweep", "cos:GetBucketVersioning", _ON.STATE_BUCKET, N_("same as upload")),
    Grant("sweep", "ci:DescribeAsrJob", _ON.SPEECH, N_("same as callback")),
    Grant(
        "sweep",
        "ci:DescribeAsrJobs",
        _ON.SPEECH,
        N_("whether a dead attempt submitted a job; length of the queue"),
    ),
    Grant("sweep", "ci:DescribeAsrQueues", _ON.SPEECH, N_("capacity of the queue")),
    Grant("sweep", "ci:CreateAsrJobs", _ON.SPEECH, N_("submits deferred recordings")),
    Grant("sweep", "cam:PassRole", _ON.CI_ROLE, N_("same as upload")),
    # Whether COS answers "not found" to a key that may not list the bucket is not documented; S3, which it resembles,
    # answers "denied" then, and a receipt that does not exist yet would stop every upload.
    Grant(
        "upload", "cos:GetBucket", _ON.OUTPUT_LISTING, N_("a missing receipt is answered with 404, not 403")
    ),
    Grant(
        "upload", "cos:GetBucket", _ON.INPUT_LISTING, N_("a deleted recording is answered with 404, not 403")
    ),
    Grant(
        "callback",
        "cos:GetBucket",
        _ON.INPUT_LISTING,
        N_("a deleted recording is answered with 404, not 403"),
    ),
    # Tencent's pages disagree on the action of reading a job: the Chinese page swaps the descriptions of DescribeAsrJob
    # and DescribeAsrJobs (1045/49896), and the newest page of one job names DescribeMediaJob (436/120621, 2025-12). All
    # of them only read, on the same resource, so all are granted.
    Grant(
        "callback", "ci:DescribeAsrJobs", _ON.SPEECH, N_("the same under the other reading of the documents")
    ),
    Grant("callback", "ci:DescribeMediaJob", _ON.SPEECH, N_("the same on the newest page")),
    Grant("sweep", "ci:DescribeMediaJob", _ON.SPEECH, N_("same as callback")),
    Grant("sweep", "ci:DescribeMediaJobs", _ON.SPEECH, N_("the list, on the newest page")),
    # JOBS_PATH=jobs uses the paths of media jobs. The pages name both families of actions for those, so both are
    # granted.
    Grant("upload", "ci:CreateMediaJobs", _ON.SPEECH, N_("submits the job"), "jobs"),
    Grant("sweep", "ci:CreateMediaJobs", _ON.SPEECH, N_("submits deferred recordings"), "jobs"),
    # Below STATE_PREFIX, where the sweep may do all of it.
    Grant(
        "upload", "cos:PutObject", _ON.NOTICES, N_("the notice of a recording that has failed"), notices=True
    ),
    Grant("upload", "cos:GetObject", _ON.NOTICES, N_("whether the target takes notices now"), notices=True),
    Grant("upload", "cos:DeleteObject", _ON.NOTICES, N_("the notice is delivered"), notices=True),
    Grant(
        "callback", "cos:PutObject", _ON.NOTICES, N_("the notice of a transcript or a failure"), notices=True
    ),
    Grant("callback", "cos:GetObject", _ON.NOTICES, N_("whether the target takes notices now"), notices=True),
    Grant("callback", "cos:DeleteObject", _ON.NOTICES, N_("the notice is delivered"), notices=True),
)

FUNCTIONS = tuple(dict.fromkeys(grant.function for grant in TABLE))


def grants_for(function: str, scope: ResourceScope) -> tuple[Grant, ...]:
    """What one function may do in this scope."""
    return tuple(
        grant
        for grant in TABLE
        if grant.function == function
        and grant.jobs_path in {"", scope.jobs_path}
        and (scope.has_notices or not grant.notices)
    )


# What `scribe deploy`, `doctor` and `remove` need, as narrow as each API lets it be granted. CAM rejects an action that
# is granted by operation only as soon as the policy names a resource (598/70005): where the published level is that,
# or where pages disagree, the resource is `*`.
#
# SCF documents 583/38177 and 583/18014 say that some of these are granted for one function; but the resource in SCF's
# rejections is `namespace/<name>` without a function, its region in short (sh), or `function/*` (1040/39383).
# CAM document 598/70005: CreateTrigger by operation. sts and cam: 598/57054, all by operation. ci: 1045/49896. Only the
# list of the whole account's buckets has their regions (cos:GetService, 436/30580).
_GLOBAL_ACTIONS = (
    "scf:CreateFunction",
    "scf:DeleteFunction",
    "scf:GetFunction",
    "scf:UpdateFunctionCode",
    "scf:UpdateFunctionConfiguration",
    "scf:ListFunctions",
    "scf:ListNamespaces",
    "scf:ListTriggers",
    "scf:CreateTrigger",
    "scf:UpdateTrigger",
    "scf:UpdateTriggerStatus",
    "scf:DeleteTrigger",
    "scf:GetFunctionEventInvokeConfig",
    "scf:UpdateFunctionEventInvokeConfig",
    "sts:GetCallerIdentity",
    "cam:GetUserAppId",
    "cam:GetRole",
    "cam:ListAttachedRolePolicies",
    "cam:GetPolicy",
    "ci:DescribeAsrBuckets",
    "ci:DescribeAiProcessBucket",
    "cos:GetService",
)
# No document says which permissions of the tag service CreateFunction with tags needs; the preset policy
# QcloudSCFFullAccess grants all of them (583/31444). These create a tag and attach it: none reads or removes tags.
_TAG_ACTIONS = ("tag:CreateTag", "tag:AddResourceTag", "tag:AttachResourcesTag")
# The first two bind a bucket to Cloud Infinite (Tencent's skill for COS agents lists both, tried on a live bucket).
_SPEECH_ACTIONS = (
    "ci:DescribeCIBuckets",
    "ci:CreateCIBucket",
    "ci:CreateAsrBucket",
    "ci:DescribeAsrQueues",
    "ci:UpdateAsrQueue",
)
# Templates and hot words. Pages of the documents name the first four (1045/73387, 1045/73388), and none those of
# hot-word tables: these are the names of the calls in cos-go-sdk-v5, as those of the other calls are.
_HOT_WORDS_ACTIONS = (
    "ci:CreateMediaTemplate",
    "ci:UpdateMediaTemplate",
    "ci:DeleteMediaTemplate",
    "ci:DescribeMediaTemplates",
    "ci:CreateAsrVocabularyTable",
    "ci:UpdateAsrVocabularyTable",
    "ci:DeleteAsrVocabularyTable",
    "ci:DescribeAsrVocabularyTable",
    "ci:DescribeAsrVocabularyTables",
)
# For --copy-receipts, for the lock of a deployment, and for the list of templates with hot words.
_RECEIPT_ACTIONS = ("cos:GetObject", "cos:HeadObject", "cos:PutObject")
_DELETION_ACTIONS = ("cos:DeleteObject",)
# For `scribe explain`: the metadata of a recording, not its content; and its sidecar.
_RECORDING_ACTIONS, _SIDECAR_ACTIONS = ("cos:HeadObject",), ("cos:GetObject",)
# COS document 436/30580. PutBucket is for --make-buckets, GetBucket for doctor's count of recordings without a receipt.
_BUCKET_ACTIONS = ("cos:HeadBucket", "cos:GetBucketVersioning", "cos:PutBucket", "cos:GetBucket")
_ROLE_ACTIONS = (
    "cam:CreateRole",
    "cam:DeleteRole",
    "cam:UpdateAssumeRolePolicy",
    "cam:ListPolicies",
    "cam:CreatePolicy",
    "cam:UpdatePolicy",
    "cam:DeletePolicy",
    "cam:AttachRolePolicy",
    "cam:DetachRolePolicy",
    "cam:GetRole",
    "cam:ListAttachedRolePolicies",
    "cam:GetPolicy",
)


def deployer_permissions(scope: ResourceScope, functions: Iterable[FunctionSpec]) -> Iterator[Permission]:
    """Everything except creating roles; cam:PassRole covers only the roles of the functions."""
    for function in functions:
        yield Permission("cam:PassRole", scope.role_resource(function.role))
    yield from _permissions_on((*_GLOBAL_ACTIONS, *_TAG_ACTIONS), "*")
    for resource in scope.speech_resources():
        yield from _permissions_on((*_SPEECH_ACTIONS, *_HOT_WORDS_ACTIONS), resource)
    for resource in scope.bucket_resources():
        yield from _permissions_on(_BUCKET_ACTIONS, resource)
    for resource in scope.receipt_resources(""):
        yield from _permissions_on(_RECEIPT_ACTIONS, resource)
    for resource in (*scope.receipt_resources(LOCK_FOLDER), *scope.hot_words_resources()):
        yield from _permissions_on(_DELETION_ACTIONS, resource)
    for resource in scope.recording_resources():
        yield from _permissions_on(_RECORDING_ACTIONS, resource)
    for resource in scope.sidecar_resources():
        yield from _permissions_on(_SIDECAR_ACTIONS, resource)


def role_admin_permissions() -> Iterator[Permission]:
    """Creating roles. CAM cannot grant this for one role only, and who may attach policies may do anything."""
    yield from _permissions_on(_ROLE_ACTIONS, "*")


def _permissions_on(actions: Iterable[str], resource: str) -> Iterator[Permission]:
    for action in actions:
        yield Permission(action, resource)
