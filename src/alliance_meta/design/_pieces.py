"""What stands between the operators of a formula: a piece of text becomes a small tree that can do nothing else."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import TypeAlias

from alliance_meta._checks import known_name, listed
from alliance_meta.errors import FormulaError, UnknownNameError

__all__ = ["FUNCTIONS", "Arithmetic", "Call", "Column", "Level", "Node", "Number", "Piece", "columns_of", "read_piece"]

Level: TypeAlias = str | bool | int | float
Option: TypeAlias = Level | tuple[Level, ...]

FUNCTIONS: dict[str, tuple[str, ...]] = {
    "C": ("reference", "levels"),
    "I": (),
    "bs": ("df", "degree"),
    "center": (),
    "log": (),
    "poly": ("degree",),
    "scale": (),
    "sqrt": (),
}
"""The functions a formula may call, and the options of each."""

_OUTERMOST = ("C", "bs", "poly")
_DEEPEST = 40
_LARGEST_EXPONENT = 10
_LARGEST_OPTION = 100
_SHOWN = 60

_ARITHMETIC: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
_WORDS: dict[type[ast.AST], str] = {
    ast.Attribute: "a dot (attribute access)",
    ast.Subscript: "square brackets (a subscript)",
    ast.Lambda: "a lambda",
    ast.NamedExpr: "an assignment",
    ast.JoinedStr: "an f-string",
    ast.Compare: "a comparison",
    ast.BoolOp: "a logical operator",
    ast.IfExp: "a condition",
    ast.Starred: "a star",
    ast.Tuple: "a tuple",
    ast.List: "a list",
}
_STRING_OR_QUOTED = re.compile(r"""('(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|`([^`]*)`""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Number:
    """A number written in the formula."""

    value: float


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table."""

    name: str


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Two values and one of ``+ - * / **`` between them."""

    symbol: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Call:
    """One of `FUNCTIONS`, its argument and its options."""

    function: str
    argument: Node
    options: tuple[tuple[str, Option], ...] = ()

    def option(self, name: str) -> Option | None:
        """An option's value, None where it is not given."""
        return dict(self.options).get(name)


Node: TypeAlias = Number | Column | Arithmetic | Call


@dataclass(frozen=True, slots=True)
class Piece:
    """One factor of a term. Two pieces are the same if they mean the same, however they are spaced or quoted."""

    node: Node
    label: str = field(compare=False)


def columns_of(node: Node) -> Iterator[str]:
    """The columns a tree reads, in the order written."""
    match node:
        case Column():
            yield node.name
        case Arithmetic():
            yield from columns_of(node.left)
            yield from columns_of(node.right)
        case Call():
            yield from columns_of(node.argument)


def shortened(text: str) -> str:
    """At most 60 characters of what the user wrote."""
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 4]} ..."


def read_piece(text: str) -> Piece:
    """Read a call of the closed list; anything Python could do beyond that is refused, and nothing is evaluated.

    Parameters
    ----------
    text : str
        Such as ``log(n)``, ``I(year - 2000)`` or ``C(rater, reference='client')``.

    Raises
    ------
    FormulaError
        Names the part that is not allowed.

    Examples
    --------
    >>> read_piece("I( `n sessions`*2 )").label
    'I(`n sessions` * 2)'
    >>> read_piece("log(__import__('os'))")
    Traceback (most recent call last):
    alliance_meta.errors.FormulaError: unknown function '__import__'. Known: 'C', 'I', 'bs', 'center', 'log', ...
    """
    source, quoted = _without_back_quotes(text)
    try:
        with warnings.catch_warnings():
            # Python warns of odd literals; the walk below refuses or accepts them whatever the filters are.
            warnings.simplefilter("ignore")
            tree = ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        # Only a SyntaxError is about the text; the others are Python's parser giving up.
        reason = error.msg if isinstance(error, SyntaxError) else "it is too deep for Python, or not text"
        raise FormulaError(f"{shortened(text)!r} in the formula cannot be read: {reason}", piece=text) from None
    node = _Reader(source, quoted).node(tree, depth=0)
    if not any(columns_of(node)):
        raise FormulaError(f"{shortened(text)!r} in the formula names no column", piece=text)
    return Piece(node, _with_back_quotes(ast.unparse(tree), quoted))


