"""The example specs, trained by real Flax as well: the same losses step by step as long as rounding allows, and the accuracy or
perplexity that deploy/examples claims. `examples.py SERVER [NAME…]`; without names the quick ones, with `all` every one."""

import json
import sys
import time

import numpy as np

from _data import FILES, files, repository
from _spindle import Server, check
from _specs import Job

QUICK = ["digits", "autoencoder"]
examples = repository / "deploy/examples"


def reaches(claim, value):
    return value >= claim["at_least"] if "at_least" in claim else value <= claim["at_most"]


def main():
    server = Server(sys.argv[1])
    claims = json.loads((examples / "claims.json").read_text())
    names = sys.argv[2:] or QUICK
    table = []
    for name in claims if names == ["all"] else names:
        spec, claim = json.loads((examples / f"{name}.json").read_text()), claims[name]
        start = time.monotonic()
        for dataset in files(spec["data"]):
            server.upload(dataset, *FILES[dataset])
        trained = server.train(spec)
        ours = server.checkpoint(trained["checkpoint"]["id"])[0]["metrics"]
        middle = time.monotonic()
        job = Job(spec)
        state, losses = job.train(lambda epoch, loss: print(f"  {name}: epoch {epoch}, loss {loss:.4f}", flush=True))
        theirs = job.evaluate(state)
        end = time.monotonic()

        first = np.array(server.series(trained, "train/loss")[1][:10])
        difference = np.max(np.abs(np.array(losses[:10]) / first - 1))
        check(difference <= 1e-4, f"{name}: the losses of 10 steps agree to {difference:.1g} of themselves")
        metric = claim["metric"]
        bound = "at least" if "at_least" in claim else "at most"
        stated = claim.get("at_least", claim.get("at_most"))
        for who, values in (("Spindle", ours), ("Flax", theirs)):
            check(reaches(claim, values[metric]), f"{name}: {who}'s {metric} is {values[metric]:.4f}, {bound} {stated}")
        table.append((name, metric, stated, ours[metric], theirs[metric], middle - start, end - middle))
    print(f"\n{'spec':12} {'metric':22} {'claim':>7} {'Spindle':>9} {'Flax':>9} {'s':>6} {'s':>6}")
    for name, metric, stated, mine, other, seconds, other_seconds in table:
        print(f"{name:12} {metric:22} {stated:7} {mine:9.4f} {other:9.4f} {seconds:6.0f} {other_seconds:6.0f}")


main()
