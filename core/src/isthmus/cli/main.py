"""The entry point. It imports without the packages of the extra ``cli``, so that it can say how to get them."""

from __future__ import annotations

import sys

EXTRA = frozenset({"click", "rich", "typed_settings"})
MISSING_PACKAGES = 3
INTERRUPTED = 130


def main() -> int:
    """Run the command line; the exit code."""
    try:
        from isthmus.cli.app import run
        from isthmus.cli.streams import prepare_streams
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA:
            raise
        print(f'the isthmus command needs the package {error.name}: pip install "isthmus[cli]"', file=sys.stderr)
        return MISSING_PACKAGES
    except KeyboardInterrupt:  # while packages are loaded, before anything was begun
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    prepare_streams()
    return run()


if __name__ == "__main__":
    sys.exit(main())
