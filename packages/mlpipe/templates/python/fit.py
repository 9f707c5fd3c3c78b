import argparse
import json

import homes

parser = argparse.ArgumentParser()
parser.add_argument("--homes", required=True)
parser.add_argument("--seed", type=int, required=True)
parser.add_argument("--out", required=True)
args = parser.parse_args()

rows = homes.read(args.homes)
area = sum(row["area"] for row in rows) / len(rows)
price = sum(row["price"] for row in rows) / len(rows)
covariance = sum((row["area"] - area) * (row["price"] - price) for row in rows)
variance = sum((row["area"] - area) ** 2 for row in rows)
per_area = covariance / variance
with open(args.out, "w") as file:
    json.dump({"base": price - per_area * area, "perArea": per_area}, file)
print(f"fitted {len(rows)} homes")
