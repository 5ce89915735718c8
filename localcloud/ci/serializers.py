"""The documents of CI: XML responses, notifications as XML or JSON, and the text objects that jobs write."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from localcloud.ci.models import (
    TAG,
    EnabledBucket,
    HotWordTable,
    Job,
    NotifyConfig,
    Queue,
    RecognitionParams,
    Template,
    format_timestamp,
)
from localcloud.ci.text_options import format_sentences
from localcloud.speech.models import Recognition, Sentence
from localcloud.speech.segmenter import is_punctuation
from localcloud.xml import Node, node, recognised_node, serialize

# Elements that can repeat: in JSON they are arrays even when there is only one.
_REPEATED = frozenset({"JobsDetail", "ResultDetail", "Words", "FlashResult", "sentence_list", "word_list"})


def paging_nodes(request_id: str, total: int, page_number: int, page_size: int) -> tuple[Node, ...]:
    """Build the elements that every paged list begins with."""
    return (
        node("RequestId", request_id),
        node("TotalCount", total),
        node("PageNumber", page_number),
        node("PageSize", page_size),
    )


def bucket_node(name: str, enabled: EnabledBucket) -> Node:
    """Build an AsrBucket, AsrBucketList or AiBucketList element."""
    return node(
        name,
        node("Name", enabled.bucket),
        node("CreateTime", format_timestamp(enabled.created_s)),
        node("Region", enabled.region),
        node("AliasBucketId"),
        node("BucketId", enabled.bucket),
    )


def queue_node(name: str, queue: Queue) -> Node:
    """Build a Queue or QueueList element."""
    return node(
        name,
        node("QueueId", queue.queue_id),
        node("Name", queue.name),
        node("State", queue.state),
        _notify_node(queue.notify),
        node("MaxSize", queue.max_size),
        node("MaxConcurrent", queue.max_concurrent),
        node("CreateTime", format_timestamp(queue.created_s)),
        node("UpdateTime", format_timestamp(queue.updated_s)),
        node("BucketId", queue.bucket),
        node("Category", "Speeching"),
    )


def _notify_node(notify: NotifyConfig) -> Node:
    return node(
        "NotifyConfig",
        node("Url", notify.url),
        node("Event", notify.event),
        node("Type", notify.type),
        node("State", notify.state),
        # A queue whose notification was never configured shows no format (seeds).
        node("ResultFormat", notify.result_format) if notify.url else None,
    )


def template_node(name: str, template: Template) -> Node:
    """Build a Template or TemplateList element."""
    return node(
        name,
        node("TemplateId", template.template_id),
        node("Name", template.name),
        node("State", "Normal"),
        node("Tag", TAG),
        node("CreateTime", format_timestamp(template.created_s)),
        node("UpdateTime", format_timestamp(template.updated_s)),
        node("BucketId", template.bucket),
        node("Category", "Custom"),
        _params_node(template.speech),
    )


def _params_node(params: RecognitionParams) -> Node:
    return node("SpeechRecognition", *(node(name, value) for name, value in sorted(params.parameters)))


def hot_word_table_node(table: HotWordTable) -> Node:
    """Build a VocabularyTable element."""
    return node(
        "VocabularyTable",
        node("TableId", table.table_id),
        node("TableName", table.name),
        node("TableDescription", table.description),
        *(
            node("VocabularyWeights", node("Vocabulary", word), node("Weight", weight))
            for word, weight in table.words
        ),
        node("VocabularyWeightStr", table.words_text),
        # cos-go-sdk-v5 has both; their form is unconfirmed.
        node("CreateTime", format_timestamp(table.created_s)),
        node("UpdateTime", format_timestamp(table.updated_s)),
    )


def job_node(job: Job, *, in_notification: bool = False, has_text: bool = True) -> Node:
    """Build a JobsDetail element. A notification's Operation has no SpeechRecognition parameters (D-CB).

    Without `has_text` the result has its duration and the name of its object only.
    """
    spec = job.spec
    return node(
        "JobsDetail",
        node("Code", job.code),
        node("CreationTime", format_timestamp(job.created_s)),
        node("EndTime", format_timestamp(job.ended_s)),
        node(
            "Input",
            node("BucketId", spec.input_bucket),
            node("Object", spec.input_object),
            node("Region", spec.region),
            node("Url", spec.input_url) if spec.input_url else None,
        ),
        node("JobId", job.job_id),
        node("Message", job.message),
        node(
            "Operation",
            node("JobLevel", spec.level),
            node(
                "Output",
                node("Bucket", spec.output.bucket),
                node("Object", spec.output.object),
                node("Region", spec.output.region),
            ),
            None if in_notification else _params_node(spec.speech),
            _result_node(job, has_text=has_text),
            node("TemplateId", spec.template_id) if spec.template_id else None,
            node("TemplateName", spec.template_name) if spec.template_id else None,
            node("UserData", spec.user_data) if spec.user_data else None,
        ),
        node("QueueId", spec.queue_id),
        node("StartTime", format_timestamp(job.started_s)),
        node("State", job.state),
        node("Tag", TAG),
    )


def _result_node(job: Job, *, has_text: bool) -> Node | None:
    """Build SpeechRecognitionResult; None for a job without a result."""
    if job.recognition is None:
        return None
    params, recognition = job.spec.speech, job.recognition
    if not has_text:
        return node(
            "SpeechRecognitionResult",
            node("AudioTime", _format_seconds(recognition.duration_ms)),
            node("ObjectName", job.spec.output.object),
        )
    if params.is_flash:
        content = build_flash_result(params, recognition)
    else:
        # Details are filled in for the word-level formats only (seeds: <ResultDetail/> with ResTextFormat 0).
        details = build_details(params, recognition) if params.text_format else []
        content = [
            recognised_node("Result", render_text(params, recognition)),
            *(details or [node("ResultDetail")]),
        ]
    return node(
        "SpeechRecognitionResult",
        node("AudioTime", _format_seconds(recognition.duration_ms)),
        node("DetailObjectName", f"{job.spec.output.object}.detail"),
        node("ObjectName", job.spec.output.object),
        *content,
    )


def render_notification(job: Job, body_format: str) -> bytes:
    """Render the body that reports a job's end, as `XML` or `JSON`."""
    root = node("Response", node("EventName", "TaskFinish"), job_node(job, in_notification=True))
    if body_format == "JSON":
        return json.dumps(_to_json_object(root.children), ensure_ascii=False).encode()
    return serialize(root)


