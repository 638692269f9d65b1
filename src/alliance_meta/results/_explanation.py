"""`Explanation`: how a result was computed, step by step, with these studies' numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from re import split

import pandas as pd
from rich.cells import cell_len

from alliance_meta import _checks
from alliance_meta._tables import TEXT_WIDTH, SummaryTable
from alliance_meta._tables import wrapped as wrapped
from alliance_meta.results._formula_text import latex_words, markdown_words, num, plain

__all__ = ["Equation", "Explanation", "Step", "Worksheet"]

ROUNDED = (
    "Numbers are shown rounded, to four significant digits (those of the table to six), but were computed unrounded; "
    "so a sum or product of the numbers shown can differ from the result in its last digits."
)
_INDENT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Equation:
    """One number: its formula, the numbers put in, and the result.

    Attributes
    ----------
    name : str
        As in results and `quantities()` where it is one of theirs.
    tex : str
        Its symbol in LaTeX.
    formula : str
        The right-hand side in LaTeX; empty where the number is read off a table or chosen.
    put_in : tuple of str
        The same with numbers, one line after the other, in LaTeX.
    value : float
        Unrounded.
    shown : str
        The result as it is shown, in LaTeX; without it `value` with four significant digits.
    """

    name: str
    tex: str
    formula: str = ""
    put_in: tuple[str, ...] = ()
    value: float
    shown: str = ""

    @property
    def symbol(self) -> str:
        """The symbol in plain text."""
        return plain(self.tex)

    @property
    def lines(self) -> tuple[str, ...]:
        """All right-hand sides in LaTeX, the result last."""
        parts = (self.formula, *self.put_in, self.shown or num(self.value))
        # "= 0 / 1 = 0" says nothing twice
        return tuple(part for i, part in enumerate(parts) if part and part not in parts[:i])


@dataclass(frozen=True, slots=True, kw_only=True)
class Worksheet:
    """A table of numbers that belongs to a step, such as the studies' effects and weights.

    Attributes
    ----------
    header : tuple of str
    rows : tuple of tuple of str
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a computation.

    Attributes
    ----------
    title : str
    words : str
        What is done, and why, for a reader who has never pooled two studies.
    equations : tuple of Equation
    worksheet : Worksheet or None
    result : str
        The name of the equation that the step is for; the last one without it.
    """

    title: str
    words: str
    equations: tuple[Equation, ...] = ()
    worksheet: Worksheet | None = None
    result: str = ""

    @property
    def name(self) -> str:
        """The name of the step's result, empty where it has none."""
        return self._main.name if self._main else ""

    @property
    def symbol(self) -> str:
        """The symbol of the step's result."""
        return self._main.symbol if self._main else ""

    @property
    def value(self) -> float:
        """The step's result, unrounded; NaN where it has none."""
        return self._main.value if self._main else float("nan")

    def __str__(self) -> str:
        return _step_text(self)

    def _repr_markdown_(self) -> str:
        return _step_markdown(self)

    @property
    def _main(self) -> Equation | None:
        named = [equation for equation in self.equations if equation.name == self.result]
        return next(iter(named or self.equations[-1:]), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The computation of one result, step by step: formula, numbers put in, result.

    Printing gives text for a terminal; a notebook shows formulas. The numbers are those of the fit. A step can be
    shown by itself: ``print(explanation.steps[0])``.

    Attributes
    ----------
    title : str
    steps : tuple of Step
    conclusion : str
        The result in a sentence.
    level : float
        Of the intervals.
    notes : tuple of str
        The fit's, those of its effects, and where the data come from.
    """

    title: str
    steps: tuple[Step, ...]
    conclusion: str
    level: float
    notes: tuple[str, ...] = field(default=())

    def quantities(self) -> dict[str, float]:
        """Every number that an equation gives, unrounded, by its name."""
        return {equation.name: equation.value for step in self.steps for equation in step.equations}

    def value(self, name: str) -> float:
        """One number by its name.

        Raises
        ------
        UnknownNameError
            With the nearest name.
        """
        values = self.quantities()
        return values[_checks.known_name("number of this explanation", name, tuple(values))]

    def to_frame(self) -> pd.DataFrame:
        """One row an equation: step (its number), title, name, symbol, value."""
        rows = [
            {"step": at, "title": step.title, "name": each.name, "symbol": each.symbol, "value": each.value}
            for at, step in enumerate(self.steps, start=1)
            for each in step.equations
        ]
        return pd.DataFrame(rows, columns=["step", "title", "name", "symbol", "value"])

    # Views

    def to_text(self) -> str:
        """The whole computation as plain text, at most 100 columns wide."""
        blocks = ["\n".join([*wrapped(self.title, TEXT_WIDTH), "═" * TEXT_WIDTH, *wrapped(ROUNDED, TEXT_WIDTH)])]
        blocks += [_step_text(step, f"{at}. ") for at, step in enumerate(self.steps, start=1)]
        ending = [line for text in (self.conclusion, *self.notes) for line in wrapped(text, TEXT_WIDTH)]
        return "\n\n".join([*blocks, "\n".join(["─" * TEXT_WIDTH, *ending])])

    def to_markdown(self) -> str:
        """Markdown with LaTeX formulas between dollars: what Jupyter, Quarto and Colab show."""
        steps = [_step_markdown(step, f"{at}. ") for at, step in enumerate(self.steps, start=1)]
        notes = [f"*{markdown_words(note)}*" for note in self.notes]
        ending = [f"**{markdown_words(self.conclusion)}**", *notes]
        return "\n\n".join([f"**{markdown_words(self.title)}**", f"*{ROUNDED}*", *steps, *ending]) + "\n"

    def to_latex(self) -> str:
        """A fragment for a handout; it needs the packages amsmath and booktabs, and UTF-8."""
        steps = [_step_latex(step, f"{at}. ") for at, step in enumerate(self.steps, start=1)]
        notes = [latex_words(note) for note in self.notes]
        parts = [rf"\section*{{{latex_words(self.title)}}}", rf"\emph{{{ROUNDED}}}", *steps]
        return "\n\n".join([*parts, rf"\textbf{{{latex_words(self.conclusion)}}}", *notes]) + "\n"

    def __repr__(self) -> str:
        return f"<Explanation: {self.title}; {len(self.steps)} steps>"

    def __str__(self) -> str:
        return self.to_text()

    def _repr_markdown_(self) -> str:
        return self.to_markdown()


# Plain text


def _step_text(step: Step, number: str = "") -> str:
    lines = [f"{number}{step.title}", *wrapped(step.words, TEXT_WIDTH)]
    if step.worksheet is not None:
        table = SummaryTable(
            title="",
            header=step.worksheet.header,
            rows=step.worksheet.rows,
            right=frozenset(range(1, len(step.worksheet.header))),
        )
        lines += ["", *table.to_text().splitlines()[1:]]
    for equation in step.equations:
        lines += ["", *_equation_text(equation)]
    return "\n".join(lines)


def _equation_text(equation: Equation) -> list[str]:
    """The symbol, and each right-hand side under the last."""
    symbol = equation.symbol
    indent = " " * (_INDENT + cell_len(symbol))
    lines = []
    for side in equation.lines:
        parts = _broken(plain(side), TEXT_WIDTH - len(indent) - 5)
        lines += [f"{indent} = {parts[0]}", *(f"{indent}     {part}" for part in parts[1:])]
    return [" " * _INDENT + symbol + lines[0][len(indent) :], *lines[1:]]


def _broken(text: str, width: int) -> list[str]:
    """A formula in lines no wider than that, broken before a plus or a fraction's stroke where that can be."""
    lines = [""]
    for part in split(r" (?=[+/] )", text):
        longer = f"{lines[-1]} {part}".strip()
        lines = [*lines[:-1], longer] if cell_len(longer) <= width or not lines[-1] else [*lines, part]
    return [piece for line in lines for piece in wrapped(line, width)]


# Markdown


def _step_markdown(step: Step, number: str = "") -> str:
    parts = [f"**{number}{markdown_words(step.title)}**", markdown_words(step.words)]
    if step.worksheet is not None:
        header, *rows = [
            "| " + " | ".join(map(markdown_words, line)) + " |"
            for line in (step.worksheet.header, *step.worksheet.rows)
        ]
        marks = "|" + "|".join(["---", *["---:"] * (len(step.worksheet.header) - 1)]) + "|"
        parts.append("\n".join([header, marks, *rows]))
    parts += [f"$$\n{_aligned(equation)}\n$$" for equation in step.equations]
    return "\n\n".join(parts)


def _aligned(equation: Equation) -> str:
    first, *rest = equation.lines
    if not rest:
        return f"{equation.tex} = {first}"
    sides = " \\\\\n&= ".join([first, *rest])
    return f"\\begin{{aligned}}\n{equation.tex} &= {sides}\n\\end{{aligned}}"


# LaTeX


def _step_latex(step: Step, number: str) -> str:
    parts = [rf"\paragraph{{{number}{latex_words(step.title)}}}", latex_words(step.words)]
    if step.worksheet is not None:
        lines = [" & ".join(map(latex_words, line)) + r" \\" for line in (step.worksheet.header, *step.worksheet.rows)]
        columns = "l" + "r" * (len(step.worksheet.header) - 1)
        table = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule"]
        parts.append("\n".join([r"\begin{center}", *table, r"\end{tabular}", r"\end{center}"]))
    parts += [f"\\[\n{_aligned(equation)}\n\\]" for equation in step.equations]
    return "\n\n".join(parts)
