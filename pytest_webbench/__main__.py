"""``python -m pytest_webbench``: the command ``webbench``."""

import sys

from pytest_webbench.cli import main

if __name__ == "__main__":
    sys.exit(main())