def render_details_json(details: Iterable[Node]) -> bytes:
    """Render the `.detail` object: an array of the sentences. Its real form is unconfirmed."""
    return json.dumps([_to_json_object(detail.children) for detail in details], ensure_ascii=False).encode()


def _to_json_object(children: tuple[Node, ...]) -> dict[str, object]:
    """Convert elements to JSON: text stays a string, as in the published samples; JobLevel is a number there."""
    members: dict[str, object] = {}
    for child in children:
        value: object = _to_json_object(child.children) if child.children else child.text
        if child.name in _REPEATED:
            array = members.setdefault(child.name, [])
            assert isinstance(array, list)
            if child.children:
                array.append(value)
        else:
            members[child.name] = int(child.text) if child.name == "JobLevel" else value
    return members


def render_text(params: RecognitionParams, recognition: Recognition) -> str:
    """Render the Result text: `[m:ss.mmm,m:ss.mmm]  words` lines; with speakers a third number is the SpeakerId."""
    has_speakers = params.is_diarised or recognition.channels > 1
    lines = []
    for sentence in format_sentences(params, recognition):
        speaker = f",{_get_speaker_id(params, sentence)}" if has_speakers else ""
        lines.append(
            f"[{_format_clock(sentence.start_ms)},{_format_clock(sentence.end_ms)}{speaker}]  {sentence.text}"
        )
    return "\n".join(lines)


def render_srt(params: RecognitionParams, recognition: Recognition) -> str:
    """Render SubRip subtitles, for OutputFileType srt."""
    return "".join(
        f"{number}\n{_format_srt_time(sentence.start_ms)} --> {_format_srt_time(sentence.end_ms)}\n{sentence.text}\n\n"
        for number, sentence in enumerate(format_sentences(params, recognition), 1)
    )


