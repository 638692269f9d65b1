"""The reference: every public name on the page of its room, found by looking, so that none can be forgotten."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass
from types import ModuleType

from docs._pages._markdown import escaped, plain, table, toctree

import alliance_meta
from alliance_meta.measures import MEASURES
from alliance_meta.studies import ROLES

__all__ = ["ROOMS", "Entry", "Room", "entries", "pages"]


@dataclass(frozen=True)
class Room:
    """A page of the reference.

    `modules` are documented whole, so far as they say what is public (``__all__``); `homes` are the modules whose
    public names are used from `alliance_meta` itself; `listed` says whether the first page names each.
    """

    name: str
    title: str
    text: str
    modules: tuple[str, ...] = ()
    homes: tuple[str, ...] = ()
    listed: bool = True


ROOMS = (
    Room(
        "effects",
        "Effects",
        "From a table of studies, checked, to effect sizes with their sampling variances.",
        modules=("measures", "studies"),
        homes=("effects", "auditing"),
    ),
    Room(
        "models",
        "Models",
        "From effects to a result. Every function takes effects first and returns a frozen result; "
        "[these have a page of their own](results.md).",
        modules=("design",),
        homes=(
            "pooling",
            "moderators",
            "grouping",
            "model_choice",
            "location_scales",
            "dependence",
            "multivariate_outcomes",
            "robustness",
            "dependence_reports",
            "study_diagnostics",
            "permutations",
            "planning",
            "psychometrics",
            "vote_counting",
        ),
    ),
    Room(
        "results",
        "Results",
        "What models return. A result never changes: asking it another question (another level, another interval) "
        "computes from what it holds.",
        modules=("results",),
        homes=("results",),
    ),
    Room(
        "bias",
        "Bias",
        "Is what was published a fair sample of what was found?",
        modules=("bias", "results.bias"),
    ),
    Room(
        "sensitivity",
        "Sensitivity",
        "How much a result owes to single studies and to choices.",
        modules=("sensitivity", "results.sensitivity"),
    ),
    Room(
        "evidence",
        "Evidence",
        "What published meta-analyses say together.",
        modules=("evidence", "results.evidence"),
    ),
    Room(
        "consistency",
        "Consistency",
        "Can the numbers that a meta-analysis prints all be right?",
        modules=("consistency",),
    ),
    Room("conversions", "Conversions", "One published formula a function.", modules=("conversions",)),
    Room("plots", "Plots", "Every plot takes `ax`, draws only there, and returns it.", modules=("plots",)),
    Room(
        "datasets",
        "Data sets",
        "The curated tables; their pages are [here](../data_sets/index.md).",
        modules=("datasets",),
    ),
    Room(
        "reproductions",
        "Reproductions",
        "Published findings, recomputed; the results are [here](../reproductions.md).",
        modules=("reproductions", "snapshot"),
    ),
    Room("simulate", "Simulation", "Made-up studies, with the truth they were made from.", modules=("simulate",)),
    Room("reports", "Reports", "Whole pages to keep or to send.", modules=("reports",)),
    Room(
        "stats",
        "The numeric core",
        "Arrays in, arrays or small records out, without pandas: for simulations and for other libraries. The last "
        "axis is studies; all axes before it are a batch. What the functions of the other pages check and explain is "
        "neither checked nor explained here.",
        modules=("stats",),
        listed=False,
    ),
    Room("errors", "Errors", "Every error the library raises on purpose, and its one warning.", modules=("errors",)),
)


@dataclass(frozen=True)
class Entry:
    """A public name: where it is used from, what it is, the first line of what it says of itself."""

    path: str
    thing: object
    summary: str


def modules_of(room: Room) -> list[ModuleType]:
    """The modules that are documented whole, packages with what is in them, so far as they are public and exist."""
    found: list[ModuleType] = []
    for name in room.modules:
        if importlib.util.find_spec(f"alliance_meta.{name}") is None:
            continue
        module = importlib.import_module(f"alliance_meta.{name}")
        found.append(module)
        if name == "stats":
            inner = pkgutil.walk_packages(module.__path__, "alliance_meta.stats.")
            found += [importlib.import_module(each.name) for each in inner if "._" not in each.name]
    return [module for module in found if getattr(module, "__all__", None)]


def entries() -> dict[str, list[Entry]]:
    """The public names of each room, each once, under the shortest path it is used from.

    Raises
    ------
    LookupError
        For a public name of `alliance_meta` that belongs to no room.
    """
    found: dict[str, list[Entry]] = {room.name: list(_used_from_the_top(room)) for room in ROOMS}
    seen = {id(entry.thing) for each in found.values() for entry in each}
    for room in ROOMS:
        for module in modules_of(room):
            for name in sorted(module.__all__, key=lambda name: inspect.isclass(getattr(module, name))):
                thing = getattr(module, name)
                if _documented(thing) and id(thing) not in seen:
                    seen.add(id(thing))
                    found[room.name].append(_entry(f"{module.__name__}.{name}", thing))
    whole = {module.__name__ for room in ROOMS for module in modules_of(room)}
    for name in alliance_meta.__all__:
        thing = getattr(alliance_meta, name)
        known = thing.__name__ in whole if inspect.ismodule(thing) else id(thing) in seen
        if not known:
            raise LookupError(f"alliance_meta.{name} is on no page of the reference: docs/_pages/reference.py, ROOMS")
    return {name: each for name, each in found.items() if each}


def _used_from_the_top(room: Room) -> Iterator[Entry]:
    """Public names of `alliance_meta` itself, functions in the order of their modules, then classes."""
    things = {name: getattr(alliance_meta, name) for name in alliance_meta.__all__}
    own = {name: thing for name, thing in things.items() if not inspect.ismodule(thing)}
    for home in room.homes:
        here = [name for name, thing in own.items() if _home(thing) == home]
        for name in sorted(here, key=lambda name: (inspect.isclass(own[name]), name)):
            yield _entry(f"alliance_meta.{name}", own[name])


def _home(thing: object) -> str:
    return str(thing.__module__).split(".")[1]


def _documented(thing: object) -> bool:
    return inspect.isfunction(thing) or inspect.isclass(thing)


def _entry(path: str, thing: object) -> Entry:
    first = (inspect.getdoc(thing) or "").partition("\n\n")[0]
    summary = "" if first.startswith(f"{path.rpartition('.')[2]}(") else " ".join(first.split())
    return Entry(path, thing, summary)


def pages() -> dict[str, str]:
    """A page for each room, and one that lists every name."""
    found = entries()
    rooms = [room for room in ROOMS if room.name in found]
    index = (
        "# Reference\n\nEvery public name, by room; `am` is `import alliance_meta as am`. "
        "The examples run in the tests.\n\n"
        + "".join(
            f"## [{room.title}]({room.name}.md)\n\n{room.text}\n\n"
            + _list(found[room.name] if room.listed else [])
            + "\n"
            for room in rooms
        )
        + toctree((room.name for room in rooms), hidden=True)
    )
    return {"reference/index.md": index} | {
        f"reference/{room.name}.md": _page(room, found[room.name]) for room in rooms
    }


def _page(room: Room, found: list[Entry]) -> str:
    parts = [f"# {room.title}\n\n{room.text}\n"]
    by_module: dict[str, list[Entry]] = {}
    for entry in found:
        by_module.setdefault(entry.path.rpartition(".")[0], []).append(entry)
    if len(by_module) == 1:
        parts.append(_list(found))
    for module, own in by_module.items():
        if len(by_module) > 1:
            heading = "" if module == "alliance_meta" else f"## `{_short(module)}`\n\n{_about(module)}"
            parts.append(heading + _list(own))
        parts.append("```{eval-rst}\n" + "\n".join(_directive(entry) for entry in own) + "\n```\n")
    if room.name == "effects":
        parts.append(_measures_and_roles())
    return "\n".join(parts)


def _about(module: str) -> str:
    first = (inspect.getdoc(importlib.import_module(module)) or "").partition("\n\n")[0]
    return f"{_said(first)}\n\n"


def _list(found: list[Entry]) -> str:
    if not found:
        return ""
    return table(("name", "what it is"), [(_link(entry), _said(entry.summary)) for entry in found])


def _link(entry: Entry) -> str:
    role = "class" if inspect.isclass(entry.thing) else "func"
    if inspect.isclass(entry.thing) and issubclass(entry.thing, Exception):
        role = "exc"
    return f"{{py:{role}}}`{_short(entry.path)} <{entry.path}>`"


def _short(path: str) -> str:
    return re.sub(r"^alliance_meta\b", "am", path)


def _said(text: str) -> str:
    """A docstring's line as Markdown: what it sets in backticks is code, the rest is plain."""
    pieces = re.split(r"``?([^`]+)``?", " ".join(text.split()))
    return "".join(f"`{piece}`".replace("|", "\\|") if odd % 2 else escaped(piece) for odd, piece in enumerate(pieces))


