"""What a server of MLflow has, by its own client: read_mlflow.py URL. For each line it is given it prints it as JSON."""

import json
import sys
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.data import get_source
from mlflow.entities import ViewType

# Without it a part of the client makes a database where it is started.
mlflow.set_tracking_uri(sys.argv[1])
client = MlflowClient()


def experiment(each):
    runs = client.search_runs([each.experiment_id], run_view_type=ViewType.ALL, max_results=1000)
    models = client.search_logged_models([each.experiment_id])
    return {
        "name": each.name,
        "runs": [run(client.get_run(found.info.run_id)) for found in runs],
        "models": [
            {"id": model.model_id, "name": model.name, "status": str(model.status), "tags": model.tags}
            for model in models
        ],
    }


def run(each):
    return {
        "id": each.info.run_id,
        "name": each.info.run_name,
        "status": each.info.status,
        "params": each.data.params,
        "metrics": {key: str(value) for key, value in each.data.metrics.items()},
        "tags": each.data.tags,
        "datasets": [
            {
                "name": given.dataset.name,
                "digest": given.dataset.digest,
                "source": str(get_source(given.dataset).to_dict()),
                "profile": given.dataset.profile,
                "tags": {tag.key: tag.value for tag in given.tags},
            }
            for given in each.inputs.dataset_inputs
        ],
        "read": [given.model_id for given in each.inputs.model_inputs],
        "made": [made.model_id for made in each.outputs.model_outputs] if each.outputs else [],
    }


def registered(each):
    found = client.search_model_versions(f"name = '{each.name}'")
    return {
        "name": each.name,
        "aliases": each.aliases,
        "versions": [{"version": version.version, "tags": version.tags} for version in found],
    }


def files(name, alias):
    """As a colleague gets a model: by its alias."""
    place = Path(download_artifacts(f"models:/{name}@{alias}"))
    return {str(path.relative_to(place)): path.read_text() for path in place.rglob("*") if path.is_file()}


def everything():
    models = [registered(each) for each in client.search_registered_models()]
    return {
        "experiments": [experiment(each) for each in client.search_experiments() if each.name != "Default"],
        "registered": models,
        "files": {
            f"{each['name']}@{alias}": files(each["name"], alias) for each in models for alias in each["aliases"]
        },
    }


for _ in sys.stdin:
    print(json.dumps(everything()), flush=True)
