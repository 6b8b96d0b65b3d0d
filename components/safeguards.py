"""What stands between a change and lost requests: hooks that ask the cluster before something happens, and hold back what comes after.

They run within a plain `pulumi up`; those that only ask run in previews too, so that a refusal is seen in the pull request. Nothing is asked
where nothing that matters changes.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import pulumi

from components.acknowledgement import Acknowledgement
from components.placement import owner
from components.readiness import FORCE, Readiness, maker
from components.warned import warn
from weir.cluster.errors import ClusterError, UnaskedError
from weir.cluster.istiod import Mark
from weir.cluster.kubectl import Kubectl
from weir.cluster.live import Live, live
from weir.cluster.proxies import wait_for
from weir.cluster.rejections import RejectedError
from weir.cluster.want import Want, seen_by
from weir.model import StackConfig
from weir.model.manifests.kubernetes import MANAGER, OWNER, RESTORED, digest, edited
from weir.model.manifests.order import Objects
from weir.model.manifests.subsets import used
from weir.program_environment import TAKE_BACK, variable

Answer = TypeVar("Answer")
_QUESTIONS_AT_A_TIME = 8


class Safeguards:
    """The hooks of one run of the program. `bare`, `rules`, `routes` and `pods` are what to bind to objects of each sort."""

    bare: pulumi.ResourceHookBinding
    rules: pulumi.ResourceHookBinding
    pods: pulumi.ResourceHookBinding
    routes: pulumi.ResourceHookBinding

    def __init__(self, config: StackConfig) -> None:
        """Register the hooks; nothing is asked yet."""
        self._config = config
        self._live: dict[str, Live] = {}
        self._finding = Lock()
        self._changing: set[str] = set()
        self._unasked: set[str] = set()
        # Not the event loop's own threads: those may all be waiting for the engine, which waits for these answers.
        self._asking = ThreadPoolExecutor(_QUESTIONS_AT_A_TIME, thread_name_prefix="weir-asks")
        self.acknowledgement = Acknowledgement(self)
        self.readiness = Readiness(config, self)
        if not config.ephemeral:
            # Every rule asks what stands there. The answer comes while the engine still sees to the namespace.
            self._asking.submit(lambda: self.state(config.namespace).read())
        seen = pulumi.ResourceHookOptions(on_dry_run=True)
        adopt = pulumi.ResourceHook("not-somebody-elses", self._refuse_others, seen)
        known = pulumi.ResourceHook("proxies-know-the-versions", self._versions_are_known, seen)
        idle = pulumi.ResourceHook("no-requests-to-what-goes", self.readiness.refuse_used, seen)
        remade = pulumi.ResourceHook("pods-that-change", self.readiness.note_remade, seen)
        edited = pulumi.ResourceHook("not-edited-by-hand", self._refuse_edited, seen)
        changing = pulumi.ResourceHook("rules-that-change", self.acknowledgement.note)
        ailing = pulumi.ErrorHook("what-ails-the-pods", self.readiness.tell_what_ails)
        self.bare = pulumi.ResourceHookBinding(before_create=[adopt])
        self.pods = pulumi.ResourceHookBinding(before_create=[adopt, remade], before_update=[remade, idle], on_error=[ailing])
        self.rules = pulumi.ResourceHookBinding(before_create=[adopt, changing], before_update=[edited, changing])
        self.routes = pulumi.ResourceHookBinding(before_create=[adopt, known, changing], before_update=[edited, known, changing])
        for key, what in (
            (config.adopt, "adopt is on: objects that weir did not create are taken over"),
            (config.force, "force is on: requests may be lost"),
        ):
            if key:
                warn(f"weir:{what}")

    async def restored(self, kind: str, name: str, namespace: str) -> str | None:
        """What to write as the edit that was undone: that which the object in the cluster has now, else the last one, else None.

        Pulumi compares what it wrote before with what it is to write now, and does not see what somebody has added between: an update
        that undoes it must differ in something.
        """
        found = await self.standing(namespace, kind, name)
        if found is None:
            return None
        last: str | None = found["metadata"].get("annotations", {}).get(RESTORED)
        return digest(found["spec"]) if edited(found) else last

    async def objects(self, namespace: str | None) -> Objects | None:
        """What stands in the namespace; None where the cluster cannot be asked. A namespace that has no name yet has nothing in it."""
        if namespace is None:
            return {}
        return await self.ask(lambda: self.state(namespace).objects, None)

    async def manager(self, kind: str, name: str, namespace: str | None) -> Mapping[str, str]:
        """The annotation with the field manager of an object: what it has, if it stands, and weir's own on what is made.

        One that stands without was made as a manager of the provider's own, who holds its fields; weir as another one could not change them.
        """
        found = (await self.objects(namespace) or {}).get((kind, name))
        if found is None:
            return {MANAGER: "weir"}
        there = found["metadata"].get("annotations", {}).get(MANAGER)
        return {MANAGER: there} if there is not None else {}

    async def settle(self, there: str, namespace: str, versions: frozenset[str]) -> None:
        """Return when no proxy routes to a version of the host `there` that is to go: one that stands in the cluster and is not in `versions`.

        It is called once the rules stand, and first sees proxies take them; what is removed is removed after it returns. In a preview it refuses
        what could not be removed.
        """
        await self.acknowledgement.acknowledged(namespace, there.split(".")[0], there)
        nothing: frozenset[str] = frozenset()
        leaving = await self.ask(lambda: self.state(namespace).subsets(there) - versions, nothing)
        if not leaving:
            return
        name = there.split(".")[0]
        route = await self.standing(namespace, "VirtualService", name)
        used_before = leaving & used(route["spec"] if route else None)
        if pulumi.runtime.is_dry_run():
            still = sorted(used_before)
            if still and name not in self._changing and not self._config.force:
                raise pulumi.RunError(
                    f"{name}: {', '.join(still)} cannot be removed: VirtualService {namespace}/{name} in the cluster sends requests there, and this"
                    " update would not change it, because somebody has edited it by hand; put it back first: pulumi up --refresh"
                )
            return
        try:
            exports = {"exportTo": self._config.services[name].export_to} if name in self._config.services else None
            seen = seen_by(namespace, route["spec"] if route else None, exports)
            await self.wait(Want(there, gone=leaving, seen_by=seen), await self.acknowledgement.mark())
        except RejectedError as error:
            # Who rejects what came since still has what came before; to a version that got nothing then, it sends nothing now.
            if used_before:
                self.acknowledgement.refuse(error)
            else:
                warn(f"{error}; no route used {', '.join(sorted(leaving))}, so that it is removed all the same")

    async def _refuse_others(self, args: pulumi.ResourceHookArgs) -> None:
        """An object that is about to be created must not be there, unless this stack made it and was cut off before it could write that down.

        Nor may it be on its way out: the provider would change what is there, call it created, and see it go.
        """
        inputs: Any = args.new_inputs
        metadata = inputs["metadata"]
        kind = inputs["kind"] if "kind" in inputs else args.type.rpartition(":")[2]
        name = metadata.get("name")
        namespace = name if kind == "Namespace" else metadata.get("namespace")
        if not isinstance(name, str) or not isinstance(namespace, str):
            return  # an ephemeral namespace has no name yet, and nobody can have taken it
        found = await self.standing(namespace, kind, name)
        what = name if kind == "Namespace" else f"{namespace}/{name}"
        if found is not None and found["metadata"].get("deletionTimestamp"):
            where = "" if kind == "Namespace" else f" -n {namespace}"
            raise pulumi.RunError(
                f"{kind} {what} is being deleted; wait until it is gone, then run this again: kubectl wait --for=delete{where} {kind.lower()}/{name}"
            )
        if found is None or self._config.adopt or found["metadata"].get("annotations", {}).get(OWNER) == owner():
            return
        raise pulumi.RunError(
            f"{kind} {what} exists and this stack did not create it ({maker(found)}); remove it, choose another name, or take it over with weir:adopt: true"
        )

    async def _refuse_edited(self, args: pulumi.ResourceHookArgs) -> None:
        """An object that somebody has edited since the last update is not overwritten unseen: the edit may be what keeps the service up."""
        inputs: Any = args.new_inputs
        # Not the old inputs: a refresh puts into them only what they had before.
        left: Any = args.old_outputs
        kind, name, namespace = inputs["kind"], inputs["metadata"]["name"], inputs["metadata"].get("namespace")
        taken_back = kind == "VirtualService" and name == variable(TAKE_BACK)
        if self._config.force or taken_back or not isinstance(namespace, str):
            return
        found = await self.standing(namespace, kind, name)
        if found is not None and edited(found) and found["spec"] not in (left["spec"], inputs["spec"]):
            raise pulumi.RunError(
                f"{kind} {namespace}/{name} is not as the last update left it ({maker(found)}): see what was changed with weir status, then put it"
                f" back and go on with pulumi up --refresh ({FORCE})"
            )

    async def _versions_are_known(self, args: pulumi.ResourceHookArgs) -> None:
        """Before a route sends requests to versions it did not send any to before, every proxy knows them and their pods."""
        inputs: Any = args.new_inputs
        before: Any = args.old_inputs
        self._changing.add(args.name)
        if not isinstance(inputs["spec"], Mapping):
            return  # the first preview of an ephemeral stack does not know its namespace, and so no host: nothing of it is there either
        fresh = used(inputs["spec"]) - used(before["spec"] if before else None)
        fresh = frozenset(version for version in fresh if isinstance(version, str))
        namespace = inputs["metadata"].get("namespace")
        if not fresh or not isinstance(namespace, str):
            return
        if pulumi.runtime.is_dry_run():
            await self.readiness.refuse_without_pods(args.name, namespace, fresh)
        else:
            await self.acknowledgement.known(Want(inputs["spec"]["hosts"][0], known=fresh, seen_by=seen_by(namespace, inputs["spec"])))

    async def wait(self, want: Want, since: Mapping[str, Mark] | None, seconds: float | None = None) -> int | None:
        """Until proxies have followed: how many. Where they cannot be asked, for the configured grace, and None.

        `seconds`: the longest wait, in the place of the configured one. Raises RejectedError where proxies reject what they are sent.
        """
        settings = self._config.propagation
        loop, context = asyncio.get_running_loop(), contextvars.copy_context()

        def tell(text: str) -> None:
            loop.call_soon_threadsafe(lambda: pulumi.log.info(text, ephemeral=True), context=context)

        def age(now: float) -> float:
            return self.state(want.namespace).age(want.service, now) if want.host else math.inf

        try:
            kubectl, timeout = self.istiod()
            done = await self.aside(lambda: wait_for(kubectl, want, seconds or timeout, age=age, since=since, tell=tell))
        except UnaskedError as error:
            warn(f"whether proxies {want} cannot be asked ({error}): waiting {settings.grace} instead (weir:propagation.grace)")
            await asyncio.sleep(settings.grace.seconds)
            return None
        except RejectedError:
            raise
        except ClusterError as error:
            applied = "The rules are in the cluster; weir status shows who follows"
            stands = applied if want.changed else "Traffic stays as it is; the next pulumi up goes on from here"
            raise pulumi.RunError(f"{error}\n{stands} (weir:propagation.timeout: {settings.timeout})") from None
        if want.host and not done.proxies:
            pulumi.log.info(f"no proxy uses {want.service}: what changed there reaches nobody")
        pulumi.log.debug(f"{done.proxies} proxies {want}, after {done.seconds:.2f} s")
        return done.proxies

    def istiod(self) -> tuple[Kubectl, float]:
        """kubectl in istiod's namespace, and the longest wait for proxies, in seconds."""
        settings = self._config.propagation
        return self.kubectl(settings.istiod_namespace), settings.timeout.seconds

    @property
    def force(self) -> bool:
        """Whether to go on where requests may be lost."""
        return self._config.force

    async def standing(self, namespace: str, kind: str, name: str) -> dict[str, Any] | None:
        """The object as it stood in the cluster when this run began to ask; None where it did not, or nobody can tell."""
        return await self.ask(lambda: self.state(namespace).find(kind, name), None)

    async def ask(self, question: Callable[[], Answer], otherwise: Answer) -> Answer:
        """The answer of the cluster, or `otherwise`, with a warning, where it cannot be asked: whoever previews may have no cluster."""
        try:
            return await self.aside(question)
        except ClusterError as error:
            if not pulumi.runtime.is_dry_run() and not isinstance(error, UnaskedError):
                raise pulumi.RunError(str(error)) from None
            if str(error) not in self._unasked:
                self._unasked.add(str(error))
                warn(f"the cluster cannot be asked, so nothing is refused on its account: {error}")
            return otherwise

    async def aside(self, work: Callable[[], Answer]) -> Answer:
        """Do in a thread what would hold up all other resources."""
        return await asyncio.get_running_loop().run_in_executor(self._asking, work)

    def state(self, namespace: str) -> Live:
        """The objects of a namespace, read once."""
        # Several threads may be the first to ask, and each would have the cluster answer for itself.
        with self._finding:
            if namespace not in self._live:
                self._live[namespace] = live(self.kubectl(namespace))
            return self._live[namespace]

    def kubectl(self, namespace: str) -> Kubectl:
        """kubectl on the stack's cluster, in this namespace."""
        # The provider, too, reads the path from the project's directory, which is where the program runs.
        path = self._config.kubeconfig
        return Kubectl.find(
            namespace, kubeconfig=str(Path(path).expanduser().absolute()) if path else None, context=self._config.kube_context
        )
