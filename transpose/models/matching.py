"""Match the state dicts of a checkpoint with the names of a network."""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from transpose.errors import InputError

_COUNTER = "num_batches_tracked"
_LISTED = 3


@dataclass(frozen=True)
class Wanted:
    """What a network takes from a checkpoint."""

    tensors: Mapping[str, Tensor]
    """The network's tensors by the names that they have in checkpoints."""
    not_taken: tuple[str, ...] = ()
    """Further names that the checkpoint must have, with any shape."""
    ignored: tuple[str, ...] = ()
    """Prefixes of names that the checkpoint can have."""
    counters_optional: bool = False
    """Accept checkpoints without any `num_batches_tracked`."""

    def required(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the network's tensors that a state dict has to contain."""
        if self.counters_optional and not any(key.endswith(_COUNTER) for key in state):
            return {key: tensor for key, tensor in self.tensors.items() if not key.endswith(_COUNTER)}
        return dict(self.tensors)


@dataclass(frozen=True)
class _Candidate:
    """A state dict of a checkpoint, or the part of one below a prefix, with the prefix removed."""

    place: str
    prefix: str
    tensors: dict[str, Tensor]

    @property
    def name(self) -> str:
        return "/".join(part for part in (self.place, self.prefix and f"{self.prefix}*") if part)


def matching_tensors(wanted: Wanted, states: Mapping[str, Mapping[str, Tensor]], source: object) -> dict[str, Tensor]:
    """Return the tensors of the only state dict that fits a network, by the network's names.

    A prefix that all names of the network have in the state dict is removed: `module.` of DataParallel, `model.` of a
    Lightning module, `backbone.` of MMPose. Names without the prefix belong to other parts of the trainer and are left
    out; all names with it have to fit. There is no order of preference: of several state dicts that fit, such as
    weights and their moving average, or a student and a teacher, one is taken only if all have equal values.

    Args:
        states: from `checkpoint_files.read_state_dicts`.
        source: named by errors.

    Raises:
        InputError: no state dict fits, or several that differ.
    """
    candidates = [_below(prefix, wanted, place, state) for place, prefix, state in _prefixes(wanted, states)]
    fitting = [candidate for candidate in candidates if not problems(wanted, candidate.tensors)]
    if not fitting:
        best = max(candidates, key=lambda candidate: len(candidate.tensors.keys() & wanted.tensors.keys()))
        raise InputError("; ".join(problems(wanted, best.tensors)), file=source, record=best.name or None)
    first, *others = fitting
    taken = wanted.required(first.tensors)
    for other in others:
        if not _equal(first.tensors, other.tensors, taken):
            names = " and ".join(candidate.name or "the outermost dictionary" for candidate in (first, other))
            raise InputError(f"{names} both fit and differ; save one of them in a file of its own", file=source)
    return {key: first.tensors[key] for key in (*taken, *wanted.not_taken)}


def only_state_dict(states: Mapping[str, Mapping[str, Tensor]], source: object) -> dict[str, Tensor]:
    """Return the state dict of a checkpoint for which no network is known, with the names that it has in the file.

    Raises:
        InputError: there are several, which differ in more than a prefix of all names.
    """
    (place, state), *others = states.items()
    own = _without_common_prefix(state)
    for other_place, other in others:
        renamed = _without_common_prefix(other)
        if renamed.keys() != own.keys() or not _equal(own, renamed, own):
            names = f"{place or 'the outermost dictionary'} and {other_place}"
            raise InputError(f"{names} differ; save one of them in a file of its own", file=source)
    return dict(state)


def problems(wanted: Wanted, state: Mapping[str, Tensor]) -> list[str]:
    """Return what of a state dict does not fit: one text for each kind of problem, which lists its first names."""
    required = wanted.required(state)
    both = {key: (tensor, state[key]) for key, tensor in required.items() if key in state}
    shapes = [
        f"{key}: shape {list(given.shape)}, not {list(own.shape)}"
        for key, (own, given) in both.items()
        if given.shape != own.shape
    ]
    dtypes = [
        f"{key}: dtype is {given.dtype}, not {own.dtype}"
        for key, (own, given) in both.items()
        if _kind(given.dtype) != _kind(own.dtype)
    ]
    missing = [key for key in required if key not in state]
    absent = [key for key in wanted.not_taken if key not in state]
    unexpected = [key for key in state if key not in required and key not in wanted.not_taken]
    found = (
        (shapes, ""),
        (dtypes, ""),
        (missing, ": missing"),
        (absent, ": missing; these are not the weights of a whole model of this kind"),
        (unexpected, ": not part of this model"),
    )
    return [f"{_listed(entries)}{problem}" for entries, problem in found if entries]


@torch.no_grad()
def copy_tensors(own: Mapping[str, Tensor], taken: Mapping[str, Tensor], source: object) -> None:
    """Copy the values of tensors into the network's tensors with these names, converted to their dtypes.

    Raises:
        InputError: a value is NaN or infinite, or a variance is negative; nothing is copied.
    """
    converted = {key: tensor.to(own[key].dtype) for key, tensor in taken.items()}
    for key, tensor in converted.items():
        if not tensor.isfinite().all():
            raise InputError("has values that are not finite; training has diverged", file=source, field=key)
        if key.endswith("running_var") and (tensor < 0).any():
            raise InputError("has negative variances", file=source, field=key)
    for key, tensor in converted.items():
        own[key].copy_(tensor)


def _prefixes(
    wanted: Wanted, states: Mapping[str, Mapping[str, Tensor]]
) -> list[tuple[str, str, Mapping[str, Tensor]]]:
    """Return state dicts with each prefix below which they have most names of the network, or the best one."""
    names = {*wanted.tensors, *wanted.not_taken}
    counts = {
        (place, prefix): count
        for place, state in states.items()
        for prefix, count in Counter(_prefixes_of(state, names)).items()
    }
    most = max(counts.values(), default=0)
    chosen = [where for where, count in counts.items() if count >= min(most, (len(names) + 1) // 2)]
    return [(place, prefix, states[place]) for place, prefix in chosen] or [("", "", next(iter(states.values())))]


def _prefixes_of(state: Iterable[str], names: set[str]) -> Iterable[str]:
    for key in state:
        prefix, rest = "", key
        while rest:
            if rest in names:
                yield prefix
            rest = rest.partition(".")[2]
            prefix = key.removesuffix(rest)


def _below(prefix: str, wanted: Wanted, place: str, state: Mapping[str, Tensor]) -> _Candidate:
    renamed = {key.removeprefix(prefix): tensor for key, tensor in state.items() if key.startswith(prefix)}
    kept = {key: tensor for key, tensor in renamed.items() if not key.startswith(wanted.ignored)}
    return _Candidate(place, prefix, kept)


def _without_common_prefix(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    modules = [key.split(".")[:-1] for key in state]
    common = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(min(modules), max(modules), strict=False))
    prefix = "".join(f"{name}." for name, _ in common)
    return {key.removeprefix(prefix): tensor for key, tensor in state.items()}


def _equal(first: Mapping[str, Tensor], second: Mapping[str, Tensor], names: Iterable[str]) -> bool:
    """Return whether the tensors of these names are equal; a missing one counts as equal."""
    pairs = ((first[name], second[name]) for name in names if name in first and name in second)
    return all(one.dtype == other.dtype and torch.equal(one, other) for one, other in pairs)


def _kind(dtype: torch.dtype) -> str:
    if dtype.is_floating_point:
        return "floating point"
    return "complex" if dtype.is_complex else "truth values" if dtype == torch.bool else "integers"


def _listed(entries: Sequence[str]) -> str:
    more = len(entries) - _LISTED
    return ", ".join(entries[:_LISTED]) + (f" and {more} more" if more > 0 else "")
