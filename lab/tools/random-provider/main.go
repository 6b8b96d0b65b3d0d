// pulumi-resource-random: the Terraform random provider, bridged to Pulumi.
package main

import (
	"context"
	"encoding/json"
	"unicode"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	bridge "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	"github.com/terraform-providers/terraform-provider-random/shim"
)

// version is the pulumi-random release this serves; set by the linker.
var version = "4.0.0-dev"

func main() {
	info := bridge.ProviderInfo{
		P:            tfbridge.ShimProvider(shim.NewProvider()),
		Name:         "random",
		Version:      version,
		MetadataInfo: bridge.NewProviderMetadata([]byte("{}")),
	}
	// Tokens as the released provider spells them: random:index/randomPet:RandomPet for random_pet.
	info.MustComputeTokens(tokens.SingleModule("random_", "index",
		func(module, name string) (string, error) {
			lower := []rune("random" + name)
			file := string(unicode.ToLower(lower[0])) + string(lower[1:])
			return "random:" + module + "/" + file + ":Random" + name, nil
		}))
	info.MustApplyAutoAliases()

	schema, err := json.Marshal(map[string]string{"name": "random", "version": version})
	if err != nil {
		panic(err)
	}
	tfbridge.Main(context.Background(), "random", info, tfbridge.ProviderMetadata{PackageSchema: schema})
}
