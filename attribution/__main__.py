"""`python -m attribution`, the same as the command `attribution`."""

import sys

from attribution.cli import main

if __name__ == "__main__":
    sys.exit(main())
