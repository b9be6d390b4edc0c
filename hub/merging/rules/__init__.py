"""The rules by name, and how a rule is made from a name and options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from math import isfinite
from typing import Any

from hub.merging.errors import MergeError
from hub.merging.rules.averaging import Mean
from hub.merging.rules.centre import CentredClipping, GeometricMedian
from hub.merging.rules.lineages import Dare, TaskArithmetic, Ties
from hub.merging.rules.order import Median, TrimmedMean
from hub.merging.rules.rule import Facts, Rule
from hub.merging.rules.selection import Bulyan, Krum, MinimumDiameter, MultiKrum
from hub.merging.rules.trust import FLTrust

__all__ = ["RULES", "Facts", "Rule", "make_rule"]

RULES: dict[str, type[Rule]] = {
    "mean": Mean,
    "median": Median,
    "trimmed-mean": TrimmedMean,
    "krum": Krum,
    "multi-krum": MultiKrum,
    "bulyan": Bulyan,
    "geometric-median": GeometricMedian,
    "centred-clipping": CentredClipping,
    "mda": MinimumDiameter,
    "fltrust": FLTrust,
    "task-arithmetic": TaskArithmetic,
    "ties": Ties,
    "dare": Dare,
}


def make_rule(name: str, options: Mapping[str, Any] | None = None) -> Rule:
    """The rule of that name with these options.

    Raises:
        MergeError: Unknown rule or option, an option lacks or has a value that makes no sense.
    """
    if name not in RULES:
        raise MergeError(
            f"there is no rule {name!r}.", where="rule", remedy=f"Use one of {', '.join(RULES)}."
        )
    options = options or {}
    known = {field.name: field for field in fields(RULES[name])}
    for option in options.keys() - known.keys():
        offered = f"It takes {', '.join(known)}." if known else "It takes none."
        raise MergeError(f"rule {name} has no option {option!r}.", where=f"options.{option}", remedy=offered)
    for option, field in known.items():
        if option not in options and field.default is MISSING:
            raise MergeError(
                f"rule {name} needs the option {option!r}.",
                where=f"options.{option}",
                remedy="For example 2: how many bad robots it shall survive.",
            )
    return RULES[name](**{option: _converted(known[option], value) for option, value in options.items()})


def _converted(field: Field[Any], value: Any) -> int | float | None:
    """The value as the option's type: whole numbers for counts, any finite number otherwise."""
    kind = str(field.type)
    if value is None and "None" in kind:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    if not number or ("int" in kind and value != int(value)):
        expected = "a whole number" if "int" in kind else "a number"
        raise MergeError(f"{value!r} is not {expected}.", where=f"options.{field.name}", remedy="Correct it.")
    return int(value) if "int" in kind else float(value)
