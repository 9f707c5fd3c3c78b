"""Whether lines of a file are events that the client of OpenLineage would have made: prints what is wrong.

Each is made anew by the client's own classes, facets included, and has to come out with the same content.
"""

import json
import sys

import attr
from openlineage.client import facet_v2
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.serde import Serde


def facet_classes(base):
    for each in base.__subclasses__():
        yield each
        yield from facet_classes(each)


classes = {each.__name__: each for each in facet_classes(facet_v2.BaseFacet)}


def facets(given):
    made = {}
    for name, content in given.items():
        schema = content["_schemaURL"].rsplit("/", 1)[-1]
        if schema not in classes:
            if not name.startswith("mlpipe_"):
                raise ValueError(f"the client knows no facet {schema}")
            continue
        of = classes[schema]
        known = {field.name for field in attr.fields(of)}
        fields = {key: value for key, value in content.items() if not key.startswith("_")}
        if unknown := fields.keys() - known:
            raise ValueError(f"{schema} has no {', '.join(sorted(unknown))}")
        made[name] = of(**fields)
    return made


def dataset(of, given):
    kind = "inputFacets" if of is InputDataset else "outputFacets"
    return of(
        namespace=given["namespace"],
        name=given["name"],
        facets=facets(given["facets"]),
        **{kind: facets(given.get(kind, {}))},
    )


problems = 0
with open(sys.argv[1]) as lines:
    for at, line in enumerate(lines, 1):
        given = json.loads(line)
        try:
            event = RunEvent(
                eventTime=given["eventTime"],
                eventType=RunState[given["eventType"]],
                producer=given["producer"],
                run=Run(runId=given["run"]["runId"], facets=facets(given["run"]["facets"])),
                job=Job(
                    namespace=given["job"]["namespace"],
                    name=given["job"]["name"],
                    facets=facets(given["job"]["facets"]),
                ),
                inputs=[dataset(InputDataset, each) for each in given["inputs"]],
                outputs=[dataset(OutputDataset, each) for each in given["outputs"]],
            )
            Serde.to_json(event)
        except (KeyError, TypeError, ValueError) as error:
            problems += 1
            print(f"line {at}: {error!r}")
sys.exit(1 if problems else 0)
