"""Reads cases, one JSON object a line, and says which edits real parsers see otherwise than as wanted."""

import collections
import copy
import datetime
import json
import sys
import tomllib

import ruamel.yaml
import tomlkit
import yaml


def json_of_python(text):
    return json.loads(text)


def toml_of_python(text):
    return tomllib.loads(text)


def toml_of_tomlkit(text):
    return tomlkit.parse(text).unwrap()


def yaml_of_pyyaml(text):
    return yaml.load(text, Loader=yaml.SafeLoader)


def yaml_of_ruamel(text):
    return ruamel.yaml.YAML(typ="safe", pure=True).load(text)


PARSERS = {
    "json": [json_of_python],
    "toml": [toml_of_python, toml_of_tomlkit],
    "yaml": [yaml_of_pyyaml, yaml_of_ruamel],
}


def wanted(form, old, value):
    if isinstance(old, bool):
        return value == "true"
    if isinstance(old, (int, float)) and form == "json":
        return json.loads(value)
    if isinstance(old, (int, float)):
        return type(old)(value)
    if isinstance(old, datetime.datetime):
        return datetime.datetime.fromisoformat(value)
    if isinstance(old, datetime.date):
        return datetime.date.fromisoformat(value)
    return value


tried, wrong = collections.Counter(), []
for number, line in enumerate(open(sys.argv[1], encoding="utf-8", newline="\n")):
    case = json.loads(line)
    for parse in PARSERS[case["format"]]:
        try:
            expected = copy.deepcopy(parse(case["before"]))
        except Exception:
            # A parser that did not read the document before has no say in what it is after.
            tried[parse.__name__ + ", not read before"] += 1
            continue
        holder = expected
        for key in case["path"][:-1]:
            holder = holder[key]
        holder[case["path"][-1]] = wanted(case["format"], holder[case["path"][-1]], case["value"])
        try:
            got = parse(case["after"])
        except Exception as error:
            got = error
        tried[parse.__name__] += 1
        if repr(got) != repr(expected):
            wrong.append(f"{parse.__name__}, case {number}: {case}, got {got!r}")
print(json.dumps({"tried": tried, "wrong": wrong[:10]}))
