"""Tells programs and people that a transcript is done or has failed: webhooks and chat robots.

A `Notice` never holds the words of a transcript. Its way to one target:

    targets.load_targets     the settings NOTIFY_* -> the targets
    delivery.Delivery        one notice for one target, with its attempts: a value that is stored as an object
    sender.send_notice(s)    one attempt: builds the request of the target's kind, sends it, reads the outcome
    delivery.apply_outcome   what to do next: done, again at a later time, or give up

`addresses` and `connection` keep these requests away from private networks.
"""
