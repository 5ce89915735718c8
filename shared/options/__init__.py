"""The options of one recording: which exist, how they are written, which may be combined, and what CI gets.

Pure functions without requests or files. The steps of a caller:

    parse.parse_metadata, parse.parse_values   one place (metadata, rules, sidecar, settings) -> the options it sets
    combine.combine                            all places, the farthest first -> the options, and where each came from
    check.check_options                        what CI would refuse, with the nearest valid choice; warnings
    ci.build_job_members                       options -> the members of the job in CI's XML
"""