def build_details(params: RecognitionParams, recognition: Recognition) -> list[Node]:
    """Build one ResultDetail a sentence: members in alphabetical order, word times relative to the sentence."""
    return [_build_detail(params, sentence) for sentence in format_sentences(params, recognition)]


def _build_detail(params: RecognitionParams, sentence: Sentence) -> Node:
    words = [
        word
        for word in sentence.words
        if params.text_format != 1 or not is_punctuation(word.text)  # format 1: words only
    ]
    letters = len(re.sub(r"\W", "", sentence.text))
    length_s = max(sentence.end_ms - sentence.start_ms, 1) / 1000
    return node(
        "ResultDetail",
        node("EndMs", sentence.end_ms),
        recognised_node("FinalSentence", sentence.text),
        recognised_node("SliceSentence", " ".join(word.text for word in words)),
        node("SpeakerId", _get_speaker_id(params, sentence)),
        node("SpeechSpeed", f"{letters / length_s:.1f}"),
        node("StartMs", sentence.start_ms),
        *(
            node(
                "Words",
                node("OffsetEndMs", word.end_ms - sentence.start_ms),
                node("OffsetStartMs", word.start_ms - sentence.start_ms),
                # The task callback's sample has a fourth member here; its name is unconfirmed.
                node("VoiceType", int(is_punctuation(word.text))),
                recognised_node("Word", word.text),
            )
            for word in words
        ),
        node("WordsNum", len(words)),
    )


def build_flash_result(params: RecognitionParams, recognition: Recognition) -> list[Node]:
    """Build one FlashResult a channel: lower-case names, times in milliseconds from the start of the recording."""
    channels = 1 if params.value("FirstChannelOnly", "1") == "1" else recognition.channels
    sentences = format_sentences(params, recognition)
    return [
        _build_flash_channel(params, channel, [item for item in sentences if item.channel == channel])
        for channel in range(channels)
    ]


def _build_flash_channel(params: RecognitionParams, channel: int, sentences: Sequence[Sentence]) -> Node:
    word_info = params.value("WordInfo", "0")
    return node(
        "FlashResult",
        node("channel_id", channel),
        *(
            node(
                "sentence_list",
                node("end_time", sentence.end_ms),
                node("speaker_id", sentence.speaker if params.is_diarised else 0),
                node("start_time", sentence.start_ms),
                recognised_node("text", sentence.text),
                *(
                    node(
                        "word_list",
                        node("end_time", word.end_ms),
                        node("start_time", word.start_ms),
                        recognised_node("word", word.text),
                    )
                    for word in (sentence.words if word_info != "0" else ())
                    if word_info != "1" or not is_punctuation(word.text)  # 1: words only
                ),
            )
            for sentence in sentences
        ),
        recognised_node("text", "".join(sentence.text for sentence in sentences)),
    )


def _get_speaker_id(params: RecognitionParams, sentence: Sentence) -> int:
    """Return the SpeakerId: the speaker of a mono recording that is diarised, else the channel, which is 0 for mono."""
    return sentence.speaker if params.is_diarised and params.channels == 1 else sentence.channel


def _format_clock(time_ms: int) -> str:
    """Format as `m:ss.mmm`, seconds without leading zeros (seeds: `0:0.000`)."""
    minutes, rest_ms = divmod(time_ms, 60_000)
    return f"{minutes}:{rest_ms // 1000}.{rest_ms % 1000:03d}"


def _format_srt_time(time_ms: int) -> str:
    hours, rest_ms = divmod(time_ms, 3_600_000)
    minutes, rest_ms = divmod(rest_ms, 60_000)
    return f"{hours:02d}:{minutes:02d}:{rest_ms // 1000:02d},{rest_ms % 1000:03d}"


def _format_seconds(time_ms: int) -> str:
    return f"{time_ms / 1000:.3f}".rstrip("0").rstrip(".")
