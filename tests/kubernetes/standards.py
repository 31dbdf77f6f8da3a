# SPDX-License-Identifier: BSD-2-Clause
"""Kubernetes' standards for pods, by which a namespace refuses them."""


def of_standard(pod, restricted):
    """What Kubernetes' standards for pods, baseline and restricted, say against it, as their documents have it."""
    own, found = pod.get("securityContext", {}), []
    allowed = {"emptyDir", "secret", "configMap", "projected", "downwardAPI", "persistentVolumeClaim", "csi", "ephemeral", "image"}
    for volume in pod.get("volumes", []):
        if "hostPath" in volume or (restricted and not set(volume) - {"name"} <= allowed):
            found.append(f"volume {volume['name']}")
    found += [key for key in ("hostPID", "hostIPC", "hostNetwork") if pod.get(key)]
    for container in pod.get("initContainers", []) + pod["containers"]:
        context = container.get("securityContext", {})
        merged = {**{key: own[key] for key in ("runAsNonRoot", "runAsUser", "seccompProfile") if key in own}, **context}
        capabilities, profile = context.get("capabilities", {}), merged.get("seccompProfile", {}).get("type")
        bad = [context.get("privileged"), profile == "Unconfined", any("hostPort" in port for port in container.get("ports", [])),
               not restricted and capabilities.get("add")]
        if restricted:
            bad += [context.get("allowPrivilegeEscalation") is not False, merged.get("runAsNonRoot") is not True, merged.get("runAsUser") == 0,
                    "ALL" not in capabilities.get("drop", []), set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"},
                    profile not in ("RuntimeDefault", "Localhost")]
        found += [f"container {container['name']}"] if any(bad) else []
    return found
