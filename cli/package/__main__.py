"""`python -m cli.package FOLDER`, called by `make package` and by the hook in serverless.yml."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cli.config import PROJECT_FOLDER
from cli.errors import OperatorError
from cli.language import find_language, use_language
from cli.package.build import build
from cli.rules.compiler import compile_rules
from cli.rules.loader import load_rules


def main(arguments: list[str]) -> None:
    """Build the package with rules.yml and print a summary; on failure print the error and exit with status 1."""
    use_language(find_language((), os.environ))
    if len(arguments) != 1:
        sys.exit("usage: python -m cli.package FOLDER")
    try:
        rules = load_rules(PROJECT_FOLDER)
        print(build(Path(arguments[0]), rules=compile_rules(rules)).summary)
        if rules:
            print(rules.summary)
    except OperatorError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
