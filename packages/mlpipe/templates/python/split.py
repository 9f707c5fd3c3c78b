import argparse
import random

parser = argparse.ArgumentParser()
parser.add_argument("--homes", required=True)
parser.add_argument("--share", type=float, required=True)
parser.add_argument("--seed", type=int, required=True)
parser.add_argument("--train", required=True)
parser.add_argument("--test", required=True)
args = parser.parse_args()

with open(args.homes) as file:
    header, *rows = file.read().splitlines()
random.Random(args.seed).shuffle(rows)
tested = round(len(rows) * args.share)
for path, part in ((args.test, rows[:tested]), (args.train, rows[tested:])):
    with open(path, "w") as file:
        file.write("\n".join([header, *part]) + "\n")
