"""Open Bandit Data, the small or the full set: items shown in a shop under a uniform and under a Thompson-sampling policy.

Saito, Aihara, Matsutani and Narita, "Open Bandit Dataset and Pipeline", NeurIPS 2021, data sets and benchmarks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from eval.datasets.bandit_log import BanditLog
from eval.datasets.tables import columns_of, read_table
from recommender.errors import InvalidInput

NOTE = (
    "Open Bandit Data, ZOZO, Inc.: the full set at https://research.zozo.com/data.html under the terms stated there; the small one comes "
    "with the Open Bandit Pipeline, Apache-2.0 (https://github.com/st-tech/zr-obp/tree/master/obd)."
)

_CONTEXT = re.compile(r"user_feature_[0-9]+")
_TYPES = {"timestamp": "str", "item_id": "int64", "position": "int64", "click": "int64"}
_PROPENSITIES = ("propensity_score", "action_prob")


@dataclass(frozen=True, eq=False)
class OpenBandit:
    """Both logs of one campaign; `random` chose each item with equal probability, `bts` by Bernoulli Thompson sampling."""

    random: BanditLog
    bts: BanditLog
    note: str = NOTE


def read_open_bandit(folder: Path, campaign: str = "all") -> OpenBandit:
    """The logs `random_<campaign>.csv` and `bts_<campaign>.csv` and the items of `item_context.csv` in a folder.

    The full set has each policy's files in a folder of its own, named `random/all/all.csv` and so on: copy or link them to these
    names. Columns besides those of the log's idea are left out, so an index column, named or not, does no harm; the propensity may be
    called `propensity_score` or `action_prob`. Positions begin at 0 here. Codes of the context mean the same in both logs. Raises
    `InvalidInput` by file and line.
    """
    items = read_table(folder / "item_context.csv", {"item_id": "int64"})["item_id"].to_numpy()
    if not len(items) or not np.array_equal(np.sort(items), np.arange(len(items))):
        raise InvalidInput(str(folder / "item_context.csv"), f"{len(items)} items", "one line for each item_id from 0 without gaps")
    paths = [folder / f"{policy}_{campaign}.csv" for policy in ("random", "bts")]
    tables = [_table(path) for path in paths]
    names = tuple(column for column in tables[0].columns if _CONTEXT.fullmatch(column))
    if names != tuple(column for column in tables[1].columns if _CONTEXT.fullmatch(column)):
        raise InvalidInput(str(paths[1]), list(tables[1].columns), f"the same user features as {paths[0].name}")
    both = pd.concat([table[list(names)] for table in tables])
    codes = [pd.factorize(both[name], sort=True)[0].astype(np.int64) for name in names]
    context = np.stack(codes, axis=1) if names else np.zeros((len(both), 0), dtype=np.int64)
    first = len(tables[0])
    return OpenBandit(
        _log(tables[0], paths[0], context[:first], names, len(items)), _log(tables[1], paths[1], context[first:], names, len(items))
    )


def _table(path: Path) -> pd.DataFrame:
    columns = columns_of(path)
    propensity = next((name for name in _PROPENSITIES if name in columns), _PROPENSITIES[0])
    contexts = sorted((name for name in columns if _CONTEXT.fullmatch(name)), key=lambda name: int(name.rpartition("_")[2]))
    table = read_table(path, {**_TYPES, propensity: "float64", **dict.fromkeys(contexts, "str")})
    return table.rename(columns={propensity: "propensity"})[[*_TYPES, "propensity", *contexts]]


def _log(table: pd.DataFrame, path: Path, context: np.ndarray, names: tuple[str, ...], n_items: int) -> BanditLog:
    for column, low, high in (("click", 0, 1), ("item_id", 0, n_items - 1), ("position", 1, 100), ("propensity", 1e-300, 1.0)):
        bad = np.flatnonzero(~table[column].between(low, high).to_numpy())
        if len(bad):
            raise InvalidInput(f"{path}:{bad[0] + 2}", table[column].iloc[bad[0]].item(), f"{column} from {low} to {high}")
    at = pd.to_datetime(table["timestamp"], utc=True, format="ISO8601", errors="coerce")
    if at.isna().any():
        bad = np.flatnonzero(at.isna())
        raise InvalidInput(f"{path}:{bad[0] + 2}", table["timestamp"].iloc[bad[0]], "a time such as 2019-11-24 00:00:34.762830+00:00")
    return BanditLog(
        at=at.dt.tz_localize(None).to_numpy().astype("datetime64[us]").astype(np.int64),
        item=table["item_id"].to_numpy(),
        position=table["position"].to_numpy() - 1,
        click=table["click"].to_numpy() == 1,
        propensity=table["propensity"].to_numpy(),
        context=context,
        context_names=names,
        n_items=n_items,
    )
