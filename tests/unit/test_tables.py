"""How numbers and small tables are written."""

from __future__ import annotations

import math

import pytest
from rich.cells import cell_len

from alliance_meta._tables import TEXT_WIDTH, SummaryTable, apa, number, p_value, small


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (0.1234, 3, "0.123"),
        (-0.1234, 3, "−0.123"),
        (0.0, 3, "0.000"),
        (-0.0, 3, "0.000"),
        (0.0004, 3, "0.000"),
        (-0.0004, 3, "0.000"),
        (-0.0006, 3, "−0.001"),
        (0.9996, 3, "1.000"),
        (12.3456, 1, "12.3"),
        (1234567.0, 1, "1234567.0"),
        (-2.5e12, 2, "−2.50e+12"),
        (math.nan, 3, "–"),
        (math.inf, 3, "∞"),
        (-math.inf, 3, "−∞"),
    ],
)
def test_numbers_have_fixed_decimals_a_true_minus_and_no_sign_on_0(value: float, decimals: int, text: str) -> None:
    assert number(value, decimals) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0519, "0.0519"), (0.0, "0.0000"), (0.00005, "0.0001"), (3.2e-7, "3.2e-07"), (math.nan, "–")]
)
def test_a_small_variance_is_not_shown_as_0(value: float, text: str) -> None:
    assert small(value) == text


def test_a_sign_can_be_asked_for() -> None:
    assert [number(value, 1, signed=True) for value in (0.5, -0.5, 0.01)] == ["+0.5", "−0.5", "0.0"]


@pytest.mark.parametrize(
    ("value", "bounded", "text"),
    [(0.25, True, ".25"), (-0.25, True, "−.25"), (0.25, False, "0.25"), (1.0, True, "1.00"), (10.25, True, "10.25")],
)
def test_apa_drops_the_zero_only_of_bounded_numbers(value: float, bounded: bool, text: str) -> None:
    assert apa(value, 2, bounded=bounded) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "< .001"),
        (0.00049, "< .001"),
        (0.0006, "= .001"),
        (0.0124, "= .012"),
        (0.5, "= .500"),
        (1.0, "= 1.000"),
        (math.nan, "= –"),
    ],
)
def test_p_values_have_three_decimals_and_a_floor(value: float, text: str) -> None:
    assert p_value(value) == text


def table(*labels: str, last: str = "x") -> SummaryTable:
    rows = tuple((label, "1", last) for label in labels)
    return SummaryTable(title="T", header=("study", "n", "route"), rows=rows, right=frozenset({1}))


def test_columns_line_up_by_the_width_a_terminal_gives_them() -> None:
    lines = table("a", "日本語", "😀", "שלום").to_text().splitlines()
    # Two cells a CJK character or emoji: 日本語 is 6 wide, so the numbers end in cell 6 + 2 + 1.
    assert [cell_len(line[: line.index("1") + 1]) for line in lines if line.endswith("  x")] == [9, 9, 9, 9]


def test_a_newline_in_a_label_does_not_break_its_row() -> None:
    lines = table("one", "two\nlines", "three").to_text().splitlines()
    assert len([line for line in lines if line.endswith("1  x")]) == 3
    assert len(lines) == 8  # title, rule, header, rule, three rows, rule


def test_a_long_last_column_is_wrapped_to_the_width() -> None:
    text = table("a", last="word " * 60).to_text()
    assert max(cell_len(line) for line in text.splitlines()) <= TEXT_WIDTH
    assert text.count("word") == 60


def test_a_long_last_column_of_wide_characters_is_wrapped_to_the_width() -> None:
    text = table("a", last="日本語" * 60).to_text()
    assert max(cell_len(line) for line in text.splitlines()) <= TEXT_WIDTH
    assert text.count("日") == 60


def test_a_long_first_column_is_wrapped_and_the_rest_stays_in_its_columns() -> None:
    lines = table("word " * 40, "b").to_text().splitlines()
    assert max(cell_len(line) for line in lines) <= TEXT_WIDTH
    assert sum(line.count("word") for line in lines) == 40
    assert len({line.rindex("1  x") for line in lines if line.endswith("1  x")}) == 1


def test_a_blank_last_cell_keeps_its_row() -> None:
    assert len(table("a", "b", last=" " * 200).to_text().splitlines()) == 7


def test_a_title_is_no_wider_than_the_table_may_be() -> None:
    wide = SummaryTable(title="word " * 40, header=("", ""), rows=(("a", "b"),))
    assert max(cell_len(line) for line in wide.to_text().splitlines()) <= TEXT_WIDTH


def test_an_empty_header_is_not_shown() -> None:
    plain = SummaryTable(title="T", header=("", ""), rows=(("a", "b"),))
    assert plain.to_text().splitlines() == ["T", "────", "a  b", "────"]
    assert "<th" not in plain.to_html()
    assert "<th" in table("a").to_html()


@pytest.mark.parametrize(
    ("label", "cell"),
    [
        ("a|b", r"a\|b"),
        ("*a*", r"\*a\*"),
        ("<b>", "&lt;b&gt;"),
        ("a & b", "a &amp; b"),
        ("a\nb", "a b"),
        ("a\\|b", r"a\\\|b"),
        ("_a_", r"\_a\_"),
        ("`a`", r"\`a\`"),
        ("[a](b)", r"[a]\(b)"),
        ("a\r\nb", "a b"),
    ],
)
def test_markdown_cells_show_their_text_and_nothing_else(label: str, cell: str) -> None:
    # GitHub's Markdown: a backslash before punctuation takes its meaning away, so one in a label needs its own.
    assert table(label).to_markdown().splitlines()[4] == f"| {cell} | 1 | x |"
