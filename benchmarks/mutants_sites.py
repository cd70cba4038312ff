"""Where one operator or one statement of a Python module can be changed. Pure: text in, changes out.

SQL in the module's strings is changed as `mutants_sql_sites.py` changes that of the models. Annotations, docstrings and
what stands in braces of an f-string stay as they are, and so do the words of messages: a test that repeats them proves
nothing. What the type checker refuses is left out too: assertions that narrow a type, None in the place of a result,
the index of a fetched row.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeGuard

from mutants_sql_sites import Change
from mutants_sql_sites import changes as sql_changes

COMPARISONS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
}
ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "+"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "*"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
}
FUNCTIONS = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}
METHODS = {"startswith": "endswith", "endswith": "startswith", "lower": "upper", "upper": "lower"}
SQL = re.compile(
    r"\s*(select|insert into|update \S+( \w)? set|delete from|create (or|table|schema|view)|with \w+ as|alter|"
    r"from \S+ (where|join)|where|left join|join|order by|group by|case when|coalesce\()\b|\w+\.\w+ = \w+\.\w+"
)
LITERAL = re.compile(r"(?i)(?<!\w)[rbfu]*(\"\"\"|'''|\"|')(?P<inside>(?:\\.|(?!\1).)*)\1", re.DOTALL)
NO_OPERATOR = re.compile(
    r"(?:\bset|,) \w+ (?==)|\bset \w+\.\w+ (?==)|(?<!\bis )(?=not null\b)|\bif (?=not exists)|(?<=\w )(?=is\s+')"
    r"|\bcreate (?=or replace)|\bselect (?=1 from)"
)
"""Before what is no operator in SQL: the = of an assignment, the not of a column that is never NULL, and the like."""
LEFT_OUT = ("annotation", "returns", "decorator_list", "type_params", "bases")
SILENT = ("strict", "sep", "encoding")


@dataclass(frozen=True)
class _Text:
    """The module's text, and from ast's lines and UTF-8 columns to places in it."""

    text: str
    starts: tuple[int, ...]
    lines: tuple[str, ...]

    def place(self, line: int, column: int) -> int:
        return self.starts[line - 1] + len(self.lines[line - 1].encode()[:column].decode())

    def start(self, node: ast.expr | ast.stmt) -> int:
        return self.place(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.stmt) -> int:
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self.place(node.end_lineno, node.end_col_offset)

    def change(self, start: int, end: int, becomes: str) -> Change:
        return Change(start, end, self.text[start:end], becomes)

    def whole(self, node: ast.expr | ast.stmt, becomes: str) -> Change:
        return self.change(self.start(node), self.end(node), becomes)


def changes(text: str) -> list[Change]:
    """Every change of one operator, constant, condition or statement, in the order of the text.

    Raises:
        SyntaxError: the text is no Python.
    """
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    found = list(_in_body(_Text(text, tuple(starts), tuple(lines)), ast.parse(text)))
    return sorted(
        {change for change in found if change.was != change.becomes},
        key=lambda change: (change.start, change.end, change.becomes),
    )


def statement_lines(text: str) -> list[range]:
    """The lines of every statement; of one that has a body, those before it."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None) or getattr(node, "cases", None)
            last = max(node.lineno, getattr(body[0], "lineno", node.lineno + 1) - 1) if body else node.end_lineno
            found.append(range(node.lineno, (last or node.lineno) + 1))
    return found


def statement_of(statements: Sequence[range], line: int) -> range:
    """The lines of the shortest statement that has this line: a tracer sees a statement by its first ones."""
    return min((lines for lines in statements if line in lines), key=len, default=range(line, line + 1))


