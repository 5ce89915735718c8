"""Runs functions on this machine as SCF does: from a serverless.yml, or deployed by the SCF API (localcloud.scf).

Every instance is a separate process with a clean environment. COS and timer events are asynchronous and are tried up to
three times by default; function URLs are synchronous and are tried once.
"""
