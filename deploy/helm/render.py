"""Renders the chart with several values into the directory named, for deploy/check."""

import sys

import helm_python as helm

VALUES = {
    "bucket": {"store": {"url": "s3://data", "secret": "drover-store"}, "monitoring": {"podMonitor": True}},
    "folder": {
        "store": {"url": "/data", "claim": "drover-data"},
        "images": {
            "pullPolicy": "IfNotPresent",
            "pullSecrets": ["registry"],
            "worker": {"digest": "sha256:" + "0" * 64},
        },
        "operator": {"watchNodes": False},
        "networkPolicies": {"enabled": False},
        "roles": {"aggregate": False},
        "serviceAccount": {"annotations": {"cloud/role": "drover"}},
    },
}

chart = helm.Chart.load("deploy/helm/drover")
for name, values in VALUES.items():
    files = chart.render(values, name="drover", namespace="farm")
    objects = [text for path, text in files.items() if path.endswith(".yaml") and text.strip()]
    with open(f"{sys.argv[1]}/helm-{name}.yaml", "w", encoding="utf-8") as out:
        out.write("\n---\n".join(objects))

try:
    chart.render({}, name="drover", namespace="farm")
except helm.HelmError as refusal:
    assert "store.url" in str(refusal), refusal
else:
    sys.exit("the chart lets a missing store pass")
