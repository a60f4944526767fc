"""The imports that are written in files, and what follows from them."""

import ast
import dataclasses
import graphlib
import pathlib
import symtable
from collections.abc import Iterable, Iterator


@dataclasses.dataclass(frozen=True)
class Import:
    """`from module import name` or, with no name, `import module`.

    Attributes:
      when: "loading" of the file, "later" in a function, or for "typing".
    """

    module: str
    name: str
    when: str
    line: int


class Reader(ast.NodeVisitor):
    """Collects the imports of a file, wherever in it they stand."""

    def __init__(self):
        self.found: list[Import] = []
        self._when = "loading"

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(alias.name, "", node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        assert not node.level, f"line {node.lineno}: a relative import"
        for alias in node.names:
            self._add(node.module, alias.name, node)

    def visit_FunctionDef(self, node: ast.AST) -> None:
        self._visit_all(ast.iter_child_nodes(node), "later")

    visit_AsyncFunctionDef = visit_Lambda = visit_FunctionDef  # noqa: N815

    def visit_If(self, node: ast.If) -> None:
        typing_only = "TYPE_CHECKING" in ast.unparse(node.test)
        self._visit_all(node.body, "typing" if typing_only else "loading")
        self._visit_all(node.orelse, "loading")

    def _visit_all(self, children: Iterable[ast.AST], when: str) -> None:
        before = self._when
        self._when = when if before == "loading" else before
        for child in children:
            self.visit(child)
        self._when = before

    def _add(self, module: str, name: str, node: ast.stmt) -> None:
        self.found.append(Import(module, name, self._when, node.lineno))


class Tree:
    """Files below a root, as modules that import one another.

    A stub (`.pyi`) says what its module has.
    """

    def __init__(self, root: pathlib.Path, *tops: str):
        self.root = root
        paths = [p for top in tops for p in sorted((root / top).rglob("*.py"))]
        self.paths = {self._module(path): path for path in paths}
        self.sources = {m: p.read_text("utf-8") for m, p in self.paths.items()}

    def _module(self, path: pathlib.Path) -> str:
        parts = path.relative_to(self.root).with_suffix("").parts
        return ".".join(parts[: -1 if parts[-1] == "__init__" else None])

    def parsed(self) -> Iterator[tuple[str, ast.Module]]:
        for module, source in self.sources.items():
            yield module, ast.parse(source)

    def imports(self, module: str) -> list[Import]:
        return imports(self.sources[module])

    def target(self, found: Import) -> str | None:
        """The module of the tree that is imported, or None."""
        for name in (f"{found.module}.{found.name}", found.module):
            if name in self.paths:
                return name
        return None

    def loaded(self, module: str, found: Import) -> Iterator[str]:
        """The target, and the packages around it that are loaded with it."""
        target = self.target(found) or ""
        if target:
            yield target
        for package in packages_of(target):
            if package in self.paths and not within(module, package):
                yield package

    def names(self, module: str) -> set[str]:
        """What is bound in the module itself."""
        stub = self.paths[module].with_suffix(".pyi")
        source = stub.read_text() if stub.exists() else self.sources[module]
        table = symtable.symtable(source, module, "exec")
        return {
            symbol.get_name()
            for symbol in table.get_symbols()
            if symbol.is_assigned() or symbol.is_imported()
        }

    def missing(self, found: Iterable[Import]) -> list[str]:
        """Of imports in any file: those of what the tree does not have."""
        tops = {module.partition(".")[0] for module in self.paths}
        return [
            f"line {each.line}: {each.name} of {each.module}"
            for each in found
            if each.module.partition(".")[0] in tops
            and f"{each.module}.{each.name}" not in self.paths
            and not (
                each.module in self.paths
                and (not each.name or each.name in self.names(each.module))
            )
        ]

    def ring(self) -> list[str]:
        """Modules that import one another in a ring, at loading or later."""
        graph = {
            module: {
                name
                for found in self.imports(module)
                for name in self.loaded(module, found)
                # All names stand in the package's own door: that is no order.
                if name != next(iter(self.paths))
            }
            for module in self.paths
        }
        try:
            graphlib.TopologicalSorter(graph).prepare()
        except graphlib.CycleError as error:
            return error.args[1]
        return []

    def way_to(self, start: str, packages: set[str]) -> list[str]:
        """The modules through which loading one loads one of the packages."""
        ways = {start: [start]}
        ways |= {name: [start, name] for name in packages_of(start)}
        queue = list(ways)
        for module in queue:
            for found in self.imports(module):
                if found.when != "loading":
                    continue
                if found.module.partition(".")[0] in packages:
                    return [*ways[module], found.module]
                for name in self.loaded(module, found):
                    if name not in ways:
                        ways[name] = [*ways[module], name]
                        queue.append(name)
        return []


def imports(source: str) -> list[Import]:
    reader = Reader()
    reader.visit(ast.parse(source))
    return reader.found


def packages_of(module: str) -> list[str]:
    """a.b.c -> a, a.b."""
    parts = module.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]


def within(module: str, package: str) -> bool:
    return f"{module}.".startswith(f"{package}.")
