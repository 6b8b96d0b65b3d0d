// The Pulumi Kubernetes provider, served from its Go module.
//
// The module's own main package embeds files that a code generator writes and the module does not carry. This one
// embeds schema.json and terraform-mapping.json, which the module does carry; the build puts them beside this file.
package main

import (
	_ "embed"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
)

// version is the release that the pinned module was tagged as; set by the linker.
var version = "4.0.0-dev"

//go:embed schema.json
var schema []byte

//go:embed terraform-mapping.json
var terraformMapping []byte

func main() {
	provider.Serve("kubernetes", version, schema, terraformMapping)
}
