"""Whether a crate is a Provenance Run Crate, by roc-validator and without the network: prints what is wrong."""

import json
import sys
from importlib.resources import files

import requests
from rocrate_validator import services
from rocrate_validator.models import Severity
from rocrate_validator.utils.http import HttpRequester

crate, severity = sys.argv[1:]
terms = "https://w3id.org/ro/terms/workflow-run#"
contexts = {
    "https://w3id.org/ro/crate/1.1/context": json.loads(
        files("rocrate").joinpath("data/ro-crate.jsonld").read_text()
    ),
    "https://w3id.org/ro/terms/workflow-run/context": {
        "@context": {
            name: terms + name
            for name in ("ParameterConnection", "connection", "resourceUsage", "environment", "sha256")
        }
    },
}


def from_disk(self, url, **options):
    """Answers as the network would."""
    response = requests.Response()
    response.url = url
    response.status_code = 200 if url in contexts else 404
    response.headers["content-type"] = "application/ld+json"
    response._content = json.dumps(contexts.get(url)).encode()
    return response


HttpRequester.get = from_disk

result = services.validate(
    services.ValidationSettings(
        rocrate_uri=crate,
        profile_identifier="provenance-run-crate",
        requirement_severity=Severity[severity],
        skip_availability_check=True,
        enable_profile_inheritance=True,
    )
)
for issue in sorted({f"{each.check.identifier}: {each.message} [{each.violatingEntity}]" for each in result.get_issues()}):
    print(issue)
sys.exit(0 if result.passed() else 1)
