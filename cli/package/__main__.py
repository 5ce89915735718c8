"""`python -m cli.package FOLDER`: what `make package` and the hook in serverless.yml call."""

from __future__ import annotations

import sys
from pathlib import Path

from cli.package.build import build
from cli.package.product import PackageError


def main(arguments: list[str]) -> None:
    """Builds, and says what came of it; a failure leaves one line and exit status 1."""
    if len(arguments) != 1:
        sys.exit("usage: python -m cli.package FOLDER")
    try:
        print(build(Path(arguments[0])).described)
    except PackageError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
