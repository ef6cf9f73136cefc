package main

import (
	"context"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// writeSBOM describes a built program by what the linker noted in it.
func writeSBOM(ctx context.Context, path, binary string) (err error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return fmt.Errorf("read %s: %w", binary, err)
	}
	root, err := repository(ctx)
	if err != nil {
		return err
	}
	modules, err := linked(ctx, root)
	if err != nil {
		return err
	}
	licences := map[string][]string{}
	for _, m := range modules {
		if licences[m.path+"@"+m.version], err = licencesOf(m); err != nil {
			return err
		}
	}
	bom, err := describe(info, licences)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // it is for everybody
		return err
	}
	f, err := os.Create(path) //nolint:gosec // the caller names it
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	return cdx.NewBOMEncoder(f, cdx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, cdx.SpecVersion1_6)
}

// describe makes the document. It has no time and no random number in it, so
// that two builds of one revision have one description.
func describe(info *debug.BuildInfo, licences map[string][]string) (*cdx.BOM, error) {
	setting := map[string]string{}
	for _, s := range info.Settings {
		setting[s.Key] = s.Value
	}
	main := component(info.Main.Path, info.Main.Version, []string{"Apache-2.0"})
	main.Type = cdx.ComponentTypeApplication
	properties := []cdx.Property{}
	for _, key := range []string{"GOOS", "GOARCH", "CGO_ENABLED", "vcs.revision", "vcs.time", "vcs.modified"} {
		if setting[key] != "" {
			properties = append(properties, cdx.Property{Name: "postern:build:" + key, Value: setting[key]})
		}
	}
	main.Properties = &properties

	list := []cdx.Component{component("std", strings.TrimPrefix(info.GoVersion, "go"), []string{"BSD-3-Clause"})}
	for _, d := range info.Deps {
		if d.Replace != nil {
			d = d.Replace
		}
		ids, ok := licences[d.Path+"@"+d.Version]
		if !ok {
			return nil, fmt.Errorf("%s %s is in the program and not in this checkout", d.Path, d.Version)
		}
		c := component(d.Path, d.Version, ids)
		// h1: is the SHA-256 of the module's files, each by its own (golang.org/x/mod/sumdb/dirhash).
		if sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(d.Sum, "h1:")); err == nil && len(sum) == 32 {
			c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum)}}
		}
		list = append(list, c)
	}
	refs := make([]string, len(list))
	for i, c := range list {
		refs[i] = c.BOMRef
	}
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{Component: &main}
	bom.Components = &list
	bom.Dependencies = &[]cdx.Dependency{{Ref: main.BOMRef, Dependencies: &refs}}
	return bom, nil
}

func component(path, version string, ids []string) cdx.Component {
	purl := "pkg:golang/" + path
	if version != "" && version != "(devel)" {
		purl += "@" + strings.ReplaceAll(version, "+", "%2B")
	}
	choice := cdx.LicenseChoice{Expression: strings.Join(ids, " AND ")}
	if len(ids) == 1 {
		choice = cdx.LicenseChoice{License: &cdx.License{ID: ids[0]}}
	}
	return cdx.Component{
		BOMRef: purl, PackageURL: purl, Type: cdx.ComponentTypeLibrary,
		Name: path, Version: version, Licenses: &cdx.Licenses{choice},
	}
}
