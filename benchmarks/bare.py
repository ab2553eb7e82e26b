"""What no loading can save, for ``benchmarks.loading`` and its workers: pictures decoded and resized."""

from __future__ import annotations

from dataclasses import dataclass

import cv2

from cologen.datagen import images
from cologen.trainer.data.fetching import OpenedComponent
from cologen.trainer.data.manifests import ManifestRows
from cologen.trainer.schedule.buckets import Work


@dataclass(frozen=True, slots=True)
class Bare:
    """Decodes and resizes what a row needs, and keeps nothing of it."""

    source: OpenedComponent

    def __call__(self, work: Work) -> int:
        """How many samples there were."""
        rows = self.source.rows
        assert isinstance(rows, ManifestRows), "scenes are drawn, not decoded"
        for assignment in work.assignments:
            row = rows.row(assignment.candidates[0])
            uris = [row["source_uri"], row["target_uri"]] if "source_uri" in row else [row["image_uri"]] * 2
            decoded = {uri: images.decode(images.read_bytes(rows.root, uri)) for uri in dict.fromkeys(uris)}
            for uri in uris:
                cv2.resize(decoded[uri], work.size, interpolation=cv2.INTER_AREA)
        return len(work.assignments)
