"""Configuration of Sphinx; ``tox -e docs`` builds the pages with warnings as errors."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from webbench_reference import numbers

project = "pytest-webbench"
project_copyright = "the pytest-webbench authors"
release = version_of("pytest-webbench")
version = release

extensions = ["myst_parser", "sphinx.ext.autodoc", "webbench_reference"]
smartquotes = False
exclude_patterns = ["_build"]
nitpicky = True
# Names of other projects: their inventories would have to be fetched, and the pages need no network.
nitpick_ignore_regex = [
    (
        r"py:.*",
        r"(array|asyncio|collections|contextlib|docker|json|msgspec|pathlib|_?pytest|random|subprocess)\..*",
    ),
    (r"py:class", r"(.*\.)?T"),
    (r"py:attr", r"Answer\.(json|text|generated)"),  # fields stand in the signature of their class
]

myst_enable_extensions = ["colon_fence", "deflist", "substitution"]
myst_heading_anchors = 3
myst_substitutions = numbers()

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 80
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = f"pytest-webbench {release}"
html_show_sourcelink = False
