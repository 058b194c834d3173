"""The laws of the house, checked on the syntax trees of a package; nothing is imported.

A law is a function from a `House` to its breaches, one line of text each; `LAWS` holds them all.
Imports under ``if TYPE_CHECKING`` count like any other.
"""

import ast
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median

# fmt: off
STOREYS = (
    "errors", "arithmetic", "functions", "network", "calculus", "algebra", "rewrite", "formula", "code",
    "native", "files", "fitting", "equations", "cluster", "show", "api", "__init__", "cli_support", "cli_algebra",
    "cli_fit", "cli", "__main__",
)
# fmt: on
CORE = ("arithmetic", "functions", "network", "calculus")
ARRAY_FILES = {"arithmetic/arrays.py", "arithmetic/libraries.py"}
ARRAY_LIBRARIES = {"array_api_compat", "jax", "torch"}
BINDING_FILE = "api.py"
OPTIONAL = frozenset("anywidget dask h5py jax matplotlib onnxruntime pyarrow sklearn torch xlsxwriter".split())  # noqa: SIM905
DATA_TABLES: frozenset[str] = frozenset(
    {"functions/catalogue.py"}
)  # files that may be longer than FILE_LINES, such as "code/names.py"
FILE_LINES, FUNCTION_LINES = 500, 10
EVALUATORS = {"eval", "exec"}
PARSERS = {"lambdify", "parse_expr", "sympify"}  # SymPy's, which evaluate text
UNPICKLERS = {"_pickle", "cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Import:
    """One name that a file imports; `name` is absolute, and "" if it is known only at run time."""

    name: str
    line: int
    late: bool  # inside a function
    dynamic: bool  # by a call, not a statement


@dataclass(frozen=True)
class Source:
    """One file: its dotted name, its path within the package, its text."""

    name: str
    path: str
    text: str

    @property
    def storey(self) -> str:
        return "__init__" if self.path == "__init__.py" else self.name.split(".")[1]

    @property
    def package(self) -> str:
        return self.name if self.path.endswith("__init__.py") else self.name.rpartition(".")[0]

    @cached_property
    def nodes(self) -> list[tuple[ast.AST, bool]]:
        """Every node of the syntax tree, and whether it lies inside a function."""
        return list(_walk(ast.parse(self.text, self.path)))

    @property
    def functions(self) -> Iterator[Function]:
        return (node for node, _ in self.nodes if isinstance(node, Function))

    @cached_property
    def imports(self) -> list[Import]:
        return [
            Import(name, node.lineno, late, isinstance(node, ast.Call))
            for node, late in self.nodes
            if isinstance(node, ast.Import | ast.ImportFrom | ast.Call)
            for name in _imported(node, self.package)
        ]

    def at(self, line: int, text: str) -> str:
        return f"{self.path}:{line}: {text}"


class House:
    """The source files below a package's folder."""

    def __init__(self, root: Path) -> None:
        self.name = root.name
        sources = (_read(path, root) for path in sorted(root.rglob("*.py")))
        self.sources = {source.name: source for source in sources}

    def owner(self, name: str) -> str | None:
        """The module of ours that an imported name lies in, or None if it is a foreign name."""
        if name.split(".")[0] != self.name:
            return None
        while name not in self.sources and "." in name:
            name = name.rpartition(".")[0]
        return name

    @cached_property
    def graph(self) -> dict[str, set[str]]:
        """For each module, the modules of ours it imports."""
        return {
            name: {owner for item in source.imports if (owner := self.owner(item.name))}
            for name, source in self.sources.items()
        }

    def foreign(self, packages: set[str]) -> Iterator[tuple[Source, Import, str]]:
        """The imports of some foreign packages."""
        for source in self.sources.values():
            for item in source.imports:
                if (package := item.name.split(".")[0]) in packages:
                    yield source, item, package


def _read(path: Path, root: Path) -> Source:
    parts = path.relative_to(root.parent).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return Source(name, path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))


def _walk(node: ast.AST, inside: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    yield node, inside
    inside = inside or isinstance(node, Function | ast.Lambda)
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, inside)


def _imported(node: ast.AST, package: str) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=module, names=names, level=level):
            base = _absolute(module or "", level, package)
            return [f"{base}.{alias.name}" for alias in names]
        case ast.Call(func=ast.Name("import_module" | "__import__") | ast.Attribute(attr="import_module")):
            match node.args:
                case [ast.Constant(str(name)), *_] if not name.startswith("."):
                    return [name]
            return [""]
    return []


def _absolute(module: str, level: int, package: str) -> str:
    if level == 0:
        return module
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - level + 1], *filter(None, [module])])


def storey_order(house: House) -> list[str]:
    """A file lies in a known storey and imports only from its own and earlier ones."""
    breaches = []
    for source in house.sources.values():
        if source.storey not in STOREYS:
            breaches.append(source.at(1, f"'{source.storey}' is no storey of the house"))
            continue
        for item in source.imports:
            owner = house.owner(item.name)
            if owner is None or (other := house.sources.get(owner)) is None or other.storey not in STOREYS:
                continue
            if STOREYS.index(other.storey) > STOREYS.index(source.storey):
                text = f"'{source.storey}' imports {item.name} from the later storey '{other.storey}'"
                breaches.append(source.at(item.line, text))
    return breaches


