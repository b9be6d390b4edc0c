"""What figures change in the compiled scene: those of the robots once, those of the jobs for each episode.

Which figures: `[[changes]]` of a bundle, `envs.format.Change`. Compiling the scene is `envs.scene`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import mujoco
import numpy as np

from envs.figures import Figures
from envs.format import Change, TaskFile
from envs.names import own_names
from envs.physics import Cells
from envs.values import Floats, Indices
from skills.errors import ContractError

__all__ = ["JobChanges", "change_model"]

Write = Callable[[Floats, Floats], Floats]
"""Old rows of a field (..., rows[, numbers]) and the figure's values, made to fit them: the new rows."""


@dataclass(frozen=True)
class _Form:
    """How a figure changes things of one kind: which field of the model, and what is written."""

    kind: str
    field: str
    write: Write


def _all(old: Floats, value: Floats) -> Floats:
    return value + np.zeros_like(old)


def _first(old: Floats, value: Floats) -> Floats:
    new = old + np.zeros_like(value)
    new[..., 0] = value[..., 0]
    return new


def _spring(old: Floats, value: Floats) -> Floats:
    """Contacts as springs: a negative solref is stiffness and damping, kept at their ratio."""
    new = _first(old, -value)
    new[..., 1] = old[..., 1] * np.sqrt(-value[..., 0] / old[..., 0])
    return new


def _far(old: Floats, value: Floats) -> Floats:
    length = np.linalg.norm(old, axis=-1, keepdims=True)
    if not length.all():
        raise ContractError(
            "a body that is to hang from its parent lies at its parent's origin, or a centre of mass that is "
            "to lie aside at its body's.",
            where="changes",
            remedy="Give it (or its `inertial`) a `pos`: the direction in which it lies.",
        )
    new: Floats = old * value / length
    return new


def _tilted(old: Floats, value: Floats) -> Floats:
    """Quaternions turned about the parent's axes, by the rotation vector (x, y, 0)."""
    half = np.linalg.norm(value, axis=-1) / 2
    w, (x, y) = np.cos(half), np.moveaxis(value, -1, 0) * np.sinc(half / np.pi) / 2
    a, b, c, d = np.moveaxis(old, -1, 0)
    turned = (w * a - x * b - y * c, w * b + x * a + y * d, w * c + y * a - x * d, w * d + x * c - y * b)
    return np.stack(turned, axis=-1)


FORMS: Mapping[str, tuple[_Form, ...]] = MappingProxyType(
    {
        "centre": (_Form("body", "body_ipos", _far),),
        "damping": (_Form("joint", "dof_damping", _all),),
        "friction": (_Form("geom", "geom_friction", _first), _Form("joint", "dof_frictionloss", _all)),
        "length": (_Form("body", "body_pos", _far),),
        "mass": (_Form("body", "body_mass", _all),),
        "position": (_Form("joint", "qpos", _all),),
        "radius": (_Form("geom", "geom_size", _first),),
        "stiffness": (_Form("geom", "geom_solref", _spring),),
        "tilt": (_Form("body", "body_quat", _tilted),),
    }
)
"""By what is changed; of several the first that there is a thing of that name for."""


class JobChanges:
    """The changes by figures of the jobs, in all simulations; and those of where a job puts the work.

    Raises:
        ContractError: The scene lacks what is changed.
    """

    def __init__(self, file: TaskFile, figures: Figures, cells: Cells) -> None:
        self._cells, self._changes = cells, []
        for change in file.changes:
            form, rows = _find(cells.model, change)
            is_work = form.field == "body_quat" and cells.places(int(rows[0]))
            if change.by in file.jobs or is_work:
                own, rows = (cells.work_turn, np.array([0])) if is_work else (self._own(form), rows)
                self._changes.append((form.write, own, rows, own[0, rows].copy(), figures.of(change.by)))

    def start(self, copies: Indices) -> None:
        """These copies have new jobs, and stand at their start poses."""
        for write, own, rows, old, figure in self._changes:
            own[np.ix_(copies, rows)] = write(old, _fitted(figure[copies], old))
        if self._changes:
            self._cells.refigure(copies)

    def _own(self, form: _Form) -> Floats:
        """What is written, for each simulation, live."""
        return self._cells.positions if form.field == "qpos" else self._cells.figures_of(form.field)


def change_model(model: mujoco.MjModel, change: Change, value: Floats) -> None:
    """Change a model for a figure of the robots (components,).

    Raises:
        ContractError: The scene lacks what is changed.
    """
    form, rows = _find(model, change)
    field = getattr(model, form.field)
    field[rows] = form.write(field[rows], _fitted(value[None], field[rows]))[0]


def _fitted(values: Floats, old: Floats) -> Floats:
    """Figures (n, components) beside old rows (rows[, numbers])."""
    return values.reshape(len(values), *(1 for _ in old.shape[1:]), -1)


def _find(model: mujoco.MjModel, change: Change) -> tuple[_Form, Indices]:
    forms = FORMS[change.what]
    for form in forms:
        known = [getattr(model, form.kind)(i).name for i in range(getattr(model, COUNTS[form.kind]))]
        name = next((each for each in (change.of, *own_names(change.of)) if each in known), None)
        if name is not None:
            return form, _rows(model, form, known.index(name))
    kinds = " or ".join(form.kind for form in forms)
    raise ContractError(
        f"the scene has no {kinds} {change.of!r}.",
        where="changes",
        remedy=f"Name the {kinds} whose {change.what} differs, as in its own file.",
    )


COUNTS = {"body": "nbody", "geom": "ngeom", "joint": "njnt"}


def _rows(model: mujoco.MjModel, form: _Form, number: int) -> Indices:
    """Of the field: a joint has one for each of its axes or coordinates."""
    if form.kind != "joint":
        return np.array([number])
    starts, end = (model.jnt_qposadr, model.nq) if form.field == "qpos" else (model.jnt_dofadr, model.nv)
    return np.arange(starts[number], [*starts, end][number + 1])
