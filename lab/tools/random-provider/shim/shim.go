// Package shim opens the random provider's internal package to the bridge.
//
// Go lets only packages below github.com/terraform-providers/terraform-provider-random import its internal packages;
// this module takes a path below it, through a replace directive.
package shim

import (
	tfprovider "github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/terraform-providers/terraform-provider-random/internal/provider"
)

// NewProvider returns the upstream Terraform provider.
func NewProvider() tfprovider.Provider {
	return provider.New()
}
