"""What every page that we write needs: its templates, its styles, and what it may load (nothing)."""

from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

__all__ = ["POLICY", "page_environment", "read_styles", "read_template_file"]

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""The content security policy of pages without scripts."""

_PACKAGE = "pose3d.report"


def page_environment() -> Environment:
    """Return what fills our templates: everything is escaped, and a name that is missing is an error."""
    return Environment(
        loader=PackageLoader(_PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def read_template_file(name: str) -> str:
    """Return the text of a file that lies beside the templates."""
    return (files(_PACKAGE) / "templates" / name).read_text(encoding="utf-8")


def read_styles(*names: str) -> Markup:
    """Return style sheets, one after the other, as a page takes them."""
    return Markup("".join(read_template_file(name) for name in names))
