#!/usr/bin/env python3
"""Writes protocol/openapi.json, which the server serves beside its source, openapi.yaml. A test
compares the two."""

import json
import pathlib

import yaml

PROTOCOL = pathlib.Path(__file__).resolve().parents[1] / "protocol"


def main():
    document = yaml.safe_load((PROTOCOL / "openapi.yaml").read_text("utf-8"))
    text = json.dumps(document, ensure_ascii=False, indent=1)
    (PROTOCOL / "openapi.json").write_text(text + "\n", "utf-8")
    print("protocol/openapi.json")


if __name__ == "__main__":
    main()
