"""``python -m pytest_webbench.load``: one load by itself."""

import sys

from pytest_webbench.load.command import main
from pytest_webbench.plain_output import plain_output

if __name__ == "__main__":
    with plain_output():
        sys.exit(main())
