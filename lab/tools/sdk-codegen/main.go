// sdk-codegen writes the SDKs of a package for TypeScript, Go and Python, by the generators of this version of Pulumi.
//
// The language hosts that have them are not served as Go modules in this version, and the CLI has them in no other way.
// Usage: sdk-codegen nodejs|go|python SCHEMA.json DIRECTORY
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	gogen "github.com/pulumi/pulumi/pkg/v3/codegen/go"
	"github.com/pulumi/pulumi/pkg/v3/codegen/nodejs"
	"github.com/pulumi/pulumi/pkg/v3/codegen/python"
	"github.com/pulumi/pulumi/pkg/v3/codegen/schema"
)

func main() {
	if err := generate(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func generate(language, file, directory string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var spec schema.PackageSpec
	if err := json.Unmarshal(text, &spec); err != nil {
		return err
	}
	languages := map[string]schema.Language{"nodejs": nodejs.Importer, "go": gogen.Importer, "python": python.Importer}
	pkg, err := schema.ImportSpec(spec, languages, schema.NewPluginLoader(nil), schema.ValidationOptions{})
	if err != nil {
		return err
	}
	files, err := write(language, pkg)
	if err != nil {
		return err
	}
	for name, content := range files {
		path := filepath.Join(directory, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func write(language string, pkg *schema.Package) (map[string][]byte, error) {
	switch language {
	case "nodejs":
		return nodejs.GeneratePackage("sdk-codegen", pkg, nil, nil, false, nil)
	case "go":
		return gogen.GeneratePackage("sdk-codegen", pkg, nil)
	case "python":
		return python.GeneratePackage("sdk-codegen", pkg, nil, nil)
	}
	return nil, fmt.Errorf("no generator for %q", language)
}