def no_cycle(house: House) -> list[str]:
    """No module imports itself, directly or through others."""
    reach = {name: _reachable(house.graph, name) for name in house.graph}
    knots = {frozenset(b for b in reach[a] if a in reach[b]) for a in reach if a in reach[a]}
    return sorted("modules that import each other: " + ", ".join(sorted(knot)) for knot in knots)


def _reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    front = set(graph[start])
    while front:
        seen |= front
        front = {after for name in front for after in graph.get(name, ())} - seen
    return seen


def no_late_import(house: House) -> list[str]:
    """Our own modules are imported at the top of a file; only api.py binds late, through importlib."""
    breaches = []
    for source in house.sources.values():
        for item in source.imports:
            unknown = item.dynamic and not item.name
            if not unknown and not ((item.late or item.dynamic) and house.owner(item.name)):
                continue
            if not (item.dynamic and source.path == BINDING_FILE):
                breaches.append(source.at(item.line, f"late import of {item.name or 'a computed name'}"))
    return breaches


def optional_packages(house: House) -> list[str]:
    """An optional package is imported in one file per storey."""
    users: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for source, _, package in house.foreign(OPTIONAL):
        users[source.storey, package].add(source.path)
    return [
        f"'{storey}' imports {package} in {len(paths)} files: {', '.join(sorted(paths))}"
        for (storey, package), paths in users.items()
        if len(paths) > 1
    ]


def array_libraries(house: House) -> list[str]:
    """Within the core only two files of arithmetic know array libraries."""
    return [
        source.at(item.line, f"{package} belongs in {' or '.join(sorted(ARRAY_FILES))}")
        for source, item, package in house.foreign(ARRAY_LIBRARIES)
        if source.storey in CORE and source.path not in ARRAY_FILES
    ]


def file_length(house: House) -> list[str]:
    """No file has more than 500 lines, data tables excepted."""
    lengths = {source.path: len(source.text.splitlines()) for source in house.sources.values()}
    return [
        f"{path}: {lines} lines, at most {FILE_LINES} are allowed"
        for path, lines in lengths.items()
        if lines > FILE_LINES and path not in DATA_TABLES
    ]


def function_length(house: House) -> list[str]:
    """The median length of a function, its docstring not counted, is at most 10 lines."""
    lengths = _body_lengths(house)
    middle = median(lengths.values()) if lengths else 0
    if middle <= FUNCTION_LINES:
        return []
    longest = sorted(lengths, key=lambda place: -lengths[place])[:10]
    head = f"the median is {middle:g} lines over {len(lengths)} functions; the longest are"
    return [head, *(f"{place}: {lengths[place]} lines" for place in longest)]


def _body_lengths(house: House) -> dict[str, int]:
    """Lengths of all functions that have a body, by place."""
    return {
        source.at(node.lineno, node.name): lines
        for source in house.sources.values()
        for node in source.functions
        if (lines := _body_length(node))
    }


def _body_length(node: Function) -> int:
    match node.body:
        case [ast.Expr(ast.Constant(str())), *body] | body:
            pass
    match body:
        case [] | [ast.Expr(ast.Constant())]:
            return 0
        case [ast.FunctionDef(decorator_list=[first, *_]), *_] | [first, *_]:
            return (node.end_lineno or 0) - first.lineno + 1
    raise AssertionError


def annotated(house: House) -> list[str]:
    """Every parameter of every function is annotated, self and cls excepted."""
    return [
        source.at(parameter.lineno, f"parameter '{parameter.arg}' of {node.name} has no annotation")
        for source in house.sources.values()
        for node in source.functions
        for parameter in _parameters(node.args)
        if parameter.annotation is None and parameter.arg not in {"self", "cls"}
    ]


def _parameters(args: ast.arguments) -> list[ast.arg]:
    starred = [parameter for parameter in (args.vararg, args.kwarg) if parameter]
    return [*args.posonlyargs, *args.args, *args.kwonlyargs, *starred]


def nothing_executed(house: House) -> list[str]:
    """Text and data are never executed: no eval, exec, SymPy parsers or unpickling."""
    named = [
        source.at(getattr(node, "lineno", 1), f"{name} executes what it is given")
        for source in house.sources.values()
        for node, _ in source.nodes
        if (name := _executor(node))
    ]
    pickles = [
        source.at(item.line, f"{package} executes what it loads") for source, item, package in house.foreign(UNPICKLERS)
    ]
    return named + pickles


def _executor(node: ast.AST) -> str | None:
    match node:
        case ast.Name(id=name) | ast.alias(name=name) if name in EVALUATORS | PARSERS:
            return name
        case ast.Attribute(value=ast.Name("builtins"), attr=name) if name in EVALUATORS:
            return name
        case ast.Attribute(attr=name) if name in PARSERS:
            return name
        case ast.keyword(arg="allow_pickle", value=ast.Constant(value=True)):
            return "allow_pickle=True"
    return None


Law = Callable[[House], list[str]]
LAWS: tuple[Law, ...] = (
    storey_order,
    no_cycle,
    no_late_import,
    optional_packages,
    array_libraries,
    file_length,
    function_length,
    annotated,
    nothing_executed,
)
