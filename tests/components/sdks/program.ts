import * as pulumi from "@pulumi/pulumi";
import * as weir from "./weir";

const image = pulumi.output("hashicorp/http-echo:1.0.0");
const variable = { valueFrom: { secretKeyRef: { name: "shop", key: "token" } } };

const backend = new weir.mesh.MeshService("backend", {
    namespace: "demo",
    versions: { v1: { image, replicas: 2, env: { LOG: "info", TOKEN: variable } }, v2: { image } },
    stable: "v1",
    canary: { v2: 20 },
    fault: { delay: { percentage: 50, fixedDelay: "3s" } },
    retries: { attempts: 3, perTryTimeout: "2s" },
    cluster: { readyTimeout: "5m" },
});

export const host: pulumi.Output<string> = backend.host;
