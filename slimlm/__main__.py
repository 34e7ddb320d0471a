"""`python -m slimlm`."""

import sys

from slimlm.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
