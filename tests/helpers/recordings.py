"""What CUDA graphs do, on a CPU: the work is done again."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from transpose.replay import Results


class Recordings:
    """Captures that leave no trace, as those of CUDA, and replays that fill the tensors of the capture."""

    def __init__(self, state: Callable[[], Iterable[Tensor]]) -> None:
        """Note how to list all tensors that the work changes, besides its results."""
        self._state = state
        self.warm_ups = self.captures = self.replays = 0

    def warm_up(self, work: Callable[[], Results]) -> Results:
        self.warm_ups += 1
        return work()

    def capture(self, work: Callable[[], Results]) -> tuple[Results, Callable[[], None]]:
        self.captures += 1
        state = [(tensor, tensor.detach().clone()) for tensor in self._state()]
        random = torch.get_rng_state()
        results = work()
        torch.set_rng_state(random)
        with torch.no_grad():
            for tensor, before in state:
                tensor.copy_(before)

        def replay() -> None:
            self.replays += 1
            for place, result in zip(results, work(), strict=True):
                if place is not None and result is not None:
                    place.copy_(result)

        return results, replay
