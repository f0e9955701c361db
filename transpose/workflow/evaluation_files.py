"""Files that runs are evaluated into."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from transpose.config.dataset import Dataset
from transpose.config.study import Study
from transpose.workflow.places import Run, place_of_run, side_places

ATTENTION_TABLES = ["attention_statistics", "faithfulness", "attention_ablation", "body_parts", "findings"]
"""Tables of measured explanations."""


@dataclass(frozen=True)
class EvaluationFiles:
    """Metrics, side studies, submissions and figures of a study."""

    study: Study
    datasets: Mapping[str, Dataset]
    runs: Sequence[Run]
    """All of the study."""

    def metrics(self) -> list[str]:
        """Metrics file of every run on every evaluation."""
        return [path for variant, seed in self.runs for path in self.metrics_of(variant, seed)]

    def metrics_of(self, variant: str, seed: int | str) -> list[str]:
        """Metrics files of one run."""
        return [
            f"{place_of_run(self.study.results, 'metrics', variant, seed, (e.dataset, e.split, boxes))}.json"
            for e in self.study.evaluations
            for boxes in e.boxes
        ]

    def protocol_ablations(self) -> list[str]:
        """Files of the protocol ablation; none where the study asks for none."""
        return [
            f"{place}.json"
            for place in side_places(self.study.results, self.runs, "protocols", self.study.protocol_ablation)
        ]

    def resolutions(self) -> list[str]:
        """Folders of results at other input sizes; none where the study asks for none."""
        return side_places(self.study.results, self.runs, "resolutions", self.study.resolutions)

    def precisions(self) -> list[str]:
        """Files of the comparison of precisions; none where the study asks for none."""
        return [
            f"{place}.json" for place in side_places(self.study.results, self.runs, "precision", self.study.precisions)
        ]

    def resolution_figures(self) -> list[str]:
        """Figures of AP against input size."""
        if self.study.resolutions is None:
            return []
        places = self.study.resolutions.places()
        return [f"{self.study.results}/figures/resolutions_{'_'.join(place)}.png" for place in places]

    def side_tables(self) -> list[str]:
        """Tables of the side studies that the study asks for."""
        names = {
            "protocol_ablation": ["protocol_ablation"],
            "resolutions": ["resolutions"],
            "precisions": ["precision"],
            "attention": ATTENTION_TABLES,
        }
        return [f"{self.study.results}/{table}.html" for key in self.study.side_studies() for table in names[key]]

    def figures(self) -> list[str]:
        """Files of the comparison's figures: one pair for each evaluated split, on its first box source."""
        places = [f"{e.dataset}_{e.split}_{e.boxes[0]}" for e in self.study.evaluations]
        names = ["training", *(f"{kind}_{place}" for place in places for kind in ("accuracy", "joints"))]
        return [f"{self.study.results}/figures/{name}.png" for name in names]

    def submissions(self) -> list[str]:
        """Archives for the evaluation server, one for each run, split and box source."""
        return [
            f"{self.study.results}/submissions/{e.dataset}/{e.split}/{boxes}/{variant}/seed{seed}/"
            f"person_keypoints_{self.datasets[e.dataset].test_set(e.split)}_{variant}_results.zip"
            for e in self.study.submissions
            for boxes in e.boxes
            for variant, seed in self.runs
        ]

    def submissions_of(self, variant: str, seed: int | str) -> list[str]:
        """Those of one run."""
        return [path for path in self.submissions() if f"/{variant}/seed{seed}/" in path]
