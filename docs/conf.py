"""How Sphinx builds the documentation: ``make docs``."""

import sys
from pathlib import Path

# The generators are imported as docs._generate, here and in the tests.
sys.path.insert(0, str(Path(__file__).parents[1]))

import isthmus  # after the path

project = "Isthmus"
author = "The Isthmus authors"
copyright = f"2026, {author}"  # noqa: A001  # Sphinx asks for this name
release = isthmus.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "docs._generate.extension"]
exclude_patterns = ["_data", "_generate", "examples"]
html_theme = "furo"
html_title = f"Isthmus {release}"
html_copy_source = False

myst_heading_anchors = 3
myst_enable_extensions = ["deflist", "colon_fence"]
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
toc_object_entries_show_parents = "hide"
