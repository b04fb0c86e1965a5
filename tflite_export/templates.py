"""Renders the text templates that lie beside the modules that use them."""

import functools

import jinja2


@functools.cache
def environment(*packages: str) -> jinja2.Environment:
    """Returns the environment for the templates of packages, those of the first before the others.

    Another package can build its pages on those of this one: `frame.html.j2` gives all one look.

    Example:
    >>> "frame.html.j2" in environment("tflite_export").list_templates()
    True
    """
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(name, "template_files") for name in packages]),
        undefined=jinja2.StrictUndefined,
        autoescape=jinja2.select_autoescape(("html.j2",)),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def render(template: str, **values) -> str:
    """Returns the text of `template` with `values`; a value that is missing is an error."""
    return environment("tflite_export").get_template(template).render(**values)
