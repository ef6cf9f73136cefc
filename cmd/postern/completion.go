package main

import (
	"slices"

	"github.com/urfave/cli/v3"
)

// completion adds "postern completion bash|zsh|fish", whose scripts come from
// the library that parses the flags, so that they agree with it.
func completion(root *cli.Command) {
	root.EnableShellCompletion = true
	root.ConfigureShellCompletionCommand = func(c *cli.Command) {
		c.Hidden = false
		c.Usage = "print a script that completes commands and flags in your shell"
		c.Description = `bash:  source <(postern completion bash)
zsh:   source <(postern completion zsh)
fish:  postern completion fish > ~/.config/fish/completions/postern.fish`
		c.Commands = slices.DeleteFunc(c.Commands, func(s *cli.Command) bool {
			return !slices.Contains([]string{"bash", "zsh", "fish"}, s.Name)
		})
		for _, s := range c.Commands {
			s.Usage = "print the script for " + s.Name
		}
		c.OnUsageError = usageError
	}
}
