"""A few lines of HTTP against a Spindle server: standard library only."""

import json
import urllib.error
import urllib.parse
import urllib.request
import uuid


class Server:
    def __init__(self, address):
        self.address = address.rstrip("/")

    def bytes(self, path, data=None, method=None, headers=None):
        request = urllib.request.Request(self.address + path, data=data, method=method, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=90) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{path}: HTTP {error.code}\n{error.read().decode(errors='replace')}")

    def json(self, path, **options):
        return json.loads(self.bytes(path, **options))

    def upload(self, name, path, media_type="text/csv"):
        with open(path, "rb") as file:
            return self.json(f"/v1/datasets/{name}", data=file.read(), method="PUT", headers={"Content-Type": media_type})

    def train(self, spec):
        """Submits a spec (a dict) and waits for its end."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": f'"{uuid.uuid4()}"'}
        job = self.json("/v1/jobs", data=json.dumps(spec).encode(), method="POST", headers=headers)
        for _ in range(20):
            job = self.json(f"/v1/jobs/{job['id']}?wait=30&until=terminal")
            if job["state"] in ("succeeded", "failed", "cancelled"):
                break
        if job["state"] != "succeeded":
            raise SystemExit(f"{job['id']} is {job['state']}: {job['error']}")
        return job

    def series(self, job, name):
        """Steps and values of a metric, every point."""
        series = self.json(f"/v1/jobs/{job['id']}/metrics/series?name={name}&agg=none")["data"][0]
        return series["steps"], [float(value) for value in series["values"]]

    def checkpoint(self, checkpoint_id):
        return self.json(f"/v1/checkpoints/{checkpoint_id}"), self.bytes(f"/v1/checkpoints/{checkpoint_id}/content")

    def export(self, checkpoint_id, form, **options):
        """The checkpoint in another format."""
        query = urllib.parse.urlencode({"format": form, **options})
        return self.bytes(f"/v1/checkpoints/{checkpoint_id}/content?{query}")


def check(condition, text):
    if not condition:
        raise SystemExit(f"FAILED: {text}")
    print(f"  ok: {text}")
