"""Which versions contain a robot's contribution, and which links led to the stable one. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Link", "chain_to", "touched_by"]


@dataclass(frozen=True)
class Link:
    """A version and where it came from.

    Attributes:
        digest: Of its file.
        skill: Its name.
        number: Its version.
        parents: Digests of what it was made from; of a merge, its base.
        round_id: The round whose deltas it was merged from; None where it was uploaded.
    """

    digest: str
    skill: str
    number: int
    parents: tuple[str, ...]
    round_id: str | None


def touched_by(links: Sequence[Link], rounds: Collection[str]) -> frozenset[str]:
    """Digests of all versions that these rounds ever made, and of all that were made from those.

    A round that was merged again after an earlier withdrawal has made several.
    """
    found = {link.digest for link in links if link.round_id in rounds}
    while True:
        more = {link.digest for link in links if found.intersection(link.parents)} - found
        if not more:
            return frozenset(found)
        found |= more


def chain_to(
    stable: Link, links: Mapping[str, Link], touched: Collection[str]
) -> tuple[list[Link], Link | None]:
    """The touched links that led to the stable version, oldest first, and the untouched one before them.

    It ends, without one before, where a version came out of another skill.
    """
    chain: list[Link] = []
    link: Link | None = stable
    while link is not None and link.digest in touched:
        chain.append(link)
        link = _before(link, links, touched)
    return chain[::-1], link


def _before(link: Link, links: Mapping[str, Link], touched: Collection[str]) -> Link | None:
    """The parent through which a link is touched; of a merge, its base, touched or not."""
    own = [links[each] for each in link.parents if each in links and links[each].skill == link.skill]
    through = [parent for parent in own if link.round_id is not None or parent.digest in touched]
    return through[0] if through else None
