"""Images in production are named so that the same name is the same program tomorrow."""

from __future__ import annotations

from policy.known import Props
from policy.rule import ANY, PRODUCTION, Rule
from policy.workload import pods, who


def unpinned(props: Props) -> list[str]:
    """A message for each container whose image has neither digest nor tag, or the tag `latest`; no tag means `latest`
    to Kubernetes.
    """
    found = []
    for container in (container for each in pods(props) for container in each.containers):
        image = container.get("image", "")
        if not isinstance(image, str) or "@" in image:
            continue
        # A colon before the last slash is that of the registry's port.
        name, _, tag = image.rpartition("/")[2].partition(":")
        if tag in ("", "latest"):
            what = "has the tag latest" if tag else "has no tag, which means latest"
            found.append(f'{who(props)}: image "{image}" {what}; name a version, such as {name}:1.4.2, or a digest')
    return found


PINNED = Rule(
    name="image-pinned",
    description="An image in production has a tag other than latest, or a digest.",
    kinds=(ANY,),
    stacks=PRODUCTION,
    judge=lambda props, _settings, _stack: unpinned(props),
)
