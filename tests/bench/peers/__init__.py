"""Small programs that do what `upload` does, by other means; two that read a long result; one that readies TLS.

They run outside this project, on SCF's Python, so they import nothing of it (`read_ours.py` reads with the package).
"""
