"""Whether a file is an in-toto statement with SLSA provenance, by the Python package of in-toto: prints what is wrong."""

import json
import sys

from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement

with open(sys.argv[1]) as file:
    document = json.load(file)
try:
    # Unknown fields are errors here, in the statement as in the predicate.
    Statement.copy_from_pb(json_format.ParseDict(document, statement_pb2.Statement())).validate()
    provenance = json_format.ParseDict(document["predicate"], provenance_pb2.Provenance())
    for field in ("build_definition", "run_details"):
        if not provenance.HasField(field):
            raise ValueError(f"{field} is missing")
    if not provenance.run_details.builder.id:
        raise ValueError("the builder has no id")
except (ValueError, json_format.ParseError) as error:
    sys.exit(str(error))
