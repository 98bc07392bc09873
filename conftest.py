"""The plugin that runs pytest within a test; only a conftest at the root may ask for it."""

pytest_plugins = ["pytester"]
