"""Reports for people and for machines: text, JSON, JUnit XML."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from ..contract.errors import plain
from .finding import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .finding import Finding, Report

__all__ = ["as_json", "as_junit", "line", "summary"]

_MARKS = {Status.PASSED: "ok", Status.FAILED: "FAIL", Status.SKIPPED: "skip", Status.ADVISORY: "note"}
#: What XML 1.0 cannot hold, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def line(finding: Finding) -> str:
    """Return a finding as one line, and the remedy as a second where there is one."""
    text = f"  {_MARKS[finding.status]:<5}{finding.check:<16} {plain(finding.message)}"
    return f"{text}\n{'':<24}-> {plain(finding.remedy)}" if finding.remedy else text


def summary(report: Report) -> str:
    """Return how many findings of each kind there are."""
    counts = {status: sum(f.status is status for f in report.findings) for status in Status}
    told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    return f"{report.plugin}: {told} at level {report.level} in {report.seconds:.1f} s"


def as_json(reports: Iterable[Report]) -> str:
    """Return all reports as one JSON object: ``{"ok": ..., "reports": [...]}``."""
    made = list(reports)
    return json.dumps(
        {"ok": all(report.ok for report in made), "reports": [report.data() for report in made]}
    )


def as_junit(reports: Sequence[Report]) -> str:
    """Return all reports as JUnit XML: a suite for each plugin, a case for each check."""
    root = ET.Element("testsuites", name="unbraid plugins check")
    for report in reports:
        failed = sum(found.status is Status.FAILED for found in report.findings)
        skipped = sum(found.status is Status.SKIPPED for found in report.findings)
        suite = ET.SubElement(
            root,
            "testsuite",
            name=_xml(report.plugin),
            tests=str(len(report.findings)),
            failures=str(failed),
            errors="0",
            skipped=str(skipped),
            time=f"{report.seconds:.3f}",
        )
        for found in report.findings:
            _case(suite, report, found)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _case(suite: ET.Element, report: Report, found: Finding) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        classname=_xml(f"unbraid.{report.plugin}"),
        name=_xml(found.check),
        time=f"{found.seconds:.3f}",
    )
    if found.status is Status.FAILED:
        ET.SubElement(case, "failure", message=_xml(found.message)).text = _xml(
            f"{found.message}\n{found.remedy}"
        )
    elif found.status is Status.SKIPPED:
        ET.SubElement(case, "skipped", message=_xml(found.message))
    else:
        told = found.message if not found.remedy else f"{found.message}\n{found.remedy}"
        ET.SubElement(case, "system-out").text = _xml(told)


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
