"""Does the operator's key work, and whose is it?"""

from __future__ import annotations

from collections.abc import Iterator

from cli.cloud.control import ControlError
from cli.doctor.case import Case
from cli.doctor.finding import Finding, fine, note, skipped, wrong

_NEW_KEY = (
    "make a key for a sub-account at https://console.cloud.tencent.com/cam/capi and set TENCENTCLOUD_SECRET_ID and "
    "TENCENTCLOUD_SECRET_KEY to it"
)

# API 3.0, common error codes.
_REFUSALS = {
    "AuthFailure.SecretIdNotFound": (
        "no key has this SecretId: it is mistyped, was deleted, or is switched off",
        _NEW_KEY,
    ),
    "AuthFailure.InvalidSecretId": ("this SecretId is not one of a key for the cloud's API", _NEW_KEY),
    "AuthFailure.SignatureFailure": (
        "the secret key does not belong to the SecretId",
        "copy both halves of the key again, without blanks or quotes around them",
    ),
    "AuthFailure.SignatureExpire": (
        "the signature counts as expired, which tells of a wrong clock",
        "set this machine's clock by network time",
    ),
    "AuthFailure.TokenFailure": (
        "the temporary key has expired, or its token is not its own",
        "fetch a new temporary key (all three parts of it), or use a sub-account's permanent one",
    ),
}


def key(case: Case) -> Iterator[Finding]:
    """Asks STS who signs: every working key may ask that."""
    try:
        owner = case.owner_uin
    except ControlError as error:
        told = _REFUSALS.get(error.code)
        if told is None:
            if not error.code.startswith("AuthFailure"):
                raise
            told = (f"the cloud refuses this key: {error.code}", _NEW_KEY)
        yield wrong(told[0], mend=told[1])
        return
    yield fine(f"the key works; it belongs to account {owner}")


def account(case: Case) -> Iterator[Finding]:
    """Compares the account with the one in the buckets' names, for every bucket ends in its account's appid."""
    whose = case.identity
    if not whose.appid:
        yield skipped(
            "this key may not ask for the account's appid; `scribe policy deployer` prints what it needs"
        )
        return
    strangers = [place.bucket for place in case.places if not whose.has(place.bucket)]
    if strangers:
        yield wrong(
            f"the key is of the account with appid {whose.appid}; not so the buckets {', '.join(strangers)}",
            mend="use a key of the buckets' account, or correct INPUT_BUCKETS and OUTPUT_BUCKET",
        )
    elif whose.is_root:
        yield note(
            "this is a key of the account itself, which may do everything, so whoever finds it may as well",
            mend="make a sub-account for deploying, with the permissions that `scribe policy deployer` prints",
        )
    else:
        yield fine(f"appid {whose.appid}, as in the buckets' names")
