"""The steps that keep tables and templates of hot words like the rules: created before the functions need them.

What the rules do not need any more is deleted after the functions changed. Hot words are an extra: if the service
refuses them, the step says so once, the others are left out, and the deployment goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from cli.cloud.hot_words import TABLE_ELEMENT, HotWordTable, SpeechTemplate
from cli.deploy.clients import Clients
from cli.deploy.hot_words import (
    HotWordsState,
    HotWordsTarget,
    ObjectPlace,
    TemplateIds,
    has_members,
    has_words,
)
from cli.deploy.steps import Action, Change, Step, StepOmitted, StepSkipped, diff_fields
from cli.language import N_, _
from cli.rules.hot_word_templates import TemplateSpec
from shared.errors import CloudError, NotFound, RequestRejected
from shared.options.hot_words import build_templates_object

CONTENT_TYPE = "application/json; charset=utf-8"
MAX_SHOWN_WORDS = 5  # of those that a table gains or loses
WITHOUT = N_("Recordings are transcribed without them")  # translated where it is shown

_GONE = frozenset({"TemplateNotFound", "ResourceNotFound"})  # another program deleted it


class HotWordSteps(NamedTuple):
    """The steps before the functions change, and those after."""

    before: tuple[Step, ...] = ()
    after: tuple[Step, ...] = ()


@dataclass(slots=True)
class _Run:
    """What is known while the steps are applied: ids by bucket, and whether the service refused something."""

    table_ids: dict[tuple[str, str], str] = field(default_factory=dict)  # by bucket and list
    template_ids: dict[tuple[str, str], str] = field(default_factory=dict)  # by bucket and key
    is_refused: bool = False


def describe_refusal(error: CloudError) -> str:
    """What a refusal by the service means."""
    return _("hot words are not used, because the speech service refuses them: {error}", error=error)


def list_hot_words_warnings(target: HotWordsTarget, state: HotWordsState) -> list[str]:
    """What the operator has to know: the service refuses to show what it has, or hot words have no effect."""
    warnings = list(target.warnings)
    if state.refusals:
        error = next(iter(state.refusals.values()))
        warnings.append(_join_sentences(describe_refusal(error), _(WITHOUT)))
    return warnings


def _join_sentences(first: str, second: str) -> str:
    return _("{first}. {second}", first=first, second=second)


def plan_hot_words(
    target: HotWordsTarget, state: HotWordsState, places: tuple[ObjectPlace, ...]
) -> HotWordSteps:
    """Plan the steps from what the cloud has to what the rules need; a bucket that shows nothing stays as it is."""
    run = _Run()
    before: list[Step] = []
    for bucket in target.templates:
        if bucket not in state.refusals:
            before += _plan_tables(bucket, target, state, run)
            before += _plan_templates(bucket, target, state, run)
    objects = [
        _Object(place, state.objects.get(place), target, frozenset(state.refusals), run) for place in places
    ]
    before += [each.build_step(keep=True) for each in objects if each.is_incomplete()]
    after = [each.build_step(keep=False) for each in objects if each.has_more()]
    return HotWordSteps(tuple(before), (*after, *_plan_deletions(target, state, run)))


def _plan_tables(bucket: str, target: HotWordsTarget, state: HotWordsState, run: _Run) -> Iterator[Step]:
    for list_name in target.list_names(bucket):
        words = target.lists[list_name]
        table = HotWordTable("", target.table_name(list_name), list_name, words)
        current = state.find_table(bucket, table.name)
        if current:
            run.table_ids[bucket, list_name] = current.table_id
        if not current:
            yield _create_table(bucket, table, run)
        elif not has_words(current, words):
            yield _update_table(bucket, table._replace(table_id=current.table_id), current, run)


def _plan_templates(bucket: str, target: HotWordsTarget, state: HotWordsState, run: _Run) -> Iterator[Step]:
    for spec in target.templates[bucket]:
        name = target.template_name(spec)
        current = state.find_template(bucket, name)
        if current:
            run.template_ids[bucket, spec.key] = current.template_id
        table_id = run.table_ids.get((bucket, spec.list_name), "")
        if not current:
            yield _create_template(bucket, name, spec, run)
        elif not table_id or not has_members(current, {**spec.speech, TABLE_ELEMENT: table_id}):
            yield _update_template(bucket, current, spec, run)


def _plan_deletions(target: HotWordsTarget, state: HotWordsState, run: _Run) -> Iterator[Step]:
    """Templates first: they name the tables."""
    for bucket, templates in state.templates.items():
        names = {target.template_name(spec) for spec in target.templates.get(bucket, ())}
        for template in templates:
            if template.name not in names:
                yield _delete_template(bucket, template, run)
    for bucket, tables in state.tables.items():
        names = {target.table_name(list_name) for list_name in target.list_names(bucket)}
        for table in tables:
            if table.name not in names:
                yield _delete_table(bucket, table, run)


def _build_step(
    run: _Run,
    action: Action,
    description: str,
    changes: tuple[Change, ...],
    change: Callable[[Clients], None],
) -> Step:
    """Build a step that is left out once the service refused one of them."""

    def apply(clients: Clients) -> None:
        if run.is_refused:
            raise StepOmitted
        try:
            change(clients)
        except NotFound:
            if action is not Action.DELETE:
                raise
        except CloudError as error:
            if action is Action.DELETE and error.code in _GONE:
                return
            run.is_refused = True
            raise StepSkipped(_join_sentences(describe_refusal(error), _(WITHOUT))) from None

    return Step(action, description, changes, apply)


def _create_table(bucket: str, table: HotWordTable, run: _Run) -> Step:
    def change(clients: Clients) -> None:
        run.table_ids[bucket, table.description] = clients.hot_words.create_table(bucket, table)

    changes = (Change(_("words"), "", _format_words(table.words.items())),)
    return _build_step(run, Action.CREATE, _name_table(bucket, table), changes, change)


def _update_table(bucket: str, table: HotWordTable, current: HotWordTable, run: _Run) -> Step:
    def change(clients: Clients) -> None:
        clients.hot_words.update_table(bucket, table)

    added = table.words.items() - current.words.items()
    removed = current.words.items() - table.words.items()
    changes = (
        *([Change(_("words"), "", _format_words(sorted(added)))] if added else []),
        *(
            [Change(_("words"), "", _("no longer {words}", words=_format_words(sorted(removed))))]
            if removed
            else []
        ),
    )
    return _build_step(run, Action.CHANGE, _name_table(bucket, table), changes, change)


def _delete_table(bucket: str, table: HotWordTable, run: _Run) -> Step:
    def change(clients: Clients) -> None:
        clients.hot_words.delete_table(bucket, table.table_id)

    return _build_step(run, Action.DELETE, _name_table(bucket, table), (), change)


def _create_template(bucket: str, name: str, spec: TemplateSpec, run: _Run) -> Step:
    def change(clients: Clients) -> None:
        template = SpeechTemplate("", name, _add_table(bucket, spec, run))
        run.template_ids[bucket, spec.key] = clients.hot_words.create_template(bucket, template)

    changes = diff_fields({}, {_("hot words"): spec.list_name, **spec.speech})
    return _build_step(run, Action.CREATE, _name_template(bucket, name), changes, change)


def _update_template(bucket: str, current: SpeechTemplate, spec: TemplateSpec, run: _Run) -> Step:
    def change(clients: Clients) -> None:
        clients.hot_words.update_template(bucket, current._replace(speech=_add_table(bucket, spec, run)))

    before = {name: value for name, value in current.speech.items() if name in spec.speech}
    changes = (
        *diff_fields(before, dict(spec.speech)),
        Change(_("hot words"), "", spec.list_name),
    )
    return _build_step(run, Action.CHANGE, _name_template(bucket, current.name), changes, change)


def _delete_template(bucket: str, template: SpeechTemplate, run: _Run) -> Step:
    def change(clients: Clients) -> None:
        clients.hot_words.delete_template(bucket, template.template_id)

    return _build_step(run, Action.DELETE, _name_template(bucket, template.name), (), change)


@dataclass(frozen=True, slots=True)
class _Object:
    """The object with the ids of the templates in one place, and what it has to have. `current` is None without one."""

    place: ObjectPlace
    current: TemplateIds | None
    target: HotWordsTarget
    refused_buckets: frozenset[str]
    run: _Run

    def is_incomplete(self) -> bool:
        """Whether it lacks a template, also one that is still to be created."""
        current = _flatten(self.current or {})
        return any(self.run.template_ids.get(name) != current.get(name, "") for name in self._list_needed())

    def has_more(self) -> bool:
        """Whether it has a template that is not needed any more."""
        if self.current is None:
            return False
        needed = {*self._list_needed()}
        is_empty = not needed and not any(bucket in self.refused_buckets for bucket in self.current)
        return is_empty or any(
            name not in needed and name[0] not in self.refused_buckets for name in _flatten(self.current)
        )

    def build_step(self, *, keep: bool) -> Step:
        """Write it: with `keep` beside what it has, which functions may still use; without, only what is needed.

        One that would be empty is deleted.
        """
        place = self.place

        def apply(clients: Clients) -> None:
            templates = self._build(keep=keep)
            if (
                templates == {bucket: dict(ids) for bucket, ids in (self.current or {}).items() if ids}
                and templates
            ):
                raise StepOmitted
            cos = clients.cos(place.region)
            try:
                if templates:
                    cos.put(
                        place.bucket, place.key, build_templates_object(templates), content_type=CONTENT_TYPE
                    )
                elif self.current is not None:
                    cos.delete(place.bucket, place.key)
                else:
                    raise StepOmitted
            except RequestRejected as error:
                raise StepSkipped(
                    _(
                        "hot words are not used, because {place} cannot be written: {error}",
                        place=place,
                        error=error,
                    )
                ) from None

        needed = len(self._list_needed())
        kept = len(_flatten(self.current or {}).keys() - {*self._list_needed()}) if keep else 0
        before = _count_templates(len(_flatten(self.current))) if self.current is not None else ""
        after = _count_templates(needed + kept) if needed + kept else ""
        action = Action.CHANGE if after else Action.DELETE
        action = Action.CREATE if self.current is None else action
        description = _("list of templates with hot words in {place}", place=place)
        return Step(action, description, (Change(_("has"), before, after),), apply)

    def _list_needed(self) -> list[tuple[str, str]]:
        return [
            (bucket, spec.key)
            for bucket in self.place.input_buckets
            if bucket not in self.refused_buckets
            for spec in self.target.templates.get(bucket, ())
        ]

    def _build(self, *, keep: bool) -> dict[str, dict[str, str]]:
        """Build the content: needed templates that exist, and those of buckets that the service refuses to show."""
        templates = {
            bucket: dict(ids)
            for bucket, ids in (self.current or {}).items()
            if keep or bucket in self.refused_buckets
        }
        for bucket, key in self._list_needed():
            if template_id := self.run.template_ids.get((bucket, key)):
                templates.setdefault(bucket, {})[key] = template_id
        return {bucket: ids for bucket, ids in templates.items() if ids}


def _count_templates(count: int) -> str:
    return _("{number} templates", number=count)


def _flatten(templates: TemplateIds) -> dict[tuple[str, str], str]:
    return {(bucket, key): each for bucket, ids in templates.items() for key, each in ids.items()}


def _add_table(bucket: str, spec: TemplateSpec, run: _Run) -> dict[str, str]:
    return {**spec.speech, TABLE_ELEMENT: run.table_ids[bucket, spec.list_name]}


def _name_table(bucket: str, table: HotWordTable) -> str:
    return _("hot words {name} for {bucket}", name=table.description or table.name, bucket=bucket)


def _name_template(bucket: str, name: str) -> str:
    return _("speech template {name} of {bucket}", name=name, bucket=bucket)


def _format_words(words: Iterable[tuple[str, int]]) -> str:
    texts = [f"{word}|{weight}" for word, weight in words]
    shown = _(", ").join(texts[:MAX_SHOWN_WORDS])
    more = len(texts) - MAX_SHOWN_WORDS
    return _("{words}, and {number} more", words=shown, number=more) if more > 0 else shown
