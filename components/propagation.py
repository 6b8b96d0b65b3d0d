"""Propagation: a change of a rule reaches all proxies that use it, which istiod's sync status tells."""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections.abc import Mapping

import pulumi

from components.cluster import Cluster
from components.warned import warn
from weir.cluster.errors import ClusterError, UnaskedError
from weir.cluster.istiod import Mark
from weir.cluster.kubectl import Kubectl
from weir.cluster.proxies import mark, wait_for
from weir.cluster.rejections import RejectedError
from weir.cluster.want import Want
from weir.model.config.stack import Propagation as Settings


class Propagation:
    """Waiting for proxies, in one run of a program."""

    def __init__(self, cluster: Cluster, settings: Settings) -> None:
        """Nothing is asked yet."""
        self._cluster, self._settings = cluster, settings
        self._marking: asyncio.Future[dict[str, Mark]] | None = None

    def begin(self) -> None:
        """Note how far istiod has come while the engine still starts: a release is sure to change a rule, and would
        wait for it then.
        """
        self._marking = asyncio.ensure_future(self._cluster.aside(self._mark))

    async def mark(self) -> dict[str, Mark]:
        """How far each istiod had come before the first change; empty where it cannot be asked, which whoever waits
        then says.
        """
        if self._marking is None:
            self.begin()
        assert self._marking is not None
        return await asyncio.shield(self._marking)

    def _mark(self) -> dict[str, Mark]:
        try:
            return mark(*self._istiod())
        except ClusterError:
            return {}

    def _istiod(self) -> tuple[Kubectl, float]:
        """kubectl in istiod's namespace, and the longest wait for proxies, in seconds."""
        return self._cluster.kubectl(self._settings.istiod_namespace), self._settings.timeout.seconds

    async def wait(self, want: Want, since: Mapping[str, Mark] | None, seconds: float | None = None) -> int | None:
        """Wait until proxies have acknowledged what is wanted, and return how many have.

        Where the sync status cannot be read, wait for the configured grace and return None. `seconds`: the longest
        wait, in the place of the configured one. Raises RejectedError where proxies reject what they are sent.
        """
        settings = self._settings
        loop, context = asyncio.get_running_loop(), contextvars.copy_context()

        def tell(text: str) -> None:
            loop.call_soon_threadsafe(lambda: pulumi.log.info(text, ephemeral=True), context=context)

        def age(now: float) -> float:
            return self._cluster.state(want.namespace).age(want.service, now) if want.host else math.inf

        try:
            kubectl, timeout = self._istiod()
            done = await self._cluster.aside(
                lambda: wait_for(kubectl, want, seconds or timeout, age=age, since=since, tell=tell)
            )
        except UnaskedError as error:
            warn(
                f"istiod's sync status cannot be read ({error}), so it is not known whether proxies have {want}; "
                f"waiting {settings.grace} instead (weir:propagation.grace)"
            )
            await asyncio.sleep(settings.grace.seconds)
            return None
        except RejectedError:
            raise
        except ClusterError as error:
            applied = "The rules are in the cluster; weir status shows the observed traffic"
            stands = applied if want.changed else "Traffic is unchanged; the next pulumi up continues from here"
            raise pulumi.RunError(f"{error}\n{stands} (weir:propagation.timeout: {settings.timeout})") from None
        if want.host and not done.proxies:
            pulumi.log.info(f"no proxy uses {want.service}, so the change affects no caller")
        pulumi.log.debug(f"{done.proxies} proxies have {want}, after {done.seconds:.2f} s")
        return done.proxies
