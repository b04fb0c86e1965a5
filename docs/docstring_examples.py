"""Griffe extension: docstrings' `Example:` sections, not indented, become what mkdocstrings renders."""

import re

import griffe

SECTION = re.compile(r"^(Args|Attributes|Returns|Raises|Yields|Reference|References|Example):$")


class DocstringExamples(griffe.Extension):
    """Indents the lines below `Example:`, which doctest reads either way."""

    def on_object(self, *, obj, **kwargs):
        """Rewrites the docstring of every module, class and function."""
        if obj.docstring is not None:
            obj.docstring.value = indented(obj.docstring.value)


def indented(text):
    """Returns a docstring whose examples are indented under the heading `Examples:`."""
    lines, inside = [], False
    for line in text.splitlines():
        if SECTION.match(line):
            inside = line == "Example:"
            line = "Examples:" if inside else line
        elif inside and line and not line.startswith("    "):
            line = f"    {line}"
        lines.append(line)
    return "\n".join(lines)