def _without_back_quotes(text: str) -> tuple[str, dict[str, str]]:
    prefix = "_quoted"
    while prefix in text:
        prefix += "_"
    quoted: dict[str, str] = {}

    def alias(found: re.Match[str]) -> str:
        if found[1] is not None:
            return found[1]
        made = f"{prefix}{len(quoted)}_"
        quoted[made] = found[2]
        return f" {made} "

    return _STRING_OR_QUOTED.sub(alias, text), quoted


def _with_back_quotes(text: str, quoted: Mapping[str, str]) -> str:
    for alias, name in quoted.items():
        text = text.replace(alias, f"`{name}`")
    return text


@dataclass(frozen=True, slots=True)
class _Reader:
    """Walks Python's syntax tree of one piece and admits only what is on the list."""

    source: str
    quoted: Mapping[str, str]

    def node(self, tree: ast.expr, depth: int) -> Node:
        if depth > _DEEPEST:
            whole = _with_back_quotes(self.source, self.quoted)
            raise FormulaError(f"{shortened(whole)!r} in the formula is nested too deeply", piece=whole)
        match tree:
            case ast.Name():
                return Column(self._name(tree))
            case ast.UnaryOp(op=ast.USub()):
                return Arithmetic("-", Number(0.0), self.node(tree.operand, depth + 1))
            case ast.UnaryOp(op=ast.UAdd()):
                return self.node(tree.operand, depth + 1)
            case ast.BinOp() if type(tree.op) in _ARITHMETIC:
                symbol = _ARITHMETIC[type(tree.op)]
                right: Node = Number(self._exponent(tree.right)) if symbol == "**" else self.node(tree.right, depth + 1)
                return Arithmetic(symbol, self.node(tree.left, depth + 1), right)
            case ast.Call(func=ast.Name()):
                return self._call(tree, depth)
            case ast.Constant(value=int() | float()) if not isinstance(tree.value, bool):
                return Number(self._number(tree))
        raise self._refused(tree)

    def _call(self, tree: ast.Call, depth: int) -> Call:
        function = self._text(tree.func)
        try:
            known_name("function", shortened(function), tuple(FUNCTIONS))
        except UnknownNameError as error:
            raise FormulaError(str(error), piece=self._text(tree)) from None
        piece = self._text(tree)
        if function in _OUTERMOST and depth > 0:
            raise FormulaError(f"{shortened(piece)!r} cannot stand inside another function or a sum", piece=piece)
        if not tree.args:
            raise FormulaError(f"{shortened(piece)!r} lacks the column it is of", piece=piece)
        argument = self.node(tree.args[0], depth + 1)
        if function == "C" and not isinstance(argument, Column):
            raise FormulaError(f"C() takes the name of a column, not {shortened(piece)!r}", piece=piece)
        options = self._options(tree, function, piece)
        return Call(function, argument, tuple(sorted(options.items(), key=lambda option: option[0])))

    def _options(self, tree: ast.Call, function: str, piece: str) -> dict[str, Option]:
        allowed = FUNCTIONS[function]
        # The second argument of poly() and bs() goes without its name, as in R.
        places = allowed[:1] if function != "C" else ()
        if len(tree.args) > 1 + len(places):
            raise FormulaError(f"{shortened(piece)!r} has too many arguments; options go by name", piece=piece)
        given = [*zip(places, tree.args[1:], strict=False), *((word.arg, word.value) for word in tree.keywords)]
        options: dict[str, Option] = {}
        for name, value in given:
            if name not in allowed or name in options:
                known = f"Options: {listed(allowed)}" if allowed else "It takes no options"
                raise FormulaError(f"{function}() cannot take {name or '**'!r} here. {known}.", piece=piece)
            options[name] = self._levels(value) if function == "C" else self._whole(value, name, function)
            if isinstance(options[name], tuple) != (name == "levels"):
                raise FormulaError(
                    f"C() takes one level as reference, and a list as levels: {shortened(piece)!r}", piece=piece
                )
        return self._complete(function, options, piece)

    def _complete(self, function: str, options: dict[str, Option], piece: str) -> dict[str, Option]:
        if function == "poly" and "degree" not in options:
            raise FormulaError(f"{shortened(piece)!r} lacks its degree: poly(year, 2)", piece=piece)
        if function == "bs":
            options = {"degree": 3, **options}
            if "df" not in options or int(str(options["df"])) < int(str(options["degree"])):
                raise FormulaError(
                    f"{shortened(piece)!r} needs df, the number of its columns, at least its degree: bs(year, df=4)",
                    piece=piece,
                )
        return options

    def _levels(self, tree: ast.expr) -> Option:
        if isinstance(tree, ast.List | ast.Tuple):
            return tuple(self._level(item) for item in tree.elts)
        return self._level(tree)

    def _level(self, tree: ast.expr) -> Level:
        match tree:
            case ast.Constant(value=str() | bool() as value):
                return value
            case ast.Constant(value=int() | float() as value):
                self._number(tree)
                return value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value) as inner):
                self._number(inner)
                return -value
        raise self._refused(tree)

    def _whole(self, tree: ast.expr, name: str, function: str) -> int:
        match tree:
            case ast.Constant(value=int() as value) if not isinstance(value, bool) and 1 <= value <= _LARGEST_OPTION:
                return value
        text = self._text(tree)
        raise FormulaError(
            f"{name} of {function}() must be a whole number from 1 to {_LARGEST_OPTION}, not {shortened(text)!r}",
            piece=text,
        )

    def _exponent(self, tree: ast.expr) -> float:
        inner, sign = (tree.operand, -1.0) if isinstance(tree, ast.UnaryOp) else (tree, 1.0)
        negative_or_plain = inner is tree or (isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub))
        if negative_or_plain and isinstance(inner, ast.Constant) and type(inner.value) in (int, float):
            value = self._number(inner)
            if value <= _LARGEST_EXPONENT:
                return sign * value
        text = self._text(tree)
        raise FormulaError(
            f"an exponent must be a number from -{_LARGEST_EXPONENT} to {_LARGEST_EXPONENT}, not {shortened(text)!r}",
            piece=text,
        )

    def _number(self, tree: ast.Constant) -> float:
        try:
            value = float(tree.value)  # type: ignore[arg-type]  # callers pass int and float constants only
        except OverflowError:
            value = float("inf")
        if not isfinite(value):
            text = self._text(tree)
            raise FormulaError(f"the number {shortened(text)!r} in the formula is too large", piece=text)
        return value

    def _name(self, tree: ast.Name) -> str:
        # As written: Python would turn some letters into others (NFKC), and the column would not be found.
        text = ast.get_source_segment(self.source, tree) or tree.id
        return self.quoted.get(text, text)

    def _text(self, tree: ast.AST) -> str:
        return _with_back_quotes(ast.get_source_segment(self.source, tree) or "", self.quoted)

    def _refused(self, tree: ast.AST) -> FormulaError:
        text = self._text(tree)
        word = _WORDS.get(type(tree), "a comprehension" if "Comp" in type(tree).__name__ else "")
        return FormulaError(
            f"{shortened(text)!r} is not allowed in a formula{f': it is {word}' if word else ''}. Allowed are columns, "
            f"numbers, + - * / **, and the functions {listed(tuple(FUNCTIONS))}.",
            piece=text,
        )
