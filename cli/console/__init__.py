"""`scribe console`: a page on 127.0.0.1 with all recordings, to upload, read, hear and search them."""
