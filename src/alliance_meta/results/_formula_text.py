"""Formulas written once, in a small part of LaTeX, and read as plain text too; numbers as formulas show them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import floor, isfinite, isnan, log10
from re import findall, fullmatch, match, sub

__all__ = ["gaps", "given", "latex_words", "markdown_words", "minus", "num", "plain", "signed", "sum_of"]

_DIGITS = 4
_SYMBOLS = dict(
    pair.split()
    for pair in (
        *("tau τ", "mu μ", "beta β", "sigma σ", "alpha α", "chi χ", "rho ρ", "ell ℓ", "sum Σ", "pm ±", "times ×"),
        *("cdot ·", "cdots …", "infty ∞", "le ≤", "top ᵀ", "ln ln", "tanh tanh", "max max", "det det", "% %"),
    )
) | {"left": "", "right": "", ",": " "}
_ACCENTS = {"hat": "\u0302", "bar": "\u0304"}
_UP = dict(zip("0123456789-+", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", strict=True)) | {"−": "⁻", "ᵀ": "ᵀ", "*": "*"}
_DOWN = dict(zip("0123456789aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True))
_PIECE = r"\\[A-Za-z]+|\\.|[{}^_]|\s+|[^\\{}^_\s]"
_COMMAND = {
    **{low: f"_{{{letter}}}" for letter, low in _DOWN.items()},
    **{high: f"^{{{letter}}}" for letter, high in _UP.items() if letter not in "*ᵀ−"},
    **dict(
        pair.split()
        for pair in (
            *(r"τ \tau", r"μ \mu", r"β \beta", r"σ \sigma", r"χ \chi", r"ρ \rho", r"ℓ \ell", r"Σ \sum", r"√ \surd"),
            *(r"× \times", r"· \cdot", r"≤ \le", r"≥ \ge", r"∞ \infty", "− -", r"½ \frac{1}{2}"),
        )
    ),
}
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "…": r"\dots{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "–": "--",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


# Numbers


def num(value: float) -> str:
    """A computed number with four significant digits, or all digits before the point."""
    if isnan(value):
        return "–"
    if not isfinite(value):
        return r"-\infty" if value < 0.0 else r"\infty"
    if value == 0.0:
        return "0"
    size = floor(log10(float(f"{abs(value):.{_DIGITS - 1}e}")))
    if -5 < size < 9:
        return f"{value:.{max(_DIGITS - 1 - size, 0)}f}"
    digits, power = f"{value:.{_DIGITS - 1}e}".split("e")
    return rf"{digits} \times 10^{{{int(power)}}}"


def given(value: float) -> str:
    """A number of the table, as it stands there, with six digits at most unless it is whole."""
    text = f"{value:.0f}" if abs(value) < 1e15 and value == round(value) else f"{value:.6g}"
    return text if "e" not in text else num(value)


def signed(value: float, write: Callable[[float], str] = num) -> str:
    """A number as a factor or what is taken off: in brackets where it is negative."""
    return f"({write(value)})" if value < 0.0 else write(value)


def minus(left: float, right: float, write: Callable[[float], str] = num) -> str:
    """A difference in brackets."""
    return f"({write(left)} - {signed(right, write)})"


def gaps(shown: Sequence[int]) -> list[int | None]:
    """Rows to show, with None where some between two of them, or before the first, are left out."""
    found: list[int | None] = []
    before = -1
    for row in shown:
        found += [row] if row == before + 1 else [None, row]
        before = row
    return found


def sum_of(shown: Sequence[int], term: Callable[[int], str]) -> str:
    """The first terms of a sum, dots, and the last."""
    terms = [r"\cdots" if row is None else term(row) for row in gaps(shown)]
    text = terms[0]
    for each in terms[1:]:
        text += f" - {each[1:]}" if fullmatch(r"-[0-9.]+", each) else f" + {each}"
    return text


# LaTeX as plain text


def plain(tex: str) -> str:
    r"""The formula as a terminal shows it.

    Examples
    --------
    >>> plain(r"\hat{\mu} = \frac{\sum w_i\,y_i}{\sum w_i}")
    'μ̂ = Σ wᵢ yᵢ / Σ wᵢ'
    """
    return sub(" +", " ", _Reader(tex).all()).strip()


class _Reader:
    """Reads the commands, groups, powers and indices that our own formulas use."""

    def __init__(self, tex: str) -> None:
        self.left = _pieces(tex)

    def all(self) -> str:
        """Everything up to the end of the group."""
        text = ""
        while self.left and self.left[0] != "}":
            text += self.atom()
        return text

    def atom(self) -> str:
        """The next symbol, group or command."""
        piece = self.left.pop(0)
        if piece == "{":
            text = self.all()
            self.left.pop(0)
            return text
        if piece in "^_":
            return _raised(self.atom(), _UP if piece == "^" else _DOWN, piece)
        if piece.startswith("\\"):
            return self.command(piece[1:])
        return "−" if piece == "-" else piece

    def command(self, name: str) -> str:
        """A command with what belongs to it."""
        if name == "frac":
            return _fraction(self.atom(), self.atom())
        if name == "sqrt":
            inside = self.atom()
            return f"√{inside}" if fullmatch(r"[\w.]+", inside) else f"√({inside})"
        if name in ("text", "mathrm"):
            return self.atom()
        if name in _ACCENTS:
            return self.atom() + _ACCENTS[name]
        return _SYMBOLS[name]


def _pieces(tex: str) -> list[str]:
    found = []
    while tex:
        piece = match(_PIECE, tex)
        assert piece is not None  # noqa: S101 - any character is a piece
        found.append(piece[0])
        tex = tex[piece.end() :]
    return found


def _raised(text: str, letters: dict[str, str], mark: str) -> str:
    if all(letter in letters for letter in text):
        return "".join(letters[letter] for letter in text)
    return f"{mark}{text}" if len(text) == 1 or (mark == "_" and text.isalnum()) else f"{mark}({text})"


def _fraction(above: str, below: str) -> str:
    if (above, below) == ("1", "2"):
        return "½"
    return f"{_bracketed(above, sums_only=True)} / {_bracketed(below, sums_only=False)}"


def _bracketed(text: str, *, sums_only: bool) -> str:
    """In brackets, where a fraction's bar held it together."""
    outside = text
    while (without := sub(r"\([^()]*\)", "()", outside).replace("()", "¤")) != outside:
        outside = without
    joined = r" [+−] " if sums_only else r"[ ·×/]"
    alone = fullmatch(r"Σ ?\S+", outside)
    return text if alone or not match(rf".*({joined})", outside) else f"({text})"


# Words


def latex_words(text: str) -> str:
    """Prose for LaTeX: special characters escaped; Greek letters, accents on them and indices as formulas."""
    return "".join(
        _latex_letter(*found)
        for found in findall(f"(.)([{''.join(_ACCENTS.values())}]?)", _one_line(text).replace("\u0233", "y\u0304"))
    )


def _latex_letter(letter: str, mark: str) -> str:
    """A character, and the accent that may follow it."""
    command = _COMMAND.get(letter, "")
    for name, accent in _ACCENTS.items():
        if mark == accent:
            return rf"$\{name}{{{command or letter}}}$"
    return f"${command}$" if command else _SPECIAL.get(letter, letter)


def _one_line(text: str) -> str:
    return sub(r"[\r\n]+", " ", text)


def markdown_words(text: str) -> str:
    """Prose for Markdown in which nothing is taken for mark-up or for a formula."""
    text = _one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # A bare dollar or backslash would open a formula; MathJax does not look for one across elements.
    text = text.replace("$", "<span>&#36;</span>").replace("\\", "<span>&#92;</span>")
    return sub(r"([|*_`\[\]~])", r"\\\1", text)
