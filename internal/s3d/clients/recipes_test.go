package clients

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const manual = "../../../docs/bucket.md"

// recipe returns the one code block of the manual in a language.
func recipe(t *testing.T, language string) string {
	t.Helper()
	doc, err := os.ReadFile(manual)
	must(t, err)
	_, rest, ok := strings.Cut(string(doc), "\n```"+language+"\n")
	code, more, ok2 := strings.Cut(rest, "\n```\n")
	if !ok || !ok2 || strings.Contains(more, "\n```"+language+"\n") {
		t.Fatalf("%s has not one recipe in %s", manual, language)
	}
	return code
}

// What the manual tells people to write in their tests starts a bucket and
// reaches it, as it stands there.
func TestRecipes(t *testing.T) {
	for _, c := range []struct {
		name, language, dir, file, program, before, after string
	}{
		{
			"Node", "js", "node", "recipe.mjs", "node",
			`import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
`, `
await client.send(new PutObjectCommand({ Bucket: 'photos', Key: 'k', Body: 'hello' }));
const got = await client.send(new GetObjectCommand({ Bucket: 'photos', Key: 'k' }));
console.log(await got.Body.transformToString());
server.kill();
`,
		},
		{
			"Python", "python", "python", "recipe.py", "/usr/bin/python3",
			"import json\nimport subprocess\n\nimport boto3\n\n", `
client.put_object(Bucket="photos", Key="k", Body=b"hello")
print(client.get_object(Bucket="photos", Key="k")["Body"].read().decode())
server.terminate()
server.wait()
`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			leftOut(t, strings.ToLower(c.name))
			bin, err := binary(t.TempDir())
			must(t, err)
			program := c.program
			if v := os.Getenv("POSTERN_CLIENTS_PYTHON"); v != "" && c.name == "Python" {
				program = v
			}
			path := filepath.Join(c.dir, c.file) // beside the packages it imports
			must(t, os.WriteFile(path, []byte(c.before+recipe(t, c.language)+c.after), 0o600))
			t.Cleanup(func() { must(t, os.Remove(path)) })
			cmd := exec.CommandContext(t.Context(), program, c.file)
			cmd.Dir = c.dir
			cmd.Env = append(os.Environ(), fmt.Sprintf("PATH=%s%c%s", filepath.Dir(bin), filepath.ListSeparator, os.Getenv("PATH")),
				"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "TMPDIR="+t.TempDir())
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "hello") {
				t.Fatalf("%v\n%s", err, out)
			}
		})
	}
}
