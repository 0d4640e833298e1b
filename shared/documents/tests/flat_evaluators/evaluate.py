"""Reads edits as JSON lines and prints which of them the real readers do not see as such.

An edit is {format, before, after, name, old, value}: every reader of that format must read `old` at `name` before (where `old` is
not null), and after it the same as before except for `value` at `name`. `only` names the readers to ask, where not all can read it.
"""

import ipaddress
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from urllib.parse import parse_qsl, unquote, urlsplit

import dotenv
import javaproperties
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.engine import make_url


def python_dotenv(texts, _edits):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, ".env")
        for text in texts:
            with open(path, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            yield dict(dotenv.dotenv_values(path))


def node(kind):
    def read(texts, _edits):
        lines = "\n".join(json.dumps({"kind": kind, "text": text}) for text in texts)
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "evaluate.js")
        program = os.path.join(os.path.dirname(sys.executable), "node")
        ran = subprocess.run([program, script], input=lines, capture_output=True, encoding="utf-8", check=True)
        return [json.loads(line) for line in ran.stdout.split("\n") if line]

    return read


def sh(texts, edits):
    with tempfile.TemporaryDirectory() as folder:
        script = []
        names = []
        for at, (text, edit) in enumerate(zip(texts, edits)):
            path = os.path.join(folder, str(at))
            with open(path, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            names.append(edit["names"])
            values = " ".join(f'"${name}"' for name in edit["names"])
            script.append(f"( set -a; . '{path}'; printf '%s\\0' {values} )")
        ran = subprocess.run(["sh"], input="\n".join(script), capture_output=True, encoding="utf-8")
        if ran.returncode or ran.stderr:
            raise SystemExit(f"sh: {ran.returncode} {ran.stderr[:2000]}")
        values = iter(ran.stdout.split("\0"))
        return [{name: next(values) for name in of_it} for of_it in names]


def java_properties(texts, _edits):
    return [javaproperties.loads(text) for text in texts]


def host_of(host):
    if not host:
        return None
    host = unquote(host).lower().strip("[]")
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host


def parts(user, password, host, port, database, query):
    given = {"user": user, "password": password, "port": str(port) if port else None, "database": database}
    return {key: value or None for key, value in given.items()} | {"host": host_of(host), "query": query}


def decoded(text):
    return text and unquote(text, errors="strict")


def urllib(texts, _edits):
    for text in texts:
        url = urlsplit(text)
        yield parts(decoded(url.username), decoded(url.password), url.hostname, url.port, decoded(url.path[1:]), url.query)


def whatwg(texts, edits):
    for read in node("url")(texts, edits):
        yield parts(**read)


def sqlalchemy(texts, _edits):
    for text in texts:
        url = make_url(text)
        yield parts(url.username, url.password, url.host, url.port, url.database, sorted(url.query.items()))


def libpq(texts, _edits):
    for text in texts:
        read = conninfo_to_dict(text)
        names = ["user", "password", "host", "port", "dbname"]
        yield parts(*(read.pop(name, None) for name in names), sorted(read.items()))


def jdbc(texts, _edits):
    for text in texts:
        url = urlsplit(text.removeprefix("jdbc:"))
        query = parse_qsl(url.query, keep_blank_values=True, errors="strict")
        of_it = dict(query)
        yield parts(
            of_it.get("user"),
            of_it.get("password"),
            url.hostname,
            url.port,
            decoded(url.path[1:]),
            [pair for pair in query if pair[0] not in ("user", "password")],
        )


READERS = {
    "dotenv": {"python-dotenv": python_dotenv, "node dotenv": node("dotenv"), "node dotenv fast": node("dotenv_fast"), "sh": sh},
    "properties": {"javaproperties": java_properties},
    "url": {"urllib": urllib, "whatwg": whatwg, "sqlalchemy": sqlalchemy, "libpq": libpq, "jdbc": jdbc},
}


def same(name, left, right):
    return host_of(left) == host_of(right) if name == "host" else left == right


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        edits = [json.loads(line) for line in file]
    tried, failures = Counter(), []
    for format_name, readers in READERS.items():
        for reader, read in readers.items():
            asked = [e for e in edits if e["format"] == format_name and ("only" not in e or reader in e["only"])]
            if not asked:
                continue
            befores = list(read([edit["before"] for edit in asked], asked))
            afters = list(read([edit["after"] for edit in asked], asked))
            for edit, before, after in zip(asked, befores, afters, strict=True):
                tried[reader] += 1
                name = edit["name"]
                found = []
                if edit["old"] is not None and reader != "sh" and not same(name, before.get(name), edit["old"]):
                    found.append("old")
                if not same(name, after.get(name), edit["value"]):
                    found.append("new")
                others = [{key: value for key, value in read.items() if key != name} for read in (before, after)]
                if others[0] != others[1] or name not in before:
                    found.append("others")
                if found:
                    failures.append({"reader": reader, "wrong": found, "edit": edit, "read": [before, after]})
    print(json.dumps({"tried": tried, "failed": len(failures), "failures": sorted(failures, key=lambda f: len(str(f)))[:5]}))


main()
