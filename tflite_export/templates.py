"""Renders the text templates that lie beside the modules that use them."""

import functools

import jinja2


@functools.cache
def _environment():
    return jinja2.Environment(
        loader=jinja2.PackageLoader("tflite_export", "template_files"),
        undefined=jinja2.StrictUndefined,
        autoescape=jinja2.select_autoescape(("html.j2",)),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def render(template: str, **values) -> str:
    """Returns the text of `template` with `values`; a value that is missing is an error."""
    return _environment().get_template(template).render(**values)
