"""``python -m pytest_webbench.load``: a load from the command line."""
