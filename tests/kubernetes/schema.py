# SPDX-License-Identifier: BSD-2-Clause
"""Compares documents with the schemas that Kubernetes publishes, as Debian's python3-kubernetes has them: it is generated from
them. No field that they do not know, none of another type, none missing."""
import copy
import datetime
import re

from kubernetes.client import Configuration, models

configuration = Configuration()


def model_of(document):
    """V1Pod, V1DaemonSet and so on: a kind's name behind its version."""
    version = document["apiVersion"].rpartition("/")[2]
    return getattr(models, version[0].upper() + version[1:] + document["kind"])


def check_value(kind, value, where):
    if value is None:
        return None
    match = re.fullmatch(r"list\[(.*)\]", kind)
    if match:
        assert isinstance(value, list), f"{where} is no list"
        return [check_value(match[1], item, f"{where}[{i}]") for i, item in enumerate(value)]
    match = re.fullmatch(r"dict\(str, (.*)\)", kind)
    if match:
        assert isinstance(value, dict) and all(isinstance(key, str) for key in value), f"{where} is no mapping of texts"
        return {key: check_value(match[1], item, f"{where}.{key}") for key, item in value.items()}
    if kind == "object":
        return value
    simple = {"str": str, "int": int, "bool": bool, "float": (int, float), "datetime": (str, datetime.datetime)}.get(kind)
    if simple:
        assert isinstance(value, simple) and (kind != "int" or not isinstance(value, bool)), f"{where} is {value!r}, and no {kind}"
        return value
    return check_model(getattr(models, kind), value, where)


def check_model(model, value, where):
    assert isinstance(value, dict), f"{where} is no {model.__name__}"
    names = {there: here for here, there in model.attribute_map.items()}
    unknown = set(value) - set(names)
    assert not unknown, f"{where}: {model.__name__} has no {', '.join(sorted(unknown))}"
    made = {names[key]: check_value(model.openapi_types[names[key]], item, f"{where}.{key}") for key, item in value.items()}
    try:
        # It says itself what is missing, and what is none of a few words.
        return model(local_vars_configuration=configuration, **made)
    except ValueError as error:
        raise AssertionError(f"{where}: {error}") from error


def validate(document):
    check_model(model_of(document), document, f"{document['kind']} {document['metadata'].get('name')}")


def pod_of(document):
    """The pod's spec of whatever makes pods."""
    kind, spec = document["kind"], document["spec"]
    return spec if kind == "Pod" else spec["jobTemplate"]["spec"]["template"]["spec"] if kind == "CronJob" else spec["template"]["spec"]


def validate_injected(document):
    """One with the library in it. A volume of an image is of Kubernetes 1.31, which these schemas do not know: its form is compared here."""
    document = copy.deepcopy(document)
    for volume in pod_of(document)["volumes"]:
        image = volume.pop("image", None)
        assert image is None or (set(image) == {"reference"} and isinstance(image["reference"], str)), f"{volume['name']}: {image}"
    validate(document)
