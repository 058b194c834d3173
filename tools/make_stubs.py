"""Write the type stubs of the public names and of the bound methods from the tables of `api.py`.

Run `python tools/make_stubs.py` after changing a table or the signature of a function in it; a test compares.
"""

from __future__ import annotations

import builtins
import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

from neuralgebra import api

PACKAGE = Path(api.__file__).parent
HEAD = "# Made by tools/make_stubs.py from the tables of api.py.\n"


def public() -> str:
    """Return the stub of the package: every public name from where it is defined."""
    lines = ["from neuralgebra import api as api", "from neuralgebra import errors as errors"]
    for name, target in sorted(api.FUNCTIONS.items()):
        module, attribute = target.split(":")
        lines.append(f"from {module} import {attribute} as {name}")
    return HEAD + "\n".join(lines) + "\n\n__version__: str\n"


def questions() -> str:
    """Return the stub of the bound methods: their signatures, without the network itself."""
    imports, methods = {"from typing import Any"}, []
    for name, target in api.METHODS.items():
        module_name, function_name = target.split(":")
        module = importlib.import_module(module_name)
        signature = inspect.signature(getattr(module, function_name))
        _, *others = signature.parameters.values()
        parameters = ["self", *(_parameter(p, module, imports) for p in others)]
        keyword = [i for i, p in enumerate(others, 1) if p.kind is p.KEYWORD_ONLY]
        if keyword:
            parameters.insert(keyword[0], "*")
        returned = _annotation(signature.return_annotation, module, imports)
        methods.append(f"    def {name}({', '.join(parameters)}) -> {returned}: ...")
    return HEAD + "\n".join(sorted(imports)) + "\n\nclass Questions:\n" + "\n".join(methods) + "\n"


def _parameter(parameter: inspect.Parameter, module: ModuleType, imports: set[str]) -> str:
    default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
    return f"{parameter.name}: {_annotation(parameter.annotation, module, imports)}{default}"


def _annotation(text: Any, module: ModuleType, imports: set[str]) -> str:
    """Return an annotation whose names are imported; aliases become Any."""

    def known(match: re.Match[str]) -> str:
        name = match[0]
        found = vars(module).get(name)
        if hasattr(builtins, name) or name == "Any":
            return name
        if isinstance(found, ModuleType):
            imports.add(f"import {found.__name__} as {name}" if found.__name__ != name else f"import {name}")
            return name
        if isinstance(found, type) and found.__module__ != "typing":
            imports.add(f"from {found.__module__} import {name}")
            return name
        return "Any"

    return re.sub(r"(?<![.\w])[A-Za-z_]\w*", known, str(text))


STUBS = {PACKAGE / "__init__.pyi": public, PACKAGE / "network" / "questions.pyi": questions}


if __name__ == "__main__":
    for path, make in STUBS.items():
        path.write_text(make())
