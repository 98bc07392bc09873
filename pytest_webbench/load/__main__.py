"""``python -m pytest_webbench.load``: one load by itself."""

import sys

from pytest_webbench.host.plain_output import plain_output
from pytest_webbench.load.command.run import main

if __name__ == "__main__":
    with plain_output():
        sys.exit(main())
