package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"example.com/pulumi-weir/sdk/go/weir/mesh"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		image := pulumi.String("hashicorp/http-echo:1.0.0")
		backend, err := mesh.NewMeshService(ctx, "backend", &mesh.MeshServiceArgs{
			Namespace: pulumi.String("demo"),
			Versions:  map[string]mesh.VersionArgs{"v1": {Image: image, Replicas: pulumi.Int(2)}, "v2": {Image: image}},
			Stable:    "v1",
			Canary:    map[string]float64{"v2": 20},
			Retries:   &mesh.RetriesArgs{Attempts: 3},
		})
		if err != nil {
			return err
		}
		ctx.Export("host", backend.Host)
		return nil
	})
}
