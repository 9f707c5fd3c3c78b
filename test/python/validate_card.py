"""What huggingface_hub reads out of a model card, as JSON; fails where it refuses the card."""

import json
import sys

from huggingface_hub import ModelCard

card = ModelCard.load(sys.argv[1])
print(
    json.dumps(
        {
            "license": card.data.license,
            "tags": card.data.tags,
            "name": card.data.model_name,
            "results": [
                {
                    "task": result.task_type,
                    "dataset": result.dataset_type,
                    "metric": result.metric_type,
                    "value": result.metric_value,
                }
                for result in card.data.eval_results or []
            ],
        }
    )
)
