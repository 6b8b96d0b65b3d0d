"""Warnings of paths and ports: conditions that no request meets, and paths that come out as nobody means them.

Istio and Envoy take all of these as they stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from weir.model.config.actions import RegexRewrite, Rewrite
from weir.model.config.hosts import HostRoute
from weir.model.config.matches import Match, StringMatch
from weir.model.config.routes import Traffic
from weir.model.config.stack import Service, StackConfig
from weir.model.routing.hosts import gateways_of
from weir.model.validation.port_checks import unmet_port
from weir.model.values.hosts import MESH
from weir.model.values.http import groups
from weir.model.values.problems import Path, shown

Found = tuple[Path, str, str]
"""Where, what it means here, and the warning's name."""

_ASTERISK = "*"
"""The whole path of `OPTIONS *`, the one that begins with no slash."""

# Only what is beyond doubt is told of an expression: alternatives may hold what the rest of it does not.
_WORD_AT_THE_BEGINNING = re.compile(r"\^?[A-Za-z0-9_-]{2}[^|]*")
_QUESTION_MARK = re.compile(r"(?<!\\)(?:\\\\)*(?:\\\?|\[\?\])")
_MAYBE_A_QUERY = re.compile(r"\((?:\?:)?(?:\\\?|\[\?\])[^()]*\)[?*]")
_DIGITS = tuple("0123456789")  # what Python holds for a digit is more
_REFERENCE = re.compile(r"\\(.?)|\$([0-9])")


def path_warnings(path: Path, service: Service, config: StackConfig) -> Iterator[Found]:
    """Every such warning of one service."""
    yield from _route(path, service, ())
    for index, route in enumerate(service.routes):
        here: Path = (*path, "routes", index)
        yield from _route(here, route, route.match)
        for number, match in enumerate(route.match):
            names = match.gateways or (MESH, *gateways_of(str(path[1]), config))
            told = "" if service.ports else unmet_port(match, names, config, service)
            if told:
                yield ((*here, "match", number, "port"), told, "port-without-service")
    yield from _past_versions(path, service)


def entry_warnings(path: Path, entry: HostRoute, gateways: tuple[str, ...], config: StackConfig) -> Iterator[Found]:
    """Every such warning of one entry of a host at these gateways."""
    for number, match in enumerate(entry.match):
        if match.uri is not None:
            yield from _uri((*path, "match", number, "uri"), match.uri)
        if told := unmet_port(match, gateways, config):
            yield ((*path, "match", number, "port"), told, "port-without-service")
    if entry.rewrite is not None:
        yield from _rewritten((*path, "rewrite"), entry.rewrite, entry.match)


def _route(here: Path, own: Traffic, matches: tuple[Match, ...]) -> Iterator[Found]:
    for number, match in enumerate(matches):
        if match.uri is not None:
            yield from _uri((*here, "match", number, "uri"), match.uri)
    if own.redirect is not None and own.redirect.prefix_rewrite:
        yield from _placed((*here, "redirect", "prefixRewrite"), own.redirect.prefix_rewrite, matches)
    elif own.redirect is not None and own.redirect.uri:
        yield from _slashless((*here, "redirect", "uri"), own.redirect.uri)
    if own.rewrite is not None:
        yield from _rewritten((*here, "rewrite"), own.rewrite, matches)


def _rewritten(here: Path, rewrite: Rewrite, matches: tuple[Match, ...]) -> Iterator[Found]:
    if rewrite.uri is not None:
        yield from _placed((*here, "uri"), rewrite.uri, matches)
    if rewrite.uri_regex_rewrite is not None:
        yield from _references((*here, "uriRegexRewrite", "rewrite"), rewrite.uri_regex_rewrite)


def _placed(here: Path, new: str, matches: tuple[Match, ...]) -> Iterator[Found]:
    """A path that is put in the place of the prefix that a route matches."""
    yield from _slashless(here, new)
    # A condition without a path is Envoy's prefix /, and so is no condition.
    old = [match.uri.prefix if match.uri else "/" for match in matches] or ["/"]
    yield from _joined(here, [prefix for prefix in old if prefix], new)


def _uri(here: Path, uri: StringMatch) -> Iterator[Found]:
    text = uri.exact or uri.prefix
    if text is not None:
        where: Path = (*here, "exact" if uri.exact else "prefix")
        if text != _ASTERISK or uri.prefix:
            yield from _slashless(where, text)
        unreachable = "?" in text
    else:
        assert uri.regex is not None
        where = (*here, "regex")
        if _WORD_AT_THE_BEGINNING.fullmatch(uri.regex):
            message = (
                f"can only match a path that begins with no slash, and none does, was {shown(uri.regex)}; begin it "
                "with /"
            )
            yield (where, message, "path-without-slash")
        unreachable = "|" not in uri.regex and _QUESTION_MARK.search(_MAYBE_A_QUERY.sub("", uri.regex)) is not None
    if unreachable:
        yield (
            where,
            "matches a ? in the path, but the query is not part of the path; match on queryParams",
            "query-in-path",
        )


def _slashless(here: Path, text: str) -> Iterator[Found]:
    if not text.startswith("/"):
        yield (
            here,
            f"begins with no slash, as every path does, was {shown(text)}; write {shown('/' + text)}",
            "path-without-slash",
        )


def _joined(here: Path, prefixes: list[str], new: str) -> Iterator[Found]:
    """What Envoy does: the prefix is cut off, and the new beginning put before what is left, letter by letter."""
    for old in prefixes:
        if old.endswith("/") and not new.endswith("/"):
            yield (here, f"turns {old}api into {new}api; write {new}/", "rewrite-slashes")
        elif new.endswith("/") and not old.endswith("/"):
            remedy = f"match on exact {old} and on prefix {old}/"
            yield (here, f"turns {old}/api into {new}/api, and also matches {old}-other; {remedy}", "rewrite-slashes")


def _references(here: Path, rewrite: RegexRewrite) -> Iterator[Found]:
    there = groups(rewrite.match)
    for backslash, dollar in dict.fromkeys(found.groups() for found in _REFERENCE.finditer(rewrite.rewrite)):
        if dollar is not None:
            yield (here, f"writes ${dollar} literally; for the group write \\{dollar}", "rewrite-group")
        elif backslash in _DIGITS and int(backslash) > there:
            yield (
                here,
                f"names group \\{backslash}, and the expression has {there or 'none'}; Envoy then changes nothing",
                "rewrite-group",
            )
        elif backslash not in (*_DIGITS, "\\"):
            message = (
                f"has a backslash before {shown(backslash)}, where a group's number should be; Envoy then leaves out "
                "the rest"
            )
            yield (here, message, "rewrite-group")


def _past_versions(path: Path, service: Service) -> Iterator[Found]:
    """No version is drawn for TCP: as long as several have pods, each gets connections
    (docs/decisions/0031-several-ports.md).
    """
    serving = [name for name in service.versions if service.routing_only or service.scaling(name) != 0]
    for index, port in enumerate(service.ports if len(serving) > 1 else ()):
        if not port.is_http:
            message = (
                f"passes through: connections to it go to the pods of {' and '.join(serving)} by their number, "
                "whatever share of the requests these get; where that is not meant, give it a service of its own"
            )
            yield ((*path, "ports", index), message, "port-past-versions")
