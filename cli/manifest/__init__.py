"""serverless.yml: loaded, validated, and converted into the requests of the SCF API.

loader.py      reads the file, fills in the variables, lists every mistake
models.py      the form of the file (pydantic), what should run (specs), the API requests
validation.py  errors in words; checks that concern several parts
errors.py      ManifestError, and the collector that knows the line numbers
"""
