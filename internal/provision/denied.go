package provision

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// Denied says which permission the operator lacks. errors.Is(err, ErrDenied).
type Denied struct {
	Permission
	Caller    string // who lacks it; empty where nobody tells
	Code      string // "AccessDenied"
	Message   string // the server's own
	RequestID string
}

// Error names action, resource and who lacks it.
func (d *Denied) Error() string {
	who := d.Caller
	if who == "" {
		who = "the operator's key"
	}
	s := fmt.Sprintf("%s may not %s on %s", who, d.Action, d.Resource)
	if d.Code != "" {
		s += fmt.Sprintf(" (%s", d.Code)
		if d.RequestID != "" {
			s += ", request " + d.RequestID
		}
		s += ")"
	}
	return s
}

// Is says that a Denied is an ErrDenied.
func (d *Denied) Is(target error) bool { return target == ErrDenied }

// notAuthorized is AWS's sentence: "Troubleshooting access denied error
// messages", IAM user guide.
var notAuthorized = regexp.MustCompile(`is not authorized to perform: ([a-z0-9-]+:[A-Za-z*]+)(?: on resource: "?([^\s"]+)"?)?`)

// explain turns an answer to an operation into a *Denied where it is one. What
// AWS itself says of the action is believed.
func (c *Cloud) explain(err error, p Permission) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, ErrDenied) { // by somebody who knew better which action it was
		return err
	}
	if status(err) != http.StatusForbidden && !saysCode(err, "AccessDenied", "AccessDeniedException", "AllAccessDisabled", "UnauthorizedOperation") ||
		saysCode(err, "InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed", "InvalidClientTokenId", "ExpiredToken") {
		return plainly(err)
	}
	d := &Denied{Permission: p, Caller: c.caller.ARN}
	var api smithy.APIError
	if errors.As(err, &api) {
		d.Code, d.Message = api.ErrorCode(), api.ErrorMessage()
	}
	// "Blocking public access to your Amazon S3 storage", S3 user guide: the
	// account's setting holds, too, and no permission of the operator's helps.
	if strings.Contains(d.Message, "BlockPublicPolicy") {
		return fmt.Errorf("%w: public: the account's Block Public Access refuses public policies, whatever the bucket's says: %v", ErrWant, plainly(err))
	}
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) {
		d.RequestID = answer.ServiceRequestID()
	}
	if m := notAuthorized.FindStringSubmatch(d.Message); m != nil {
		d.Action = m[1]
		if m[2] != "" {
			d.Resource = m[2]
		}
	}
	return d
}

// plainly is the SDK's error as one line: code, message and request id, without
// the operation's inner workings. A cancelled context stays one.
func plainly(err error) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return err
	}
	text := strings.TrimSpace(api.ErrorCode() + " " + api.ErrorMessage())
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) && answer.ServiceRequestID() != "" {
		text += " (request " + answer.ServiceRequestID() + ")"
	}
	return &said{text, err}
}

type said struct {
	text string
	err  error
}

func (s *said) Error() string { return s.text }
func (s *said) Unwrap() error { return s.err }

// denials are the permissions that were found missing while a plan was made:
// the operator is told all of them at once.
type denials struct{ list []error }

// note keeps a denial and goes on; any other error is returned.
func (d *denials) note(err error) error {
	var denied *Denied
	if !errors.As(err, &denied) {
		return err
	}
	for _, e := range d.list {
		var was *Denied
		if errors.As(e, &was) && was.Permission == denied.Permission {
			return nil
		}
	}
	d.list = append(d.list, err)
	return nil
}

func (d *denials) err() error { return errors.Join(d.list...) }

// saysCode reports whether err is an answer with one of these error codes.
func saysCode(err error, codes ...string) bool {
	var api smithy.APIError
	return errors.As(err, &api) && slices.Contains(codes, api.ErrorCode())
}
