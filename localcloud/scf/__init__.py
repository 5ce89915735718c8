"""The API of SCF (2018-04-16): functions and triggers that are deployed with it and run by localcloud.runtime.

"sdk" in comments is the official Python SDK, tencentcloud/scf/v20180416.
"""