def _in_body(text: _Text, node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.Assert):
        return
    if isinstance(node, ast.FunctionDef) and node.returns is not None and "None" in ast.unparse(node.returns):
        yield from (text.whole(found, "return None") for found in ast.walk(node) if _returns_something(found))
    yield from _of(text, node)
    for name, value in ast.iter_fields(node):
        if name in LEFT_OUT or (name == "slice" and isinstance(value, ast.Constant)):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.JoinedStr) or (isinstance(child, ast.Constant) and isinstance(child.value, str)):
                if not isinstance(node, ast.Expr):
                    yield from _in_sql(text, child)
            elif isinstance(child, ast.AST) and not (isinstance(child, ast.keyword) and child.arg in SILENT):
                yield from _in_body(text, child)


def _of(text: _Text, node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Compare():
            for (left, right), operator in zip(pairwise([node.left, *node.comparators]), node.ops, strict=True):
                yield from _between(text, left, right, *COMPARISONS[type(operator)])
        case ast.BoolOp():
            words = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
            for left, right in pairwise(node.values):
                yield from _between(text, left, right, *words)
        case ast.BinOp() if type(node.op) in ARITHMETIC and not _is_text(node.left) and not _is_text(node.right):
            yield from _between(text, node.left, node.right, *ARITHMETIC[type(node.op)])
        case ast.UnaryOp(op=ast.Not()):
            yield text.change(text.start(node), text.start(node.operand), "")
        case ast.Constant(value=bool()):
            yield text.whole(node, str(not node.value))
        case ast.Constant(value=int() as number):
            yield text.whole(node, str(number + 1))
        case ast.IfExp() | ast.If() | ast.While():
            yield from _condition(text, node.test)
        case ast.comprehension():
            for condition in node.ifs:
                yield text.whole(condition, "True")
        case ast.Call(func=ast.Name(id=name)) if name in FUNCTIONS and (name != "sorted" or not node.keywords):
            yield text.whole(node.func, FUNCTIONS[name])
        case ast.Call(func=ast.Attribute(attr=name) as function) if name in METHODS:
            end = text.end(function)
            yield text.change(end - len(name), end, METHODS[name])
        case ast.stmt():
            yield from _statement(text, node)


def _statement(text: _Text, node: ast.stmt) -> Iterator[Change]:
    match node:
        case ast.Expr(value=ast.Call()) | ast.Raise() | ast.Delete() | ast.Break() | ast.Continue():
            yield text.whole(node, "pass")
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield text.whole(node, "pass")
        case ast.AugAssign():
            yield text.whole(node, "pass")
        case ast.With(items=[ast.withitem(context_expr=manager, optional_vars=None)]):
            yield text.change(text.start(node), text.end(manager), "if True")


def _condition(text: _Text, test: ast.expr) -> Iterator[Change]:
    """A condition that never holds, and one that always does; one of equality or `not` is turned round by what changes
    that operator."""
    is_turned = isinstance(test, ast.UnaryOp) or (isinstance(test, ast.Compare) and len(test.ops) == 1)
    ordered = isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE)
    if not is_turned or ordered:
        yield text.whole(test, "False")
        yield text.whole(test, "True")


def _between(text: _Text, left: ast.expr, right: ast.expr, was: str, becomes: str) -> Iterator[Change]:
    start, end = text.end(left), text.start(right)
    found = re.search(re.escape(was).replace(r"\ ", r"\s+"), text.text[start:end])
    if found:
        yield text.change(start + found.start(), start + found.end(), becomes)


def _returns_something(node: ast.AST) -> TypeGuard[ast.Return]:
    is_none = isinstance(node, ast.Return) and isinstance(node.value, ast.Constant) and node.value.value is None
    return isinstance(node, ast.Return) and node.value is not None and not is_none


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _in_sql(text: _Text, node: ast.expr) -> Iterator[Change]:
    start, source = text.start(node), text.text[text.start(node) : text.end(node)]
    pieces = list(LITERAL.finditer(source))
    if SQL.match("".join(piece["inside"] for piece in pieces)):
        for piece in pieces:
            offset = start + piece.start("inside")
            fixed = {found.end() for found in NO_OPERATOR.finditer(piece["inside"])}
            for change in sql_changes(piece["inside"]):
                if change.start not in fixed:
                    yield replace(change, start=change.start + offset, end=change.end + offset)
