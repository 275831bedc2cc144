"""The transformer that says what comes next, as it is trained: SASRec (Kang & McAuley, ICDM 2018), with norms before each layer.

It is imported where it is used, since torch takes seconds.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from recommender.profile import Sequence
from recommender.sequence_model import EPSILON, WIDENING, Floats, SequenceModel


class NextItem(nn.Module):
    """m items in d numbers, of which `start`, shape (m, d), gives the first values; item number m stands for none.

    `items`, shape (m + 1, d), and `bias`, shape (m + 1,), are no parameters, since a step touches few of them: calls are given the
    `vectors` and biases of those that they need, and number items by their places among these.
    """

    def __init__(self, start: Floats, options: Sequence) -> None:
        super().__init__()
        m, d = start.shape
        self.heads, self.dropout = options.heads, options.dropout
        self.items = torch.from_numpy(np.vstack([start, np.zeros((1, d), dtype=np.float32)]))
        self.bias = torch.zeros(m + 1)
        self.positions = nn.Parameter(0.02 * torch.randn(options.length, d))
        self.layers = [_Block(d, options) for _ in range(options.blocks)]
        self.blocks = nn.ModuleList(self.layers)
        self.norm = _norm(d)

    def forward(self, items: Tensor, vectors: Tensor) -> Tensor:
        """What each place asks of the next, shape (b, l, d), from `items`, shape (b, l), newest last, none at the front.

        `vectors`: shape (k + 1, d), those of the items, and last that of none.
        """
        length = items.shape[1]
        real = items < len(vectors) - 1
        states = functional.embedding(items, vectors, padding_idx=len(vectors) - 1) + self.positions[:length].flip(0)
        states = functional.dropout(states, self.dropout, self.training)
        earlier = torch.ones(length, length, dtype=torch.bool).tril()
        # A place at the front sees itself, so that no place sees nothing.
        seen = (earlier & real[:, None, :]) | torch.eye(length, dtype=torch.bool)
        for block in self.layers:
            states = block(states, seen[:, None])
        normed: Tensor = self.norm(states)
        return normed

    def loss(self, states: Tensor, targets: Tensor, drawn: Tensor, expected: Tensor, vectors: Tensor, bias: Tensor) -> Tensor:
        """Sampled softmax: how little `targets`, shape (t,), stand out for their `states`, shape (t, d), among the `drawn`, shape (k,).

        Each drawn item's logit is less the logarithm of how often it is `expected` among so many, shape (k,), so that popular items are
        not punished for being drawn often (Yi et al., RecSys 2019); a drawn item that is the target does not count. `vectors` and `bias`
        are those of the items.
        """
        true = (states * functional.embedding(targets, vectors)).sum(dim=1) + bias[targets]
        others = functional.linear(states, functional.embedding(drawn, vectors), bias[drawn] - expected.log())
        others = others.masked_fill(drawn[None] == targets[:, None], float("-inf"))
        return (torch.logsumexp(torch.cat([true[:, None], others], dim=1), dim=1) - true).mean()

    def start_from(self, earlier: SequenceModel, rows: np.ndarray) -> bool:
        """Take over what `earlier`, a model of items among which these stand at `rows`, shape (m,), has learnt; where it has other
        measures, nothing, and False."""
        d = self.items.shape[1]
        ours = (d, self.heads, len(self.positions), len(self.layers))
        if (earlier.items.shape[1], earlier.heads, len(earlier.positions), len(earlier.attention)) != ours:
            return False
        with torch.no_grad():
            known = earlier.known[rows]
            self.items[:-1][torch.from_numpy(known)] = torch.from_numpy(earlier.items[rows[known]].astype(np.float32))
            self.bias[:-1][torch.from_numpy(known)] = torch.from_numpy(earlier.bias[rows[known]])
            self.positions.copy_(torch.from_numpy(earlier.positions))
            norms = [norm for block in self.layers for norm in (block.before_attention, block.before_wide)]
            for norm, (scale, shift) in zip((*norms, self.norm), earlier.norms, strict=True):
                norm.weight.copy_(torch.from_numpy(scale))
                norm.bias.copy_(torch.from_numpy(shift))
            for place, block in enumerate(self.layers):
                attention = earlier.attention[place]
                for layer, matrix in (
                    (block.taking, attention[:, : 3 * d]),
                    (block.giving, attention[:, 3 * d :]),
                    (block.widening, earlier.widening[place]),
                    (block.narrowing, earlier.narrowing[place]),
                ):
                    layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(matrix[:-1].T)))
                    layer.bias.copy_(torch.from_numpy(matrix[-1]))
        return True

    def served(self, rows: np.ndarray, n: int) -> SequenceModel:
        """The model as it is served, of n items, of which m stand at `rows`, shape (m,); its usual total is 0."""
        with torch.no_grad():
            d = self.items.shape[1]
            items, bias = np.zeros((n, d), dtype=np.float16), np.zeros(n, dtype=np.float32)
            items[rows], bias[rows] = self.items[:-1].numpy(), self.bias[:-1].numpy()
            norms = [norm for block in self.layers for norm in (block.before_attention, block.before_wide)]
            return SequenceModel(
                items=items,
                bias=bias,
                positions=self.positions.numpy().copy(),
                attention=_stacked([np.hstack([_matrix(block.taking), _matrix(block.giving)]) for block in self.layers], (d + 1, 4 * d)),
                widening=_stacked([_matrix(block.widening) for block in self.layers], (d + 1, WIDENING * d)),
                narrowing=_stacked([_matrix(block.narrowing) for block in self.layers], (WIDENING * d + 1, d)),
                norms=_stacked([np.stack([norm.weight.numpy(), norm.bias.numpy()]) for norm in (*norms, self.norm)], (2, d)),
                heads=self.heads,
            )


class _Block(nn.Module):
    def __init__(self, d: int, options: Sequence) -> None:
        super().__init__()
        self.heads, self.dropout = options.heads, options.dropout
        self.before_attention, self.before_wide = _norm(d), _norm(d)
        self.taking, self.giving = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.widening, self.narrowing = nn.Linear(d, WIDENING * d), nn.Linear(WIDENING * d, d)

    def forward(self, states: Tensor, seen: Tensor) -> Tensor:
        b, length, d = states.shape
        taking = self.taking(self.before_attention(states)).view(b, length, 3, self.heads, d // self.heads)
        queries, keys, values = taking.permute(2, 0, 3, 1, 4)
        dropped = self.dropout if self.training else 0.0
        taken = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=seen, dropout_p=dropped)
        given = self.giving(taken.transpose(1, 2).reshape(b, length, d))
        states = states + functional.dropout(given, self.dropout, self.training)
        wide = self.narrowing(functional.gelu(self.widening(self.before_wide(states))))
        return states + functional.dropout(wide, self.dropout, self.training)


def _norm(d: int) -> nn.LayerNorm:
    return nn.LayerNorm(d, eps=float(EPSILON))


def _matrix(layer: nn.Linear) -> Floats:
    """Shape (in + 1, out), the last row is added."""
    return np.vstack([layer.weight.numpy().T, layer.bias.numpy()])


def _stacked(matrices: list[Floats], shape: tuple[int, int]) -> Floats:
    return np.stack(matrices) if matrices else np.zeros((0, *shape), dtype=np.float32)
