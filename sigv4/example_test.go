package sigv4_test

import (
	"fmt"
	"time"

	"postern.example/postern/sigv4"
)

// A gate signs a form, and a bucket checks it.
func Example() {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	credentials := sigv4.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}

	fields := sigv4.NewSigner("eu-central-1").Post(credentials, now, &sigv4.Policy{
		Expiration: now.Add(5 * time.Minute),
		Conditions: []sigv4.Condition{
			sigv4.Eq("bucket", "photos"),
			sigv4.Eq("key", "incoming/1"),
			sigv4.LengthRange(1, 25e6),
		},
	})

	form := sigv4.Form{"key": "incoming/1"}
	for _, f := range fields {
		form[f.Name] = f.Value
	}

	verifier := &sigv4.Verifier{
		Region: "eu-central-1",
		Lookup: func(id string) (sigv4.Credentials, bool) { return credentials, id == credentials.AccessKeyID },
		Now:    func() time.Time { return now.Add(time.Minute) },
	}
	id, doc, err := verifier.Post(form)
	if err != nil {
		fmt.Println(err)
		return
	}
	policy, err := sigv4.ParsePolicy(doc)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(id, policy.Evaluate(form, "photos", verifier.Now()))
	fmt.Println(policy.CheckSize(30e6))
	form["key"] = "images/1"
	fmt.Println(policy.Evaluate(form, "photos", verifier.Now()))
	// Output:
	// AKIDEXAMPLE <nil>
	// EntityTooLarge: Your proposed upload exceeds the maximum allowed size
	// AccessDenied: Invalid according to Policy: Policy Condition failed: ["eq", "$key", "incoming/1"]
}
