"""What is uploaded for each function."""

from __future__ import annotations

from tests.bench.figures import Section, at_most, fact
from tests.bench.sides import Sides

_MIB = 1 << 20
_MOST_ZIPPED_MIB, _MOST_UNPACKED_MIB = 1.5, 10.0


def measure(sides: Sides) -> Section:
    """Nothing is run."""
    package, sdk = sides.package, sides.sdk.parent
    sdk_bytes = sum(path.stat().st_size for path in sdk.rglob("*") if path.is_file())
    bytecode = "with" if package.has_bytecode else "without"
    return Section(
        "Package",
        f"What `make package` builds, {bytecode} bytecode; for comparison the SDK and its handler, without any.",
        [
            at_most("zipped", package.zip_bytes / _MIB, _MOST_ZIPPED_MIB, "MiB", 2),
            at_most("unpacked", package.unpacked_bytes / _MIB, _MOST_UNPACKED_MIB, "MiB", 2),
            fact("SDK handler, unpacked", f"{sdk_bytes / _MIB:.1f} MiB"),
        ],
    )
