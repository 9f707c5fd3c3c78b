import argparse
import json

import homes

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--homes", required=True)
parser.add_argument("--out", required=True)
args = parser.parse_args()

with open(args.model) as file:
    line = json.load(file)
rows = homes.read(args.homes)
errors = [abs(homes.predict(line, row) - row["price"]) for row in rows]
with open(args.out, "w") as file:
    json.dump({"mae": sum(errors) / len(errors)}, file)
