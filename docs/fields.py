"""Adds to each class of the API a table of its fields: type, default and unit, as declared."""

import ast
from typing import Any

import griffe


class Fields(griffe.Extension):
    """A griffe extension: it reads the source, and imports nothing."""

    def on_class_members(self, *, cls: griffe.Class, **unused: Any) -> None:
        """Appends the table to the class's documentation."""
        rows = [
            _row(member)
            for name, member in cls.members.items()
            if isinstance(member, griffe.Attribute)
            and member.annotation is not None
            and not name.startswith("_")
            and "ClassVar" not in str(member.annotation)
        ]
        # What has an __init__ of its own shows its arguments instead.
        if rows and cls.docstring is not None and "__init__" not in cls.members:
            table = ["| field | type | default | unit |", "|---|---|---|---|", *rows]
            cls.docstring.value += "\n\n" + "\n".join(table)


def _row(member: griffe.Attribute) -> str:
    default, unit = _declared("" if member.value is None else str(member.value))
    cells = (member.name, str(member.annotation), default)
    shown = (f"`{cell}`" if cell else "" for cell in cells)
    return f"| {' | '.join(shown)} | {unit} |"


def _declared(value: str) -> tuple[str, str]:
    """The default and the unit of a field: those of `parameter(default, "unit", ...)`."""
    call = ast.parse(value, mode="eval").body if value else None
    if not isinstance(call, ast.Call):
        return value, ""
    named = {word.arg: word.value for word in call.keywords}
    match ast.unparse(call.func), call.args:
        case "parameter", [default, ast.Constant(value=str(unit))]:
            about = named.get("doc")
            more = f"; {about.value}" if isinstance(about, ast.Constant) else ""
            return ast.unparse(default).replace("None", ""), unit + more
        case "signal", [default, *_]:
            return ast.unparse(default), ""
        case "signal" | "constant" | "eqx.field", _:
            made = named.get("default_factory")
            default = named.get("default")
            if made is not None:
                return f"{ast.unparse(made)}()", ""
            return "" if default is None else ast.unparse(default), ""
    return value, ""
