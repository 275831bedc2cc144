"""docs/metrics.md lists every metric with its labels, and no other."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from server.metrics import Metrics

DOCUMENT = (Path(__file__).parents[2] / "docs/metrics.md").read_text(encoding="utf-8")


def test_every_metric_stands_in_the_document_with_its_labels_and_no_other() -> None:
    rows = re.findall(r"^\| `(recommender_\w+)` \|([^|]*)\|", DOCUMENT, re.MULTILINE)
    documented = {name: tuple(re.findall(r"`(\w+)`", labels)) for name, labels in rows}
    metrics = Metrics(lambda: datetime.now(UTC))
    declared = {}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            described = metric.describe()[0]
            declared[described.name + ("_total" if described.type == "counter" else "")] = metric._labelnames
    declared["recommender_generation_age_seconds"] = ()
    assert documented == declared
