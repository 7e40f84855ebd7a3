"""A volume and a Deployment for Kubernetes."""

from __future__ import annotations

import json

from hueyctl import errors
from hueyctl.commands.scaffold.deployment import PORT, Deployment, header
from hueyctl.commands.scaffold.docker import UID, command, port


def render(deployment: Deployment) -> str:
    if deployment.stop_signal != "TERM":
        raise errors.usage("Kubernetes stops a pod with TERM", "leave out --graceful-signal INT")
    if deployment.http is not None and deployment.http[0] not in ("0.0.0.0", "::"):
        raise errors.usage(
            "the probes of Kubernetes come from outside of the pod", f"--http 0.0.0.0:{PORT}"
        )
    name = deployment.name
    return (
        header(
            deployment,
            f"kubectl apply -f {name}.yaml; the image is built from: hueyctl scaffold docker",
            "",
            "A file of SQLite belongs to one host: one pod, never two at a time, not even while a",
            "new release is rolled out. Whoever enqueues has to be in this pod as well. Raise",
            "--workers, not the replicas.",
        )
        + f"""\
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {name}-data
spec:
  # A disk, not a network file system: SQLite's locks do not hold there.
  accessModes: [ReadWriteOncePod]
  resources:
    requests:
      storage: 1Gi
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels: {{app: {name}}}
spec:
  replicas: 1
  strategy:
    type: Recreate
  selector:
    matchLabels: {{app: {name}}}
  template:
    metadata:
      labels: {{app: {name}}}
    spec:
      terminationGracePeriodSeconds: {deployment.stop_s}
      # So that somebody is process 1 who buries what the programs of jobs leave behind.
      shareProcessNamespace: true
      automountServiceAccountToken: false
      securityContext:
        runAsNonRoot: true
        runAsUser: {UID}
        fsGroup: {UID}
        seccompProfile: {{type: RuntimeDefault}}
      containers:
        - name: worker
          image: {json.dumps(deployment.image, ensure_ascii=False)}
          command: {json.dumps(_escaped(command(deployment)), ensure_ascii=False)}
          # The queue, when its path is relative.
          workingDir: /data
          env:
            - {{name: PYTHONFAULTHANDLER, value: "1"}}
          ports:
            - {{name: probes, containerPort: {port(deployment)}}}
          startupProbe:
            httpGet: {{path: /readyz, port: probes}}
            periodSeconds: 2
            failureThreshold: 60
          livenessProbe:
            httpGet: {{path: /healthz, port: probes}}
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 3
          readinessProbe:
            httpGet: {{path: /readyz, port: probes}}
            periodSeconds: 10
            timeoutSeconds: 5
          securityContext:
            allowPrivilegeEscalation: false
            capabilities: {{drop: [ALL]}}
          volumeMounts:
            - {{name: data, mountPath: /data}}
      volumes:
        - name: data
          persistentVolumeClaim:
            claimName: {name}-data
"""
    )


def _escaped(words: list[str]) -> list[str]:
    """``$(NAME)`` is a variable of Kubernetes."""
    return [word.replace("$(", "$$(") for word in words]
