"""What names mean while one expression is checked, and what it turned out to use."""

from __future__ import annotations

from dataclasses import dataclass, field

from recommender.columns import Column, Columns
from recommender.conditions.operands import Operand, TextOperand, field_operand
from recommender.conditions.refusal import Span, refused, snippet
from recommender.conditions.textual import Variable
from recommender.errors import InvalidCondition

ATTRIBUTE = "attributes."
_LISTED = 60


@dataclass
class Uses:
    """Collected while checking: the class of each column used, whether `now` is, and the steps of all patterns."""

    fields: dict[str, type[Column]] = field(default_factory=dict)
    now: bool = False
    steps: int = 0


@dataclass(frozen=True, eq=False)
class Scope:
    """Names of `columns`, and of the macro `variable` around where there is one."""

    expression: str
    columns: Columns
    uses: Uses
    variable: str = ""

    def refused(self, span: Span, allowed: str) -> InvalidCondition:
        """The error for the part at `span`."""
        return refused(self.expression, span, allowed)

    def described(self, *operands: Operand) -> str:
        """Such as 'price is double, "x" is string'."""
        return ", ".join(f"{snippet(self.expression, operand.span)} is {operand.type.value}" for operand in operands)

    def name(self, span: Span, name: str) -> Operand:
        """The macro variable or field `name`."""
        if name == self.variable:
            return TextOperand(span, text=Variable())
        if self.variable:
            raise self.refused(span, f"{self.variable}, now and constants only, inside exists")
        column = self.columns.by_name.get(name)
        if column is None:
            raise self.refused(span, f"the fields {self._listed(list(self.columns.by_name))}")
        self.uses.fields[name] = type(column)
        return field_operand(span, name, column)

    def attribute(self, span: Span, name: str) -> Operand:
        """The field attributes.<name>."""
        if self.variable or ATTRIBUTE + name in self.columns.by_name:
            return self.name(span, ATTRIBUTE + name)
        known = [other for other in self.columns.by_name if other.startswith(ATTRIBUTE)]
        raise self.refused(span, f"the attributes {self._listed(known)}" if known else "fields other than attributes; no item has any")

    @staticmethod
    def _listed(names: list[str]) -> str:
        more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        return ", ".join(names[:_LISTED]) + more
