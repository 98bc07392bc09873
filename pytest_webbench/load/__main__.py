"""``python -m pytest_webbench.load``: one load by itself."""

import sys

from pytest_webbench.load.command import main

if __name__ == "__main__":
    sys.exit(main())
