"""A formula's text becomes terms. formulaic does the algebra, on placeholders; what they stand for it never sees."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from alliance_meta.design._pieces import Column, Piece, read_piece, shortened
from alliance_meta.errors import FormulaError

__all__ = ["Parsed", "parse"]

_LONGEST = 2000
_DEEPEST = 20
_MOST_PRODUCTS = 1000
_LARGEST_POWER = 10
_LONGEST_INTERACTION = 6

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<quoted>`[^`]*`)
      | (?P<call>[^\W\d]\w*\s*\()
      | (?P<brace>\{)
      | (?P<name>[^\W\d]\w*)
      | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?!\w))
      | (?P<operator>\*\*|[-+*/:^])
      | (?P<bracket>[()])""",
    re.VERBOSE,
)
_INSIDE = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`[^`]*`|[()\[\]{}]|[^'"`()\[\]{}]+""", re.DOTALL)
_HINTS = {
    "~": "the left-hand side is the effect sizes already: leave it and the tilde out",
    ".": "put a column name with a dot in back quotes, and name every column you want",
    "`": "the back quote is never closed",
    "|": "a formula has one part only",
    "[": "square brackets belong to C(column, levels=[...]) only",
    "'": "text belongs to C(column, reference='...') only",
    '"': "text belongs to C(column, reference='...') only",
}


@dataclass(frozen=True, slots=True)
class Parsed:
    """The terms of a formula, in R's order: by the number of their pieces, then as written.

    Attributes
    ----------
    intercept : bool
    terms : tuple of tuple of Piece
        Without the intercept.
    pieces : tuple of Piece
        Every piece of the formula in order of first appearance, those of removed terms too.
    """

    intercept: bool
    terms: tuple[tuple[Piece, ...], ...]
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    depth: int


def parse(formula: str) -> Parsed:
    """Read a formula's text.

    Raises
    ------
    FormulaError
        Names the piece that cannot be read or is not allowed.

    Examples
    --------
    >>> [[piece.label for piece in term] for term in parse("(year + log(n)) * rater - year:rater").terms]
    [['year'], ['log(n)'], ['rater'], ['log(n)', 'rater']]
    """
    if not isinstance(formula, str):
        raise FormulaError(f"formula must be text, such as 'year + rater', not {type(formula).__name__}")
    if not formula.strip():
        raise FormulaError("the formula is empty; '1' asks for the intercept alone")
    if len(formula) > _LONGEST:
        raise FormulaError(f"the formula has {len(formula)} characters; {_LONGEST} are allowed", piece=formula)
    return _read(formula)


@lru_cache(maxsize=128)
def _read(formula: str) -> Parsed:
    tokens = list(_tokens(formula))
    _check_order(tokens)
    _check_numbers(tokens)
    pieces: dict[Piece, None] = {}
    words: list[str] = []
    for token in tokens:
        if token.kind == "piece":
            piece = _piece(token.text)
            pieces.setdefault(piece)
            words.append(f"v{list(pieces).index(piece)}")
        else:
            words.append(token.text)
    return _expanded(" ".join(words), tuple(pieces))


def _piece(text: str) -> Piece:
    if text.startswith("{"):
        return read_piece(f"I({text[1:-1]})")
    if text.endswith(")"):
        return read_piece(text)
    name = text[1:-1] if text.startswith("`") else text
    if not name:
        raise FormulaError("two back quotes in the formula have no column name between them", piece=text)
    return Piece(Column(name), name)


def _tokens(formula: str) -> Iterator[_Token]:
    position = depth = 0
    while position < len(formula):
        found = _TOKEN.match(formula, position)
        if found is None:
            raise _unreadable(formula, position)
        kind, end = str(found.lastgroup), found.end()
        if kind in ("call", "brace"):
            kind, end = "piece", _end_of_piece(formula, position, end)
        elif kind in ("name", "quoted"):
            kind = "piece"
        text = formula[position:end]
        depth += {"(": 1, ")": -1}.get(text, 0)
        if depth > _DEEPEST:
            raise FormulaError(f"the formula has more than {_DEEPEST} brackets inside each other", piece=text)
        if depth < 0:
            raise FormulaError(f"a bracket closes in {shortened(formula[:end])!r} that was never opened", piece=text)
        if kind != "space":
            yield _Token(kind, text, depth)
        position = end
    if depth:
        raise FormulaError(f"a bracket in {shortened(formula)!r} is never closed", piece="(")


def _unreadable(formula: str, position: int) -> FormulaError:
    character = formula[position]
    hint = _HINTS.get(character, "")
    rest = shortened(formula[position:])
    return FormulaError(f"{rest!r} cannot be read in the formula{f': {hint}' if hint else ''}", piece=character)


def _end_of_piece(formula: str, start: int, position: int) -> int:
    """Where the bracket that opens a piece is closed again; brackets in text and back quotes do not count."""
    depth = 1
    while depth:
        found = _INSIDE.match(formula, position)
        if found is None:
            piece = formula[start:]
            raise FormulaError(f"a bracket or quote in {shortened(piece)!r} is never closed", piece=piece)
        depth += (found[0] in ("(", "[", "{")) - (found[0] in (")", "]", "}"))
        if depth > _DEEPEST:
            piece = formula[start:]
            raise FormulaError(f"{shortened(piece)!r} has more than {_DEEPEST} brackets inside each other", piece=piece)
        position = found.end()
    return position


def _check_order(tokens: Sequence[_Token]) -> None:
    """Operands and operators must alternate; a sign may open a formula or a bracket."""
    operand_wanted, sign_allowed, before = True, True, "the beginning"
    for token in tokens:
        text = token.text
        if token.kind == "operator" or text == ")":
            if operand_wanted and not (sign_allowed and text in "+-"):
                raise FormulaError(f"a column is missing between {before!r} and {text!r} in the formula", piece=text)
            operand_wanted, sign_allowed = text != ")", False
        else:
            if not operand_wanted:
                raise FormulaError(
                    f"an operator such as + is missing between {before!r} and {shortened(text)!r} in the formula",
                    piece=text,
                )
            operand_wanted = sign_allowed = text == "("
        before = shortened(text)
    if operand_wanted:
        raise FormulaError(f"a column is missing after {before!r} at the end of the formula", piece=before)


def _check_numbers(tokens: Sequence[_Token]) -> None:
    """Numbers are powers, or the 0 and 1 that stand for the intercept."""
    # Ends that let the first and last token be looked at like the others.
    around = [_Token("operator", "+", 0), *tokens, _Token("operator", "+", 0)]
    for before, token, after in zip(around, around[1:], around[2:], strict=False):
        power = before.text in ("**", "^")
        if power and after.text in ("**", "^"):
            raise FormulaError(f"a power of a power in the formula: {token.text + after.text!r}", piece=after.text)
        if power and not (token.kind == "number" and token.text.isdecimal() and _is_power(token.text)):
            raise FormulaError(
                f"a power in a formula must be a whole number from 1 to {_LARGEST_POWER}, "
                f"not {shortened(token.text)!r}; for the square of a column write I(column**2)",
                piece=token.text,
            )
        if power or token.kind != "number":
            continue
        alone = before.text in ("+", "-") and after.text in ("+", "-")
        if token.text not in ("0", "1") or token.depth or not alone:
            raise FormulaError(
                f"the number {shortened(token.text)!r} cannot stand there: outside I(...) only + 1, + 0 and - 1 have a "
                "meaning, for the intercept, and not inside brackets",
                piece=token.text,
            )


def _is_power(text: str) -> bool:
    return len(text) <= len(str(_LARGEST_POWER)) and 1 <= int(text) <= _LARGEST_POWER


def _expanded(skeleton: str, pieces: tuple[Piece, ...]) -> Parsed:
    # Imported here because it takes longer than the rest of the library, and only formulas need it.
    from formulaic.errors import FormulaicError  # type: ignore[import-untyped]
    from formulaic.parser import DefaultFormulaParser  # type: ignore[import-untyped]

    parser = DefaultFormulaParser()
    _check_size(parser.get_ast(skeleton), pieces)
    try:
        multiplied_out = parser.get_terms(skeleton)
    except (FormulaicError, TypeError):
        # A TypeError is what formulaic makes of (a - a) / b.
        raise FormulaError("the formula cannot be multiplied out: a bracket takes away everything it adds") from None
    found = [sorted(int(factor.expr[1:]) for factor in term.factors if factor.expr != "1") for term in multiplied_out]
    terms = tuple(tuple(pieces[i] for i in term) for term in sorted(found, key=len) if term)
    if not found:
        raise FormulaError("the formula leaves no coefficient to estimate: it takes away everything it adds")
    if terms and len(terms[-1]) > _LONGEST_INTERACTION:
        label = ":".join(piece.label for piece in terms[-1])
        raise FormulaError(
            f"the interaction {shortened(label)!r} has {len(terms[-1])} variables; {_LONGEST_INTERACTION} are allowed",
            piece=label,
        )
    return Parsed([] in found, terms, pieces)


def _check_size(tree: Any, pieces: tuple[Piece, ...]) -> None:
    """Bound the products formulaic will form before it forms them: each more variable doubles them."""
    size: dict[int, int] = {}
    waiting, total = [tree], 0
    while waiting:
        node = waiting[-1]
        arguments = getattr(node, "args", ())
        pending = [argument for argument in arguments if id(argument) not in size]
        if pending:
            waiting.extend(pending)
            continue
        waiting.pop()
        size[id(node)] = _size(node, [size[id(argument)] for argument in arguments], pieces)
        total += size[id(node)] if arguments and node.operator.symbol not in ("+", "-") else 0
        if total > _MOST_PRODUCTS:
            raise FormulaError(
                f"the formula multiplies out to more than {_MOST_PRODUCTS} products; write out the terms you need"
            )


def _size(node: Any, sizes: list[int], pieces: tuple[Piece, ...]) -> int:
    if len(sizes) < 2:
        return sizes[0] if sizes else 1
    left, right = sizes
    symbol = node.operator.symbol
    words = [getattr(argument, "token", "") for argument in node.args]
    square = symbol in ("**", "^") and words[0] and int(words[1]) > 1
    if square or (symbol in ("*", ":") and words[0] and words[0] == words[1]):
        label = pieces[int(words[0][1:])].label
        raise FormulaError(
            f"a column times itself is only itself in a formula: for a square of {label!r} write I({label}**2) or "
            f"poly({label}, 2)",
            piece=label,
        )
    if symbol in ("**", "^"):
        return int(left ** int(words[1]))
    return {"*": left + right + left * right, ":": left * right}.get(symbol, left + right)
