"""The life of a recording: ingest (event to job), complete (job to transcripts), sweep and audit (repairs)."""
