"""`python -m cli.package FOLDER`, called by `make package` and by the hook in serverless.yml."""

from __future__ import annotations

import sys
from pathlib import Path

from cli.package.build import build
from cli.package.models import PackageError


def main(arguments: list[str]) -> None:
    """Build the package and print a summary; on failure print one line and exit with status 1."""
    if len(arguments) != 1:
        sys.exit("usage: python -m cli.package FOLDER")
    try:
        print(build(Path(arguments[0])).summary)
    except PackageError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
