"""Clients of Tencent Cloud: signing, HTTP, COS objects and the CI speech API. Knows nothing of transcripts."""