def _directive(entry: Entry) -> str:
    if inspect.isfunction(entry.thing):
        return f".. autofunction:: {entry.path}"
    if not inspect.isclass(entry.thing):
        raise TypeError(f"{entry.path} is neither a function nor a class")
    if issubclass(entry.thing, Exception):
        return f".. autoexception:: {entry.path}"
    if ".stats." in entry.path or issubclass(entry.thing, tuple):
        return f".. autoclass:: {entry.path}"
    inherited = "\n   :inherited-members:" if is_dataclass(entry.thing) else ""
    return f".. autoclass:: {entry.path}\n   :members:{inherited}"


def _measures_and_roles() -> str:
    measures = [(f"`{code}`", plain(one.label), plain(one.display_label)) for code, one in MEASURES.items()]
    roles = [(f"`{name}`", plain(meaning)) for name, meaning in ROLES.items()]
    return (
        "## Measures\n\n`measure=` of `am.effect_sizes()`; "
        "[routes and variance types](../conventions.md#effect-sizes).\n\n"
        + table(("code", "analysed as", "shown as"), measures)
        + "\n## Roles of columns\n\nKeywords of `am.effect_sizes()` and `am.audit()`, "
        + "and column names that are found by themselves.\n\n"
        + table(("role", "what the column holds"), roles)
    )
